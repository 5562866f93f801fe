/* open.c: a connection with every setting that keeps data safe. The order matters: the
 * busy handler before the first access, the journal before anything that writes. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite/database.h"
#include "sqlite/path.h"

enum { PROGRESS = 1000 }; /* operations of the engine between two looks at the watch */

static const char journal_limit[] = "PRAGMA journal_size_limit = 16777216";

bool tuff_sqlite_exec(tuff_sqlite_database *database, const char *sql,
                      tuff_error *err) {
  database->internal = true;
  int result = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);
  database->internal = false;
  if (result != SQLITE_OK) tuff_sqlite_fail(database, result, err);
  tuff_sqlite_wait_done(database);
  return result == SQLITE_OK;
}

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
      {SQLITE_DBCONFIG_TRUSTED_SCHEMA,
       1}, /* 0 forbids triggers that touch FTS5, R-Tree */
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

/* One integer or word that a pragma answers. */
static bool ask(tuff_sqlite_database *database, const char *sql, char *answer,
                size_t room, tuff_error *err) {
  sqlite3_stmt *statement = NULL;
  database->internal = true;
  int result = sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  if (result == SQLITE_ROW) {
    const unsigned char *text = sqlite3_column_text(statement, 0);
    snprintf(answer, room, "%s", text ? (const char *)text : "");
  } else {
    tuff_sqlite_fail(database, result, err);
  }
  sqlite3_finalize(statement);
  database->internal = false;
  tuff_sqlite_wait_done(database);
  return result == SQLITE_ROW;
}

/* Changing the journal wants the file for itself. Two who open a new database at once
 * would wait for each other, each with its own lock in hand: so it waits with none, and
 * tries again, not in step with the other. */
static bool change_journal(tuff_sqlite_database *database, const char *sql, char *mode,
                           size_t room, tuff_error *err) {
  const tuff_host *host = tuff_sqlite_host;
  int64_t end = host->now_us() + database->watch->busy_us;
  for (;;) {
    database->never_wait = true;
    bool changed = ask(database, sql, mode, room, err);
    database->never_wait = false;
    if (changed) return true;
    if (err->code != TUFF_BUSY || host->now_us() >= end ||
        host->stop(database->watch, NULL))
      return false;
    err->code = TUFF_OK;
    host->sleep_us(500 + (host->now_us() ^ getpid()) % 1000);
  }
}

static bool set_journal(tuff_sqlite_database *database, const tuff_options *options,
                        tuff_error *err) {
  char mode[16];
  if (!ask(database, "PRAGMA journal_mode", mode, sizeof mode, err)) return false;
  const char *wanted = options->delete_journal ? "delete" : "wal";
  if (!database->readonly && database->file && strcmp(mode, wanted) != 0) {
    if (!options->delete_journal && tuff_sqlite_path_is_shared(database->path)) {
      tuff_sqlite_host->fail(err, TUFF_UNSUPPORTED,
                             "a write-ahead log does not work on a file system "
                             "that several machines share");
      tuff_sqlite_host->hint(
          err, "open it with journal = \"delete\", or keep it on a local disk");
      return false;
    }
    if (!change_journal(database,
                        options->delete_journal ? "PRAGMA journal_mode = DELETE"
                                                : "PRAGMA journal_mode = WAL",
                        mode, sizeof mode, err))
      return false;
    if (strcmp(mode, wanted) != 0) {
      tuff_sqlite_host->fail(err, TUFF_UNSUPPORTED,
                             "the journal stays \"%s\", \"%s\" was wanted", mode,
                             wanted);
      return false;
    }
  }
  database->wal = strcmp(mode, "wal") == 0;
  return true;
}

/* Deleting a journal is only durable when its directory is synced too: that is EXTRA.
 */
static const char *synchronous(const tuff_sqlite_database *database) {
  if (database->normal) return "PRAGMA synchronous = NORMAL";
  return database->wal ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = EXTRA";
}

static bool set_up(tuff_sqlite_database *database, const tuff_options *options,
                   tuff_error *err) {
  char sql[64], answer[32];
  tuff_sqlite_wait_install(database);
  configure(database, options);
  if (options->page_size) {
    snprintf(sql, sizeof sql, "PRAGMA page_size = %lld", (long long)options->page_size);
    if (!tuff_sqlite_exec(database, sql, err)) return false;
  }
  if (!set_journal(database, options, err)) return false;
  tuff_sqlite_checkpoint_install(database);
  if (!tuff_sqlite_exec(database, synchronous(database), err) ||
      !tuff_sqlite_exec(database, "PRAGMA cell_size_check = ON", err) ||
      !tuff_sqlite_exec(database, "PRAGMA mmap_size = 0", err) ||
      !tuff_sqlite_exec(database, journal_limit, err))
    return false;
  int64_t cache = options->cache_bytes ? options->cache_bytes / 1024 : 16000;
  snprintf(sql, sizeof sql, "PRAGMA cache_size = %lld", (long long)-cache);
  if (!tuff_sqlite_exec(database, sql, err)) return false;
  if (!ask(database, "PRAGMA page_size", answer, sizeof answer, err)) return false;
  if (sscanf(answer, "%d", &database->page_size) != 1) database->page_size = 4096;
  if (tuff_sqlite_array_install(database->handle) != SQLITE_OK)
    return tuff_sqlite_fail(database, SQLITE_NOMEM, err);
  if (!tuff_sqlite_control_open(database, err)) return false;
  tuff_sqlite_authorizer_install(database);
  tuff_sqlite_function_install(database);
  /* The first read of the schema finds out whether this is a database at all. */
  return tuff_sqlite_exec(database, "SELECT 1 FROM sqlite_schema LIMIT 1", err);
}

static int open_handle(tuff_sqlite_database *database, const char *name, int flags) {
  flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
  flags |= database->readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  return sqlite3_open_v2(name, &database->handle, flags, NULL);
}

/* A log cannot be shared in a directory that we may not write to. Where there is none,
 * nothing has to be shared, as long as nobody changes the file. */
static bool is_settled(const tuff_sqlite_database *database) {
  char log[TUFF_SQLITE_PATH + 8];
  struct stat status;
  snprintf(log, sizeof log, "%s-wal", database->path);
  return stat(log, &status) != 0 || status.st_size == 0;
}

static bool reopen_immutable(tuff_sqlite_database *database,
                             const tuff_options *options, tuff_error *err) {
  static const char digits[] = "0123456789ABCDEF";
  char name[3 * TUFF_SQLITE_PATH + 32] = "file:";
  size_t size = strlen(name);
  for (const char *at = database->path; *at; at++) {
    if (strchr("?#%", *at)) {
      name[size++] = '%';
      name[size++] = digits[(unsigned char)*at >> 4];
      name[size++] = digits[*at & 15];
    } else {
      name[size++] = *at;
    }
  }
  snprintf(name + size, sizeof name - size, "?immutable=1");
  tuff_sqlite_control_close(database);
  sqlite3_close_v2(database->handle);
  database->handle = NULL;
  if (open_handle(database, name, SQLITE_OPEN_URI) != SQLITE_OK)
    return tuff_sqlite_fail(database, SQLITE_CANTOPEN, err);
  return set_up(database, options, err);
}

static bool open_file(tuff_sqlite_database *database, const tuff_options *options,
                      tuff_error *err) {
  int result = open_handle(database, database->path, 0);
  if (result != SQLITE_OK) return tuff_sqlite_fail(database, result, err);
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

static tuff_sqlite_database *allocate(const char *path, tuff_error *err) {
  tuff_sqlite_database *database = tuff_sqlite_host->alloc(NULL, sizeof *database);
  size_t size = strlen(path) + 1;
  char *copy = tuff_sqlite_host->alloc(NULL, size);
  if (!database || !copy) {
    tuff_sqlite_host->alloc(database, 0);
    tuff_sqlite_host->alloc(copy, 0);
    tuff_sqlite_fail_memory(err);
    return NULL;
  }
  memset(database, 0, sizeof *database);
  memcpy(copy, path, size);
  database->path = copy;
  database->queue = -1;
  return database;
}

static void add_context(const tuff_options *options, tuff_error *err) {
  if (strncmp(err->message, "cannot open", 11) != 0)
    tuff_sqlite_host->context(err, "cannot open \"%.200s\": ", options->path);
}

void *tuff_sqlite_open(const tuff_options *options, tuff_watch *watch,
                       tuff_error *err) {
  char path[TUFF_SQLITE_PATH] = ":memory:";
  bool file = options->path_size != 8 || memcmp(options->path, path, 8) != 0;
  if (file && !tuff_sqlite_path(tuff_sqlite_host, options, path, err)) return NULL;
  tuff_sqlite_database *database = allocate(path, err);
  if (!database) return NULL;
  database->file = file;
  database->watch = watch;
  database->readonly = options->readonly;
  database->normal = options->normal;
  watch->started_us = 0;
  if (tuff_sqlite_inherited_enter(database, err) && open_file(database, options, err))
    return database;
  add_context(options, err);
  tuff_sqlite_close(database, false);
  return NULL;
}

void tuff_sqlite_close(void *context, bool collected) {
  tuff_sqlite_database *database = context;
  if (!database) return;
  tuff_sqlite_wait_done(database);
  tuff_sqlite_control_close(database);
  tuff_sqlite_checkpoint_close(database);
  /* The last connection moves the whole log into the database, which may take a tenth
   * of a second: too long for a finaliser. The next one to open it will do. */
  if (collected)
    sqlite3_db_config(database->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  sqlite3_close_v2(database->handle);
  tuff_sqlite_inherited_leave(database);
  tuff_sqlite_host->alloc(database->path, 0);
  tuff_sqlite_host->alloc(database, 0);
}
