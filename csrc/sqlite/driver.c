/* driver.c: the table of functions that makes this folder a driver. */
#include <pthread.h>

#include "sqlite/database.h"
#include "sqlite/sqlite.h"

const tuff_host *tuff_sqlite_host;

const char *tuff_sqlite_version(void) { return sqlite3_libversion(); }

static const char *path_of(void *context) {
  return ((tuff_sqlite_database *)context)->main.path;
}

static tuff_state state_of(void *context) {
  tuff_sqlite_database *database = context;
  return sqlite3_get_autocommit(database->handle) ? TUFF_STATE_IDLE : TUFF_STATE_OPEN;
}

const tuff_driver *tuff_sqlite_driver(const tuff_host *lent) {
  static const char *const features[] = {"any_key",
                                         "attach",
                                         "backup",
                                         "blobs",
                                         "continue_after_error",
                                         "exact_decimals",
                                         "flexible_types",
                                         "functions",
                                         "greater_keys",
                                         "json_text",
                                         "reader",
                                         "returning",
                                         "row_ids",
                                         "savepoint",
                                         "single_writer",
                                         "wal",
                                         NULL};
  static const tuff_driver driver = {
      .abi = TUFF_ABI,
      .size = sizeof driver,
      .name = "sqlite",
      .features = features,
      /* The + takes the column's affinity away, so that each value is compared as one
       * parameter would be: by the affinity of what stands on the left. */
      .dialect = {.placeholder = '?',
                  .in_array = "in (select +value from tuff_array(%))",
                  .not_in_array = "not in (select +value from tuff_array(%))",
                  .brackets = true,
                  .backticks = true},
      .open = tuff_sqlite_open,
      .close = tuff_sqlite_close,
      .path = path_of,
      .state = state_of,
      .control = tuff_sqlite_control,
      .prepare = tuff_sqlite_prepare,
      .shape = tuff_sqlite_shape,
      .bind = tuff_sqlite_bind,
      .step = tuff_sqlite_step,
      .row = tuff_sqlite_row,
      .changes = tuff_sqlite_changes,
      .reset = tuff_sqlite_reset,
      .forget = tuff_sqlite_forget,
      .finish = tuff_sqlite_finish,
      .attach = tuff_sqlite_attach,
      .detach = tuff_sqlite_detach,
      .functions = &tuff_sqlite_functions,
      .blobs = &tuff_sqlite_blobs,
      .copying = &tuff_sqlite_copying,
      .changing = &tuff_sqlite_changing,
  };
  /* The same for every caller; but threads may open their first database at once. */
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  if (!tuff_sqlite_host) tuff_sqlite_host = lent;
  pthread_mutex_unlock(&mutex);
  return &driver;
}
