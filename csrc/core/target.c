/* target.c: a handful of patterns over the last few tokens; what matches none has no
 * target, and its value is stored as it is. */
#include "core/target.h"

#include <stddef.h>
#include <string.h>

static bool is_name(const tuff_token *token) {
  return token->kind == TUFF_TOKEN_WORD || token->kind == TUFF_TOKEN_QUOTED;
}

static bool is_parameter(const tuff_token *token) {
  return token->kind == TUFF_TOKEN_QUESTION || token->kind == TUFF_TOKEN_NAMED;
}

static tuff_name name_of(const tuff_token *token) {
  return (tuff_name){token->start, token->size};
}

static bool same_name(const tuff_name *name, const tuff_token *token) {
  return name->size == token->size &&
         memcmp(name->start, token->start, token->size) == 0;
}

static void remember(tuff_targets *targets, const tuff_token *token) {
  memmove(targets->last + 1, targets->last,
          (TUFF_TARGET_MEMORY - 1) * sizeof *targets->last);
  targets->last[0] = *token;
}

static bool is_one_of(const tuff_token *token, const char *const *words) {
  for (; *words; words++)
    if (tuff_token_is(token, *words)) return true;
  return false;
}

void tuff_targets_begin(tuff_targets *targets) {
  memset(targets, 0, offsetof(tuff_targets, column));
  targets->pending = targets->reversed = -1;
}

/* A value alone between commas or parentheses is assigned whole, and one before a word
 * is compared whole; `? || 'x'` and `? + 1` are not. And the name behind `? <` is a
 * column only if it is neither a table's nor a function's.
 */
static void confirm(tuff_targets *targets, const tuff_token *token) {
  static const char *const follows[] = {"where", "from",  "returning",
                                        "on",    "union", NULL};
  if (targets->pending >= 0) {
    tuff_target *target = &targets->all[targets->pending];
    bool alone = token->kind == TUFF_TOKEN_END || tuff_token_is_char(token, ',') ||
                 tuff_token_is_char(token, ')') || is_one_of(token, follows);
    bool word = token->kind == TUFF_TOKEN_WORD;
    if (!alone && !(target->compared && word)) target->table.size = 0;
    targets->pending = -1;
  }
  if (targets->reversed >= 0) {
    bool whole = token->kind != TUFF_TOKEN_PUNCTUATION ||
                 tuff_token_is_char(token, ')') || tuff_token_is_char(token, ',');
    if (!whole) targets->all[targets->reversed].table.size = 0;
    targets->reversed = -1;
  }
}

/* ---- where in the statement we are ---- */

static void found_table(tuff_targets *targets, const tuff_token *token) {
  bool schema_before = tuff_token_is_char(&targets->last[0], '.');
  if (!schema_before) targets->tables++;
  if (targets->tables == 1) targets->table = name_of(token);
  targets->wants_alias = targets->tables == 1;
}

/* True if the token was the table's name, or its alias. */
static bool take_table(tuff_targets *targets, const tuff_token *token) {
  static const char *const no_alias[] = {
      "set",     "where", "values", "select", "default", "on",     "join",
      "left",    "right", "full",   "inner",  "outer",   "cross",  "natural",
      "order",   "group", "limit",  "having", "union",   "window", "returning",
      "indexed", "not",   "using",  NULL};
  const tuff_token *last = targets->last;
  if (targets->wants_table && !tuff_token_is(token, "or")) {
    targets->wants_table = false;
    found_table(targets, token);
    return true;
  }
  if (tuff_token_is_char(&last[0], '.') && targets->table.size &&
      targets->table.start == last[1].start) {
    found_table(targets, token); /* what came before was the schema */
    return true;
  }
  if (!targets->wants_alias || tuff_token_is(token, "as")) return false;
  targets->wants_alias = false;
  if (is_one_of(token, no_alias)) return false;
  targets->alias = name_of(token);
  return true;
}

static void keyword(tuff_targets *targets, const tuff_token *token) {
  static const char *const others[] = {"where", "order",  "group", "having", "limit",
                                       "union", "window", "on",    NULL};
  const tuff_token *last = targets->last;
  if (tuff_token_is(token, "into")) {
    targets->clause = TUFF_CLAUSE_INTO;
    targets->wants_table = targets->inserts = true;
  } else if (tuff_token_is(token, "from") && tuff_token_is(&last[0], "distinct")) {
    return; /* `is distinct from` */
  } else if (tuff_token_is(token, "from") || tuff_token_is(token, "join")) {
    targets->clause = TUFF_CLAUSE_FROM;
    targets->wants_table = true;
  } else if (tuff_token_is(token, "update")) {
    targets->wants_table = !tuff_token_is(&last[0], "do");
  } else if (tuff_token_is(token, "or")) {
    targets->wants_table = false; /* `update or ignore t`: t comes two words later */
  } else if (tuff_token_is(&last[0], "or") && tuff_token_is(&last[1], "update")) {
    targets->wants_table = true;
  } else if (tuff_token_is(token, "values")) {
    targets->clause = TUFF_CLAUSE_VALUES;
  } else if (tuff_token_is(token, "select") && targets->depth == 0) {
    targets->clause = targets->inserts ? TUFF_CLAUSE_SELECT : TUFF_CLAUSE_OTHER;
    targets->ordinal = 0;
  } else if (tuff_token_is(token, "set")) {
    targets->clause = TUFF_CLAUSE_SET;
  } else if (is_one_of(token, others)) {
    targets->clause = TUFF_CLAUSE_OTHER;
  }
}

static void open_parenthesis(tuff_targets *targets) {
  const tuff_token *last = targets->last;
  targets->wants_table = targets->wants_alias = false;
  targets->depth++;
  if (tuff_token_is(&last[0], "in")) {
    const tuff_token *column = &last[tuff_token_is(&last[1], "not") ? 2 : 1];
    targets->list = name_of(column);
    targets->list_depth = is_name(column) ? targets->depth : 0;
  }
  if (targets->depth > 1) return;
  targets->ordinal = 0;
  bool first = tuff_token_is(&last[0], "set") || tuff_token_is_char(&last[0], ',');
  if (targets->clause == TUFF_CLAUSE_INTO ||
      (targets->clause == TUFF_CLAUSE_SET && first)) {
    targets->tuple = targets->clause == TUFF_CLAUSE_SET;
    targets->clause = TUFF_CLAUSE_COLUMNS;
    targets->listed = true;
    targets->columns = 0;
  } else if (targets->clause == TUFF_CLAUSE_SET && targets->tuple) {
    targets->clause = TUFF_CLAUSE_VALUES;
  }
}

static void close_parenthesis(tuff_targets *targets) {
  if (targets->list_depth == targets->depth) targets->list_depth = 0;
  if (targets->depth > 0) targets->depth--;
  if (targets->depth > 0) return;
  if (targets->clause == TUFF_CLAUSE_COLUMNS) {
    targets->clause = targets->tuple ? TUFF_CLAUSE_SET : TUFF_CLAUSE_INTO;
  } else if (targets->clause == TUFF_CLAUSE_VALUES && targets->tuple) {
    targets->clause = TUFF_CLAUSE_SET;
    targets->tuple = false;
  }
}

static void comma(tuff_targets *targets) {
  bool in_tuple = targets->clause == TUFF_CLAUSE_VALUES && targets->depth == 1;
  bool in_result = targets->clause == TUFF_CLAUSE_SELECT && targets->depth == 0;
  if (in_tuple || in_result) targets->ordinal++;
  if (targets->clause == TUFF_CLAUSE_FROM) targets->tables++; /* from a, b */
}

static void add_column(tuff_targets *targets, const tuff_token *token) {
  if (targets->columns < TUFF_TARGET_COLUMNS)
    targets->column[targets->columns++] = name_of(token);
  else
    targets->too_many = true;
}

/* ---- which column a parameter belongs to ---- */

static bool is_comparison(const tuff_token *token) {
  return tuff_token_is_char(token, '=') || tuff_token_is_char(token, '<') ||
         tuff_token_is_char(token, '>');
}

/* How many tokens are an operator that compares: `=`, `<=`, `is not`, `not in`; 0: they
 * are none. */
static unsigned operator_length(const tuff_token *last) {
  bool negated = tuff_token_is(&last[1], "not");
  if (tuff_token_is(&last[0], "in") || tuff_token_is(&last[0], "between"))
    return negated ? 2 : 1;
  if (tuff_token_is(&last[0], "is")) return 1;
  if (tuff_token_is(&last[0], "not") && tuff_token_is(&last[1], "is")) return 2;
  if (!is_comparison(&last[0])) return 0;
  return is_comparison(&last[1]) || tuff_token_is_char(&last[1], '!') ? 2 : 1;
}

static void compare(tuff_targets *targets, unsigned number, const tuff_name *column) {
  tuff_target *target = &targets->all[number];
  target->table = targets->table;
  target->column = *column;
  target->compared = true;
  targets->pending = (int)number;
}

static void assign_tuple(tuff_targets *targets, unsigned number) {
  tuff_target *target = &targets->all[number];
  target->table = targets->table;
  target->ordinal = targets->ordinal;
  if (targets->listed) {
    if (targets->ordinal >= targets->columns || targets->too_many)
      target->table.size = 0;
    else
      target->column = targets->column[targets->ordinal];
  }
  targets->pending = (int)number;
}

/* The tokens before are `column operator`, perhaps with a table in front. */
static void assign_named(tuff_targets *targets, unsigned number, unsigned length) {
  const tuff_token *token = &targets->last[length];
  if (!is_name(token)) return;
  tuff_name column = name_of(token);
  compare(targets, number, &column);
  tuff_target *target = &targets->all[number];
  bool qualified = tuff_token_is_char(&token[1], '.') && is_name(&token[2]);
  if (qualified && !same_name(&targets->alias, &token[2]))
    target->table = name_of(&token[2]);
  if (tuff_token_is(&targets->last[0], "between")) targets->between = column;
  bool first = tuff_token_is(&token[1], "set") || tuff_token_is_char(&token[1], ',');
  if (targets->clause == TUFF_CLAUSE_SET && targets->depth == 0 && length == 1 &&
      first && tuff_token_is_char(&targets->last[0], '='))
    target->compared = false;
}

static void find(tuff_targets *targets, unsigned number) {
  static const char *const starts[] = {"select", "distinct", "all", NULL};
  const tuff_token *last = targets->last;
  bool first = tuff_token_is_char(&last[0], '('),
       next = tuff_token_is_char(&last[0], ',');
  unsigned length = operator_length(last);
  if (targets->clause == TUFF_CLAUSE_VALUES && targets->depth == 1) {
    if (first || next) assign_tuple(targets, number);
  } else if (targets->clause == TUFF_CLAUSE_SELECT && targets->depth == 0) {
    if (next || is_one_of(&last[0], starts)) assign_tuple(targets, number);
  } else if (targets->list_depth && targets->list_depth == targets->depth) {
    if (first || next) compare(targets, number, &targets->list);
  } else if (length > 0) {
    assign_named(targets, number, length);
  } else if (targets->between.size && tuff_token_is(&last[0], "and") &&
             is_parameter(&last[1])) {
    compare(targets, number, &targets->between);
    targets->between.size = 0;
  }
}

/* `? < column` */
static void find_reversed(tuff_targets *targets, const tuff_token *token) {
  unsigned length = operator_length(targets->last);
  if (length == 0 || !is_comparison(&targets->last[0]) ||
      !is_parameter(&targets->last[length]) ||
      targets->all[targets->number].table.size > 0)
    return;
  const tuff_token *before = &targets->last[length + 1];
  if (before->kind == TUFF_TOKEN_PUNCTUATION && !tuff_token_is_char(before, '(') &&
      !tuff_token_is_char(before, ','))
    return; /* `1 + ? < a` */
  tuff_name column = name_of(token);
  compare(targets, targets->number, &column);
  targets->pending = -1;
  targets->reversed = (int)targets->number;
}

void tuff_targets_token(tuff_targets *targets, const tuff_token *token) {
  confirm(targets, token);
  if (is_name(token)) {
    bool taken = take_table(targets, token);
    if (!taken && targets->clause == TUFF_CLAUSE_COLUMNS) add_column(targets, token);
    if (!taken && targets->all) find_reversed(targets, token);
    if (!taken && token->kind == TUFF_TOKEN_WORD) keyword(targets, token);
  } else if (tuff_token_is_char(token, '(')) {
    open_parenthesis(targets);
  } else if (tuff_token_is_char(token, ')')) {
    close_parenthesis(targets);
  } else if (tuff_token_is_char(token, ',')) {
    comma(targets);
  }
  remember(targets, token);
}

void tuff_targets_parameter(tuff_targets *targets, const tuff_token *token,
                            tuff_target *all, unsigned number) {
  targets->all = all;
  confirm(targets, token);
  if (all[number].table.size == 0 && targets->table.size > 0) find(targets, number);
  targets->number = number;
  remember(targets, token);
}

void tuff_targets_end(tuff_targets *targets, unsigned count) {
  tuff_token end = {TUFF_TOKEN_END, NULL, 0};
  confirm(targets, &end);
  if (targets->tables <= 1) return;
  for (unsigned i = 0; i < count; i++) {
    tuff_target *target = &targets->all[i];
    if (target->compared && target->table.start == targets->table.start)
      target->table.size = 0;
  }
}
