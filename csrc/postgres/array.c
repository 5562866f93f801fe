/* array.c: lists as arrays, in binary form where that is known of all items. */
#include <endian.h>

#include "postgres/database.h"

/* 0: a type that encode.c does not know. */
static Oid element_of(Oid array) {
  switch (array) {
    case PG_BOOL_ARRAY: return PG_BOOL;
    case PG_BYTEA_ARRAY: return PG_BYTEA;
    case PG_CHAR_ARRAY: return PG_CHAR;
    case PG_NAME_ARRAY: return PG_NAME;
    case PG_INT2_ARRAY: return PG_INT2;
    case PG_INT4_ARRAY: return PG_INT4;
    case PG_INT8_ARRAY: return PG_INT8;
    case PG_TEXT_ARRAY: return PG_TEXT;
    case PG_BPCHAR_ARRAY: return PG_BPCHAR;
    case PG_VARCHAR_ARRAY: return PG_VARCHAR;
    case PG_FLOAT4_ARRAY: return PG_FLOAT4;
    case PG_FLOAT8_ARRAY: return PG_FLOAT8;
    case PG_DATE_ARRAY: return PG_DATE;
    case PG_TIMESTAMP_ARRAY: return PG_TIMESTAMP;
    case PG_TIMESTAMPTZ_ARRAY: return PG_TIMESTAMPTZ;
    case PG_NUMERIC_ARRAY: return PG_NUMERIC;
    case PG_UUID_ARRAY: return PG_UUID;
    case PG_JSON_ARRAY: return PG_JSON;
    case PG_JSONB_ARRAY: return PG_JSONB;
    default: return 0;
  }
}

static bool has_null(const tuff_value *list) {
  for (size_t i = 0; i < list->size; i++)
    if (list->items[i].kind == TUFF_NULL) return true;
  return false;
}

static tuff_postgres_field write_binary(tuff_postgres_parameters *out, Oid element,
                                        const tuff_value *list, tuff_error *err) {
  if (!tuff_postgres_field_is_binary(element)) return FIELD_TEXTUAL;
  uint32_t header[] = {htobe32(list->size > 0), /* dimensions */
                       htobe32(has_null(list)), htobe32(element),
                       htobe32((uint32_t)list->size), htobe32(1)};
  size_t used = list->size > 0 ? sizeof header : 3 * sizeof *header;
  if (!tuff_postgres_write(out, header, used, err)) return FIELD_REFUSED;
  tuff_postgres_field field = FIELD_WRITTEN;
  for (size_t i = 0; i < list->size && field == FIELD_WRITTEN; i++)
    field =
        tuff_postgres_write_binary(out, element, list->assigned, &list->items[i], err);
  return field;
}

/* {"1","two",NULL}: every item in quotes, whatever its type. */
static bool write_text(tuff_postgres_parameters *out, Oid element,
                       const tuff_value *list, tuff_error *err) {
  bool good = tuff_postgres_write(out, "{", 1, err);
  for (size_t i = 0; good && i < list->size; i++) {
    const tuff_value *item = &list->items[i];
    if (i > 0) good = tuff_postgres_write(out, ",", 1, err);
    if (item->kind == TUFF_NULL)
      good = good && tuff_postgres_write(out, "NULL", 4, err);
    else
      good =
          good && tuff_postgres_write(out, "\"", 1, err) &&
          tuff_postgres_write_text(out, element, list->assigned, item, "\"\\", err) &&
          tuff_postgres_write(out, "\"", 1, err);
  }
  return good && tuff_postgres_write(out, "}", 1, err);
}

bool tuff_postgres_encode_array(tuff_postgres_parameters *parameters, Oid type,
                                const tuff_value *list, bool *binary, tuff_error *err) {
  Oid element = element_of(type);
  size_t start = parameters->size;
  tuff_postgres_field field = write_binary(parameters, element, list, err);
  *binary = field == FIELD_WRITTEN;
  if (field != FIELD_TEXTUAL) return *binary;
  parameters->size = start;
  return write_text(parameters, element, list, err);
}
