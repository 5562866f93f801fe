/* host.h: what the core lends to drivers, and the process-wide facts behind it: the
 * clock and the number of forks. */
#ifndef TUFF_HOST_H
#define TUFF_HOST_H

#include "core/driver.h"

/* The table handed to every driver. */
const tuff_host *tuff_host_get(void);

/* Microseconds of a clock that only goes forward. */
int64_t tuff_now_us(void);

/* Microseconds since 1970, as the system's clock says. */
int64_t tuff_time_us(void);

/* Whether the watched work must stop now, and why. err may be NULL. */
bool tuff_watch_stop(tuff_watch *watch, tuff_error *err);

/* How often this process, or an ancestor since tuff was loaded, has forked. A
 * connection remembers it, and refuses to work where it differs. */
unsigned tuff_fork_generation(void);

#endif
