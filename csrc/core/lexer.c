/* lexer.c: one function per kind of token that can hold a question mark or a semicolon
 * without meaning it. */
#include "core/lexer.h"

#include <string.h>

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Every byte above ASCII belongs to an identifier, as both engines have it. */
static bool starts_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (unsigned char)c >= 0x80;
}

bool tuff_char_in_word(char c) { return starts_word(c) || is_digit(c) || c == '$'; }

static char peek(const tuff_lexer *lexer, const char *at) {
  return at < lexer->end ? *at : '\0';
}

static const char *skip_word(const tuff_lexer *lexer, const char *at) {
  while (at < lexer->end && tuff_char_in_word(*at)) at++;
  return at;
}

/* After the opening quote; a doubled quote stands for itself. An unclosed one reaches
 * to the end, and the engine names the mistake. */
static const char *skip_quoted(const tuff_lexer *lexer, const char *at, char quote,
                               bool backslashes) {
  while (at < lexer->end) {
    if (backslashes && *at == '\\' && at + 1 < lexer->end) {
      at += 2;
    } else if (*at++ == quote) {
      if (peek(lexer, at) != quote) return at;
      at++;
    }
  }
  return lexer->end;
}

static const char *skip_line(const tuff_lexer *lexer, const char *at) {
  const char *newline = memchr(at, '\n', (size_t)(lexer->end - at));
  return newline ? newline + 1 : lexer->end;
}

static const char *skip_comment(const tuff_lexer *lexer, const char *at) {
  int depth = 1;
  while (at + 1 < lexer->end) {
    if (at[0] == '*' && at[1] == '/') {
      at += 2;
      if (--depth == 0) return at;
    } else if (at[0] == '/' && at[1] == '*' && lexer->dialect->nested_comments) {
      at += 2;
      depth++;
    } else {
      at++;
    }
  }
  return lexer->end;
}

/* At the first '$' of $tag$; NULL where it opens no string. */
static const char *skip_dollar_quoted(const tuff_lexer *lexer, const char *at) {
  const char *tag = at + 1;
  while (tag < lexer->end && *tag != '$' && (starts_word(*tag) || is_digit(*tag)))
    tag++;
  if (peek(lexer, tag) != '$' || is_digit(at[1])) return NULL;
  size_t size = (size_t)(tag + 1 - at);
  for (const char *end = tag + 1; end + size <= lexer->end; end++)
    if (memcmp(end, at, size) == 0) return end + size;
  return lexer->end;
}

static const char *skip_number(const tuff_lexer *lexer, const char *at) {
  while (at < lexer->end && (tuff_char_in_word(*at) || *at == '.')) {
    bool exponent = *at == 'e' || *at == 'E';
    at++;
    if (exponent && (peek(lexer, at) == '+' || peek(lexer, at) == '-') &&
        is_digit(peek(lexer, at + 1)))
      at++;
  }
  return at;
}

static tuff_token token_to(tuff_lexer *lexer, tuff_token_kind kind, const char *end) {
  tuff_token token = {kind, lexer->at, (size_t)(end - lexer->at)};
  lexer->at = end;
  return token;
}

/* ':' ':' is a cast, not the start of a name. */
static tuff_token colon(tuff_lexer *lexer) {
  const char *next = lexer->at + 1;
  if (starts_word(peek(lexer, next)))
    return token_to(lexer, TUFF_TOKEN_NAMED, skip_word(lexer, next));
  return token_to(lexer, TUFF_TOKEN_PUNCTUATION,
                  peek(lexer, next) == ':' ? next + 1 : next);
}

static tuff_token question(tuff_lexer *lexer) {
  const char *next = lexer->at + 1;
  if (peek(lexer, next) == '?') return token_to(lexer, TUFF_TOKEN_ESCAPED, next + 1);
  if (is_digit(peek(lexer, next)))
    return token_to(lexer, TUFF_TOKEN_REFUSED, skip_word(lexer, next));
  return token_to(lexer, TUFF_TOKEN_QUESTION, next);
}

static tuff_token dollar_or_at(tuff_lexer *lexer) {
  const char *next = lexer->at + 1;
  if (*lexer->at == '$' && lexer->dialect->dollar_quotes) {
    const char *end = skip_dollar_quoted(lexer, lexer->at);
    if (end) return token_to(lexer, TUFF_TOKEN_STRING, end);
  }
  if (tuff_char_in_word(peek(lexer, next)))
    return token_to(lexer, TUFF_TOKEN_REFUSED, skip_word(lexer, next));
  return token_to(lexer, TUFF_TOKEN_PUNCTUATION, next);
}

/* The byte order mark, which editors put in front of a file, is white space. */
static bool is_mark(const tuff_lexer *lexer, const char *at) {
  return lexer->end - at >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0;
}

tuff_token tuff_lexer_next(tuff_lexer *lexer) {
  const char *at = lexer->at;
  if (at >= lexer->end) return (tuff_token){TUFF_TOKEN_END, lexer->end, 0};
  if (is_mark(lexer, at)) return token_to(lexer, TUFF_TOKEN_SPACE, at + 3);
  char c = *at, next = peek(lexer, at + 1);
  if (is_space(c)) {
    while (at < lexer->end && is_space(*at)) at++;
    return token_to(lexer, TUFF_TOKEN_SPACE, at);
  }
  if (c == '-' && next == '-')
    return token_to(lexer, TUFF_TOKEN_SPACE, skip_line(lexer, at));
  if (c == '/' && next == '*')
    return token_to(lexer, TUFF_TOKEN_SPACE, skip_comment(lexer, at + 2));
  if ((c == 'e' || c == 'E') && next == '\'' && lexer->dialect->dollar_quotes)
    return token_to(lexer, TUFF_TOKEN_STRING, skip_quoted(lexer, at + 2, '\'', true));
  if (starts_word(c)) return token_to(lexer, TUFF_TOKEN_WORD, skip_word(lexer, at));
  if (is_digit(c) || (c == '.' && is_digit(next)))
    return token_to(lexer, TUFF_TOKEN_NUMBER, skip_number(lexer, at));
  switch (c) {
    case '\'':
      return token_to(lexer, TUFF_TOKEN_STRING, skip_quoted(lexer, at + 1, c, false));
    case '"':
      return token_to(lexer, TUFF_TOKEN_QUOTED, skip_quoted(lexer, at + 1, c, false));
    case '`':
      if (!lexer->dialect->backticks) break;
      return token_to(lexer, TUFF_TOKEN_QUOTED, skip_quoted(lexer, at + 1, c, false));
    case '[': {
      if (!lexer->dialect->brackets) break;
      const char *end = memchr(at, ']', (size_t)(lexer->end - at));
      return token_to(lexer, TUFF_TOKEN_QUOTED, end ? end + 1 : lexer->end);
    }
    case ';': return token_to(lexer, TUFF_TOKEN_SEMICOLON, at + 1);
    case '?': return question(lexer);
    case ':': return colon(lexer);
    case '$':
    case '@': return dollar_or_at(lexer);
    default: break;
  }
  return token_to(lexer, TUFF_TOKEN_PUNCTUATION, at + 1);
}

bool tuff_token_is(const tuff_token *token, const char *keyword) {
  if (token->kind != TUFF_TOKEN_WORD) return false;
  for (size_t i = 0; i < token->size; i++) {
    if (tuff_char_lower(token->start[i]) != keyword[i])
      return false; /* also at the keyword's end */
  }
  return keyword[token->size] == '\0';
}

bool tuff_token_is_one_of(const tuff_token *token, const char *const *keywords) {
  for (; *keywords; keywords++)
    if (tuff_token_is(token, *keywords)) return true;
  return false;
}

bool tuff_token_is_char(const tuff_token *token, char character) {
  return token->kind == TUFF_TOKEN_PUNCTUATION && token->size == 1 &&
         *token->start == character;
}
