/* target_query.c: clauses. Which tables a query names, and which of them a column that
 * is compared belongs to. That is known only where the query ends: SELECT lists its
 * results before its tables. */
#include "core/target_query.h"

#include <string.h>

/* ---- names ---- */

static tuff_name bare(tuff_name name) {
  if (name.size >= 2 && strchr("\"[`", *name.start))
    return (tuff_name){name.start + 1, name.size - 2};
  return name;
}

static bool same_name(tuff_name a, tuff_name b) {
  a = bare(a);
  b = bare(b);
  if (a.size != b.size) return false;
  for (size_t i = 0; i < a.size; i++)
    if (tuff_char_lower(a.start[i]) != tuff_char_lower(b.start[i])) return false;
  return true;
}

/* ---- tables ---- */

static void add_source(tuff_targets *targets, tuff_name name, tuff_name alias,
                       unsigned scope) {
  if (targets->source_count < TUFF_TARGET_TABLES)
    targets->source[targets->source_count++] = (tuff_source){name, alias, scope};
  else
    targets->crowded = true;
}

/* The one that was named last; NULL: none was, or there was no room for it. */
static tuff_source *newest(tuff_targets *targets) {
  bool none = targets->crowded || targets->source_count == 0;
  return none ? NULL : &targets->source[targets->source_count - 1];
}

static bool is_defined(const tuff_targets *targets, tuff_name name) {
  for (unsigned i = 0; i < targets->source_count; i++)
    if (targets->source[i].scope == 0 && same_name(targets->source[i].alias, name))
      return true;
  return false;
}

static void add_opaque(tuff_targets *targets, tuff_frame *frame, tuff_name alias) {
  frame->opaque = true;
  add_source(targets, (tuff_name){0}, alias, frame->scope);
}

static void found_table(tuff_targets *targets, tuff_frame *frame,
                        const tuff_token *token) {
  tuff_name name = {token->start, token->size};
  bool writes = frame->clause == TUFF_CLAUSE_INTO || frame->clause == TUFF_CLAUSE_START;
  if (!writes && is_defined(targets, name))
    add_opaque(targets, frame, name);
  else
    add_source(targets, name, name, frame->scope);
  if (writes && targets->depth == 0 && targets->written < 0 && !targets->crowded)
    targets->written = (int)targets->source_count - 1;
  frame->wants_table = false;
  frame->wants_alias = true;
}

/* Behind the dot: what came before was the schema. */
static bool take_qualified(tuff_targets *targets, tuff_frame *frame,
                           const tuff_token *token) {
  tuff_source *source = newest(targets);
  bool dotted = tuff_token_is_char(&targets->last[0], '.') && frame->wants_alias;
  if (!dotted || !source || source->alias.start != targets->last[1].start) return false;
  source->name = source->alias = (tuff_name){token->start, token->size};
  return true;
}

static bool take_table(tuff_targets *targets, tuff_frame *frame,
                       const tuff_token *token) {
  static const char *const no_alias[] = {
      "set",    "where", "values",  "select", "default",   "on",        "join",
      "left",   "right", "full",    "inner",  "outer",     "cross",     "natural",
      "order",  "group", "limit",   "having", "union",     "intersect", "except",
      "window", "with",  "indexed", "not",    "returning", "using",     NULL};
  if (frame->wants_table) {
    /* `update or ignore t` */
    if (tuff_token_is(token, "or") || tuff_token_is(&targets->last[0], "or"))
      return frame->clause == TUFF_CLAUSE_START;
    found_table(targets, frame, token);
    return true;
  }
  if (!frame->wants_alias) return false;
  if (take_qualified(targets, frame, token)) return true;
  if (tuff_token_is(token, "as")) return true;
  frame->wants_alias = false;
  if (tuff_token_is_one_of(token, no_alias)) return false;
  if (newest(targets)) newest(targets)->alias = (tuff_name){token->start, token->size};
  return true;
}

/* ---- scopes ---- */

static void begin_scope(tuff_targets *targets, tuff_frame *frame) {
  tuff_query_end_scope(targets, frame);
  frame->scope = ++targets->scopes;
  frame->scope_use = targets->uses;
  frame->opaque = false;
}

/* Behind INSERT … SELECT, what follows is about the table that is written again. */
static void back_to_written(tuff_targets *targets, tuff_frame *frame) {
  if (targets->written < 0 || !targets->inserts) return;
  begin_scope(targets, frame);
  tuff_source written = targets->source[targets->written];
  add_source(targets, written.name, written.alias, frame->scope);
}

/* What stands in parentheses without an alias may be a join, whose names are not known.
 */
static void find_qualified(const tuff_targets *targets, const tuff_frame *frame,
                           tuff_target *target) {
  const tuff_source *found = NULL;
  for (unsigned i = 0; i < targets->source_count; i++) {
    const tuff_source *source = &targets->source[i];
    bool nameless = source->alias.size == 0;
    if (source->scope == frame->scope &&
        (nameless ? !found : same_name(source->alias, target->table)))
      found = source;
  }
  if (!found) return;
  if (found->name.size == 0) {
    tuff_target_forget(target);
    return;
  }
  target->table = found->name;
  target->candidates = UINT32_C(1) << (found - targets->source);
}

/* Where there is only one table, it is that. True if there are several. */
static bool choose(const tuff_targets *targets, tuff_target *target) {
  unsigned first = 0;
  while (!(target->candidates >> first & 1)) first++;
  if (target->candidates >> first > 1) return true;
  target->table = targets->source[first].name;
  return false;
}

void tuff_query_end_scope(tuff_targets *targets, tuff_frame *frame) {
  uint32_t tables = 0;
  for (unsigned i = 0; i < targets->source_count; i++)
    if (targets->source[i].scope == frame->scope && targets->source[i].name.size)
      tables |= UINT32_C(1) << i;
  for (unsigned i = frame->scope_use; i < targets->uses; i++) {
    tuff_target *target = &targets->all[i];
    if (!target->compared || (target->table.size && target->candidates)) continue;
    if (target->table.size) {
      find_qualified(targets, frame, target);
    } else if (frame->opaque) {
      tuff_target_forget(target);
    } else {
      target->candidates |= tables; /* and those of the queries around it */
      if (frame->sealed && target->candidates) choose(targets, target);
    }
  }
}

/* An upsert calls the row that it could not insert `excluded`. */
static void find_excluded(const tuff_targets *targets, tuff_target *target) {
  static const tuff_name excluded = {"excluded", 8};
  if (target->candidates || targets->written < 0 || !target->table.size ||
      !same_name(target->table, excluded))
    return;
  target->table = targets->source[targets->written].name;
  target->candidates = UINT32_C(1) << targets->written;
}

bool tuff_query_settle(tuff_targets *targets) {
  bool several = false;
  for (unsigned i = 0; i < targets->uses; i++) {
    tuff_target *target = &targets->all[i];
    if (!target->compared) continue;
    find_excluded(targets, target);
    if (!target->candidates || targets->crowded)
      tuff_target_forget(target);
    else if (target->table.size == 0 && choose(targets, target))
      several = true;
  }
  return several;
}

/* ---- clauses ---- */

void tuff_query_begin(tuff_targets *targets, tuff_frame *frame) {
  frame->kind = TUFF_FRAME_QUERY;
  frame->clause = TUFF_CLAUSE_START;
  if (frame->call || frame->into.embedded) frame->to = TUFF_TO_NOTHING;
  if (frame->to == TUFF_TO_EACH) frame->to = TUFF_TO_FIRST;
  frame->scope = ++targets->scopes;
  frame->scope_use = targets->uses;
}

static void begin_clause(tuff_targets *targets, tuff_frame *frame, tuff_clause clause) {
  frame->clause = clause;
  frame->wants_table = clause == TUFF_CLAUSE_FROM || clause == TUFF_CLAUSE_INTO;
  frame->wants_alias = false;
  frame->left = clause == TUFF_CLAUSE_SET;
  frame->ordinal = 0;
  tuff_target_begin_value(targets, frame);
}

static bool begins_select(tuff_targets *targets, tuff_frame *frame,
                          const tuff_token *token) {
  static const char *const compounds[] = {"union", "intersect", "except", NULL};
  if (tuff_token_is(token, "select")) {
    begin_scope(targets, frame);
    begin_clause(targets, frame, TUFF_CLAUSE_SELECT);
  } else if (tuff_token_is_one_of(token, compounds)) {
    begin_scope(targets, frame);
    begin_clause(targets, frame, TUFF_CLAUSE_OTHER);
  } else if (tuff_token_is(token, "values")) {
    begin_clause(targets, frame, TUFF_CLAUSE_VALUES);
  } else {
    return false;
  }
  return true;
}

static bool begins_write(tuff_targets *targets, tuff_frame *frame,
                         const tuff_token *token) {
  if (tuff_token_is(token, "into")) {
    targets->inserts = true;
    frame->to = TUFF_TO_LIST;
    begin_clause(targets, frame, TUFF_CLAUSE_INTO);
  } else if (tuff_token_is(token, "update") &&
             !tuff_token_is(&targets->last[0], "do")) {
    begin_clause(targets, frame, TUFF_CLAUSE_START);
    frame->wants_table = true;
  } else if (tuff_token_is(token, "set")) {
    begin_clause(targets, frame, TUFF_CLAUSE_SET);
  } else if (tuff_token_is(token, "conflict") || tuff_token_is(token, "returning")) {
    if (tuff_token_is(token, "conflict") && !tuff_token_is(&targets->last[0], "on"))
      return false;
    back_to_written(targets, frame);
    begin_clause(targets, frame, TUFF_CLAUSE_OTHER);
  } else {
    return false;
  }
  return true;
}

static bool begins_clause(tuff_targets *targets, tuff_frame *frame,
                          const tuff_token *token) {
  static const char *const others[] = {"where", "order",  "group",
                                       "limit", "having", NULL};
  if (tuff_token_is(token, "from") || tuff_token_is(token, "join")) {
    if (tuff_token_is(&targets->last[0], "distinct")) return false; /* `is …` */
    begin_clause(targets, frame, TUFF_CLAUSE_FROM);
  } else if (tuff_token_is(token, "on")) {
    begin_clause(targets, frame, frame->clause);
    frame->wants_table = frame->left = false;
  } else if (tuff_token_is_one_of(token, others)) {
    begin_clause(targets, frame, TUFF_CLAUSE_OTHER);
  } else if (tuff_token_is(token, "with") && (frame->clause == TUFF_CLAUSE_START ||
                                              frame->clause == TUFF_CLAUSE_INTO)) {
    begin_clause(targets, frame, TUFF_CLAUSE_WITH);
    frame->left = true;
  } else {
    return begins_select(targets, frame, token) || begins_write(targets, frame, token);
  }
  return true;
}

/* In `with a as (…), b(c) as (…)` the names a and b; nothing else counts there. */
static bool take_definition(tuff_targets *targets, tuff_frame *frame,
                            const tuff_token *token) {
  if (!frame->left || tuff_token_is(token, "recursive")) return frame->left;
  frame->left = false;
  add_source(targets, (tuff_name){0}, (tuff_name){token->start, token->size}, 0);
  return true;
}

bool tuff_query_name(tuff_targets *targets, tuff_frame *frame,
                     const tuff_token *token) {
  if (frame->clause == TUFF_CLAUSE_WITH && take_definition(targets, frame, token))
    return true;
  if (take_table(targets, frame, token)) return true;
  if (token->kind != TUFF_TOKEN_WORD || tuff_token_is_char(&targets->last[0], '.'))
    return false;
  return begins_clause(targets, frame, token);
}

void tuff_query_comma(tuff_frame *frame) {
  frame->wants_table = frame->clause == TUFF_CLAUSE_FROM;
  frame->left = frame->clause == TUFF_CLAUSE_SET || frame->clause == TUFF_CLAUSE_WITH;
}

static void open_names(tuff_targets *targets, tuff_frame *inner) {
  inner->kind = TUFF_FRAME_NAMES;
  targets->listed = true;
  targets->columns = 0;
}

/* `from (`: a subquery, or a join; `from f(`: a function. */
static bool open_source(tuff_targets *targets, tuff_frame *frame, tuff_frame *inner) {
  tuff_source *source = newest(targets);
  if (frame->wants_table) {
    add_opaque(targets, frame, (tuff_name){0});
    frame->wants_table = false;
    frame->wants_alias = inner->sealed = true;
    return true;
  }
  if (!frame->wants_alias || !source || source->alias.start != targets->last[0].start)
    return false;
  source->name.size = 0;
  frame->opaque = true;
  return true;
}

bool tuff_query_open(tuff_targets *targets, tuff_frame *frame, tuff_frame *inner) {
  switch (frame->clause) {
    case TUFF_CLAUSE_WITH: inner->sealed = true; return true;
    case TUFF_CLAUSE_INTO: open_names(targets, inner); return true;
    case TUFF_CLAUSE_SET:
      if (!frame->left) return false;
      open_names(targets, inner);
      return true;
    case TUFF_CLAUSE_VALUES:
      inner->to = frame->to;
      inner->into = frame->into;
      return true;
    case TUFF_CLAUSE_FROM: return open_source(targets, frame, inner);
    default: return false;
  }
}
