/* path.h: finding the file of a database without ever opening it by hand. */
#ifndef TUFF_SQLITE_PATH_H
#define TUFF_SQLITE_PATH_H

#include "core/driver.h"

/* Resolves the path, applies `follow`, refuses what is no regular file, and creates a
 * missing file with mode 0600 where that is wanted. `out` gets an absolute path without
 * links. */
bool tuff_sqlite_path(const tuff_host *host, const tuff_options *options,
                      char out[TUFF_PATH], tuff_error *err);

/* The same, but ":memory:" stays as it is. */
bool tuff_sqlite_path_or_memory(const tuff_host *host, const tuff_options *options,
                                char out[TUFF_PATH], tuff_error *err);

/* Whether it is the name of a file that SQLite or the queue opens and closes beside a
 * database. */
bool tuff_sqlite_path_is_sidecar(const char *path);

/* Whether there is a log, or another file with such an ending, beside a database. */
bool tuff_sqlite_path_has_beside(const char *path, const char *ending);

enum { TUFF_SQLITE_URI = 3 * TUFF_PATH + 32 };

/* The URI of a file with a query, such as "mode=ro". */
void tuff_sqlite_path_uri(const char *path, const char *query,
                          char out[TUFF_SQLITE_URI]);

/* Whether the file system of this path is one that other machines share. */
bool tuff_sqlite_path_is_shared(const char *path);

#endif
