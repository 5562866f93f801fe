/* splitter.c: a trigger's body is recognised by its head, CREATE [TEMP] TRIGGER, and
 * ends at the semicolon behind `; END`. No statement inside can start with END, so
 * neither CASE … END nor a column of that name can be taken for it. */
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

/* Follows the head of a statement until it is known whether it makes a trigger. */
typedef enum head { START, AFTER_EXPLAIN, AFTER_CREATE, OTHER, TRIGGER } head;

static head follow(head state, const tuff_token *token) {
  switch (state) {
    case START:
    case AFTER_EXPLAIN:
      if (tuff_token_is(token, "create")) return AFTER_CREATE;
      if (tuff_token_is(token, "explain") ||
          (state == AFTER_EXPLAIN &&
           (tuff_token_is(token, "query") || tuff_token_is(token, "plan"))))
        return AFTER_EXPLAIN;
      return OTHER;
    case AFTER_CREATE:
      if (tuff_token_is(token, "temp") || tuff_token_is(token, "temporary"))
        return AFTER_CREATE;
      return tuff_token_is(token, "trigger") ? TRIGGER : OTHER;
    case OTHER:
    case TRIGGER: break;
  }
  return state;
}

bool tuff_splitter_next(tuff_splitter *splitter, tuff_part *part) {
  tuff_lexer *lexer = &splitter->lexer;
  head state = START;
  tuff_token before = {TUFF_TOKEN_END, lexer->at, 0}, last = before;
  part->start = NULL;
  for (;;) {
    tuff_token token = tuff_lexer_next(lexer);
    if (token.kind == TUFF_TOKEN_SPACE) continue;
    if (token.kind == TUFF_TOKEN_END) break;
    if (token.kind == TUFF_TOKEN_SEMICOLON) {
      bool inside = state == TRIGGER && !(before.kind == TUFF_TOKEN_SEMICOLON &&
                                          tuff_token_is(&last, "end"));
      if (part->start && !inside) break;
      if (!part->start) continue;
    } else if (!part->start) {
      part->start = token.start;
      part->effect = tuff_effect_of(&token);
    }
    state = follow(state, &token);
    before = last;
    last = token;
  }
  if (!part->start) return false;
  part->size = (size_t)(last.start + last.size - part->start);
  return true;
}
