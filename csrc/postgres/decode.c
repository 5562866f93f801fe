/* decode.c: values of the server as values of tuff. A result comes in binary form where
 * all its types are known here, and in text form otherwise. */
#include <endian.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/database.h"

enum { MOST_NUMBER = 64 }; /* bytes of a timestamp or a uuid as text */

bool tuff_postgres_is_binary(Oid type) {
  switch (type) {
    case PG_BOOL:
    case PG_BYTEA:
    case PG_CHAR:
    case PG_NAME:
    case PG_INT8:
    case PG_INT2:
    case PG_INT4:
    case PG_TEXT:
    case PG_OID:
    case PG_JSON:
    case PG_FLOAT4:
    case PG_FLOAT8:
    case PG_UNKNOWN:
    case PG_BPCHAR:
    case PG_VARCHAR:
    case PG_TIMESTAMPTZ:
    case PG_TIMESTAMP:
    case PG_DATE:
    case PG_NUMERIC:
    case PG_VOID:
    case PG_UUID:
    case PG_JSONB: return true;
    default: return false;
  }
}

/* Room for a text that is written anew. It may move while a row is read: a value keeps
 * its offset in .size's place until the row is done, see decode. */
static char *reserve(tuff_postgres_statement *statement, size_t size) {
  if (statement->scratch_size + size > statement->scratch_room) {
    size_t room = (statement->scratch_room + size) * 2;
    char *grown = tuff_postgres_host->alloc(statement->scratch, room);
    if (!grown) return NULL;
    statement->scratch = grown;
    statement->scratch_room = room;
  }
  return statement->scratch + statement->scratch_size;
}

static uint16_t read16(const char *bytes) {
  uint16_t value;
  memcpy(&value, bytes, sizeof value);
  return be16toh(value);
}

static uint32_t read32(const char *bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
  return be32toh(value);
}

static uint64_t read64(const char *bytes) {
  uint64_t value;
  memcpy(&value, bytes, sizeof value);
  return be64toh(value);
}

static double read_float4(const char *bytes) {
  uint32_t bits = read32(bytes);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static double read_float8(const char *bytes) {
  uint64_t bits = read64(bytes);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* ---- texts that are written anew ---- */

/* So many decimal digits, with zeros in front; gives their end. */
static char *write_digits(char *out, unsigned value, int digits) {
  for (int i = digits - 1; i >= 0; i--, value /= 10) out[i] = (char)('0' + value % 10);
  return out + digits;
}

/* A day counted from 2000-01-01; a year before the first one is marked behind the
 * whole, as the server does. */
static char *write_day(char *out, int64_t day, bool *before_christ) {
  int64_t year;
  int month, date;
  tuff_postgres_date_of(day, &year, &month, &date);
  *before_christ = year <= 0;
  if (year <= 0) year = 1 - year;
  char *at = year <= 9999 ? write_digits(out, (unsigned)year, 4)
                          : out + sprintf(out, "%lld", (long long)year);
  *at++ = '-';
  at = write_digits(at, (unsigned)month, 2);
  *at++ = '-';
  return write_digits(at, (unsigned)date, 2);
}

static size_t end_day(const char *out, char *at, bool before_christ) {
  if (before_christ) at += sprintf(at, " BC");
  return (size_t)(at - out);
}

static size_t write_date(char *out, int32_t day) {
  if (day == INT32_MAX) return (size_t)sprintf(out, "infinity");
  if (day == INT32_MIN) return (size_t)sprintf(out, "-infinity");
  bool before_christ;
  char *at = write_day(out, day, &before_christ);
  return end_day(out, at, before_christ);
}

/* Microseconds from 2000-01-01. With a zone, it is UTC in ISO-8601; without one, it is
 * as the server writes it. */
static size_t write_timestamp(char *out, int64_t us, bool zone) {
  enum { DAY_S = 86400 };
  if (us == INT64_MAX) return (size_t)sprintf(out, "infinity");
  if (us == INT64_MIN) return (size_t)sprintf(out, "-infinity");
  const int64_t day_us = INT64_C(1000000) * DAY_S;
  int64_t day = us / day_us, rest = us % day_us;
  if (rest < 0) {
    rest += day_us;
    day--;
  }
  bool before_christ;
  char *at = write_day(out, day, &before_christ);
  unsigned second = (unsigned)(rest / 1000000), fraction = (unsigned)(rest % 1000000);
  const unsigned parts[] = {second / 3600, second / 60 % 60, second % 60};
  for (int i = 0; i < 3; i++) {
    *at++ = i ? ':' : zone ? 'T' : ' ';
    at = write_digits(at, parts[i], 2);
  }
  if (zone || fraction) {
    *at++ = '.';
    at = write_digits(at, fraction, 6);
    while (!zone && at[-1] == '0') at--;
  }
  if (zone) *at++ = 'Z';
  return end_day(out, at, before_christ);
}

/* Groups of four decimal digits, the first with a weight of 10000^weight. */
static size_t write_numeric(char *out, const char *bytes) {
  enum {
    NEGATIVE = 0x4000,
    NAN_SIGN = 0xC000,
    INFINITE = 0xD000,
    MINUS_INFINITE = 0xF000
  };
  int groups = read16(bytes), weight = (int16_t)read16(bytes + 2);
  unsigned sign = read16(bytes + 4), scale = read16(bytes + 6);
  if (sign == NAN_SIGN) return (size_t)sprintf(out, "NaN");
  if (sign == INFINITE) return (size_t)sprintf(out, "Infinity");
  if (sign == MINUS_INFINITE) return (size_t)sprintf(out, "-Infinity");
  char *at = out;
  if (sign == NEGATIVE) *at++ = '-';
  if (weight < 0) *at++ = '0';
  for (int group = 0; group <= weight; group++) {
    unsigned digits = group < groups ? read16(bytes + 8 + (ptrdiff_t)2 * group) : 0;
    if (group)
      at = write_digits(at, digits, 4);
    else
      at += sprintf(at, "%u", digits);
  }
  if (scale == 0) return (size_t)(at - out);
  *at++ = '.';
  char *end = at + scale;
  for (int group = weight + 1; at < end; group++) {
    bool there = group >= 0 && group < groups;
    at = write_digits(
        at, there ? (unsigned)read16(bytes + 8 + (ptrdiff_t)2 * group) : 0, 4);
  }
  return (size_t)(end - out);
}

static size_t numeric_size(const char *bytes) {
  int weight = (int16_t)read16(bytes + 2);
  return (size_t)(weight > 0 ? weight : 0) * 4 + read16(bytes + 6) + 24;
}

/* ---- both forms ---- */

static void set_text(tuff_value *value, tuff_kind kind, const char *bytes,
                     size_t size) {
  value->kind = kind;
  value->bytes = bytes;
  value->size = size;
}

/* A text in the scratch block, which may still move. */
static bool set_written(tuff_postgres_statement *statement, tuff_value *value,
                        tuff_kind kind, size_t size) {
  value->kind = kind;
  value->bytes = NULL; /* until the row is read */
  value->size = size;
  statement->scratch_size += size;
  return true;
}

static bool decode_binary(tuff_postgres_statement *statement, Oid type,
                          const char *bytes, size_t size, tuff_value *value) {
  char *out;
  switch (type) {
    case PG_BOOL:
      value->kind = TUFF_BOOLEAN;
      value->integer = bytes[0] != 0;
      return true;
    case PG_INT2:
      value->kind = TUFF_INTEGER;
      value->integer = (int16_t)read16(bytes);
      return true;
    case PG_INT4:
      value->kind = TUFF_INTEGER;
      value->integer = (int32_t)read32(bytes);
      return true;
    case PG_OID:
      value->kind = TUFF_INTEGER;
      value->integer = read32(bytes);
      return true;
    case PG_INT8:
      value->kind = TUFF_INTEGER;
      value->integer = (int64_t)read64(bytes);
      return true;
    case PG_FLOAT4:
      value->kind = TUFF_REAL;
      value->real = read_float4(bytes);
      return true;
    case PG_FLOAT8:
      value->kind = TUFF_REAL;
      value->real = read_float8(bytes);
      return true;
    case PG_BYTEA: set_text(value, TUFF_BLOB, bytes, size); return true;
    case PG_JSON: set_text(value, TUFF_JSON, bytes, size); return true;
    case PG_JSONB: /* a byte of its version first */
      set_text(value, TUFF_JSON, bytes + 1, size - 1);
      return true;
    case PG_VOID: value->kind = TUFF_NULL; return true;
    case PG_TIMESTAMPTZ:
      out = reserve(statement, MOST_NUMBER);
      return out && set_written(statement, value, TUFF_TEXT,
                                write_timestamp(out, (int64_t)read64(bytes), true));
    case PG_TIMESTAMP:
      out = reserve(statement, MOST_NUMBER);
      return out && set_written(statement, value, TUFF_TEXT,
                                write_timestamp(out, (int64_t)read64(bytes), false));
    case PG_DATE:
      out = reserve(statement, MOST_NUMBER);
      return out && set_written(statement, value, TUFF_TEXT,
                                write_date(out, (int32_t)read32(bytes)));
    case PG_UUID:
      out = reserve(statement, MOST_NUMBER);
      return out && set_written(statement, value, TUFF_TEXT,
                                (size_t)(tuff_postgres_print_uuid(out, bytes) - out));
    case PG_NUMERIC:
      out = reserve(statement, numeric_size(bytes));
      return out && set_written(statement, value, TUFF_TEXT, write_numeric(out, bytes));
    default: set_text(value, TUFF_TEXT, bytes, size); return true;
  }
}

/* "2026-11-21 10:00:00.5+02:30", of whatever zone the script has set, as microseconds
 * from 2000-01-01 in UTC. False: it is "infinity", or of another DateStyle. */
static bool read_timestamp(const char *text, int64_t *us) {
  long long year;
  int month, date, hour, minute, second, zone[3] = {0}, used = 0;
  if (sscanf(text, "%lld-%2d-%2d %2d:%2d:%2d%n", &year, &month, &date, &hour, &minute,
             &second, &used) < 6)
    return false;
  int64_t fraction = 0, unit = 100000;
  text += used;
  if (*text == '.')
    for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
      fraction += (*text - '0') * unit;
  if (*text != '+' && *text != '-') return false;
  int sign = *text == '-' ? -1 : 1;
  used = 0;
  sscanf(text + 1, "%2d%n:%2d%n:%2d%n", &zone[0], &used, &zone[1], &used, &zone[2],
         &used);
  if (strcmp(text + 1 + used, " BC") == 0) year = 1 - year;
  int64_t offset = (int64_t)sign * (zone[0] * 3600 + zone[1] * 60 + zone[2]);
  int64_t day = tuff_postgres_day_of(year, month, date);
  *us = (((day * 24 + hour) * 60 + minute) * 60 + second - offset) * 1000000 + fraction;
  return true;
}

/* The session may write dates in another form than the one that was asked for. */
static bool check_iso(const char *text, tuff_error *err) {
  if (strspn(text, "0123456789") >= 4 || strstr(text, "infinity")) return true;
  const tuff_host *host = tuff_postgres_host;
  host->fail(err, TUFF_UNSUPPORTED,
             "a date beside a value of a type that is not known "
             "can be read in ISO form only");
  host->hint(err, "set datestyle = 'ISO', or select the other value as its ::text");
  return false;
}

static bool decode_timestamp(tuff_postgres_statement *statement, const char *text,
                             size_t size, tuff_value *value) {
  int64_t us;
  if (!read_timestamp(text, &us)) { /* infinity */
    set_text(value, TUFF_TEXT, text, size);
    return true;
  }
  char *out = reserve(statement, MOST_NUMBER);
  return out &&
         set_written(statement, value, TUFF_TEXT, write_timestamp(out, us, true));
}

/* "\\x00ff", or with bytea_output = 'escape' "\\000\\377". */
static bool decode_bytes(tuff_postgres_statement *statement, const char *text,
                         size_t size, tuff_value *value) {
  char *out = reserve(statement, size + 1), *to = out;
  if (!out) return false;
  if (strncmp(text, "\\x", 2) == 0) {
    size_t count = (size - 2) / 2;
    tuff_postgres_read_hex(out, text + 2, count);
    to += count;
  } else {
    for (size_t i = 0; i < size; i++) {
      bool octal = text[i] == '\\' && text[i + 1] != '\\';
      if (octal)
        *to++ = (char)((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 |
                       (text[i + 3] - '0'));
      else
        *to++ = text[i];
      if (text[i] == '\\') i += octal ? 3 : 1;
    }
  }
  return set_written(statement, value, TUFF_BLOB, (size_t)(to - out));
}

static bool decode_text(tuff_postgres_statement *statement, Oid type, const char *bytes,
                        size_t size, tuff_value *value, tuff_error *err) {
  switch (type) {
    case PG_BOOL:
      value->kind = TUFF_BOOLEAN;
      value->integer = bytes[0] == 't';
      return true;
    case PG_INT2:
    case PG_INT4:
    case PG_OID:
    case PG_INT8:
      value->kind = TUFF_INTEGER;
      value->integer = strtoll(bytes, NULL, 10);
      return true;
    case PG_FLOAT4: /* the same as in binary form */
      value->kind = TUFF_REAL;
      value->real = tuff_postgres_host->read_real(bytes, NULL, true);
      return true;
    case PG_FLOAT8:
      value->kind = TUFF_REAL;
      value->real = tuff_postgres_host->read_real(bytes, NULL, false);
      return true;
    case PG_BYTEA: return decode_bytes(statement, bytes, size, value);
    case PG_TIMESTAMPTZ:
      return check_iso(bytes, err) && decode_timestamp(statement, bytes, size, value);
    case PG_DATE:
    case PG_TIMESTAMP:
      set_text(value, TUFF_TEXT, bytes, size);
      return check_iso(bytes, err);
    case PG_JSON:
    case PG_JSONB: set_text(value, TUFF_JSON, bytes, size); return true;
    case PG_VOID: value->kind = TUFF_NULL; return true;
    default: set_text(value, TUFF_TEXT, bytes, size); return true;
  }
}

bool tuff_postgres_decode(tuff_postgres_statement *statement, tuff_value *row,
                          tuff_error *err) {
  const PGresult *result = statement->row;
  int place = statement->at;
  statement->scratch_size = 0;
  for (unsigned i = 0; i < statement->shape.columns; i++) {
    int column = (int)i;
    size_t size = (size_t)PQgetlength(result, place, column);
    if (size == 0 && PQgetisnull(result, place, column)) {
      row[i].kind = TUFF_NULL;
      continue;
    }
    const char *bytes = PQgetvalue(result, place, column);
    bool good =
        statement->binary
            ? decode_binary(statement, statement->column[i], bytes, size, &row[i])
            : decode_text(statement, statement->column[i], bytes, size, &row[i], err);
    if (!good) return tuff_postgres_fail_memory(err); /* unless it has another reason */
  }
  /* Now the block does not move any more. */
  if (statement->scratch_size == 0) return true;
  const char *at = statement->scratch;
  for (unsigned i = 0; i < statement->shape.columns; i++) {
    bool text = row[i].kind == TUFF_TEXT || row[i].kind == TUFF_BLOB;
    if (!text || row[i].bytes) continue;
    row[i].bytes = at;
    at += row[i].size;
  }
  return true;
}
