/* splitter.c: the body of a trigger or of a routine is recognised by its head.
 * That of a trigger, CREATE [TEMP] TRIGGER, ends at the semicolon behind `; END`. No
 * statement inside can start with END, so neither CASE … END nor a column of that name
 * can be taken for it. That of a routine, CREATE [OR REPLACE] FUNCTION or PROCEDURE,
 * stands between BEGIN ATOMIC and its END, which are counted with those of CASE. */
#include "core/splitter.h"

void tuff_splitter_begin(tuff_splitter *splitter, const char *script, size_t size,
                         const tuff_dialect *dialect) {
  splitter->lexer = (tuff_lexer){script, script + size, dialect};
}

tuff_effect tuff_effect_of(const tuff_token *word) {
  static const char *const begins[] = {"begin", "start", "savepoint", NULL};
  static const char *const ends[] = {"commit",  "end",   "rollback",
                                     "release", "abort", NULL};
  static const char *const outside[] = {"vacuum", "detach", NULL};
  if (tuff_token_is_one_of(word, begins)) return TUFF_EFFECT_BEGIN;
  if (tuff_token_is_one_of(word, ends)) return TUFF_EFFECT_END;
  return tuff_token_is_one_of(word, outside) ? TUFF_EFFECT_OUTSIDE : TUFF_EFFECT_NONE;
}

bool tuff_effect_is_control(tuff_effect effect) {
  return effect == TUFF_EFFECT_BEGIN || effect == TUFF_EFFECT_END;
}

/* Follows the head of a statement until it is known whether it makes one of them. */
typedef enum head { START, AFTER_EXPLAIN, AFTER_CREATE, OTHER, TRIGGER, ROUTINE } head;

static head follow_create(const tuff_token *token, bool atomic) {
  static const char *const between[] = {"temp", "temporary", "or", "replace", NULL};
  static const char *const routines[] = {"function", "procedure", NULL};
  if (tuff_token_is_one_of(token, between)) return AFTER_CREATE;
  if (atomic) return tuff_token_is_one_of(token, routines) ? ROUTINE : OTHER;
  return tuff_token_is(token, "trigger") ? TRIGGER : OTHER;
}

static head follow(head state, const tuff_token *token, bool atomic) {
  switch (state) {
    case START:
    case AFTER_EXPLAIN:
      if (tuff_token_is(token, "create")) return AFTER_CREATE;
      if (tuff_token_is(token, "explain") ||
          (state == AFTER_EXPLAIN &&
           (tuff_token_is(token, "query") || tuff_token_is(token, "plan"))))
        return AFTER_EXPLAIN;
      return OTHER;
    case AFTER_CREATE: return follow_create(token, atomic);
    case OTHER:
    case TRIGGER:
    case ROUTINE: break;
  }
  return state;
}

/* How many ENDs are to come in the body of a routine. */
static unsigned follow_body(unsigned depth, const tuff_token *before,
                            const tuff_token *token) {
  if (depth == 0)
    return tuff_token_is(token, "atomic") && tuff_token_is(before, "begin");
  if (tuff_token_is(token, "case")) return depth + 1;
  return tuff_token_is(token, "end") ? depth - 1 : depth;
}

bool tuff_splitter_next(tuff_splitter *splitter, tuff_part *part) {
  tuff_lexer *lexer = &splitter->lexer;
  bool atomic = lexer->dialect->atomic_bodies;
  head state = START;
  unsigned depth = 0;
  tuff_token before = {TUFF_TOKEN_END, lexer->at, 0}, last = before;
  part->start = NULL;
  for (;;) {
    tuff_token token = tuff_lexer_next(lexer);
    if (token.kind == TUFF_TOKEN_SPACE) continue;
    if (token.kind == TUFF_TOKEN_END) break;
    if (token.kind == TUFF_TOKEN_SEMICOLON) {
      bool inside =
          depth > 0 || (state == TRIGGER && !(before.kind == TUFF_TOKEN_SEMICOLON &&
                                              tuff_token_is(&last, "end")));
      if (part->start && !inside) break;
      if (!part->start) continue;
    } else if (!part->start) {
      part->start = token.start;
      part->effect = tuff_effect_of(&token);
    }
    state = follow(state, &token, atomic);
    if (state == ROUTINE) depth = follow_body(depth, &last, &token);
    before = last;
    last = token;
  }
  if (!part->start) return false;
  part->size = (size_t)(last.start + last.size - part->start);
  return true;
}
