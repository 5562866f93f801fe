/* type.c: declared types of columns. SQLite knows five kinds of values and an affinity;
 * a type of two words, such as DECIMAL INTEGER(10,2), says more: the second word fixes
 * the affinity, so that a value is stored exactly, and the first one says what it
 * means. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite/database.h"

/* ---- what a declaration says ---- */

static bool take_word(const char **at, const char *word) {
  size_t size = strlen(word);
  if (sqlite3_strnicmp(*at, word, (int)size) != 0) return false;
  char after = (*at)[size];
  if (isalnum((unsigned char)after) || after == '_') return false;
  *at += size;
  *at += strspn(*at, " \t\r\n");
  return true;
}

/* A precision of 0 says that the declaration is not understood. */
static tuff_type decimal_type(const char *arguments) {
  tuff_type type = {TUFF_AS_DECIMAL, true, 18, 0};
  unsigned precision = 0, scale = 0;
  if (sscanf(arguments, "( %u , %u )", &precision, &scale) < 1) return type;
  bool good = precision >= 1 && precision <= 18 && scale <= precision;
  type.precision = good ? (uint8_t)precision : 0;
  type.scale = good ? (uint8_t)scale : 0;
  return type;
}

tuff_type tuff_sqlite_type_of(const char *declaration) {
  tuff_type stored = {TUFF_AS_STORED, false, 0, 0};
  if (!declaration) return stored;
  const char *at = declaration;
  if (take_word(&at, "boolean") || take_word(&at, "bool"))
    return (tuff_type){TUFF_AS_BOOLEAN, take_word(&at, "integer"), 0, 0};
  if (take_word(&at, "blob")) return (tuff_type){TUFF_AS_BLOB, false, 0, 0};
  if (take_word(&at, "timestamp") && take_word(&at, "text"))
    return (tuff_type){TUFF_AS_TIMESTAMP, true, 0, 0};
  if (take_word(&at, "json") && take_word(&at, "text"))
    return (tuff_type){TUFF_AS_JSON, true, 0, 0};
  if (take_word(&at, "real") || take_word(&at, "float") || take_word(&at, "double"))
    return (tuff_type){TUFF_AS_REAL, false, 0, 0};
  if (take_word(&at, "decimal") && take_word(&at, "integer")) return decimal_type(at);
  if (take_word(&at, "text") || take_word(&at, "varchar") || take_word(&at, "char") ||
      take_word(&at, "clob") || take_word(&at, "nvarchar") || take_word(&at, "uuid"))
    return (tuff_type){TUFF_AS_TEXT, false, 0, 0};
  return stored;
}

/* ---- storing ---- */

static bool refuse(tuff_error *err, tuff_code code, const char *message,
                   const char *hint) {
  tuff_sqlite_host->fail(err, code, "%s", message);
  tuff_sqlite_host->hint(err, "%s", hint);
  return false;
}

static bool are_digits(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (!isdigit((unsigned char)text[i])) return false;
  return size > 0;
}

static int number(const char *text, size_t size) {
  int value = 0;
  for (size_t i = 0; i < size; i++) value = value * 10 + (text[i] - '0');
  return value;
}

static bool is_date(int year, int month, int day) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= days[month - 1] + (leap && month == 2);
}

/* YYYY-MM-DDTHH:MM:SS.ffffffZ */
static bool is_timestamp(const tuff_value *value) {
  static const char form[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
  if (value->kind != TUFF_TEXT || value->size != sizeof form - 1) return false;
  const char *text = value->bytes;
  for (size_t i = 0; i < value->size; i++)
    if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : form[i] != text[i])
      return false;
  return is_date(number(text, 4), number(text + 5, 2), number(text + 8, 2)) &&
         number(text + 11, 2) <= 23 && number(text + 14, 2) <= 59 &&
         number(text + 17, 2) <= 60;
}

static int64_t power_of_ten(unsigned exponent) {
  int64_t power = 1;
  while (exponent-- > 0) power *= 10;
  return power;
}

static bool store_scaled(const tuff_type *type, uint64_t magnitude, bool negative,
                         tuff_value *value, tuff_error *err) {
  if (magnitude >= (uint64_t)power_of_ten(type->precision))
    return refuse(err, TUFF_RANGE, "the decimal has more digits than its column",
                  "declare the column with a larger precision");
  *value = (tuff_value){.kind = TUFF_INTEGER,
                        .integer = negative ? -(int64_t)magnitude : (int64_t)magnitude};
  return true;
}

static bool store_decimal_text(const tuff_type *type, tuff_value *value,
                               tuff_error *err) {
  const char *at = value->bytes, *end = at + value->size;
  bool negative = at < end && *at == '-';
  if (at < end && (*at == '-' || *at == '+')) at++;
  const char *dot = memchr(at, '.', (size_t)(end - at));
  size_t whole = (size_t)((dot ? dot : end) - at);
  const char *fraction = dot ? dot + 1 : end;
  size_t digits = (size_t)(end - fraction);
  if (!are_digits(at, whole) || (dot && !are_digits(fraction, digits)))
    return refuse(err, TUFF_TYPE, "this text is no decimal number",
                  "write it like \"-12.34\"");
  while (digits > type->scale && fraction[digits - 1] == '0') digits--;
  while (whole > 1 && *at == '0') at++, whole--;
  if (digits > type->scale || whole + type->scale > 19)
    return refuse(err, TUFF_RANGE, "the decimal has more digits than its column",
                  "round it before storing, or declare the column wider");
  uint64_t magnitude = 0;
  for (size_t i = 0; i < whole; i++)
    magnitude = magnitude * 10 + (uint64_t)(at[i] - '0');
  for (size_t i = 0; i < type->scale; i++)
    magnitude = magnitude * 10 + (i < digits ? (uint64_t)(fraction[i] - '0') : 0);
  return store_scaled(type, magnitude, negative, value, err);
}

static bool store_decimal(const tuff_type *type, tuff_value *value, tuff_error *err) {
  if (type->precision == 0)
    return refuse(err, TUFF_TYPE,
                  "the column's DECIMAL INTEGER(p, s) is not understood",
                  "p must be 1 to 18, and s 0 to p");
  if (value->kind == TUFF_TEXT) return store_decimal_text(type, value, err);
  if (value->kind != TUFF_INTEGER)
    return refuse(err, TUFF_TYPE, "this column holds decimals",
                  "give a string like \"12.34\" or an integer: a float is not exact");
  int64_t limit = power_of_ten((unsigned)(type->precision - type->scale));
  int64_t whole = value->integer;
  if (whole <= -limit || whole >= limit)
    return refuse(err, TUFF_RANGE, "the decimal has more digits than its column",
                  "declare the column with a larger precision");
  *value =
      (tuff_value){.kind = TUFF_INTEGER, .integer = whole * power_of_ten(type->scale)};
  return true;
}

static void set_text(tuff_value *value, tuff_kind kind, const char *text, int size) {
  *value = (tuff_value){.kind = kind, .bytes = text, .size = (size_t)size};
}

static void write_real(tuff_value *value, char *text) {
  enum { ALWAYS_EXACT = 15 }; /* digits */
  size_t size = tuff_sqlite_host->write_real(text, value->real, ALWAYS_EXACT);
  set_text(value, TUFF_TEXT, text, (int)size);
}

static bool store_json(tuff_value *value, char *text, tuff_error *err) {
  switch (value->kind) {
    case TUFF_JSON: return true;
    case TUFF_TEXT:
      if (tuff_sqlite_host->valid_json(value->bytes, value->size, err)) return true;
      tuff_sqlite_host->hint(
          err, "a string for a JSON column is JSON text: give a table, or encode it "
               "with require(\"tuff.json\").encode");
      return false;
    case TUFF_BOOLEAN:
      set_text(value, TUFF_TEXT, value->integer ? "true" : "false",
               value->integer ? 4 : 5);
      return true;
    case TUFF_INTEGER:
      set_text(value, TUFF_TEXT, text,
               snprintf(text, TUFF_SQLITE_SCRATCH, "%lld", (long long)value->integer));
      return true;
    case TUFF_REAL:
      if (value->real - value->real != 0) break; /* infinite, or NaN */
      write_real(value, text);
      return true;
    default: break;
  }
  return refuse(err, TUFF_TYPE, "this value has no form in JSON",
                "give a table, a string of JSON, a boolean or a finite number");
}

bool tuff_sqlite_store(const tuff_type *type, tuff_value *value, char *text,
                       tuff_error *err) {
  if (value->kind == TUFF_NULL) return true;
  switch (type->declared) {
    case TUFF_AS_BLOB:
      if (value->kind == TUFF_TEXT) value->kind = TUFF_BLOB;
      return true;
    case TUFF_AS_DECIMAL: return store_decimal(type, value, err);
    case TUFF_AS_BOOLEAN:
      if (!type->strict || value->kind == TUFF_BOOLEAN ||
          (value->kind == TUFF_INTEGER && (value->integer == 0 || value->integer == 1)))
        return true;
      return refuse(err, TUFF_TYPE, "this column holds booleans", "give true or false");
    case TUFF_AS_TIMESTAMP:
      if (is_timestamp(value)) return true;
      return refuse(err, TUFF_TYPE,
                    "this column holds timestamps in UTC of 27 characters",
                    "write it like \"2026-11-21T10:00:00.000000Z\"");
    case TUFF_AS_JSON: return store_json(value, text, err);
    case TUFF_AS_TEXT:
      /* SQLite itself would print fifteen digits. */
      if (value->kind == TUFF_REAL && value->real == value->real)
        write_real(value, text);
      return true;
    case TUFF_AS_REAL:
    case TUFF_AS_STORED: break;
  }
  return true;
}

/* ---- loading ---- */

static void load_decimal(const tuff_type *type, tuff_value *value, char *text) {
  int64_t scaled = value->integer;
  uint64_t magnitude = scaled < 0 ? 0 - (uint64_t)scaled : (uint64_t)scaled;
  uint64_t one = (uint64_t)power_of_ten(type->scale);
  const char *sign = scaled < 0 ? "-" : "";
  int size;
  if (type->scale == 0)
    size = snprintf(text, TUFF_SQLITE_SCRATCH, "%s%llu", sign,
                    (unsigned long long)magnitude);
  else
    size = snprintf(text, TUFF_SQLITE_SCRATCH, "%s%llu.%0*llu", sign,
                    (unsigned long long)(magnitude / one), (int)type->scale,
                    (unsigned long long)(magnitude % one));
  set_text(value, TUFF_TEXT, text, size);
}

void tuff_sqlite_load(const tuff_type *type, tuff_value *value, char *text) {
  switch (type->declared) {
    case TUFF_AS_BOOLEAN:
      if (value->kind == TUFF_INTEGER && (value->integer == 0 || value->integer == 1))
        value->kind = TUFF_BOOLEAN;
      break;
    case TUFF_AS_DECIMAL:
      if (value->kind == TUFF_INTEGER && type->precision > 0)
        load_decimal(type, value, text);
      break;
    case TUFF_AS_JSON:
      if (value->kind == TUFF_TEXT) value->kind = TUFF_JSON;
      break;
    case TUFF_AS_REAL:
      /* RETURNING gives a float without a fraction as it is packed, as an integer. */
      if (value->kind == TUFF_INTEGER) {
        value->kind = TUFF_REAL;
        value->real = (double)value->integer;
      }
      break;
    default: break;
  }
}
