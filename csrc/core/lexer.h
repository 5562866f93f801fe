/* lexer.h: cuts SQL into tokens, just finely enough to find placeholders and the ends
 * of statements. It never fails: what it does not know is punctuation. */
#ifndef TUFF_LEXER_H
#define TUFF_LEXER_H

#include "core/driver.h"

typedef enum tuff_token_kind {
  TUFF_TOKEN_END,
  TUFF_TOKEN_SPACE,  /* white space or a comment */
  TUFF_TOKEN_WORD,   /* a keyword or a bare identifier */
  TUFF_TOKEN_QUOTED, /* "name", [name] or `name` */
  TUFF_TOKEN_STRING, /* 'text', $$text$$ */
  TUFF_TOKEN_NUMBER,
  TUFF_TOKEN_PUNCTUATION, /* one operator character, or `::`; `==` comes as two */
  TUFF_TOKEN_SEMICOLON,
  TUFF_TOKEN_QUESTION, /* ? */
  TUFF_TOKEN_ESCAPED,  /* ??, a literal question mark */
  TUFF_TOKEN_NAMED,    /* :name */
  TUFF_TOKEN_REFUSED   /* ?1, $1, $name, @name */
} tuff_token_kind;

typedef struct tuff_token {
  tuff_token_kind kind;
  const char *start;
  size_t size;
} tuff_token;

typedef struct tuff_lexer {
  const char *at, *end;
  const tuff_dialect *dialect;
} tuff_lexer;

/* The next token; TUFF_TOKEN_END with size 0 at the end, however often it is asked. */
tuff_token tuff_lexer_next(tuff_lexer *lexer);

/* Whether the token is this keyword, which is given in lower case. */
bool tuff_token_is(const tuff_token *token, const char *keyword);

/* Whether it is one of these; NULL ends the list. */
bool tuff_token_is_one_of(const tuff_token *token, const char *const *keywords);

/* Whether the token is this one character of punctuation. */
bool tuff_token_is_char(const tuff_token *token, char character);

/* Of ASCII. */
static inline char tuff_char_lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Whether a word may go on with this byte. */
bool tuff_char_in_word(char c);

#endif
