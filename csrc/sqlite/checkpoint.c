/* checkpoint.c: moving the write-ahead log into the database.
 *
 * Versions 3.7.0 to 3.51.2 of SQLite can lose acknowledged rows when two checkpointers
 * race a commit. They never do while the checkpointer holds the write lock. So
 * automatic checkpoints are off, and after a commit that leaves much in the log we take
 * the write lock, if it is free, and let a second connection do a passive checkpoint
 * under it. The same connection cannot: it would find itself in the way. */
#include <stddef.h>

#include "sqlite/database.h"

enum {
  CHECKPOINT_BYTES = 4 << 20, /* from here on a checkpoint is due */
  BULK_BYTES = 16 << 20       /* from here on most is moved before locking */
};

static int on_commit(void *context, sqlite3 *handle, const char *schema, int frames) {
  tuff_sqlite_database *database = context;
  (void)handle;
  if (schema[0] == 'm') database->wal_bytes = (int64_t)frames * database->page_size;
  return SQLITE_OK;
}

void tuff_sqlite_checkpoint_install(tuff_sqlite_database *database) {
  sqlite3_wal_autocheckpoint(database->handle, 0); /* resets the hook: so first */
  sqlite3_wal_hook(database->handle, on_commit, database);
}

static bool run(sqlite3 *handle, const char *sql) {
  return sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static sqlite3 *checkpointer(tuff_sqlite_database *database) {
  if (database->checkpointer) return database->checkpointer;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
              SQLITE_OPEN_NOFOLLOW;
  sqlite3 *handle = NULL;
  bool opened = sqlite3_open_v2(database->path, &handle, flags, NULL) == SQLITE_OK;
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
  return database->checkpointer = handle;
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

void tuff_sqlite_checkpoint(tuff_sqlite_database *database) {
  int64_t bytes = database->wal_bytes;
  database->wal_bytes = 0;
  if (bytes < CHECKPOINT_BYTES || !database->file || !database->wal) return;
  sqlite3 *second = checkpointer(database);
  if (!second) return;
  database->internal = database->never_wait = true;
  /* A reader pins the log: it cannot start over, which is what the race needs. Others
   * go on writing while the bulk is moved. */
  if (bytes >= BULK_BYTES)
    checkpoint_under(database, second, "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1");
  checkpoint_under(database, second, "BEGIN IMMEDIATE");
  database->internal = database->never_wait = false;
}

void tuff_sqlite_checkpoint_close(tuff_sqlite_database *database) {
  sqlite3_close_v2(database->checkpointer);
  database->checkpointer = NULL;
}
