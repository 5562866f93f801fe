/* checkpoint.c: moving the write-ahead log into the database.
 *
 * Versions 3.7.0 to 3.51.2 of SQLite can lose acknowledged rows when two checkpointers
 * race a commit. They never do while the checkpointer holds the write lock. So
 * automatic checkpoints are off, and after a commit that leaves much in the log we take
 * the write lock, if it is free, and let a second connection do a passive checkpoint
 * under it. The same connection cannot: it would find itself in the way. */
#include <stdio.h>
#include <string.h>

#include "sqlite/database.h"

enum {
  CHECKPOINT_BYTES = 4 << 20, /* from here on a checkpoint is due */
  BULK_BYTES = 16 << 20       /* from here on most is moved before locking */
};

static int on_commit(void *context, sqlite3 *handle, const char *schema, int frames) {
  tuff_sqlite_database *database = context;
  (void)handle;
  database->wal_grown = true;
  for (tuff_sqlite_file *file = &database->main; file; file = file->next)
    if (strcmp(file->schema, schema) == 0)
      file->wal_bytes = (int64_t)frames * file->page_size;
  return SQLITE_OK;
}

void tuff_sqlite_checkpoint_install(tuff_sqlite_database *database) {
  sqlite3_wal_autocheckpoint(database->handle, 0); /* resets the hook: so first */
  sqlite3_wal_hook(database->handle, on_commit, database);
}

static bool run(sqlite3 *handle, const char *sql) {
  return sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static sqlite3 *checkpointer(tuff_sqlite_file *file) {
  if (file->checkpointer) return file->checkpointer;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
              SQLITE_OPEN_NOFOLLOW;
  sqlite3 *handle = NULL;
  bool opened = sqlite3_open_v2(file->path, &handle, flags, NULL) == SQLITE_OK;
  if (opened) {
    sqlite3_wal_autocheckpoint(handle, 0);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    /* The first read attaches it to the log. */
    opened = run(handle, "PRAGMA cache_size = 16; SELECT 1 FROM sqlite_schema LIMIT 1");
  }
  if (!opened) {
    sqlite3_close_v2(handle);
    return NULL;
  }
  return file->checkpointer = handle;
}

static void passive(sqlite3 *handle) {
  sqlite3_wal_checkpoint_v2(handle, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static void checkpoint_under(tuff_sqlite_database *database, sqlite3 *second,
                             const char *lock) {
  /* Where somebody writes, the next commit tries again. */
  if (run(database->handle, lock)) passive(second);
  if (!sqlite3_get_autocommit(database->handle)) run(database->handle, "ROLLBACK");
}

static void checkpoint(tuff_sqlite_database *database, tuff_sqlite_file *file) {
  char pin[TUFF_SQLITE_PRAGMA];
  int64_t bytes = file->wal_bytes;
  file->wal_bytes = 0;
  if (bytes < CHECKPOINT_BYTES || !file->on_disk || !file->wal) return;
  sqlite3 *second = checkpointer(file);
  if (!second) return;
  /* A reader pins the log: it cannot start over, which is what the race needs. Others
   * go on writing while the bulk is moved. */
  snprintf(pin, sizeof pin, "BEGIN; SELECT 1 FROM \"%s\".sqlite_schema LIMIT 1",
           file->schema);
  if (bytes >= BULK_BYTES) checkpoint_under(database, second, pin);
  checkpoint_under(database, second, "BEGIN IMMEDIATE");
}

void tuff_sqlite_checkpoint(tuff_sqlite_database *database) {
  database->wal_grown = false;
  database->internal = database->never_wait = true;
  for (tuff_sqlite_file *file = &database->main; file; file = file->next)
    checkpoint(database, file);
  database->internal = database->never_wait = false;
}

void tuff_sqlite_checkpoint_close(tuff_sqlite_file *file) {
  sqlite3_close_v2(file->checkpointer);
  file->checkpointer = NULL;
}
