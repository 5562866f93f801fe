/* sqlite.h: the SQLite driver as the binding sees it. */
#ifndef TUFF_SQLITE_H
#define TUFF_SQLITE_H

#include "core/driver.h"

/* The driver's table, given what the core lends. */
const tuff_driver *tuff_sqlite_driver(const tuff_host *host);

/* The version of the library in use, "3.40.1". */
const char *tuff_sqlite_version(void);

#endif
