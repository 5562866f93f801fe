/* infer.c: the types of parameters, where the server leaves them to the values: what it
 * cannot tell, what it takes for text as it has to take it for something, as in
 * `select ?`, and numbers that are compared with a column too narrow for them. */
#include "postgres/database.h"

bool tuff_postgres_is_open(const tuff_postgres_statement *statement, unsigned number) {
  Oid inferred = statement->inferred[number];
  return (inferred == 0 || inferred == PG_TEXT || inferred == PG_TEXT_ARRAY) &&
         !tuff_postgres_is_assigned(statement, number);
}

static Oid type_of(const tuff_value *value) {
  switch (value->kind) {
    case TUFF_BOOLEAN: return PG_BOOL;
    case TUFF_INTEGER: return PG_INT8;
    case TUFF_REAL: return PG_FLOAT8;
    case TUFF_BLOB: return PG_BYTEA;
    case TUFF_JSON: return PG_JSONB;
    default: return PG_TEXT;
  }
}

static Oid array_of(Oid type) {
  switch (type) {
    case PG_BOOL: return PG_BOOL_ARRAY;
    case PG_INT8: return PG_INT8_ARRAY;
    case PG_FLOAT8: return PG_FLOAT8_ARRAY;
    case PG_BYTEA: return PG_BYTEA_ARRAY;
    case PG_JSONB: return PG_JSONB_ARRAY;
    default: return PG_TEXT_ARRAY;
  }
}

/* Numbers of both kinds are floats, other mixtures text. */
static Oid type_of_list(const tuff_value *list) {
  Oid common = list->size > 0 ? type_of(&list->items[0]) : PG_TEXT;
  for (size_t i = 1; i < list->size; i++) {
    Oid type = type_of(&list->items[i]);
    bool numbers = (type == PG_INT8 && common == PG_FLOAT8) ||
                   (type == PG_FLOAT8 && common == PG_INT8);
    if (type != common) common = numbers ? PG_FLOAT8 : PG_TEXT;
    if (common == PG_TEXT) break;
  }
  return array_of(common);
}

/* The type that holds a number which this one does not. */
static Oid wider_type(Oid type, const tuff_value *value) {
  int64_t most = type == PG_INT2 ? INT16_MAX : type == PG_INT4 ? INT32_MAX : INT64_MAX;
  if (value->kind == TUFF_INTEGER)
    return value->integer > most || value->integer < -most - 1 ? PG_INT8 : type;
  if (value->kind != TUFF_REAL) return type;
  bool whole = value->real >= -0x1p63 && value->real < 0x1p63 &&
               (double)(int64_t)value->real == value->real;
  if (!whole) return PG_FLOAT8;
  tuff_value integer = {.kind = TUFF_INTEGER, .integer = (int64_t)value->real};
  return wider_type(type, &integer);
}

static Oid wider_array(Oid type, const tuff_value *list) {
  Oid element = type == PG_INT2_ARRAY   ? PG_INT2
                : type == PG_INT4_ARRAY ? PG_INT4
                                        : PG_INT8;
  Oid widest = element;
  for (size_t i = 0; i < list->size; i++) {
    Oid wider = wider_type(element, &list->items[i]);
    if (wider != element && widest != PG_FLOAT8) widest = wider;
  }
  return widest == element ? type : array_of(widest);
}

/* A column of integers may be compared with any number. */
static Oid fitting_type(const tuff_postgres_statement *statement, unsigned number) {
  const tuff_value *value = &statement->values[number];
  Oid type = statement->inferred[number], wider = type;
  if (type == PG_INT2 || type == PG_INT4 || type == PG_INT8)
    wider = wider_type(type, value);
  else if (value->kind == TUFF_ARRAY &&
           (type == PG_INT2_ARRAY || type == PG_INT4_ARRAY || type == PG_INT8_ARRAY))
    wider = wider_array(type, value);
  return wider != type && tuff_postgres_is_compared(statement, number) ? wider : type;
}

bool tuff_postgres_all_fit(const tuff_postgres_statement *statement) {
  for (unsigned i = 0; i < statement->sql.parameters; i++)
    if (fitting_type(statement, i) != statement->inferred[i]) return false;
  return true;
}

Oid tuff_postgres_wanted_type(const tuff_postgres_statement *statement,
                              unsigned number) {
  const tuff_value *value = &statement->values[number];
  if (value->kind == TUFF_ARRAY && value->assigned) return statement->inferred[number];
  if (statement->firm || !tuff_postgres_is_open(statement, number))
    return fitting_type(statement, number);
  return value->kind == TUFF_ARRAY ? type_of_list(value) : type_of(value);
}

bool tuff_postgres_types_fit(const tuff_postgres_statement *statement) {
  for (unsigned i = 0; i < statement->sql.parameters; i++)
    if (statement->parameter[i] != tuff_postgres_wanted_type(statement, i))
      return false;
  return true;
}
