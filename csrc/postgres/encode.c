/* encode.c: values of the script as parameters of the types that the server inferred.
 * Numbers, booleans and bytes go in binary form, the rest as text. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/database.h"

enum { TEXT_FORMAT, BINARY_FORMAT };

char *tuff_postgres_reserve(tuff_postgres_parameters *parameters, size_t size) {
  if (parameters->size + size > parameters->room) {
    size_t room = (parameters->room + size) * 2 + 64;
    char *grown = tuff_postgres_host->alloc(parameters->bytes, room);
    if (!grown) return NULL;
    parameters->bytes = grown;
    parameters->room = room;
  }
  return parameters->bytes + parameters->size;
}

static bool append(tuff_postgres_parameters *parameters, const void *bytes,
                   size_t size) {
  if (!tuff_postgres_reserve(parameters, size)) return false;
  if (size) memcpy(parameters->bytes + parameters->size, bytes, size);
  parameters->size += size;
  return true;
}

static bool append_text(tuff_postgres_parameters *parameters, const char *text) {
  return append(parameters, text, strlen(text));
}

void tuff_postgres_write_real(char *out, size_t room, double real, int digits) {
  if (real != real) {
    snprintf(out, room, "NaN");
  } else if (real - real != 0) {
    snprintf(out, room, real > 0 ? "Infinity" : "-Infinity");
  } else {
    do {
      snprintf(out, room, "%.*g", digits, real);
    } while (++digits <= 17 && strtod(out, NULL) != real);
    char *comma = strchr(out, ','); /* of the script's locale */
    if (comma) *comma = '.';
  }
}

static bool refuse(tuff_error *err, tuff_code code, const char *what) {
  tuff_postgres_host->fail(err, code, "%s", what);
  return false;
}

/* ---- text form ---- */

static bool append_hex(tuff_postgres_parameters *parameters, const tuff_value *value) {
  static const char digits[] = "0123456789abcdef";
  if (!append(parameters, "\\x", 2)) return false;
  for (size_t i = 0; i < value->size; i++) {
    unsigned char byte = (unsigned char)value->bytes[i];
    char pair[] = {digits[byte >> 4], digits[byte & 15]};
    if (!append(parameters, pair, sizeof pair)) return false;
  }
  return true;
}

static bool check_text(const tuff_value *value, tuff_error *err) {
  if (tuff_postgres_host->valid_text(value->bytes, value->size)) return true;
  refuse(err, TUFF_TYPE, "the text is not valid UTF-8, or holds a NUL byte");
  tuff_postgres_host->hint(
      err, "bytes that are no text are stored in a column of type bytea");
  return false;
}

static bool write_text(tuff_postgres_parameters *parameters, const tuff_value *value,
                       tuff_error *err) {
  char number[40];
  bool kept = true;
  switch (value->kind) {
    case TUFF_BOOLEAN:
      kept = append_text(parameters, value->integer ? "true" : "false");
      break;
    case TUFF_INTEGER:
      snprintf(number, sizeof number, "%lld", (long long)value->integer);
      kept = append_text(parameters, number);
      break;
    case TUFF_REAL:
      tuff_postgres_write_real(number, sizeof number, value->real, 15);
      kept = append_text(parameters, number);
      break;
    case TUFF_TEXT:
    case TUFF_JSON:
      if (!check_text(value, err)) return false;
      kept = append(parameters, value->bytes, value->size);
      break;
    case TUFF_BLOB: kept = append_hex(parameters, value); break;
    default: break;
  }
  return kept || tuff_postgres_fail_memory(err);
}

/* ---- binary form ---- */

/* An integer, also one that is written as a float; 0: it is none. */
static bool is_integer(const tuff_value *value, int64_t *integer) {
  if (value->kind == TUFF_INTEGER) {
    *integer = value->integer;
    return true;
  }
  if (value->kind != TUFF_REAL || !(value->real >= -0x1p63 && value->real < 0x1p63))
    return false;
  *integer = (int64_t)value->real;
  return (double)*integer == value->real;
}

static bool write_integer(tuff_postgres_parameters *parameters, int64_t integer,
                          int bytes, tuff_error *err) {
  int64_t limit = bytes == 8 ? INT64_MAX : (INT64_C(1) << (8 * bytes - 1)) - 1;
  if (integer > limit || integer < -limit - 1)
    return refuse(err, TUFF_RANGE,
                  bytes == 4 ? "the integer is out of range for the type integer"
                             : "the integer is out of range for the type smallint");
  uint64_t big = htobe64((uint64_t)integer);
  return append(parameters, (char *)&big + 8 - bytes, (size_t)bytes) ||
         tuff_postgres_fail_memory(err);
}

static bool write_float(tuff_postgres_parameters *parameters, double real,
                        tuff_error *err) {
  uint64_t bits;
  memcpy(&bits, &real, sizeof bits);
  bits = htobe64(bits);
  return append(parameters, &bits, sizeof bits) || tuff_postgres_fail_memory(err);
}

/* An integer that no float is equal to would be rounded. */
static bool write_as_float(tuff_postgres_parameters *parameters,
                           const tuff_value *value, tuff_error *err) {
  if (value->kind == TUFF_REAL) return write_float(parameters, value->real, err);
  double real = (double)value->integer;
  if (value->integer > (INT64_C(1) << 53) || value->integer < -(INT64_C(1) << 53))
    if (real >= 0x1p63 || (int64_t)real != value->integer)
      return refuse(
          err, TUFF_RANGE,
          "this integer has no exact form as a float, which its column holds");
  return write_float(parameters, real, err);
}

static bool write_bytes(tuff_postgres_parameters *parameters, const tuff_value *value,
                        tuff_error *err) {
  return append(parameters, value->bytes, value->size) ||
         tuff_postgres_fail_memory(err);
}

/* True: the value was written in binary form, or is refused: see err. */
static bool write_binary(tuff_postgres_parameters *parameters, Oid type,
                         const tuff_value *value, tuff_error *err, bool *good) {
  int64_t integer;
  switch (type) {
    case PG_INT2:
    case PG_INT4:
    case PG_INT8:
      if (!is_integer(value, &integer)) return false;
      *good = write_integer(parameters, integer,
                            type == PG_INT2   ? 2
                            : type == PG_INT4 ? 4
                                              : 8,
                            err);
      return true;
    case PG_FLOAT8:
      if (value->kind != TUFF_REAL && value->kind != TUFF_INTEGER) return false;
      *good = write_as_float(parameters, value, err);
      return true;
    case PG_BYTEA:
      if (value->kind != TUFF_TEXT && value->kind != TUFF_BLOB) return false;
      *good = write_bytes(parameters, value, err);
      return true;
    default: return false;
  }
}

bool tuff_postgres_encode_value(tuff_postgres_parameters *parameters, Oid type,
                                const tuff_value *value, bool *binary,
                                tuff_error *err) {
  bool good = true;
  if (value->kind == TUFF_ARRAY)
    return tuff_postgres_encode_array(parameters, type, value, binary, err);
  if (value->kind == TUFF_REAL && value->real != value->real)
    return refuse(err, TUFF_RANGE, "NaN cannot be stored: SQLite would make it NULL");
  *binary = write_binary(parameters, type, value, err, &good);
  return *binary ? good : write_text(parameters, value, err);
}

static bool encode(tuff_postgres_parameters *parameters, unsigned i, Oid type,
                   const tuff_value *value, tuff_error *err) {
  bool binary;
  if (value->kind == TUFF_NULL) return true;
  if (!tuff_postgres_encode_value(parameters, type, value, &binary, err)) return false;
  if (binary) parameters->formats[i] = BINARY_FORMAT;
  parameters->sizes[i] = (int)(parameters->size - parameters->places[i]);
  /* Texts are terminated. */
  return append(parameters, "", 1) || tuff_postgres_fail_memory(err);
}

bool tuff_postgres_encode(tuff_postgres_statement *statement, tuff_error *err) {
  enum { MOST_KEPT = 64 * 1024 };
  tuff_postgres_parameters *parameters = &statement->parameters;
  unsigned count = statement->sql.parameters;
  if (parameters->room > MOST_KEPT) { /* of a large value */
    tuff_postgres_host->alloc(parameters->bytes, 0);
    parameters->bytes = NULL;
    parameters->room = 0;
  }
  parameters->size = 0;
  for (unsigned i = 0; i < count; i++) {
    parameters->places[i] = parameters->size;
    parameters->formats[i] = TEXT_FORMAT;
    if (encode(parameters, i, statement->parameter[i], &statement->values[i], err))
      continue;
    if (err) err->parameter = (int)i;
    return false;
  }
  for (unsigned i = 0; i < count; i++) {
    bool null = statement->values[i].kind == TUFF_NULL;
    parameters->values[i] = null ? NULL : parameters->bytes + parameters->places[i];
  }
  return true;
}

bool tuff_postgres_parameters_allocate(tuff_postgres_parameters *parameters,
                                       unsigned count) {
  const tuff_host *host = tuff_postgres_host;
  parameters->values = host->alloc(NULL, count * sizeof *parameters->values);
  parameters->places = host->alloc(NULL, count * sizeof *parameters->places);
  parameters->sizes = host->alloc(NULL, count * sizeof *parameters->sizes);
  parameters->formats = host->alloc(NULL, count * sizeof *parameters->formats);
  return parameters->values && parameters->places && parameters->sizes &&
         parameters->formats;
}

void tuff_postgres_parameters_free(tuff_postgres_parameters *parameters) {
  const tuff_host *host = tuff_postgres_host;
  host->alloc(parameters->values, 0);
  host->alloc(parameters->places, 0);
  host->alloc(parameters->sizes, 0);
  host->alloc(parameters->formats, 0);
  host->alloc(parameters->bytes, 0);
  *parameters = (tuff_postgres_parameters){0};
}
