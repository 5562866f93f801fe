/* encode.c: values of the script as parameters of the types that the server inferred.
 * Numbers, booleans and bytes go in binary form, the rest as text. What goes into a
 * column is refused as SQLite's driver refuses it, where the server would take more, or
 * change it. */
#include <ctype.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/database.h"

enum { TEXT_FORMAT, BINARY_FORMAT };

char *tuff_postgres_reserve(tuff_postgres_parameters *parameters, size_t size) {
  if (parameters->size + size >= parameters->room) {
    size_t room = (parameters->room + size) * 2 + 64;
    char *grown = tuff_postgres_host->alloc(parameters->bytes, room);
    if (!grown) return NULL;
    parameters->bytes = grown;
    parameters->room = room;
  }
  return parameters->bytes + parameters->size;
}

bool tuff_postgres_append(tuff_postgres_parameters *parameters, const void *bytes,
                          size_t size) {
  if (!tuff_postgres_reserve(parameters, size)) return false;
  if (size) memcpy(parameters->bytes + parameters->size, bytes, size);
  parameters->size += size;
  return true;
}

bool tuff_postgres_write(tuff_postgres_parameters *parameters, const void *bytes,
                         size_t size, tuff_error *err) {
  return tuff_postgres_append(parameters, bytes, size) ||
         tuff_postgres_fail_memory(err);
}

static bool write_string(tuff_postgres_parameters *parameters, const char *text,
                         tuff_error *err) {
  return tuff_postgres_write(parameters, text, strlen(text), err);
}

static bool refuse(tuff_error *err, tuff_code code, const char *what,
                   const char *hint) {
  tuff_postgres_host->fail(err, code, "%s", what);
  if (hint) tuff_postgres_host->hint(err, "%s", hint);
  return false;
}

/* ---- numbers ---- */

/* An integer, also one that is written as a float. */
static bool is_integer(const tuff_value *value, int64_t *integer) {
  if (value->kind == TUFF_INTEGER || value->kind == TUFF_BOOLEAN) {
    *integer = value->integer;
    return true;
  }
  if (value->kind != TUFF_REAL || !(value->real >= -0x1p63 && value->real < 0x1p63))
    return false;
  *integer = (int64_t)value->real;
  return (double)*integer == value->real;
}

static bool refuse_fraction(tuff_error *err) {
  return refuse(err, TUFF_TYPE, "this number is no integer, which is wanted here",
                NULL);
}

static bool is_number(const tuff_value *value) {
  return value->kind == TUFF_INTEGER || value->kind == TUFF_REAL;
}

static int bytes_of(Oid type) {
  return type == PG_INT2 ? 2 : type == PG_INT4 ? 4 : type == PG_INT8 ? 8 : 0;
}

static bool check_integer(Oid type, int64_t integer, tuff_error *err) {
  int bytes = bytes_of(type);
  int64_t limit = bytes == 8 ? INT64_MAX : (INT64_C(1) << (8 * bytes - 1)) - 1;
  if (integer <= limit && integer >= -limit - 1) return true;
  return refuse(err, TUFF_RANGE,
                bytes == 4 ? "the integer is out of range for the type integer"
                           : "the integer is out of range for the type smallint",
                "a column of type bigint holds every integer of Lua");
}

/* An integer that no float is equal to would be rounded. */
static bool check_float(const tuff_value *value, tuff_error *err) {
  if (value->kind != TUFF_INTEGER) return true;
  const int64_t exact = INT64_C(1) << 53;
  if (value->integer <= exact && value->integer >= -exact) return true;
  double real = (double)value->integer;
  return (real < 0x1p63 && (int64_t)real == value->integer) ||
         refuse(err, TUFF_RANGE,
                "this integer has no exact form as a float, which its column holds",
                NULL);
}

/* The shortest text that reads back as the same float, and as a float. */
static bool write_real(tuff_postgres_parameters *parameters, double real,
                       tuff_error *err) {
  enum { ALWAYS_EXACT = 15 }; /* digits that a float keeps */
  char text[TUFF_POSTGRES_REAL];
  tuff_postgres_host->write_real(text, real, ALWAYS_EXACT);
  return write_string(parameters, text, err);
}

static bool write_integer(tuff_postgres_parameters *parameters, int64_t integer,
                          tuff_error *err) {
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)integer);
  return write_string(parameters, text, err);
}

/* ---- texts ---- */

static bool write_valid_text(tuff_postgres_parameters *parameters,
                             const tuff_value *value, tuff_error *err) {
  if (tuff_postgres_host->valid_text(value->bytes, value->size))
    return tuff_postgres_write(parameters, value->bytes, value->size, err);
  return refuse(err, TUFF_TYPE, "the text is not valid UTF-8, or holds a NUL byte",
                "bytes that are no text are stored as a blob: in a column of type "
                "bytea");
}

static bool check_bytes(const tuff_value *value, tuff_error *err) {
  return tuff_value_has_bytes(value) ||
         refuse(err, TUFF_TYPE, "this column holds bytes", "give a string");
}

static bool write_bytes(tuff_postgres_parameters *parameters, const tuff_value *value,
                        tuff_error *err) {
  char *at = tuff_postgres_reserve(parameters, 2 * value->size + 2);
  if (!at) return tuff_postgres_fail_memory(err);
  at = tuff_postgres_print_bytes(at, value->bytes, value->size);
  parameters->size = (size_t)(at - parameters->bytes);
  return true;
}

static bool is_text_type(Oid type) {
  return type == PG_TEXT || type == PG_VARCHAR || type == PG_BPCHAR ||
         type == PG_NAME || type == PG_CHAR || type == PG_UNKNOWN;
}

/* Whatever the type is: the server reads the text. */
static bool write_text(tuff_postgres_parameters *parameters, Oid type,
                       const tuff_value *value, tuff_error *err) {
  switch (value->kind) {
    case TUFF_BOOLEAN:
      return write_string(parameters, value->integer ? "true" : "false", err);
    case TUFF_INTEGER: return write_integer(parameters, value->integer, err);
    case TUFF_REAL: return write_real(parameters, value->real, err);
    case TUFF_BLOB:
      if (!is_text_type(type)) return write_bytes(parameters, value, err);
      return write_valid_text(parameters, value, err);
    default: return write_valid_text(parameters, value, err);
  }
}

/* ---- JSON ---- */

static bool write_json(tuff_postgres_parameters *parameters, Oid type,
                       const tuff_value *value, tuff_error *err) {
  switch (value->kind) {
    case TUFF_TEXT:
      if (!tuff_postgres_host->valid_json(value->bytes, value->size, err)) {
        tuff_postgres_host->hint(
            err, "a string for a JSON column is JSON text: give a table, or encode it "
                 "with require(\"tuff.json\").encode");
        return false;
      }
      break;
    case TUFF_REAL:
      if (value->real - value->real == 0) break;
      /* fall through */
    case TUFF_BLOB:
      return refuse(err, TUFF_TYPE, "this value has no form in JSON",
                    "give a table, a string of JSON, a boolean or a finite number");
    default: break;
  }
  size_t at = parameters->size;
  if (!write_text(parameters, type, value, err)) return false;
  return type != PG_JSONB || tuff_postgres_spell_numbers(parameters, at) ||
         tuff_postgres_fail_memory(err);
}

/* ---- what goes into a column ---- */

bool tuff_postgres_is_assigned(const tuff_postgres_statement *statement,
                               unsigned number) {
  for (unsigned i = 0; i < statement->sql.uses; i++) {
    const tuff_target *target = &statement->sql.targets[i];
    if (target->parameter == number && target->table.size && !target->compared &&
        !target->embedded)
      return true;
  }
  return false;
}

bool tuff_postgres_is_compared(const tuff_postgres_statement *statement,
                               unsigned number) {
  for (unsigned i = 0; i < statement->sql.uses; i++)
    if (statement->sql.targets[i].parameter == number &&
        !statement->sql.targets[i].compared)
      return false;
  return true;
}

static bool are_digits(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (!isdigit((unsigned char)text[i])) return false;
  return size > 0;
}

static bool is_decimal(const char *at, size_t size) {
  const char *end = at + size;
  if (at < end && (*at == '-' || *at == '+')) at++;
  const char *dot = memchr(at, '.', (size_t)(end - at));
  return are_digits(at, (size_t)((dot ? dot : end) - at)) &&
         (!dot || are_digits(dot + 1, (size_t)(end - dot - 1)));
}

/* The server would take "NaN" and "1e2", and a float that is not exact. */
static bool check_decimal(const tuff_value *value, tuff_error *err) {
  if (value->kind == TUFF_INTEGER) return true;
  if (value->kind != TUFF_TEXT)
    return refuse(err, TUFF_TYPE, "this column holds decimals",
                  "give a string like \"12.34\" or an integer: a float is not exact");
  return is_decimal(value->bytes, value->size) ||
         refuse(err, TUFF_TYPE, "this text is no decimal number",
                "write it like \"-12.34\"");
}

static bool is_word(const tuff_value *value, const char *word) {
  return value->size == strlen(word) && memcmp(value->bytes, word, value->size) == 0;
}

/* In a form, d is a digit, and x one of those of hexadecimal numbers in lower case. */
static bool has_form(const tuff_value *value, const char *form) {
  if (value->kind != TUFF_TEXT || value->size != strlen(form)) return false;
  for (size_t i = 0; i < value->size; i++) {
    char c = value->bytes[i];
    bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
    bool good = form[i] == 'd'   ? digit
                : form[i] == 'x' ? digit || letter
                                 : form[i] == c;
    if (!good) return false;
  }
  return true;
}

static bool is_infinite(const tuff_value *value) {
  return value->kind == TUFF_TEXT &&
         (is_word(value, "infinity") || is_word(value, "-infinity"));
}

/* The server would take "yesterday", and a time of the zone that is set. */
static bool check_timestamp(const tuff_value *value, tuff_error *err) {
  return has_form(value, "dddd-dd-ddTdd:dd:dd.ddddddZ") || is_infinite(value) ||
         refuse(err, TUFF_TYPE, "this column holds timestamps in UTC of 27 characters",
                "write it like \"2026-11-21T10:00:00.000000Z\"");
}

/* The server would take a timestamp, and drop its time. */
static bool check_date(const tuff_value *value, tuff_error *err) {
  return has_form(value, "dddd-dd-dd") || is_infinite(value) ||
         refuse(err, TUFF_TYPE, "this column holds dates of 10 characters",
                "write it like \"2026-11-21\"");
}

/* The server would write it in lower case. */
static bool check_uuid(const tuff_value *value, tuff_error *err) {
  return has_form(value, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") ||
         refuse(err, TUFF_TYPE, "this column holds UUIDs in lower case",
                "write it like \"0189a1c2-7b3d-7e4f-8a5b-6c7d8e9f0a1b\"");
}

/* The server would take "yes". */
static bool check_boolean(const tuff_value *value, tuff_error *err) {
  if (value->kind == TUFF_BOOLEAN ||
      (value->kind == TUFF_INTEGER && (value->integer == 0 || value->integer == 1)))
    return true;
  return refuse(err, TUFF_TYPE, "this column holds booleans", "give true or false");
}

static bool is_checked(Oid type) {
  return type == PG_NUMERIC || type == PG_TIMESTAMPTZ || type == PG_DATE ||
         type == PG_UUID || type == PG_BOOL;
}

static bool check_assigned(Oid type, const tuff_value *value, tuff_error *err) {
  switch (type) {
    case PG_NUMERIC: return check_decimal(value, err);
    case PG_TIMESTAMPTZ: return check_timestamp(value, err);
    case PG_DATE: return check_date(value, err);
    case PG_UUID: return check_uuid(value, err);
    case PG_BOOL: return check_boolean(value, err);
    default: return true;
  }
}

/* ---- binary form ---- */

static bool write_big(tuff_postgres_parameters *parameters, uint64_t bits, int bytes,
                      tuff_error *err) {
  bits = htobe64(bits);
  return tuff_postgres_write(parameters, (char *)&bits + 8 - bytes, (size_t)bytes, err);
}

static bool write_float(tuff_postgres_parameters *parameters, const tuff_value *value,
                        tuff_error *err) {
  double real = value->kind == TUFF_REAL ? value->real : (double)value->integer;
  uint64_t bits;
  memcpy(&bits, &real, sizeof bits);
  return check_float(value, err) && write_big(parameters, bits, 8, err);
}

/* True: the value was written in binary form, or is refused, which `good` tells. */
static bool write_binary(tuff_postgres_parameters *parameters, Oid type,
                         const tuff_value *value, tuff_error *err, bool *good) {
  int64_t integer;
  switch (type) {
    case PG_INT2:
    case PG_INT4:
    case PG_INT8:
      if (is_integer(value, &integer))
        *good = check_integer(type, integer, err) &&
                write_big(parameters, (uint64_t)integer, bytes_of(type), err);
      else if (value->kind == TUFF_REAL)
        *good = refuse_fraction(err);
      else
        return false;
      return true;
    case PG_FLOAT8:
      if (!is_number(value) && value->kind != TUFF_BOOLEAN) return false;
      *good = write_float(parameters, value, err);
      return true;
    case PG_BYTEA:
      *good = check_bytes(value, err) &&
              tuff_postgres_write(parameters, value->bytes, value->size, err);
      return true;
    default: return false;
  }
}

/* ---- one value, and all of them ---- */

bool tuff_postgres_encode_value(tuff_postgres_parameters *parameters, Oid type,
                                bool assigned, const tuff_value *value, bool *binary,
                                tuff_error *err) {
  bool good = true;
  if (value->kind == TUFF_ARRAY)
    return tuff_postgres_encode_array(parameters, type, value, binary, err);
  if (value->kind == TUFF_REAL && value->real != value->real)
    return refuse(err, TUFF_RANGE, "NaN cannot be stored", NULL);
  *binary = write_binary(parameters, type, value, err, &good);
  if (*binary) return good;
  if (type == PG_JSON || type == PG_JSONB)
    return write_json(parameters, type, value, err);
  return (!assigned || check_assigned(type, value, err)) &&
         write_text(parameters, type, value, err);
}

static bool encode(tuff_postgres_statement *statement, unsigned number,
                   tuff_error *err) {
  tuff_postgres_parameters *parameters = &statement->parameters;
  const tuff_value *value = &statement->values[number];
  Oid type = statement->parameter[number];
  parameters->places[number] = parameters->size;
  parameters->formats[number] = TEXT_FORMAT;
  if (value->kind == TUFF_NULL) return true;
  bool assigned = is_checked(type) && tuff_postgres_is_assigned(statement, number);
  bool binary;
  if (!tuff_postgres_encode_value(parameters, type, assigned, value, &binary, err))
    return false;
  parameters->formats[number] = binary ? BINARY_FORMAT : TEXT_FORMAT;
  parameters->sizes[number] = (int)(parameters->size - parameters->places[number]);
  return tuff_postgres_write(parameters, "", 1, err); /* texts are terminated */
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
    if (encode(statement, i, err)) continue;
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
