/* load.h: drivers that are libraries of their own. */
#ifndef TUFF_LOAD_H
#define TUFF_LOAD_H

#include "core/driver.h"

/* Loads the driver in this file, once for the process; it is never unloaded. NULL and
 * an error: it is no driver, or was built for another version of tuff. */
const tuff_driver *tuff_driver_load(const char *path, tuff_error *err);

#endif
