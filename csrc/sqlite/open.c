/* open.c: a connection with every setting that keeps data safe. The order matters: the
 * busy handler before the first access, the journal before anything that writes. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sqlite/database.h"
#include "sqlite/path.h"

enum { PROGRESS = 1000 }; /* operations of the engine between two looks at the watch */

static int on_progress(void *context) {
  tuff_sqlite_database *database = context;
  return database->raised ||
         (!database->internal && tuff_sqlite_host->stop(database->watch, NULL));
}

/* The core refuses larger values; this bounds what SQL makes of them on the way. SQLite
 * counts a whole row as one value, also of its schema, and so needs more room. */
static void limit_length(sqlite3 *handle, int64_t value_bytes) {
  enum { VALUES = 16, LEAST = 1 << 20 };
  if (value_bytes == 0) return;
  int64_t length = value_bytes * VALUES;
  if (length < LEAST) length = LEAST;
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, length < INT_MAX ? (int)length : INT_MAX);
}

static void configure(tuff_sqlite_database *database, const tuff_options *options) {
  static const struct {
    int option, value;
  } settings[] = {
      {SQLITE_DBCONFIG_DEFENSIVE, 1},
      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1}, /* 0: no trigger may touch FTS5, R-Tree */
      {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0},
      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
      {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
      {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0},
      {SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, 0},
  };
  sqlite3 *handle = database->handle;
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
    sqlite3_db_config(handle, settings[i].option, settings[i].value, NULL);
  int quotes = options->legacy_quotes ? 1 : 0;
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, quotes, NULL);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, quotes, NULL);
  limit_length(handle, options->value_bytes);
  sqlite3_progress_handler(handle, PROGRESS, on_progress, database);
}

static bool set_up(tuff_sqlite_database *database, const tuff_options *options,
                   tuff_error *err) {
  tuff_sqlite_wait_install(database);
  configure(database, options);
  tuff_sqlite_checkpoint_install(database);
  if (!tuff_sqlite_file_set_up(database, &database->main, options, err) ||
      !tuff_sqlite_exec(database, "PRAGMA cell_size_check = ON", err))
    return false;
  if (tuff_sqlite_array_install(database->handle) != SQLITE_OK)
    return tuff_sqlite_fail(database, SQLITE_NOMEM, err);
  if (!tuff_sqlite_control_open(database, err)) return false;
  tuff_sqlite_authorizer_install(database);
  tuff_sqlite_function_install(database);
  /* The first read of the schema finds out whether this is a database at all. */
  return tuff_sqlite_exec(database, "SELECT 1 FROM sqlite_schema LIMIT 1", err);
}

/* A path is absolute, and so never taken for a URI; what is attached for reading only
 * is one (attach.c). */
static int open_handle(tuff_sqlite_database *database, const char *name) {
  int flags = SQLITE_OPEN_URI;
  flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
  flags |= database->readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  return sqlite3_open_v2(name, &database->handle, flags, NULL);
}

/* A log cannot be shared in a directory that we may not write to. Where there is none,
 * nothing has to be shared, as long as nobody changes the file. */
static bool is_settled(const tuff_sqlite_database *database) {
  char log[TUFF_PATH + 8];
  struct stat status;
  snprintf(log, sizeof log, "%s-wal", database->main.path);
  return stat(log, &status) != 0 || status.st_size == 0;
}

/* Reading would make the log that it is marked to have. */
static bool would_touch(const tuff_sqlite_database *database) {
  const char *path = database->main.path;
  return tuff_sqlite_file_has_log(database->handle) &&
         !tuff_sqlite_path_has_beside(path, "-wal") &&
         !tuff_sqlite_path_has_beside(path, "-journal");
}

static bool reopen_immutable(tuff_sqlite_database *database,
                             const tuff_options *options, tuff_error *err) {
  char name[TUFF_SQLITE_URI];
  database->at_rest = true;
  tuff_sqlite_path_uri(database->main.path, "immutable=1", name);
  tuff_sqlite_control_close(database);
  sqlite3_close_v2(database->handle);
  database->handle = NULL;
  if (open_handle(database, name) != SQLITE_OK)
    return tuff_sqlite_fail(database, SQLITE_CANTOPEN, err);
  return set_up(database, options, err);
}

static bool open_file(tuff_sqlite_database *database, const tuff_options *options,
                      tuff_error *err) {
  int result = open_handle(database, database->main.path);
  if (result != SQLITE_OK) return tuff_sqlite_fail(database, result, err);
  if (options->untouched && would_touch(database))
    return reopen_immutable(database, options, err);
  if (!database->readonly && sqlite3_db_readonly(database->handle, "main") == 1) {
    tuff_sqlite_host->fail(err, TUFF_IO, "this process may not write to the file");
    tuff_sqlite_host->hint(
        err, "open it with { readonly = true }, or give it the permission");
    return false;
  }
  if (set_up(database, options, err)) return true;
  bool closed_directory = err->native == SQLITE_READONLY_DIRECTORY ||
                          (err->native & 0xFF) == SQLITE_CANTOPEN;
  if (database->readonly && closed_directory && is_settled(database)) {
    err->code = TUFF_OK;
    return reopen_immutable(database, options, err);
  }
  if (closed_directory)
    tuff_sqlite_host->hint(
        err, "the directory must be writable, because the journal lies beside the "
             "database");
  return false;
}

/* What files that are attached later inherit. */
static bool keep_options(tuff_sqlite_database *database, const tuff_options *options,
                         tuff_error *err) {
  database->readonly = options->readonly;
  database->normal = options->normal;
  database->delete_journal = options->delete_journal;
  if (!options->root) return true;
  size_t size = strlen(options->root) + 1;
  database->root = tuff_sqlite_host->alloc(NULL, size);
  if (!database->root) return tuff_sqlite_fail_memory(err);
  memcpy(database->root, options->root, size);
  return true;
}

static tuff_sqlite_database *allocate(const char *path, tuff_watch *watch,
                                      tuff_error *err) {
  tuff_sqlite_database *database = tuff_sqlite_host->alloc(NULL, sizeof *database);
  if (!database) {
    tuff_sqlite_fail_memory(err);
    return NULL;
  }
  memset(database, 0, sizeof *database);
  database->watch = watch;
  database->queue = -1;
  if (tuff_sqlite_file_open(&database->main, "main", path, err)) return database;
  tuff_sqlite_host->alloc(database, 0);
  return NULL;
}

void *tuff_sqlite_open(const tuff_options *options, tuff_watch *watch,
                       tuff_error *err) {
  char path[TUFF_PATH];
  if (!tuff_sqlite_path_or_memory(tuff_sqlite_host, options, path, err)) return NULL;
  tuff_sqlite_database *database = allocate(path, watch, err);
  if (database) {
    watch->started_us = 0;
    if (keep_options(database, options, err) && open_file(database, options, err))
      return database;
  }
  tuff_sqlite_name_path(options, err);
  tuff_sqlite_close(database, false);
  return NULL;
}

void tuff_sqlite_close(void *context, bool collected) {
  tuff_sqlite_database *database = context;
  if (!database) return;
  tuff_sqlite_wait_done(database);
  tuff_sqlite_control_close(database);
  for (tuff_sqlite_file *file = &database->main; file; file = file->next)
    tuff_sqlite_checkpoint_close(file);
  /* The last connection moves the whole log into the database, which may take a tenth
   * of a second: too long for a finaliser. The next one to open it will do. */
  if (collected)
    sqlite3_db_config(database->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  sqlite3_close_v2(database->handle);
  while (database->main.next) tuff_sqlite_file_forget(database, database->main.next);
  tuff_sqlite_file_close(&database->main);
  tuff_sqlite_host->alloc(database->change.touched, 0);
  tuff_sqlite_host->alloc(database->root, 0);
  tuff_sqlite_host->alloc(database, 0);
}
