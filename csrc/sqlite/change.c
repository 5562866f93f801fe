/* change.c: while the schema is changed foreign keys are not enforced, and it is noted
 * which tables are touched, so that they can be looked at before the commit. */
#include <string.h>

#include "sqlite/database.h"

/* Foreign keys would empty the children of a table that is dropped to be made anew, and
 * in the old way of ALTER TABLE references do not follow a rename. PRAGMA foreign_keys
 * does nothing inside of a transaction, and says nothing: hence before it begins. All
 * statements are prepared again because of it, and so noted. */
static bool prepare(void *context, tuff_error *err) {
  tuff_sqlite_database *database = context;
  tuff_sqlite_change *change = &database->change;
  sqlite3 *handle = database->handle;
  int enforced;
  *change = (tuff_sqlite_change){.open = true};
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &change->enforced);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, -1, &change->legacy);
  if (sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, 0, &enforced) ==
          SQLITE_OK &&
      !enforced)
    return true;
  tuff_sqlite_host->fail(err, TUFF_IO, "foreign keys cannot be switched off");
  return false;
}

static void forget(void *context) {
  tuff_sqlite_change *change = &((tuff_sqlite_database *)context)->change;
  tuff_sqlite_host->alloc(change->touched, 0);
  change->touched = NULL;
  change->size = 0;
  change->unknown = false;
}

static void restore(void *context) {
  tuff_sqlite_database *database = context;
  tuff_sqlite_change *change = &database->change;
  sqlite3 *handle = database->handle;
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, change->enforced, NULL);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, change->legacy, NULL);
  forget(database);
  change->open = false;
}

static bool is_noted(const tuff_sqlite_change *change, const char *table) {
  for (size_t at = 0; at < change->size; at += strlen(change->touched + at) + 1)
    if (sqlite3_stricmp(change->touched + at, table) == 0) return true;
  return false;
}

void tuff_sqlite_change_note(tuff_sqlite_database *database, const char *table) {
  tuff_sqlite_change *change = &database->change;
  if (!change->open || change->unknown || !table) return;
  if (sqlite3_strnicmp(table, "sqlite_", 7) == 0 || is_noted(change, table)) return;
  size_t size = strlen(table) + 1;
  char *grown = tuff_sqlite_host->alloc(change->touched, change->size + size);
  if (!grown) {
    change->unknown = true;
    return;
  }
  memcpy(grown + change->size, table, size);
  change->touched = grown;
  change->size += size;
}

static bool touched(void *context, size_t *at, const char **table) {
  const tuff_sqlite_change *change = &((tuff_sqlite_database *)context)->change;
  if (change->unknown) return false;
  *table = *at < change->size ? change->touched + *at : NULL;
  if (*table) *at += strlen(*table) + 1;
  return true;
}

const tuff_changing tuff_sqlite_changing = {prepare, restore, touched, forget};
