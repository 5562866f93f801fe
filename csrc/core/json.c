/* json.c: JSON checked before it is stored. An engine would take more than tuff.json
 * can read: integers of any size, other depths, half a surrogate pair, JSON5. */
#include "core/json.h"

#include <string.h>

#include "core/error.h"

typedef struct reader {
  const char *at, *end;
  tuff_error *err;
  size_t depth;                  /* of the arrays and objects that are open */
  char closers[TUFF_JSON_DEPTH]; /* what ends each of them */
} reader;

static bool refuse(reader *reader) {
  tuff_fail(reader->err, TUFF_TYPE, "this text is no valid JSON");
  return false;
}

static bool refuse_number(reader *reader, const char *what) {
  tuff_fail(reader->err, TUFF_RANGE, "a number in this JSON is out of range: %s", what);
  tuff_error_hint(reader->err, "write it as a string: \"12345678901234567890\"");
  return false;
}

/* The byte that comes next; NUL, which is nowhere allowed, at the end. */
static char peek(const reader *reader) {
  return reader->at < reader->end ? *reader->at : '\0';
}

static bool take(reader *reader, char wanted) {
  if (peek(reader) != wanted || wanted == '\0') return false;
  reader->at++;
  return true;
}

static bool take_word(reader *reader, const char *word) {
  size_t size = strlen(word);
  if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size) != 0)
    return refuse(reader);
  reader->at += size;
  return true;
}

static void skip_space(reader *reader) {
  while (take(reader, ' ') || take(reader, '\n') || take(reader, '\t') ||
         take(reader, '\r')) {
  }
}

/* ---- strings ---- */

static int hex(char digit) {
  static const char digits[] = "0123456789abcdef0123456789ABCDEF";
  const char *found = digit ? strchr(digits, digit) : NULL;
  return found ? (int)(found - digits) % 16 : -1;
}

/* The four digits of \u; -1: they are none. */
static int take_code(reader *reader) {
  int code = 0;
  for (int i = 0; i < 4; i++) {
    int digit = hex(peek(reader));
    if (digit < 0) return -1;
    code = code * 16 + digit;
    reader->at++;
  }
  return code;
}

static bool take_escape(reader *reader) {
  char letter = peek(reader);
  if (!letter || !strchr("\"\\/bfnrtu", letter)) return refuse(reader);
  reader->at++;
  if (letter != 'u') return true;
  int code = take_code(reader);
  if (code < 0 || (code >= 0xDC00 && code <= 0xDFFF)) return refuse(reader);
  if (code < 0xD800 || code > 0xDBFF) return true;
  if (!take(reader, '\\') || !take(reader, 'u')) return refuse(reader);
  code = take_code(reader);
  return (code >= 0xDC00 && code <= 0xDFFF) || refuse(reader);
}

static bool take_string(reader *reader) {
  if (!take(reader, '"')) return refuse(reader);
  while (!take(reader, '"')) {
    if ((unsigned char)peek(reader) < ' ') return refuse(reader); /* or the end */
    if (*reader->at++ == '\\' && !take_escape(reader)) return false;
  }
  return true;
}

/* ---- numbers ---- */

static size_t take_digits(reader *reader) {
  const char *start = reader->at;
  while (peek(reader) >= '0' && peek(reader) <= '9') reader->at++;
  return (size_t)(reader->at - start);
}

static bool fits_integer(const char *digits, size_t size, bool negative) {
  const char *most = negative ? "9223372036854775808" : "9223372036854775807";
  return size < 19 || (size == 19 && memcmp(digits, most, 19) <= 0);
}

/* Whether the float is finite, by its digits: reading it would depend on the locale.
 * `exponent` is that of its digits with the point behind the whole ones. */
static bool fits_real(const char *digits, size_t whole, const char *end,
                      int64_t exponent) {
  static const char most[] = "17976931348623157"; /* e292 */
  int64_t power = (int64_t)whole + exponent;      /* of ten, with the point in front */
  const char *at = digits;
  for (; at < end && (*at == '0' || *at == '.'); at++)
    if (*at == '0') power--;
  if (at == end || power != 309) return at == end || power < 309;
  for (const char *digit = most; *digit && at < end; at++) {
    if (*at == '.') continue;
    if (*at != *digit) return *at < *digit;
    digit++;
  }
  return true;
}

static bool take_exponent(reader *reader, int64_t *exponent) {
  enum { HUGE = 1000000000 }; /* no text has so many digits to make up for it */
  bool negative = take(reader, '-');
  if (!negative) take(reader, '+');
  const char *digits = reader->at;
  if (take_digits(reader) == 0) return refuse(reader);
  for (; digits < reader->at; digits++)
    if (*exponent < HUGE) *exponent = *exponent * 10 + (*digits - '0');
  if (negative) *exponent = -*exponent;
  return true;
}

static bool take_number(reader *reader) {
  bool negative = take(reader, '-');
  const char *digits = reader->at;
  size_t whole = take_digits(reader);
  if (whole == 0 || (whole > 1 && *digits == '0')) return refuse(reader);
  bool fraction = take(reader, '.');
  if (fraction && take_digits(reader) == 0) return refuse(reader);
  const char *end = reader->at;
  int64_t exponent = 0;
  bool scaled = take(reader, 'e') || take(reader, 'E');
  if (scaled && !take_exponent(reader, &exponent)) return false;
  if (fraction || scaled)
    return fits_real(digits, whole, end, exponent) ||
           refuse_number(reader, "no float is as large");
  return fits_integer(digits, whole, negative) ||
         refuse_number(reader, "an integer has 64 bits");
}

/* ---- values ---- */

static bool take_scalar(reader *reader) {
  switch (peek(reader)) {
    case '"': return take_string(reader);
    case 't': return take_word(reader, "true");
    case 'f': return take_word(reader, "false");
    case 'n': return take_word(reader, "null");
    default: return take_number(reader);
  }
}

static bool take_key(reader *reader) {
  skip_space(reader);
  if (!take_string(reader)) return false;
  skip_space(reader);
  return take(reader, ':') || refuse(reader);
}

static bool enter(reader *reader, char closer) {
  if (reader->depth == TUFF_JSON_DEPTH) {
    tuff_fail(reader->err, TUFF_RANGE, "this JSON is nested deeper than %d levels",
              TUFF_JSON_DEPTH);
    tuff_error_hint(reader->err, "keep it in a column declared TEXT");
    return false;
  }
  reader->closers[reader->depth++] = closer;
  skip_space(reader);
  return true;
}

/* A value has ended, and with it perhaps what it is the last of. */
static void leave(reader *reader) {
  skip_space(reader);
  while (reader->depth > 0 && take(reader, reader->closers[reader->depth - 1])) {
    reader->depth--;
    skip_space(reader);
  }
}

static bool take_text(reader *reader) {
  for (;;) {
    skip_space(reader);
    bool array = take(reader, '[');
    if (array || take(reader, '{')) {
      char closer = array ? ']' : '}';
      if (!enter(reader, closer)) return false;
      if (peek(reader) != closer) {
        if (!array && !take_key(reader)) return false;
        continue;
      }
    } else if (!take_scalar(reader)) {
      return false;
    }
    leave(reader);
    if (reader->depth == 0) return reader->at == reader->end || refuse(reader);
    if (!take(reader, ',')) return refuse(reader);
    if (reader->closers[reader->depth - 1] == '}' && !take_key(reader)) return false;
  }
}

bool tuff_json_check(const char *text, size_t size, tuff_error *err) {
  reader reader; /* its kilobyte of closers need not be cleared */
  reader.at = text;
  reader.end = text + size;
  reader.err = err;
  reader.depth = 0;
  return take_text(&reader);
}
