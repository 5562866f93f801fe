/* backup.c: copying a database page by page while it is used. A read transaction on a
 * connection of our own holds one snapshot from the first page to the last, so that
 * nobody who writes makes the copy start over. A database in memory has one connection
 * only: that is copied in one piece. */
#include <string.h>

#include "sqlite/database.h"
#include "sqlite/path.h"

enum {
  PIECE = 1000,         /* pages */
  CACHE_BYTES = 2 << 20 /* every page is needed once only */
};

typedef struct copy {
  tuff_sqlite_database *source;
  bool own;                    /* the source is a connection of our own */
  tuff_sqlite_database target; /* no more than a handle, and what errors need */
  sqlite3_backup *backup;
} copy;

/* ---- where to ---- */

static bool refuse_neighbour(const char *path, const char *ending, tuff_error *err) {
  tuff_sqlite_host->fail(err, TUFF_BUSY, "\"%.200s%s\" lies beside it", path, ending);
  tuff_sqlite_host->hint(
      err, "a database is open there, or was not closed well: close it "
           "everywhere, open it once and close it again; if there is none, "
           "remove that file, which would spoil the copy");
  return false;
}

/* A log is taken for the log of whatever database lies beside it. */
static bool admits(const char *path, tuff_error *err) {
  if (tuff_sqlite_path_is_sidecar(path)) {
    tuff_sqlite_host->fail(err, TUFF_MISUSE,
                           "this is the name of a file that lies beside a database");
    return false;
  }
  if (tuff_sqlite_is_open(path)) {
    tuff_sqlite_host->fail(err, TUFF_MISUSE,
                           "\"%.200s\" is a database that is open in this process",
                           path);
    return false;
  }
  if (tuff_sqlite_path_has_beside(path, "-wal"))
    return refuse_neighbour(path, "-wal", err);
  if (tuff_sqlite_path_has_beside(path, "-journal"))
    return refuse_neighbour(path, "-journal", err);
  return true;
}

/* ---- from where ---- */

static bool is_moved(const tuff_sqlite_database *database) {
  int moved = 0;
  sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return moved;
}

static bool open_source(copy *copy, tuff_sqlite_database *database, tuff_watch *watch,
                        tuff_error *err) {
  if (!database->main.on_disk) {
    copy->source = database;
    return true;
  }
  if (is_moved(database)) {
    tuff_sqlite_host->fail(err, TUFF_IO,
                           "the database was moved or replaced since it "
                           "was opened");
    return false;
  }
  tuff_options options = {.path = database->main.path,
                          .path_size = strlen(database->main.path),
                          .readonly = true,
                          .legacy_quotes = true,
                          .cache_bytes = CACHE_BYTES};
  copy->source = tuff_sqlite_open(&options, watch, err);
  copy->own = true;
  return copy->source &&
         tuff_sqlite_control(copy->source, TUFF_BEGIN, TUFF_READ, 0, err);
}

/* What is written there need not survive anything before it is complete. */
static bool open_target(tuff_sqlite_database *target, const char *path,
                        tuff_error *err) {
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
              SQLITE_OPEN_NOFOLLOW;
  int result = sqlite3_open_v2(path, &target->handle, flags, NULL);
  if (result != SQLITE_OK) return tuff_sqlite_fail(target, result, err);
  return tuff_sqlite_exec(target,
                          "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; "
                          "PRAGMA synchronous = OFF",
                          err);
}

static void finish(void *context) {
  copy *copy = context;
  if (!copy) return;
  sqlite3_backup_finish(copy->backup);
  sqlite3_close_v2(copy->target.handle);
  if (copy->own) tuff_sqlite_close(copy->source, false);
  tuff_sqlite_host->alloc(copy, 0);
}

static void *begin(void *database, const char *to, tuff_watch *watch, tuff_error *err) {
  copy *begun = tuff_sqlite_host->alloc(NULL, sizeof *begun);
  if (!begun) {
    tuff_sqlite_fail_memory(err);
    return NULL;
  }
  memset(begun, 0, sizeof *begun);
  begun->target.watch = watch;
  begun->target.queue = -1;
  if (open_source(begun, database, watch, err) &&
      open_target(&begun->target, to, err)) {
    begun->backup = sqlite3_backup_init(begun->target.handle, "main",
                                        begun->source->handle, "main");
    if (begun->backup) return begun;
    tuff_sqlite_fail(&begun->target, sqlite3_errcode(begun->target.handle), err);
  }
  finish(begun);
  return NULL;
}

/* ---- its steps ---- */

/* The copy is a database with a rollback journal whatever the source is: it can be read
 * where nothing can be written beside it. */
static tuff_result complete(copy *copy, tuff_error *err) {
  int result = sqlite3_backup_finish(copy->backup);
  copy->backup = NULL;
  if (result == SQLITE_OK) result = tuff_sqlite_file_unmark_log(copy->target.handle);
  if (result == SQLITE_OK) return TUFF_DONE;
  tuff_sqlite_fail(&copy->target, result, err);
  return TUFF_FAILED;
}

static tuff_result step(void *context, tuff_extent *extent, tuff_error *err) {
  copy *copy = context;
  int result = sqlite3_backup_step(copy->backup, copy->own ? PIECE : -1);
  if (result != SQLITE_OK && result != SQLITE_DONE) {
    tuff_sqlite_fail(&copy->target, result, err);
    return TUFF_FAILED;
  }
  int64_t page_size = copy->source->main.page_size;
  int pages = sqlite3_backup_pagecount(copy->backup);
  if (pages == 0) pages = 1; /* so that an empty database is one */
  extent->total = pages * page_size;
  extent->done = extent->total - sqlite3_backup_remaining(copy->backup) * page_size;
  return result == SQLITE_OK ? TUFF_MORE : complete(copy, err);
}

const tuff_copying tuff_sqlite_copying = {.admits = admits,
                                          .begin = begin,
                                          .step = step,
                                          .finish = finish,
                                          .verify = tuff_sqlite_verify};
