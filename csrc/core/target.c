/* target.c: a handful of patterns over the last four tokens; what matches none has no
 * target, and its value is stored as it is. */
#include "core/target.h"

#include <string.h>

static bool is_name(const tuff_token *token) {
  return token->kind == TUFF_TOKEN_WORD || token->kind == TUFF_TOKEN_QUOTED;
}

static tuff_name name_of(const tuff_token *token) {
  return (tuff_name){token->start, token->size};
}

static void remember(tuff_targets *targets, const tuff_token *token) {
  memmove(targets->last + 1, targets->last, 3 * sizeof *targets->last);
  targets->last[0] = *token;
}

static bool is_one_of(const tuff_token *token, const char *const *words) {
  for (; *words; words++)
    if (tuff_token_is(token, *words)) return true;
  return false;
}

/* A value alone between commas or parentheses is assigned whole; `? || 'x'` is not. */
static void confirm(tuff_targets *targets, const tuff_token *token) {
  static const char *const follows[] = {"where", "from", "returning", "on", NULL};
  if (targets->pending < 0) return;
  tuff_target *target = &targets->all[targets->pending];
  targets->pending = -1;
  bool alone = token->kind == TUFF_TOKEN_END || token->kind == TUFF_TOKEN_SEMICOLON ||
               tuff_token_is_char(token, ',') || tuff_token_is_char(token, ')') ||
               is_one_of(token, follows);
  if (!alone) target->table.size = 0;
}

void tuff_targets_begin(tuff_targets *targets) {
  memset(targets, 0, sizeof *targets);
  targets->pending = -1;
}

static void found_table(tuff_targets *targets, const tuff_token *token) {
  bool qualified = tuff_token_is_char(&targets->last[0], '.');
  if (!qualified) targets->tables++;
  if (targets->tables == 1) targets->table = name_of(token);
}

static void keyword(tuff_targets *targets, const tuff_token *token) {
  static const char *const others[] = {"where", "select", "order",  "group", "having",
                                       "limit", "union",  "window", "on",    NULL};
  const tuff_token *last = targets->last;
  if (tuff_token_is(token, "into")) {
    targets->clause = TUFF_CLAUSE_INTO;
    targets->wants_table = true;
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
  } else if (tuff_token_is(token, "set")) {
    targets->clause = TUFF_CLAUSE_SET;
  } else if (is_one_of(token, others)) {
    targets->clause = TUFF_CLAUSE_OTHER;
  }
}

void tuff_targets_token(tuff_targets *targets, const tuff_token *token) {
  confirm(targets, token);
  if (is_name(token)) {
    const tuff_token *last = targets->last;
    bool schema_before = tuff_token_is_char(&last[0], '.') && targets->table.size &&
                         targets->table.start == last[1].start;
    bool wanted = targets->wants_table && !tuff_token_is(token, "or");
    if (wanted || schema_before) {
      targets->wants_table = false;
      found_table(targets, token);
    } else if (targets->clause == TUFF_CLAUSE_COLUMNS) {
      if (targets->columns < TUFF_TARGET_COLUMNS)
        targets->column[targets->columns++] = name_of(token);
      else
        targets->too_many = true;
    }
    if (token->kind == TUFF_TOKEN_WORD) keyword(targets, token);
  } else if (tuff_token_is_char(token, '(')) {
    targets->wants_table = false;
    if (targets->depth++ == 0) {
      targets->ordinal = 0;
      if (targets->clause == TUFF_CLAUSE_INTO) {
        targets->clause = TUFF_CLAUSE_COLUMNS;
        targets->listed = true;
      }
    }
  } else if (tuff_token_is_char(token, ')')) {
    if (targets->depth > 0) targets->depth--;
    if (targets->depth == 0 && targets->clause == TUFF_CLAUSE_COLUMNS)
      targets->clause = TUFF_CLAUSE_OTHER;
  } else if (tuff_token_is_char(token, ',')) {
    if (targets->clause == TUFF_CLAUSE_VALUES && targets->depth == 1)
      targets->ordinal++;
    if (targets->clause == TUFF_CLAUSE_FROM) targets->tables++; /* from a, b */
  }
  remember(targets, token);
}

static bool is_comparison(const tuff_token *token) {
  return tuff_token_is_char(token, '=') || tuff_token_is_char(token, '<') ||
         tuff_token_is_char(token, '>');
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

/* How many tokens before the parameter are an operator that compares: `=`, `<=`, `in`,
 * `not in`; 0: it is none. */
static unsigned operator_length(const tuff_token *last) {
  if (tuff_token_is(&last[0], "in")) return tuff_token_is(&last[1], "not") ? 2 : 1;
  if (!is_comparison(&last[0])) return 0;
  return is_comparison(&last[1]) || tuff_token_is_char(&last[1], '!') ? 2 : 1;
}

/* The tokens before are `column operator`, perhaps with a table in front. */
static void assign_named(tuff_targets *targets, unsigned number, unsigned length) {
  tuff_target *target = &targets->all[number];
  const tuff_token *column = &targets->last[length];
  if (!is_name(column)) return;
  bool set = targets->clause == TUFF_CLAUSE_SET && targets->depth == 0 &&
             tuff_token_is_char(&targets->last[0], '=') && length == 1;
  target->column = name_of(column);
  target->compared = !set;
  target->table = targets->table;
  if (!set && length == 1 && tuff_token_is_char(&column[1], '.') && is_name(&column[2]))
    target->table = name_of(&column[2]);
  if (set) targets->pending = (int)number;
}

void tuff_targets_parameter(tuff_targets *targets, const tuff_token *token,
                            tuff_target *all, unsigned number) {
  targets->all = all;
  confirm(targets, token);
  const tuff_token *before = &targets->last[0];
  unsigned length = operator_length(targets->last);
  if (all[number].table.size == 0) {
    if (targets->clause == TUFF_CLAUSE_VALUES && targets->depth == 1) {
      if (tuff_token_is_char(before, '(') || tuff_token_is_char(before, ','))
        assign_tuple(targets, number);
    } else if (length > 0) {
      assign_named(targets, number, length);
    }
  }
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
