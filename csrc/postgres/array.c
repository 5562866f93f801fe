/* array.c: lists as arrays, in binary form where that is known of all items. */
#include <endian.h>
#include <string.h>

#include "postgres/database.h"

/* Arrays by their numbers in pg_type.dat; 0: of a type that encode.c does not know. */
static Oid element_of(Oid array) {
  static const struct {
    Oid array, element;
  } known[] = {{1000, PG_BOOL},      {1001, PG_BYTEA},  {1002, PG_CHAR},
               {1003, PG_NAME},      {1005, PG_INT2},   {1007, PG_INT4},
               {1009, PG_TEXT},      {1014, PG_BPCHAR}, {1015, PG_VARCHAR},
               {1016, PG_INT8},      {1021, PG_FLOAT4}, {1022, PG_FLOAT8},
               {1115, PG_TIMESTAMP}, {1182, PG_DATE},   {1185, PG_TIMESTAMPTZ},
               {1231, PG_NUMERIC},   {199, PG_JSON},    {2951, PG_UUID},
               {3807, PG_JSONB}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].array == array) return known[i].element;
  return 0;
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
  char *at = tuff_postgres_reserve(out, sizeof header);
  if (!at) {
    tuff_postgres_fail_memory(err);
    return FIELD_REFUSED;
  }
  size_t used = list->size > 0 ? sizeof header : 3 * sizeof *header;
  memcpy(at, header, used);
  out->size += used;
  tuff_postgres_field field = FIELD_WRITTEN;
  for (size_t i = 0; i < list->size && field == FIELD_WRITTEN; i++)
    field =
        tuff_postgres_write_binary(out, element, list->assigned, &list->items[i], err);
  return field;
}

static bool put(tuff_postgres_parameters *out, const char *text, size_t size,
                tuff_error *err) {
  char *at = tuff_postgres_reserve(out, size);
  if (!at) return tuff_postgres_fail_memory(err);
  memcpy(at, text, size);
  out->size += size;
  return true;
}

/* {"1","two",NULL}: every item in quotes, whatever its type. */
static bool write_text(tuff_postgres_parameters *out, Oid element,
                       const tuff_value *list, tuff_error *err) {
  bool good = put(out, "{", 1, err);
  for (size_t i = 0; good && i < list->size; i++) {
    const tuff_value *item = &list->items[i];
    if (i > 0) good = put(out, ",", 1, err);
    if (item->kind == TUFF_NULL)
      good = good && put(out, "NULL", 4, err);
    else
      good =
          good && put(out, "\"", 1, err) &&
          tuff_postgres_write_text(out, element, list->assigned, item, "\"\\", err) &&
          put(out, "\"", 1, err);
  }
  return good && put(out, "}", 1, err);
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
