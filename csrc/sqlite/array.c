/* array.c: tuff_array(?), a table-valued function over the list that is bound to its
 * parameter. `id in ?` becomes `id in (select +value from tuff_array(?1))`: one text,
 * and so one prepared statement, for lists of any length. */
#include <limits.h>
#include <string.h>

#include "sqlite/database.h"

const char tuff_sqlite_array_type[] = "tuff_array";

typedef struct array_cursor {
  sqlite3_vtab_cursor base;
  const tuff_value *list;
  size_t at;
} array_cursor;

enum { COLUMN_VALUE, COLUMN_LIST };

static int connect_table(sqlite3 *handle, void *context, int argc,
                         const char *const *argv, sqlite3_vtab **table,
                         char **message) {
  (void)context, (void)argc, (void)argv, (void)message;
  int result = sqlite3_declare_vtab(handle, "CREATE TABLE x(value, list HIDDEN)");
  if (result != SQLITE_OK) return result;
  sqlite3_vtab_config(handle, SQLITE_VTAB_DIRECTONLY);
  *table = sqlite3_malloc(sizeof **table);
  if (!*table) return SQLITE_NOMEM;
  memset(*table, 0, sizeof **table);
  return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *table) {
  sqlite3_free(table);
  return SQLITE_OK;
}

/* The list must be given: without it there is nothing to read. */
static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
  (void)table;
  info->estimatedCost = 1e9;
  info->estimatedRows = INT_MAX;
  for (int i = 0; i < info->nConstraint; i++) {
    if (info->aConstraint[i].iColumn != COLUMN_LIST ||
        info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
      continue;
    if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
    info->aConstraintUsage[i].argvIndex = 1;
    info->aConstraintUsage[i].omit = 1;
    info->estimatedCost = 10;
    info->estimatedRows = 10;
  }
  return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor) {
  (void)table;
  array_cursor *opened = sqlite3_malloc(sizeof *opened);
  if (!opened) return SQLITE_NOMEM;
  memset(opened, 0, sizeof *opened);
  *cursor = &opened->base;
  return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor) {
  sqlite3_free(cursor);
  return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *cursor, int index, const char *name, int argc,
                  sqlite3_value **argv) {
  (void)index, (void)name;
  array_cursor *array = (array_cursor *)cursor;
  array->list =
      argc == 1 ? sqlite3_value_pointer(argv[0], tuff_sqlite_array_type) : NULL;
  array->at = 0;
  return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *cursor) {
  ((array_cursor *)cursor)->at++;
  return SQLITE_OK;
}

static int at_end(sqlite3_vtab_cursor *cursor) {
  const array_cursor *array = (array_cursor *)cursor;
  return !array->list || array->at >= array->list->size;
}

static int column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int index) {
  const array_cursor *array = (array_cursor *)cursor;
  if (index != COLUMN_VALUE) return SQLITE_OK;
  tuff_sqlite_give(context, &array->list->items[array->at], SQLITE_STATIC);
  return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *id) {
  *id = (sqlite3_int64)((array_cursor *)cursor)->at;
  return SQLITE_OK;
}

int tuff_sqlite_array_install(sqlite3 *handle) {
  static const sqlite3_module module = {.xConnect = connect_table,
                                        .xBestIndex = best_index,
                                        .xDisconnect = disconnect_table,
                                        .xOpen = open_cursor,
                                        .xClose = close_cursor,
                                        .xFilter = filter,
                                        .xNext = next,
                                        .xEof = at_end,
                                        .xColumn = column,
                                        .xRowid = rowid};
  return sqlite3_create_module_v2(handle, tuff_sqlite_array_type, &module, NULL, NULL);
}
