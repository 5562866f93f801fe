/* file.c: what holds for each database file of a connection, the main one and those
 * that are attached: its journal, how durable it is, how much it may use. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sqlite/database.h"
#include "sqlite/path.h"

bool tuff_sqlite_exec(tuff_sqlite_database *database, const char *sql,
                      tuff_error *err) {
  database->internal = true;
  int result = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);
  database->internal = false;
  if (result != SQLITE_OK) tuff_sqlite_fail(database, result, err);
  tuff_sqlite_wait_done(database);
  return result == SQLITE_OK;
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

static bool set_journal(tuff_sqlite_database *database, tuff_sqlite_file *file,
                        const tuff_options *options, tuff_error *err) {
  char mode[16], sql[TUFF_SQLITE_PRAGMA];
  snprintf(sql, sizeof sql, "PRAGMA \"%s\".journal_mode", file->schema);
  if (!ask(database, sql, mode, sizeof mode, err)) return false;
  const char *wanted = options->delete_journal ? "delete" : "wal";
  if (!options->readonly && file->on_disk && strcmp(mode, wanted) != 0) {
    if (!options->delete_journal && tuff_sqlite_path_is_shared(file->path)) {
      tuff_sqlite_host->fail(err, TUFF_UNSUPPORTED,
                             "a write-ahead log does not work on a file system "
                             "that several machines share");
      tuff_sqlite_host->hint(
          err, "open it with journal = \"delete\", or keep it on a local disk");
      return false;
    }
    snprintf(sql, sizeof sql, "PRAGMA \"%s\".journal_mode = %s", file->schema, wanted);
    if (!change_journal(database, sql, mode, sizeof mode, err)) return false;
    if (strcmp(mode, wanted) != 0) {
      tuff_sqlite_host->fail(err, TUFF_UNSUPPORTED,
                             "the journal stays \"%s\", \"%s\" was wanted", mode,
                             wanted);
      return false;
    }
  }
  file->wal = strcmp(mode, "wal") == 0;
  return true;
}

static bool set(tuff_sqlite_database *database, const tuff_sqlite_file *file,
                const char *name, int64_t value, tuff_error *err) {
  char sql[TUFF_SQLITE_PRAGMA];
  snprintf(sql, sizeof sql, "PRAGMA \"%s\".%s = %lld", file->schema, name,
           (long long)value);
  return tuff_sqlite_exec(database, sql, err);
}

/* Deleting a journal is only durable when its directory is synced too: that is EXTRA.
 */
static int synchronous(const tuff_sqlite_file *file, const tuff_options *options) {
  enum { NORMAL = 1, FULL, EXTRA };
  return options->normal ? NORMAL : file->wal ? FULL : EXTRA;
}

bool tuff_sqlite_file_set_up(tuff_sqlite_database *database, tuff_sqlite_file *file,
                             const tuff_options *options, tuff_error *err) {
  enum { CACHE_BYTES = 16000 * 1024, JOURNAL_BYTES = 16 << 20 };
  char sql[TUFF_SQLITE_PRAGMA], answer[32];
  int64_t cache = options->cache_bytes ? options->cache_bytes : CACHE_BYTES;
  if ((options->page_size &&
       !set(database, file, "page_size", options->page_size, err)) ||
      !set_journal(database, file, options, err) ||
      !set(database, file, "synchronous", synchronous(file, options), err) ||
      !set(database, file, "mmap_size", 0, err) ||
      !set(database, file, "journal_size_limit", JOURNAL_BYTES, err) ||
      !set(database, file, "cache_size", -(cache / 1024), err))
    return false;
  snprintf(sql, sizeof sql, "PRAGMA \"%s\".page_size", file->schema);
  if (!ask(database, sql, answer, sizeof answer, err)) return false;
  if (sscanf(answer, "%d", &file->page_size) != 1) file->page_size = 4096;
  return true;
}

/* ---- its header ---- */

/* Where two bytes tell by which version of the format it is written and read. */
enum { VERSIONS = 18, WITH_JOURNAL = 1, WITH_LOG };

static sqlite3_file *file_of(sqlite3 *handle) {
  sqlite3_file *file = NULL;
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  return file && file->pMethods ? file : NULL;
}

bool tuff_sqlite_file_has_log(sqlite3 *handle) {
  unsigned char version = 0;
  sqlite3_file *file = file_of(handle);
  return file && file->pMethods->xRead(file, &version, 1, VERSIONS) == SQLITE_OK &&
         version == WITH_LOG;
}

int tuff_sqlite_file_unmark_log(sqlite3 *handle) {
  static const unsigned char versions[] = {WITH_JOURNAL, WITH_JOURNAL};
  sqlite3_file *file = file_of(handle);
  if (!file) return SQLITE_IOERR;
  return file->pMethods->xWrite(file, versions, sizeof versions, VERSIONS);
}

/* ---- its life ---- */

bool tuff_sqlite_file_open(tuff_sqlite_file *file, const char *schema, const char *path,
                           tuff_error *err) {
  size_t path_size = strlen(path) + 1, schema_size = strlen(schema) + 1;
  char *text = tuff_sqlite_host->alloc(NULL, path_size + schema_size);
  if (!text) return tuff_sqlite_fail_memory(err);
  memset(file, 0, sizeof *file);
  file->path = memcpy(text, path, path_size);
  file->schema = memcpy(text + path_size, schema, schema_size);
  file->on_disk = strcmp(path, ":memory:") != 0;
  if (!file->on_disk || tuff_sqlite_inherited_enter(file, err)) return true;
  tuff_sqlite_file_close(file);
  return false;
}

void tuff_sqlite_file_close(tuff_sqlite_file *file) {
  tuff_sqlite_inherited_leave(file);
  tuff_sqlite_host->alloc(file->path, 0);
}

void tuff_sqlite_file_forget(tuff_sqlite_database *database, tuff_sqlite_file *file) {
  tuff_sqlite_file *before = &database->main;
  while (before->next != file) before = before->next;
  before->next = file->next;
  tuff_sqlite_file_close(file);
  tuff_sqlite_host->alloc(file, 0);
}
