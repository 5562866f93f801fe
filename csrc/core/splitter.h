/* splitter.h: cuts a script into its statements. A semicolon inside a string, a
 * comment, a quoted name or the body of a trigger or a routine ends nothing. */
#ifndef TUFF_SPLITTER_H
#define TUFF_SPLITTER_H

#include "core/lexer.h"

typedef struct tuff_splitter {
  tuff_lexer lexer;
} tuff_splitter;

/* What a statement does to transactions, by its first word. */
typedef enum tuff_effect {
  TUFF_EFFECT_NONE,
  TUFF_EFFECT_BEGIN,  /* BEGIN, START, SAVEPOINT */
  TUFF_EFFECT_END,    /* COMMIT, END, ROLLBACK, RELEASE, ABORT */
  TUFF_EFFECT_OUTSIDE /* VACUUM, DETACH: cannot run inside a transaction */
} tuff_effect;

typedef struct tuff_part {
  const char *start; /* of the first token that is no space */
  size_t size;       /* without the semicolon */
  tuff_effect effect;
} tuff_part;

void tuff_splitter_begin(tuff_splitter *splitter, const char *script, size_t size,
                         const tuff_dialect *dialect);

/* The next statement that is not empty; false at the end of the script. */
bool tuff_splitter_next(tuff_splitter *splitter, tuff_part *part);

/* By the first word of a statement. */
tuff_effect tuff_effect_of(const tuff_token *word);

/* Whether it begins or ends a transaction. */
bool tuff_effect_is_control(tuff_effect effect);

#endif
