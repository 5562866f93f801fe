/* target.h: finds the column that a parameter is assigned to or compared with. SQLite
 * itself infers no types of parameters, but a decimal, a timestamp or a blob must be
 * stored as its column declares, through plain SQL as well. */
#ifndef TUFF_TARGET_H
#define TUFF_TARGET_H

#include "core/lexer.h"

enum {
  TUFF_TARGET_COLUMNS = 2000,
  TUFF_TARGET_MEMORY = 5
}; /* as many as a table has */

/* Follows the significant tokens of one statement. It understands
 *   insert into t (a, b) values (?, ?), …    insert into t values (?, ?)
 *   insert into t (a) select ?
 *   update t set a = ?, (b, c) = (?, ?)      … on conflict do update set a = ?
 *   where a = ?, ? < a, t.a >= ?, a is ?, a in ?, a in (?, ?), a between ? and ?
 *                                            where only one table is named
 * and says nothing about the rest. */
typedef struct tuff_targets {
  enum {
    TUFF_CLAUSE_OTHER,
    TUFF_CLAUSE_INTO,    /* between INTO and what follows the columns */
    TUFF_CLAUSE_COLUMNS, /* in a list of columns */
    TUFF_CLAUSE_VALUES,  /* tuples of values, each in parentheses */
    TUFF_CLAUSE_SELECT,  /* the result of a SELECT that is inserted */
    TUFF_CLAUSE_SET,
    TUFF_CLAUSE_FROM
  } clause;
  unsigned depth;   /* of parentheses */
  unsigned ordinal; /* in the tuple or the result */
  unsigned tables;  /* how many the statement names */
  bool wants_table; /* the next name is a table */
  bool wants_alias; /* the next name may be its alias */
  bool inserts;     /* INTO was seen */
  bool listed;      /* a column list was given */
  bool too_many;    /* more columns than we keep: nothing is known */
  bool tuple;       /* SET (a, b) waits for its values */
  tuff_name table;  /* the first that was named */
  tuff_name alias;
  unsigned columns;
  tuff_name list;                      /* the column before `in (` */
  unsigned list_depth;                 /* of its parenthesis; 0: none is open */
  tuff_name between;                   /* the column before `between ?` */
  tuff_token last[TUFF_TARGET_MEMORY]; /* the significant tokens before, newest first */
  tuff_target *all;                    /* one for each parameter */
  int pending;     /* the assignment that the next token must confirm, -1 none */
  int reversed;    /* the same for the name behind `? <` */
  unsigned number; /* of the last parameter */
  tuff_name
      column[TUFF_TARGET_COLUMNS]; /* `columns` of them; the rest is never touched */
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
