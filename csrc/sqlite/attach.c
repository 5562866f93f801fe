/* attach.c: other database files beside the main one, by the same rules. A transaction
 * over several files is atomic unless its commit is cut off. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sqlite/database.h"
#include "sqlite/path.h"

static bool attach_path(tuff_sqlite_database *database, const tuff_sqlite_file *file,
                        bool readonly, tuff_error *err) {
  char uri[TUFF_SQLITE_URI];
  const char *name = file->path;
  if (readonly && file->on_disk) {
    tuff_sqlite_path_uri(file->path, "mode=ro", uri);
    name = uri;
  }
  sqlite3_stmt *statement = NULL;
  database->internal = true;
  int result =
      sqlite3_prepare_v2(database->handle, "ATTACH ?1 AS ?2", -1, &statement, NULL);
  if (result == SQLITE_OK)
    result = sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
  if (result == SQLITE_OK)
    result = sqlite3_bind_text(statement, 2, file->schema, -1, SQLITE_STATIC);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  bool done = result == SQLITE_DONE;
  if (!done) tuff_sqlite_fail(database, result, err);
  sqlite3_finalize(statement);
  database->internal = false;
  tuff_sqlite_wait_done(database);
  return done;
}

static bool detach_schema(tuff_sqlite_database *database, const char *schema,
                          tuff_error *err) {
  char sql[TUFF_SQLITE_PRAGMA];
  snprintf(sql, sizeof sql, "DETACH \"%s\"", schema);
  return tuff_sqlite_exec(database, sql, err);
}

/* The first read finds out whether it is a database at all. */
static bool set_up(tuff_sqlite_database *database, tuff_sqlite_file *file,
                   const tuff_options *options, tuff_error *err) {
  char sql[TUFF_SQLITE_PRAGMA];
  snprintf(sql, sizeof sql, "SELECT 1 FROM \"%s\".sqlite_schema LIMIT 1", file->schema);
  return tuff_sqlite_file_set_up(database, file, options, err) &&
         tuff_sqlite_exec(database, sql, err) &&
         tuff_sqlite_control_renew(database, err);
}

static bool open_beside(tuff_sqlite_database *database, tuff_sqlite_file *file,
                        const tuff_options *options, tuff_error *err) {
  if (!attach_path(database, file, options->readonly, err)) return false;
  tuff_sqlite_file **link = &database->main.next;
  while (*link) link = &(*link)->next;
  *link = file; /* its commits are heard from now on */
  if (set_up(database, file, options, err)) return true;
  detach_schema(database, file->schema, NULL);
  *link = NULL;
  return false;
}

/* Before a file is made. */
static bool admits(const tuff_sqlite_database *database, const char *name,
                   tuff_error *err) {
  int count = 0, most = sqlite3_limit(database->handle, SQLITE_LIMIT_ATTACHED, -1);
  bool taken = sqlite3_stricmp(name, "temp") == 0;
  for (const tuff_sqlite_file *file = &database->main; file; file = file->next) {
    taken = taken || sqlite3_stricmp(name, file->schema) == 0;
    count++;
  }
  if (taken)
    tuff_sqlite_host->fail(err, TUFF_MISUSE, "a database called %s is open already",
                           name);
  else if (count > most)
    tuff_sqlite_host->fail(err, TUFF_RANGE, "%d databases are attached, no more can be",
                           most);
  return !taken && count <= most;
}

/* A transaction locks every file: of one that is here twice it would wait for itself.
 */
static bool is_new(const tuff_sqlite_database *database, const char *path,
                   tuff_error *err) {
  struct stat status, other;
  if (stat(path, &status) != 0) return true;
  for (const tuff_sqlite_file *file = &database->main; file; file = file->next) {
    if (!file->on_disk || stat(file->path, &other) != 0 ||
        other.st_dev != status.st_dev || other.st_ino != status.st_ino)
      continue;
    tuff_sqlite_host->fail(err, TUFF_MISUSE,
                           "this connection has it open already as %s", file->schema);
    return false;
  }
  return true;
}

static bool attach_file(tuff_sqlite_database *database, const char *name,
                        const char *path, const tuff_options *options,
                        tuff_error *err) {
  tuff_sqlite_file *file = tuff_sqlite_host->alloc(NULL, sizeof *file);
  if (!file) return tuff_sqlite_fail_memory(err);
  if (tuff_sqlite_file_open(file, name, path, err)) {
    if (open_beside(database, file, options, err)) return true;
    tuff_sqlite_file_close(file);
  }
  tuff_sqlite_host->alloc(file, 0);
  return false;
}

bool tuff_sqlite_attach(void *context, const tuff_options *given, const char *name,
                        tuff_error *err) {
  tuff_sqlite_database *database = context;
  tuff_options options = *given;
  char path[TUFF_PATH];
  options.root = database->root;
  options.readonly = given->readonly || database->readonly;
  options.normal = database->normal;
  options.delete_journal = database->delete_journal;
  if (!admits(database, name, err) ||
      !tuff_sqlite_path_or_memory(tuff_sqlite_host, &options, path, err))
    return false;
  bool in_memory = strcmp(path, ":memory:") == 0;
  if ((in_memory || is_new(database, path, err)) &&
      attach_file(database, name, path, &options, err))
    return true;
  tuff_sqlite_name_path(&options, err);
  return false;
}

bool tuff_sqlite_detach(void *context, const char *name, tuff_error *err) {
  tuff_sqlite_database *database = context;
  tuff_sqlite_file *file = database->main.next;
  while (file && sqlite3_stricmp(file->schema, name) != 0) file = file->next;
  if (!file) {
    tuff_sqlite_host->fail(err, TUFF_NOT_FOUND, "nothing is attached as %s", name);
    return false;
  }
  tuff_sqlite_checkpoint_close(file);
  if (!detach_schema(database, name, err)) return false;
  tuff_sqlite_file_forget(database, file);
  return true;
}
