/* target.h: finds the column that a parameter is assigned to or compared with. SQLite
 * itself infers no types of parameters, but a decimal, a timestamp or a blob must be
 * stored as its column declares, through plain SQL as well. */
#ifndef TUFF_TARGET_H
#define TUFF_TARGET_H

#include "core/lexer.h"

/* What does not fit is not known. */
enum {
  TUFF_TARGET_COLUMNS = 2000, /* in a list: as many as a table has */
  TUFF_TARGET_DEPTH = 40,     /* parentheses and CASEs inside of each other */
  TUFF_TARGET_TABLES = 32,    /* that the statement names: bits of `candidates` */
  TUFF_TARGET_ROW = 16        /* columns of `(a, b) = (?, ?)` */
};

/* Which elements of a parenthesis, separated by commas, go where. */
typedef enum tuff_elements {
  TUFF_TO_NOTHING,
  TUFF_TO_FIRST,  /* the first one goes where the parenthesis goes */
  TUFF_TO_EACH,   /* each one does */
  TUFF_TO_REST,   /* all but the first one, which is a condition */
  TUFF_TO_NULLIF, /* the first one; the others are compared with it */
  TUFF_TO_LIST,   /* the columns that INSERT or SET has listed */
  TUFF_TO_ROW     /* the columns of a row that is compared */
} tuff_elements;

/* What the text since the last operator is. */
typedef enum tuff_operand {
  TUFF_OPERAND_NONE, /* nothing yet */
  TUFF_OPERAND_COLUMN,
  TUFF_OPERAND_USE, /* a parameter */
  TUFF_OPERAND_OTHER
} tuff_operand;

/* Where in a query we are. */
typedef enum tuff_clause {
  TUFF_CLAUSE_START,
  TUFF_CLAUSE_WITH,
  TUFF_CLAUSE_INTO, /* between INTO and what follows the columns */
  TUFF_CLAUSE_VALUES,
  TUFF_CLAUSE_SELECT, /* the result */
  TUFF_CLAUSE_SET,
  TUFF_CLAUSE_FROM,
  TUFF_CLAUSE_OTHER
} tuff_clause;

/* A pair of parentheses, a CASE … END, or the statement itself. */
typedef struct tuff_frame {
  enum { TUFF_FRAME_PLAIN, TUFF_FRAME_CASE, TUFF_FRAME_NAMES, TUFF_FRAME_QUERY } kind;
  bool call; /* the arguments of a function */
  tuff_elements to;
  tuff_target into; /* where its value goes; all zero: not known */
  unsigned ordinal; /* of the element */

  /* The value that is being read, between commas, keywords, or operators that compare.
   */
  tuff_target here;      /* where it goes */
  unsigned first;        /* use that it may hold */
  tuff_elements expects; /* of the parenthesis that comes next */
  bool between;          /* the next AND is BETWEEN's */
  int reversed;          /* the use in front of `? < column`, or -1 */
  tuff_operand operand;
  tuff_target column;   /* the operand, as what it would be compared with */
  tuff_target switched; /* the column of `case column when …` */

  /* Of a query, also of the statement itself. Its scope are the tables of one SELECT,
   * INSERT, UPDATE or DELETE; an opaque one has columns that are no table's, and a
   * sealed one does not see the tables beside it. */
  tuff_clause clause;
  bool wants_table; /* the next name is a table */
  bool wants_alias; /* the next name may be its alias */
  bool left;        /* of the `=` of SET */
  bool opaque, sealed;
  unsigned scope, scope_use; /* its number, from 1, and its first use */
} tuff_frame;

/* A table, or what stands for one, in a scope. */
typedef struct tuff_source {
  tuff_name name;  /* none: it is a subquery, or has been defined by WITH */
  tuff_name alias; /* what columns are qualified with */
  unsigned scope;  /* 0: the definition by WITH itself */
} tuff_source;

/* Follows the significant tokens of one statement, with a frame for each parenthesis
 * that is open. A parameter goes where the value that it stands in goes, if it is the
 * whole of it, also through parentheses, CASE, and functions such as coalesce. */
typedef struct tuff_targets {
  const char *end;    /* of the text */
  tuff_token last[2]; /* the significant tokens before, newest first */
  tuff_target *all;   /* of the uses so far */
  unsigned uses, depth, scopes, source_count;
  unsigned skipped;  /* parentheses that were too deep */
  bool skipped_case; /* it began with a CASE: it ends with what that stands in */
  bool crowded;      /* more tables than we keep: no comparison is known */
  bool inserts;
  int written; /* the source that is inserted into or updated, or -1 */
  bool listed; /* a list of columns was given */
  bool too_many;
  unsigned columns;
  unsigned row_columns;
  unsigned row_depth; /* of the frame that `row` is collected in, or was; 0: no row */
  unsigned row_users; /* frames whose elements go to `row` */
  /* From here on only what is in use is ever touched. */
  tuff_target row[TUFF_TARGET_ROW];
  tuff_source source[TUFF_TARGET_TABLES];
  tuff_frame frame[TUFF_TARGET_DEPTH];
  tuff_name column[TUFF_TARGET_COLUMNS];
} tuff_targets;

void tuff_targets_begin(tuff_targets *targets, const char *end);

/* Every significant token that is no placeholder. */
void tuff_targets_token(tuff_targets *targets, const tuff_token *token);

/* A placeholder. `all` holds the targets of the uses so far, which may have moved since
 * the last call, and behind them one that is zero but for its parameter. */
void tuff_targets_parameter(tuff_targets *targets, const tuff_token *token,
                            tuff_target *all);

/* At the end: finds the tables of what is compared. True if the driver has to choose
 * from candidates. */
bool tuff_targets_end(tuff_targets *targets);

#endif
