/* driver.c: the table of functions that makes this library a driver. */
#include <string.h>

#include "postgres/database.h"

const tuff_host *tuff_postgres_host;

static const char *path_of(void *context) {
  return ((tuff_postgres_database *)context)->path;
}

static uint64_t schema(void *context) {
  return ((tuff_postgres_database *)context)->schema;
}

static const char *const features[] = {"boolean_type",
                                       "constraint_names",
                                       "decimal_sums",
                                       "isolation",
                                       "listen",
                                       "negative_zero",
                                       "notify",
                                       "reader",
                                       "returning",
                                       "rich_types",
                                       "savepoint",
                                       "server",
                                       "strict_arithmetic",
                                       NULL};

/* A pooler leaves no session in which to listen, or that only reads. */
static bool lacks(void *context, const char *feature) {
  const tuff_postgres_database *database = context;
  bool of_session = strcmp(feature, "listen") == 0 || strcmp(feature, "reader") == 0;
  return database->pooler && of_session;
}

static const tuff_driver driver = {
    .abi = TUFF_ABI,
    .size = sizeof driver,
    .name = "postgres",
    .features = features,
    .lacks = lacks,
    .dialect = {.placeholder = '$',
                .in_array = "= any(%)",
                .not_in_array = "<> all(%)",
                .dollar_quotes = true,
                .nested_comments = true,
                .atomic_bodies = true},
    .exclusive = true,
    .open = tuff_postgres_open,
    .close = tuff_postgres_close,
    .path = path_of,
    .state = tuff_postgres_state,
    .control = tuff_postgres_control,
    .prepare = tuff_postgres_prepare,
    .shape = tuff_postgres_shape,
    .bind = tuff_postgres_bind,
    .expect_one = tuff_postgres_expect_one,
    .waits = tuff_postgres_waits,
    .step = tuff_postgres_step,
    .row = tuff_postgres_row,
    .changes = tuff_postgres_changes,
    .reset = tuff_postgres_reset,
    .forget = tuff_postgres_forget,
    .finish = tuff_postgres_finish,
    .schema = schema,
    .bulk = &tuff_postgres_bulk,
    .messages = &tuff_postgres_message_table,
};

__attribute__((visibility("default"))) const tuff_driver *
tuff_driver_v1(const tuff_host *host);

const tuff_driver *tuff_driver_v1(const tuff_host *host) {
  if (host->abi != TUFF_ABI || host->size < sizeof *host) return NULL;
  tuff_postgres_host = host;
  return &driver;
}
