/* json.c: JSON on its way into jsonb, which keeps every number as a decimal and prints
 * it in full: 1e3 would come back as 1000, an integer. So a number with an exponent is
 * written out with a fraction, which jsonb keeps. */
#include <stdlib.h>
#include <string.h>

#include "postgres/database.h"

/* Behind the point, more zeros than any float has make 0. */
enum { MOST_ZEROS = 400 };

/* A number with an exponent, taken apart: 0.digits * 10^point. */
typedef struct number {
  const char *digits, *end; /* a point may stand between them */
  bool negative;
  long point;
} number;

static bool is_part(char c) {
  return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' ||
         c == '-';
}

static number take_apart(const char *text, size_t size) {
  number number = {.digits = text, .negative = *text == '-'};
  if (number.negative) number.digits++;
  number.end = number.digits;
  while (*number.end != 'e' && *number.end != 'E') number.end++;
  const char *dot = memchr(number.digits, '.', (size_t)(number.end - number.digits));
  long whole = (dot ? dot : number.end) - number.digits;
  char exponent[24] = "";
  size_t length = size - (size_t)(number.end + 1 - text);
  memcpy(exponent, number.end + 1,
         length < sizeof exponent ? length : sizeof exponent - 1);
  number.point = strtol(exponent, NULL, 10);
  if (number.point > -1000000000 && number.point < 1000000000) number.point += whole;
  for (; number.digits < number.end && (*number.digits == '0' || *number.digits == '.');
       number.digits++)
    if (*number.digits == '0') number.point--;
  return number;
}

static bool write_zeros(tuff_postgres_parameters *out, long count) {
  while (count-- > 0)
    if (!tuff_postgres_append(out, "0", 1)) return false;
  return true;
}

static bool spell(tuff_postgres_parameters *out, const number *number) {
  const char *at = number->digits;
  long point = number->point;
  if (number->negative && !tuff_postgres_append(out, "-", 1)) return false;
  if (at == number->end || point < -MOST_ZEROS)
    return tuff_postgres_append(out, "0.0", 3);
  if (point <= 0 && (!tuff_postgres_append(out, "0.", 2) || !write_zeros(out, -point)))
    return false;
  for (; at < number->end; at++) {
    if (*at == '.') continue;
    if (!tuff_postgres_append(out, at, 1)) return false;
    if (--point == 0 && !tuff_postgres_append(out, ".", 1)) return false;
  }
  if (point > 0 && (!write_zeros(out, point) || !tuff_postgres_append(out, ".", 1)))
    return false;
  return point < 0 || tuff_postgres_append(out, "0", 1);
}

/* The first number with an exponent, or NULL. */
static const char *find_exponent(const char *at, const char *end, size_t *size) {
  while (at < end) {
    if (*at == '"') {
      for (at++; at < end && *at != '"'; at++)
        if (*at == '\\') at++;
      at++;
    } else if (*at == '-' || (*at >= '0' && *at <= '9')) {
      const char *start = at;
      while (at < end && is_part(*at)) at++;
      *size = (size_t)(at - start);
      if (memchr(start, 'e', *size) || memchr(start, 'E', *size)) return start;
    } else {
      at++;
    }
  }
  return NULL;
}

bool tuff_postgres_spell_numbers(tuff_postgres_parameters *parameters, size_t start) {
  size_t size;
  const char *text = parameters->bytes + start;
  const char *end = parameters->bytes + parameters->size;
  const char *found = find_exponent(text, end, &size);
  if (!found) return true;
  tuff_postgres_parameters out = {0};
  bool kept = true;
  while (kept && found) {
    number number = take_apart(found, size);
    kept = tuff_postgres_append(&out, text, (size_t)(found - text)) &&
           spell(&out, &number);
    text = found + size;
    found = find_exponent(text, end, &size);
  }
  kept = kept && tuff_postgres_append(&out, text, (size_t)(end - text));
  parameters->size = start;
  kept = kept && tuff_postgres_append(parameters, out.bytes, out.size);
  tuff_postgres_parameters_free(&out);
  return kept;
}
