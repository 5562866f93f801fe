/* field.c: values as the parts of rows and arrays that are sent whole. What a single
 * parameter would be, by encode.c, is turned here into the one form that all parts
 * share: so that both store the same, and refuse the same. */
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "postgres/database.h"

enum { MOST_BINARY = 64 }; /* bytes of what a text becomes */

bool tuff_postgres_field_is_binary(Oid type) {
  switch (type) {
    case PG_BOOL:
    case PG_BYTEA:
    case PG_INT8:
    case PG_INT2:
    case PG_INT4:
    case PG_TEXT:
    case PG_JSON:
    case PG_FLOAT4:
    case PG_FLOAT8:
    case PG_BPCHAR:
    case PG_VARCHAR:
    case PG_DATE:
    case PG_TIMESTAMP:
    case PG_TIMESTAMPTZ:
    case PG_NUMERIC:
    case PG_UUID:
    case PG_JSONB: return true;
    default: return false;
  }
}

static char *put16(char *out, unsigned value) {
  uint16_t big = htobe16((uint16_t)value);
  memcpy(out, &big, sizeof big);
  return out + sizeof big;
}

static char *put32(char *out, uint32_t value) {
  uint32_t big = htobe32(value);
  memcpy(out, &big, sizeof big);
  return out + sizeof big;
}

static char *put64(char *out, uint64_t value) {
  uint64_t big = htobe64(value);
  memcpy(out, &big, sizeof big);
  return out + sizeof big;
}

/* ---- texts in binary form ---- */

/* Each gives the end of what it has written, or NULL: the server may know better. */

static bool read_digits(const char **at, const char *end, int count, int *number) {
  *number = 0;
  if (end - *at < count) return false;
  for (; count > 0; count--, (*at)++) {
    if (**at < '0' || **at > '9') return false;
    *number = *number * 10 + (**at - '0');
  }
  return true;
}

static bool read_char(const char **at, const char *end, char c) {
  if (*at == end || **at != c) return false;
  (*at)++;
  return true;
}

static bool read_date(const char **at, const char *end, int64_t *day) {
  int year, month, date;
  if (!read_digits(at, end, 4, &year) || !read_char(at, end, '-') ||
      !read_digits(at, end, 2, &month) || !read_char(at, end, '-') ||
      !read_digits(at, end, 2, &date))
    return false;
  if (year < 1 || month < 1 || month > 12 || date < 1 ||
      date > tuff_postgres_days_of(year, month))
    return false;
  *day = tuff_postgres_day_of(year, month, date);
  return true;
}

/* "10:00:00" and up to six digits of a fraction, in microseconds. */
static bool read_time(const char **at, const char *end, int64_t *us) {
  int hour, minute, second, digit, fraction = 0;
  if (!read_digits(at, end, 2, &hour) || !read_char(at, end, ':') ||
      !read_digits(at, end, 2, &minute) || !read_char(at, end, ':') ||
      !read_digits(at, end, 2, &second) || hour > 23 || minute > 59 || second > 59)
    return false;
  if (read_char(at, end, '.')) {
    int unit = 100000;
    if (!read_digits(at, end, 1, &digit)) return false;
    do {
      fraction += digit * unit;
      unit /= 10;
    } while (unit > 0 && read_digits(at, end, 1, &digit));
  }
  *us = ((hour * INT64_C(60) + minute) * 60 + second) * 1000000 + fraction;
  return true;
}

static char *put_date(char *out, const char *at, const char *end) {
  int64_t day;
  if (!read_date(&at, end, &day) || at != end) return NULL;
  return put32(out, (uint32_t)day);
}

/* "2026-11-21T10:00:00.000000Z", or where that is no column "2026-11-21 10:00:00Z". */
static char *put_timestamp(char *out, const char *at, const char *end, bool zoned) {
  int64_t day, us;
  if (!read_date(&at, end, &day)) return NULL;
  if (!read_char(&at, end, 'T') && !read_char(&at, end, ' ')) return NULL;
  if (!read_time(&at, end, &us)) return NULL;
  if (!read_char(&at, end, 'Z') && zoned) return NULL; /* the session's own zone */
  if (at != end) return NULL;
  return put64(out, (uint64_t)(day * INT64_C(86400000000) + us));
}

/* In lower case: no other would come back. */
static char *put_uuid(char *out, const char *at, const char *end) {
  enum { BYTES = 16, TEXT = 36 };
  return end - at == TEXT && tuff_postgres_read_uuid(out, at) ? out + BYTES : NULL;
}

/* Groups of four decimal digits, to the left and to the right of the point. */
static char *put_numeric(char *out, const char *at, const char *end) {
  enum { GROUP = 4, MOST_GROUPS = 12, NEGATIVE = 0x4000 };
  bool negative = read_char(&at, end, '-');
  const char *digits = at;
  int number, whole = 0, fraction = 0;
  for (; read_digits(&at, end, 1, &number); whole++) continue;
  if (whole > 0 && read_char(&at, end, '.')) {
    for (; read_digits(&at, end, 1, &number); fraction++) continue;
    if (fraction == 0) return NULL;
  }
  int left = (whole + GROUP - 1) / GROUP, right = (fraction + GROUP - 1) / GROUP;
  if (whole == 0 || at != end || left + right > MOST_GROUPS) return NULL;
  out = put16(out, (unsigned)(left + right));
  out = put16(out, (unsigned)(left - 1));
  out = put16(out, negative ? NEGATIVE : 0);
  out = put16(out, (unsigned)fraction);
  int place = whole - left * GROUP; /* of the first digit of a group; before: zeros */
  for (int group = 0; group < left + right; group++) {
    number = 0;
    for (int i = 0; i < GROUP; i++, place++) {
      bool there = place >= 0 && place < whole + fraction;
      int point = place >= whole; /* stands between them */
      number = number * 10 + (there ? digits[place + point] - '0' : 0);
    }
    out = put16(out, (unsigned)number);
  }
  return out;
}

/* The server would round to it in the same way. */
static char *put_float4(char *out, const char *text, const char *end,
                        const tuff_value *value) {
  const char *rest;
  if (value->kind != TUFF_REAL && value->kind != TUFF_INTEGER) return NULL;
  float real = (float)tuff_postgres_host->read_real(text, &rest, true);
  bool zero = value->kind == TUFF_REAL ? value->real == 0 : value->integer == 0;
  bool infinite = value->kind == TUFF_REAL && value->real - value->real != 0;
  if (rest != end || (real == 0 && !zero) || (real - real != 0 && !infinite))
    return NULL;
  uint32_t bits;
  memcpy(&bits, &real, sizeof bits);
  return put32(out, bits);
}

static char *put_boolean(char *out, const tuff_value *value) {
  if (value->kind != TUFF_BOOLEAN && value->kind != TUFF_INTEGER) return NULL;
  *out = value->integer != 0;
  return out + 1;
}

/* ---- binary form ---- */

/* The types whose binary form is their text. */
static bool is_textual(Oid type) {
  return type == PG_TEXT || type == PG_VARCHAR || type == PG_BPCHAR ||
         type == PG_JSON || type == PG_JSONB;
}

/* A text that is what its type is to be, in the form that everybody writes: encode.c
 * would find nothing wrong with it. NULL: it is another one. */
static char *put_text(char *out, Oid type, bool assigned, const tuff_value *value) {
  enum { TIMESTAMP = 27 }; /* characters of what goes into a column */
  if (value->kind != TUFF_TEXT) return NULL;
  const char *text = value->bytes, *end = text + value->size;
  switch (type) {
    case PG_DATE: return put_date(out, text, end);
    case PG_TIMESTAMP: return put_timestamp(out, text, end, false);
    case PG_TIMESTAMPTZ:
      if (assigned && (value->size != TIMESTAMP || text[10] != 'T')) return NULL;
      return put_timestamp(out, text, end, true);
    case PG_NUMERIC: return put_numeric(out, text, end);
    case PG_UUID: return put_uuid(out, text, end);
    default: return NULL;
  }
}

/* What encode.c has written of a number or a boolean, and of a text as it stands. */
static char *put_written(char *out, Oid type, const tuff_value *value, const char *text,
                         const char *end) {
  switch (type) {
    case PG_BOOL: return put_boolean(out, value);
    case PG_FLOAT4: return put_float4(out, text, end, value);
    case PG_NUMERIC: return put_numeric(out, text, end);
    default: return NULL;
  }
}

/* Replaces the text from `start` on. */
static bool turn_text(tuff_postgres_parameters *out, size_t start, Oid type,
                      const tuff_value *value) {
  char binary[MOST_BINARY];
  out->bytes[out->size] = '\0'; /* there is room for MOST_BINARY bytes more */
  const char *end =
      put_written(binary, type, value, out->bytes + start, out->bytes + out->size);
  if (!end) return false;
  memcpy(out->bytes + start, binary, (size_t)(end - binary));
  out->size = start + (size_t)(end - binary);
  return true;
}

/* With room for MOST_BINARY bytes. */
static tuff_postgres_field write_value(tuff_postgres_parameters *out, Oid type,
                                       bool assigned, const tuff_value *value,
                                       tuff_error *err) {
  size_t start = out->size;
  const char *end = put_text(out->bytes + start, type, assigned, value);
  if (end) {
    out->size = (size_t)(end - out->bytes);
    return FIELD_WRITTEN;
  }
  bool binary;
  if (!tuff_postgres_encode_value(out, type, assigned, value, &binary, err))
    return FIELD_REFUSED;
  if (binary || is_textual(type)) return FIELD_WRITTEN;
  if (!tuff_postgres_reserve(out, MOST_BINARY)) {
    tuff_postgres_fail_memory(err);
    return FIELD_REFUSED;
  }
  return turn_text(out, start, type, value) ? FIELD_WRITTEN : FIELD_TEXTUAL;
}

tuff_postgres_field tuff_postgres_write_binary(tuff_postgres_parameters *out, Oid type,
                                               bool assigned, const tuff_value *value,
                                               tuff_error *err) {
  enum { LENGTH = 4, VERSION = 1 };
  size_t at = out->size;
  char *start = tuff_postgres_reserve(out, LENGTH + 1 + MOST_BINARY);
  if (!start) {
    tuff_postgres_fail_memory(err);
    return FIELD_REFUSED;
  }
  out->size += LENGTH;
  if (value->kind == TUFF_NULL) {
    put32(start, UINT32_MAX);
    return FIELD_WRITTEN;
  }
  if (type == PG_JSONB) out->bytes[out->size++] = VERSION;
  tuff_postgres_field field = write_value(out, type, assigned, value, err);
  if (field == FIELD_WRITTEN)
    put32(out->bytes + at, (uint32_t)(out->size - at - LENGTH));
  else
    out->size = at;
  return field;
}

/* ---- text form ---- */

/* Each replaces what encode.c gives in binary form, so many bytes; false: no memory. */

static bool print_bytes(tuff_postgres_parameters *out, size_t size) {
  if (!tuff_postgres_reserve(out, size + 2)) return false;
  char *at = out->bytes + out->size - size;
  out->size = (size_t)(tuff_postgres_print_bytes(at, at, size) - out->bytes);
  return true;
}

static bool print_number(tuff_postgres_parameters *out, size_t size, Oid type) {
  enum { ALL_DIGITS = 17 };
  size_t start = out->size - size;
  if (!tuff_postgres_reserve(out, MOST_BINARY)) return false;
  char *at = out->bytes + start;
  uint64_t bits = (signed char)at[0] < 0 ? UINT64_MAX : 0; /* the sign goes in front */
  for (size_t i = 0; i < size; i++) bits = bits << 8 | (unsigned char)at[i];
  if (type == PG_FLOAT8) {
    double real;
    memcpy(&real, &bits, sizeof real);
    tuff_postgres_host->write_real(at, real, ALL_DIGITS);
  } else {
    snprintf(at, MOST_BINARY, "%lld", (long long)bits);
  }
  out->size = start + strlen(at);
  return true;
}

/* From the end, into room that was made there. */
static bool escape(tuff_postgres_parameters *out, size_t start, const char *special) {
  size_t extra = 0;
  for (size_t at = start; at < out->size; at++)
    extra += out->bytes[at] && strchr(special, out->bytes[at]);
  if (!tuff_postgres_reserve(out, extra)) return false;
  char *from = out->bytes + out->size, *to = from + extra;
  out->size += extra;
  while (to > from) {
    *--to = *--from;
    if (*from && strchr(special, *from)) *--to = '\\';
  }
  return true;
}

bool tuff_postgres_write_text(tuff_postgres_parameters *out, Oid type, bool assigned,
                              const tuff_value *value, const char *special,
                              tuff_error *err) {
  size_t start = out->size;
  bool binary;
  if (!tuff_postgres_encode_value(out, type, assigned, value, &binary, err))
    return false;
  size_t size = out->size - start;
  bool kept = !binary || (type == PG_BYTEA ? print_bytes(out, size)
                                           : print_number(out, size, type));
  return (kept && escape(out, start, special)) || tuff_postgres_fail_memory(err);
}
