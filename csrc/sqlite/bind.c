/* bind.c: values of a script as parameters of SQLite. What it would change in silence
 * is refused here. */
#include <string.h>

#include "sqlite/database.h"

static inline bool check(tuff_sqlite_statement *statement, int result,
                         tuff_error *err) {
  return TUFF_LIKELY(result == SQLITE_OK) ||
         tuff_sqlite_fail(statement->database, result, err);
}

static bool refuse_text(int number, tuff_error *err) {
  const tuff_host *host = tuff_sqlite_host;
  host->fail(err, TUFF_TYPE, "the text is not valid UTF-8, or holds a NUL byte");
  host->hint(err,
             "bytes that are no text are stored by tuff.blob(string), or in a column "
             "declared BLOB");
  err->parameter = number - 1;
  return false;
}

static bool refuse_nan(int number, tuff_error *err) {
  const tuff_host *host = tuff_sqlite_host;
  host->fail(err, TUFF_RANGE, "NaN cannot be stored: SQLite would make it NULL");
  host->hint(err, "give nil or tuff.null if NULL is meant");
  err->parameter = number - 1;
  return false;
}

static bool is_text(const tuff_value *value) {
  return tuff_sqlite_host->valid_text(value->bytes, value->size);
}

static bool bind_text(tuff_sqlite_statement *statement, int number,
                      const tuff_value *value, tuff_error *err) {
  if (!is_text(value)) return refuse_text(number, err);
  statement->bound = true;
  int result = sqlite3_bind_text64(statement->handle, number, value->bytes, value->size,
                                   SQLITE_STATIC, SQLITE_UTF8);
  return check(statement, result, err);
}

static bool check_item(const tuff_value *item, int number, tuff_error *err) {
  if (item->kind == TUFF_TEXT && !is_text(item)) return refuse_text(number, err);
  if (item->kind == TUFF_REAL && item->real != item->real)
    return refuse_nan(number, err);
  return true;
}

static bool bind_other(tuff_sqlite_statement *statement, int number,
                       const tuff_value *value, tuff_error *err) {
  int result;
  statement->bound = true;
  switch (value->kind) {
    case TUFF_BLOB:
      /* A NULL pointer would bind NULL. */
      result = sqlite3_bind_blob64(statement->handle, number,
                                   value->size ? value->bytes : "", value->size,
                                   SQLITE_STATIC);
      break;
    case TUFF_ARRAY:
      for (size_t i = 0; i < value->size; i++)
        if (!check_item(&value->items[i], number, err)) return false;
      result = sqlite3_bind_pointer(statement->handle, number, (void *)(uintptr_t)value,
                                    tuff_sqlite_array_type, NULL);
      break;
    default: result = sqlite3_bind_null(statement->handle, number); break;
  }
  return check(statement, result, err);
}

static bool bind_real(tuff_sqlite_statement *statement, int number, double real,
                      tuff_error *err) {
  if (TUFF_UNLIKELY(real != real)) return refuse_nan(number, err);
  return check(statement, sqlite3_bind_double(statement->handle, number, real), err);
}

static inline bool bind_value(tuff_sqlite_statement *statement, int number,
                              const tuff_value *value, tuff_error *err) {
  switch (value->kind) {
    case TUFF_BOOLEAN:
    case TUFF_INTEGER:
      return check(statement,
                   sqlite3_bind_int64(statement->handle, number, value->integer), err);
    case TUFF_REAL: return bind_real(statement, number, value->real, err);
    case TUFF_JSON:
    case TUFF_TEXT: return bind_text(statement, number, value, err);
    default: return bind_other(statement, number, value, err);
  }
}

static bool refuse_embedded(tuff_error *err) {
  const tuff_host *host = tuff_sqlite_host;
  host->fail(err, TUFF_TYPE,
             "a text cannot take part in the arithmetic of a column of decimals");
  host->hint(err, "in SQL a decimal is an integer scaled by 10^s: give that integer, "
                  "or compute the value in Lua");
  return false;
}

/* An integer that no float holds would be rounded in a column of floats. */
static bool fits_real(const tuff_value *value) {
  int64_t integer = value->integer;
  return value->kind != TUFF_INTEGER ||
         (integer >= -(INT64_C(1) << 53) && integer <= INT64_C(1) << 53) ||
         (integer != INT64_MAX && (int64_t)(double)integer == integer);
}

static bool refuse_integer(tuff_error *err) {
  tuff_sqlite_host->fail(err, TUFF_RANGE,
                         "this integer has no exact form as a float, which its column "
                         "holds");
  return false;
}

static bool convert(const tuff_sqlite_target *target, tuff_value *value, char *text,
                    tuff_error *err) {
  switch (target->conversion) {
    case TUFF_SQLITE_AS_IT_IS: return true;
    case TUFF_SQLITE_REAL: return fits_real(value) || refuse_integer(err);
    case TUFF_SQLITE_EMBEDDED:
      return (value->kind != TUFF_TEXT && value->kind != TUFF_JSON) ||
             refuse_embedded(err);
    default: return tuff_sqlite_store(&target->type, value, text, err);
  }
}

static void free_list(void *list) { tuff_sqlite_host->alloc(list, 0); }

/* A list for a column of decimals, blobs or texts: SQLite frees the converted copy. */
static bool bind_typed_list(tuff_sqlite_statement *statement, unsigned index,
                            const tuff_sqlite_target *target, const tuff_value *value,
                            tuff_error *err) {
  if (target->conversion != TUFF_SQLITE_CONVERT &&
      target->conversion != TUFF_SQLITE_TEXT)
    return bind_other(statement, (int)index + 1, value, err);
  size_t size = (value->size + 1) * sizeof(tuff_value);
  tuff_value *list =
      tuff_sqlite_host->alloc(NULL, size + value->size * TUFF_SQLITE_SCRATCH);
  if (!list) return tuff_sqlite_fail_memory(err);
  tuff_value *items = list + 1;
  char *texts = (char *)list + size;
  *list = (tuff_value){.kind = TUFF_ARRAY, .items = items, .size = value->size};
  for (size_t i = 0; i < value->size; i++) {
    items[i] = value->items[i];
    if (convert(target, &items[i], texts + i * TUFF_SQLITE_SCRATCH, err) &&
        check_item(&items[i], (int)index + 1, err))
      continue;
    err->parameter = (int)index;
    free_list(list);
    return false;
  }
  statement->bound = true;
  int result = sqlite3_bind_pointer(statement->handle, (int)index + 1, list,
                                    tuff_sqlite_array_type, free_list);
  return check(statement, result, err);
}

static bool bind_typed(tuff_sqlite_statement *statement, unsigned index,
                       const tuff_sqlite_target *target, const tuff_value *value,
                       tuff_error *err) {
  if (value->kind == TUFF_ARRAY)
    return bind_typed_list(statement, index, target, value, err);
  tuff_value stored = *value;
  if (!convert(target, &stored, statement->texts + index * TUFF_SQLITE_SCRATCH, err)) {
    err->parameter = (int)index;
    return false;
  }
  return bind_value(statement, (int)index + 1, &stored, err);
}

/* ---- one name for several columns ---- */

static bool same_stored(const tuff_value *a, const tuff_value *b) {
  tuff_kind kinds[2] = {a->kind, b->kind};
  for (int i = 0; i < 2; i++) {
    if (kinds[i] == TUFF_BOOLEAN) kinds[i] = TUFF_INTEGER;
    if (kinds[i] == TUFF_JSON) kinds[i] = TUFF_TEXT;
  }
  if (kinds[0] != kinds[1]) return false;
  switch (kinds[0]) {
    case TUFF_INTEGER:
    case TUFF_REAL: return a->integer == b->integer; /* of a float its bits */
    case TUFF_TEXT:
    case TUFF_BLOB:
      return a->size == b->size &&
             (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
    default: return true;
  }
}

static bool refuse_different(tuff_error *err) {
  tuff_sqlite_host->fail(err, TUFF_MISUSE, "its columns store this value differently");
  tuff_sqlite_host->hint(err, "use two names");
  return false;
}

static bool agree(tuff_sqlite_statement *statement, const tuff_sqlite_target *first,
                  const tuff_value *value, tuff_error *err) {
  char first_text[TUFF_SQLITE_SCRATCH], text[TUFF_SQLITE_SCRATCH];
  tuff_value wanted = *value;
  if (!convert(first, &wanted, first_text, err)) return false;
  for (unsigned i = first->next; i; i = statement->targets[i].next) {
    tuff_value stored = *value;
    if (!convert(&statement->targets[i], &stored, text, err)) return false;
    if (!same_stored(&stored, &wanted)) return refuse_different(err);
  }
  return true;
}

static bool bind_several(tuff_sqlite_statement *statement, unsigned index,
                         const tuff_value *value, tuff_error *err) {
  const tuff_sqlite_target *first = &statement->targets[statement->targets[index].next];
  bool list = value->kind == TUFF_ARRAY;
  const tuff_value *items = list ? value->items : value;
  for (size_t i = 0; i < (list ? value->size : 1); i++) {
    if (agree(statement, first, &items[i], err)) continue;
    err->parameter = (int)index;
    return false;
  }
  return bind_typed(statement, index, first, value, err);
}

static inline bool bind_targeted(tuff_sqlite_statement *statement, unsigned index,
                                 const tuff_value *value, tuff_error *err) {
  const tuff_sqlite_target *target = &statement->targets[index];
  bool converted = true;
  switch (target->conversion) {
    case TUFF_SQLITE_AS_IT_IS: converted = false; break;
    case TUFF_SQLITE_REAL: converted = !fits_real(value); break;
    case TUFF_SQLITE_TEXT:
      converted = value->kind == TUFF_REAL || value->kind == TUFF_ARRAY;
      break;
    case TUFF_SQLITE_SEVERAL: return bind_several(statement, index, value, err);
    default: break;
  }
  return converted ? bind_typed(statement, index, target, value, err)
                   : bind_value(statement, (int)index + 1, value, err);
}

static bool bind_all(tuff_sqlite_statement *statement, unsigned count,
                     tuff_error *err) {
  const tuff_value *values = statement->values;
  if (TUFF_UNLIKELY(statement->targets != NULL)) {
    for (unsigned i = 0; i < count; i++)
      if (!bind_targeted(statement, i, &values[i], err)) return false;
    return true;
  }
  for (unsigned i = 0; i < count; i++)
    if (TUFF_UNLIKELY(!bind_value(statement, (int)i + 1, &values[i], err)))
      return false;
  return true;
}

bool tuff_sqlite_bind(void *context, const tuff_value *values, unsigned count,
                      tuff_error *err) {
  tuff_sqlite_statement *statement = context;
  statement->values = values;
  if (TUFF_UNLIKELY(!statement->handle)) return true; /* renewing it binds them */
  if (TUFF_LIKELY(bind_all(statement, count, err))) return true;
  if (statement->renewed || !statement->targets) return false;
  /* A type may be refused that the column does not have any more. */
  err->code = TUFF_OK;
  return tuff_sqlite_renew(statement, err);
}
