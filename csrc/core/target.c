/* target.c: expressions. Which parameter is the whole of a value, and which only a part
 * of it; which column is compared with it. */
#include "core/target.h"

#include <stddef.h>
#include <string.h>

#include "core/target_query.h"

static bool is_name(const tuff_token *token) {
  return token->kind == TUFF_TOKEN_WORD || token->kind == TUFF_TOKEN_QUOTED;
}

static bool is_known(const tuff_target *target) {
  return target->table.size > 0 || target->column.size > 0;
}

/* All targets are copies: names are the same where they stand at the same place. */
static bool same_target(const tuff_target *a, const tuff_target *b) {
  return a->table.start == b->table.start && a->column.start == b->column.start &&
         a->ordinal == b->ordinal && a->compared == b->compared;
}

static void set_target(tuff_target *target, const tuff_target *to) {
  unsigned parameter = target->parameter;
  *target = *to;
  target->parameter = parameter;
}

void tuff_target_forget(tuff_target *target) { set_target(target, &(tuff_target){0}); }

static void embed(tuff_target *target) {
  if (target->compared)
    tuff_target_forget(target);
  else
    target->embedded = is_known(target);
}

/* ---- values ---- */

static tuff_target listed_column(const tuff_targets *targets, unsigned ordinal) {
  tuff_target target = {0};
  if (targets->written < 0 || (targets->listed && ordinal >= targets->columns) ||
      (targets->listed && targets->too_many))
    return target;
  target.table = targets->source[targets->written].name;
  target.candidates = UINT32_C(1) << targets->written;
  target.ordinal = ordinal;
  if (targets->listed) target.column = targets->column[ordinal];
  return target;
}

static tuff_target element(const tuff_targets *targets, const tuff_frame *frame) {
  unsigned ordinal = frame->ordinal;
  tuff_target into = frame->into;
  switch (frame->to) {
    case TUFF_TO_EACH: return into;
    case TUFF_TO_LIST: return listed_column(targets, ordinal);
    case TUFF_TO_FIRST:
      if (ordinal == 0) return into;
      break;
    case TUFF_TO_REST:
      if (ordinal > 0) return into;
      break;
    case TUFF_TO_NULLIF:
      if (ordinal > 0 && into.embedded) break;
      into.compared |= ordinal > 0 && is_known(&into);
      return into;
    case TUFF_TO_ROW:
      if (ordinal < targets->row_columns) return targets->row[ordinal];
      break;
    case TUFF_TO_NOTHING: break;
  }
  return (tuff_target){0};
}

/* `? < column` has been read. */
static void end_value(tuff_targets *targets, tuff_frame *frame) {
  if (frame->reversed >= 0 && frame->operand == TUFF_OPERAND_COLUMN)
    set_target(&targets->all[frame->reversed], &frame->column);
  frame->reversed = -1;
}

static void start_value(tuff_targets *targets, tuff_frame *frame,
                        const tuff_target *here) {
  end_value(targets, frame);
  frame->here = *here;
  frame->first = targets->uses;
  frame->expects = TUFF_TO_FIRST;
  frame->between = false;
  frame->operand = TUFF_OPERAND_NONE;
}

void tuff_target_begin_value(tuff_targets *targets, tuff_frame *frame) {
  tuff_target here = {0};
  if (frame->kind != TUFF_FRAME_QUERY || frame->clause == TUFF_CLAUSE_SELECT)
    here = element(targets, frame);
  start_value(targets, frame, &here);
}

/* An operator that calculates: what was the whole of the value is a part of it. */
static void mix(tuff_targets *targets, tuff_frame *frame) {
  frame->operand = TUFF_OPERAND_OTHER;
  if (!is_known(&frame->here) || frame->here.embedded) return;
  for (unsigned i = frame->first; i < targets->uses; i++)
    if (same_target(&targets->all[i], &frame->here)) embed(&targets->all[i]);
  embed(&frame->here);
}

/* An operator that gives a truth: what is in front of it does not get any further, and
 * a column in front of it is compared with what comes. */
static void judge(tuff_targets *targets, tuff_frame *frame, const tuff_target *column) {
  if (is_known(&frame->here) && !frame->here.compared) {
    for (unsigned i = frame->first; i < targets->uses; i++)
      if (same_target(&targets->all[i], &frame->here))
        tuff_target_forget(&targets->all[i]);
  }
  start_value(targets, frame, column);
}

/* ---- comparisons ---- */

/* The end of `(a, b)`, whose columns are in the row. */
static bool row_before(const tuff_targets *targets, const tuff_frame *frame) {
  return targets->row_depth == targets->depth + 1 && targets->row_columns > 1 &&
         frame->operand == TUFF_OPERAND_OTHER &&
         tuff_token_is_char(&targets->last[0], ')');
}

static void compare(tuff_targets *targets, tuff_frame *frame, bool list) {
  bool row = row_before(targets, frame);
  tuff_target column = {0};
  bool first = !frame->here.compared && frame->reversed < 0; /* not in `a = b = ?` */
  if (first && frame->operand == TUFF_OPERAND_COLUMN) column = frame->column;
  int use = frame->operand == TUFF_OPERAND_USE ? (int)targets->uses - 1 : -1;
  judge(targets, frame, &column);
  if (use >= 0 && !is_known(&targets->all[use])) frame->reversed = use;
  frame->expects = row ? TUFF_TO_ROW : list ? TUFF_TO_EACH : TUFF_TO_FIRST;
}

/* `set a =` */
static void assign(tuff_targets *targets, tuff_frame *frame) {
  tuff_target target = {0};
  bool names = frame->operand != TUFF_OPERAND_COLUMN;
  if (!names && targets->written >= 0) {
    target.table = targets->source[targets->written].name;
    target.candidates = UINT32_C(1) << targets->written;
    target.column = frame->column.column;
  }
  frame->left = false;
  start_value(targets, frame, &target);
  if (names) frame->expects = TUFF_TO_LIST;
}

static bool is_one_of_chars(const tuff_token *token, const char *characters) {
  return token->kind == TUFF_TOKEN_PUNCTUATION && strchr(characters, *token->start);
}

/* `<` of `<=`, but not of `<<`, nor `>` of `->`. */
static void punctuation(tuff_targets *targets, tuff_frame *frame,
                        const tuff_token *token) {
  const tuff_token *last = &targets->last[0];
  char next = token->start + 1 < targets->end ? token->start[1] : '\0';
  bool glued = last->start && last->start + 1 == token->start;
  bool second = glued && is_one_of_chars(last, "=<>!") && is_one_of_chars(token, "=>");
  bool shift = (next == *token->start && is_one_of_chars(token, "<>")) ||
               (glued && is_one_of_chars(last, "-<"));
  if (tuff_token_is_char(token, '.')) {
    if (frame->operand != TUFF_OPERAND_COLUMN) mix(targets, frame);
  } else if (tuff_token_is_char(token, '+') && frame->operand == TUFF_OPERAND_NONE) {
    return; /* changes nothing */
  } else if (second) {
    return;
  } else if (is_one_of_chars(token, "=<>") && !shift) {
    if (frame->left && tuff_token_is_char(token, '='))
      assign(targets, frame);
    else
      compare(targets, frame, false);
  } else if (tuff_token_is_char(token, '!') && next == '=') {
    compare(targets, frame, false);
  } else {
    mix(targets, frame);
  }
}

/* ---- frames ---- */

/* NULL: it is too deep, and is left out until it ends. */
static tuff_frame *push(tuff_targets *targets, const tuff_frame *frame) {
  if (targets->depth + 1 == TUFF_TARGET_DEPTH) {
    targets->skipped = 1;
    return NULL;
  }
  tuff_frame *top = &targets->frame[++targets->depth];
  *top = *frame;
  top->reversed = -1;
  if (top->to == TUFF_TO_ROW) targets->row_users++;
  tuff_target_begin_value(targets, top);
  return top;
}

static void pop(tuff_targets *targets) {
  tuff_frame *top = &targets->frame[targets->depth];
  end_value(targets, top);
  if (top->kind == TUFF_FRAME_QUERY) tuff_query_end_scope(targets, top);
  if (top->to == TUFF_TO_ROW && targets->row_users > 0) targets->row_users--;
  targets->depth--;
}

/* Collects the names of what may turn out to be a row that is compared. */
static void row_element(tuff_targets *targets, const tuff_frame *frame) {
  if (targets->row_depth != targets->depth || targets->row_users > 0) return;
  if (frame->kind == TUFF_FRAME_PLAIN && frame->operand == TUFF_OPERAND_COLUMN &&
      targets->row_columns < TUFF_TARGET_ROW)
    targets->row[targets->row_columns++] = frame->column;
  else
    targets->row_depth = 0;
}

static tuff_elements wrapper(const tuff_token *name) {
  static const char *const each[] = {"coalesce", "ifnull", "max", "min", NULL};
  static const char *const first[] = {"likely", "unlikely", "likelihood", NULL};
  if (tuff_token_is_one_of(name, each)) return TUFF_TO_EACH;
  if (tuff_token_is_one_of(name, first)) return TUFF_TO_FIRST;
  if (tuff_token_is(name, "iif") || tuff_token_is(name, "if")) return TUFF_TO_REST;
  return tuff_token_is(name, "nullif") ? TUFF_TO_NULLIF : TUFF_TO_NOTHING;
}

static void open_expression(tuff_targets *targets, tuff_frame *frame,
                            tuff_frame *inner) {
  inner->into = frame->here;
  inner->to = frame->expects;
  inner->call = frame->operand != TUFF_OPERAND_NONE && is_name(&targets->last[0]);
  if (inner->call) {
    inner->to = wrapper(&targets->last[0]);
    if (inner->to != TUFF_TO_NOTHING) return;
    inner->to = TUFF_TO_EACH;
    embed(&inner->into);
  } else if (targets->row_users == 0 && inner->to != TUFF_TO_ROW) {
    targets->row_depth = targets->depth + 1;
    targets->row_columns = 0;
  }
}

static void open_parenthesis(tuff_targets *targets) {
  tuff_frame *frame = &targets->frame[targets->depth];
  tuff_frame inner = {.kind = TUFF_FRAME_PLAIN};
  if (targets->row_users == 0) targets->row_depth = 0;
  if (frame->kind != TUFF_FRAME_QUERY || !tuff_query_open(targets, frame, &inner))
    open_expression(targets, frame, &inner);
  frame->operand = TUFF_OPERAND_OTHER;
  push(targets, &inner);
}

static void close_parenthesis(tuff_targets *targets) {
  while (targets->frame[targets->depth].kind == TUFF_FRAME_CASE) pop(targets);
  if (targets->depth == 0) return;
  row_element(targets, &targets->frame[targets->depth]);
  pop(targets);
}

static void comma(tuff_targets *targets) {
  tuff_frame *frame = &targets->frame[targets->depth];
  row_element(targets, frame);
  frame->ordinal++;
  if (frame->kind == TUFF_FRAME_QUERY) tuff_query_comma(frame);
  tuff_target_begin_value(targets, frame);
}

static void begin_case(tuff_targets *targets, tuff_frame *frame) {
  tuff_frame inner = {.kind = TUFF_FRAME_CASE};
  if (!push(targets, &inner)) {
    targets->skipped_case = true;
    for (unsigned i = 0; i <= targets->depth; i++) targets->frame[i].opaque = true;
    return;
  }
  targets->frame[targets->depth].into = frame->here;
  frame->operand = TUFF_OPERAND_OTHER;
}

/* The values behind THEN and ELSE go where CASE goes; those behind WHEN are compared
 * with the column behind CASE. */
static bool case_word(tuff_targets *targets, tuff_frame *frame,
                      const tuff_token *token) {
  if (tuff_token_is(token, "when")) {
    if (frame->ordinal++ == 0 && frame->operand == TUFF_OPERAND_COLUMN)
      frame->switched = frame->column;
    start_value(targets, frame, &frame->switched);
  } else if (tuff_token_is(token, "then") || tuff_token_is(token, "else")) {
    start_value(targets, frame, &frame->into);
  } else if (tuff_token_is(token, "end")) {
    pop(targets);
  } else {
    return false;
  }
  return true;
}

/* ---- words and names ---- */

static void take_and(tuff_targets *targets, tuff_frame *frame) {
  tuff_target nothing = {0}, here = frame->here;
  if (frame->between)
    start_value(targets, frame, &here);
  else
    judge(targets, frame, &nothing);
}

static bool expression_word(tuff_targets *targets, tuff_frame *frame,
                            const tuff_token *token) {
  static const char *const logic[] = {"or",    "like",   "glob",    "regexp",
                                      "match", "isnull", "notnull", NULL};
  tuff_target nothing = {0};
  bool fresh = frame->operand == TUFF_OPERAND_NONE;
  if (tuff_token_is(token, "and")) {
    take_and(targets, frame);
  } else if (!fresh && tuff_token_is_one_of(token, logic)) {
    judge(targets, frame, &nothing);
  } else if (tuff_token_is(token, "not")) {
    /* `is not`, and what is to come: `not in` */
    if (fresh && !tuff_token_is(&targets->last[0], "is"))
      judge(targets, frame, &nothing);
  } else if (tuff_token_is(token, "is")) {
    compare(targets, frame, false);
  } else if (tuff_token_is(token, "in")) {
    compare(targets, frame, true);
  } else if (tuff_token_is(token, "between")) {
    compare(targets, frame, false);
    frame->between = true;
  } else if (tuff_token_is(token, "case")) {
    begin_case(targets, frame);
  } else if (tuff_token_is(token, "as")) {
    frame->here = nothing;
    frame->operand = TUFF_OPERAND_OTHER;
  } else {
    return fresh && (tuff_token_is(token, "distinct") || tuff_token_is(token, "all") ||
                     tuff_token_is(token, "from"));
  }
  return true;
}

static void take_operand(tuff_targets *targets, tuff_frame *frame,
                         const tuff_token *token) {
  tuff_name name = {token->start, token->size};
  if (frame->operand == TUFF_OPERAND_NONE) {
    frame->operand = TUFF_OPERAND_COLUMN;
    frame->column = (tuff_target){.column = name, .compared = true};
  } else if (frame->operand == TUFF_OPERAND_COLUMN &&
             tuff_token_is_char(&targets->last[0], '.')) {
    frame->column.table = frame->column.column;
    frame->column.column = name;
  } else {
    frame->operand = TUFF_OPERAND_OTHER;
  }
}

static void add_column(tuff_targets *targets, const tuff_token *token) {
  if (targets->columns < TUFF_TARGET_COLUMNS)
    targets->column[targets->columns++] = (tuff_name){token->start, token->size};
  else
    targets->too_many = true;
}

static void take_name(tuff_targets *targets, const tuff_token *token) {
  static const char *const query[] = {"select", "values", "with", NULL};
  tuff_frame *frame = &targets->frame[targets->depth];
  if (frame->kind == TUFF_FRAME_PLAIN && tuff_token_is_char(&targets->last[0], '(') &&
      tuff_token_is_one_of(token, query))
    tuff_query_begin(targets, frame);
  if (frame->kind == TUFF_FRAME_NAMES)
    add_column(targets, token);
  else if (frame->kind == TUFF_FRAME_QUERY && tuff_query_name(targets, frame, token))
    return;
  else if (frame->kind == TUFF_FRAME_CASE && case_word(targets, frame, token))
    return;
  else if (!expression_word(targets, frame, token))
    take_operand(targets, frame, token);
}

/* ---- the statement ---- */

static void remember(tuff_targets *targets, const tuff_token *token) {
  targets->last[1] = targets->last[0];
  targets->last[0] = *token;
}

void tuff_targets_begin(tuff_targets *targets, const char *end) {
  memset(targets, 0, offsetof(tuff_targets, row));
  targets->end = end;
  targets->written = -1;
  targets->frame[0] = (tuff_frame){.reversed = -1};
  tuff_query_begin(targets, &targets->frame[0]);
}

static void skip(tuff_targets *targets, const tuff_token *token) {
  if (tuff_token_is_char(token, '(')) targets->skipped++;
  if (!tuff_token_is_char(token, ')') || --targets->skipped > 0) return;
  if (targets->skipped_case) close_parenthesis(targets);
  targets->skipped_case = false;
}

void tuff_targets_token(tuff_targets *targets, const tuff_token *token) {
  tuff_frame *frame = &targets->frame[targets->depth];
  if (targets->skipped)
    skip(targets, token);
  else if (is_name(token))
    take_name(targets, token);
  else if (tuff_token_is_char(token, '('))
    open_parenthesis(targets);
  else if (tuff_token_is_char(token, ')'))
    close_parenthesis(targets);
  else if (tuff_token_is_char(token, ','))
    comma(targets);
  else if (token->kind == TUFF_TOKEN_PUNCTUATION)
    punctuation(targets, frame, token);
  else if (token->kind == TUFF_TOKEN_ESCAPED)
    mix(targets, frame);
  else
    frame->operand = TUFF_OPERAND_OTHER;
  remember(targets, token);
}

void tuff_targets_parameter(tuff_targets *targets, const tuff_token *token,
                            tuff_target *all) {
  tuff_frame *frame = &targets->frame[targets->depth];
  tuff_target *target = &all[targets->uses++];
  targets->all = all;
  if (!targets->skipped) {
    set_target(target, &frame->here);
    frame->operand =
        frame->operand == TUFF_OPERAND_NONE ? TUFF_OPERAND_USE : TUFF_OPERAND_OTHER;
  }
  remember(targets, token);
}

bool tuff_targets_end(tuff_targets *targets) {
  while (targets->depth > 0) pop(targets);
  end_value(targets, &targets->frame[0]);
  tuff_query_end_scope(targets, &targets->frame[0]);
  return tuff_query_settle(targets);
}
