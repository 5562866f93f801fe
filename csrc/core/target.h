/* target.h: finds the column that a parameter is assigned to or compared with. SQLite
 * itself infers no types of parameters, but a decimal, a timestamp or a blob must be
 * stored as its column declares, through plain SQL as well. */
#ifndef TUFF_TARGET_H
#define TUFF_TARGET_H

#include "core/lexer.h"

enum { TUFF_TARGET_COLUMNS = 64 };

/* Follows the significant tokens of one statement. It understands
 *   insert into t (a, b) values (?, ?), …   insert into t values (?, ?)
 *   update t set a = ?                       … on conflict do update set a = ?
 *   where a = ?, a < ?, t.a >= ?             where only one table is named
 * and says nothing about the rest. */
typedef struct tuff_targets {
  enum {
    TUFF_CLAUSE_OTHER,
    TUFF_CLAUSE_INTO,
    TUFF_CLAUSE_COLUMNS,
    TUFF_CLAUSE_VALUES,
    TUFF_CLAUSE_SET,
    TUFF_CLAUSE_FROM
  } clause;
  unsigned depth;   /* of parentheses */
  unsigned ordinal; /* in the tuple of VALUES */
  unsigned tables;  /* how many the statement names */
  bool wants_table; /* the next name is a table */
  bool listed;      /* a column list was given */
  bool too_many;    /* more columns than we keep: nothing is known */
  tuff_name table;  /* the first that was named */
  tuff_name column[TUFF_TARGET_COLUMNS];
  unsigned columns;
  tuff_token last[4]; /* the significant tokens before, newest first */
  tuff_target *all;   /* one for each parameter */
  int pending;        /* the one that the next token must confirm, -1 none */
} tuff_targets;

void tuff_targets_begin(tuff_targets *targets);

/* Every significant token that is no placeholder. */
void tuff_targets_token(tuff_targets *targets, const tuff_token *token);

/* A placeholder. `all` holds the zeroed or filled targets of the parameters so far, and
 * may have moved since the last call; the first use of a named parameter decides. */
void tuff_targets_parameter(tuff_targets *targets, const tuff_token *token,
                            tuff_target *all, unsigned number);

/* At the end: forgets comparisons whose table turned out to be uncertain. */
void tuff_targets_end(tuff_targets *targets, unsigned count);

#endif
