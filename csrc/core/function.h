/* function.h: functions of the script, and of libraries, that SQL may call. They may
 * read from the connection that calls them; whatever would end or change what the
 * calling statement reads is refused while it steps. */
#ifndef TUFF_FUNCTION_H
#define TUFF_FUNCTION_H

#include "core/driver.h"

struct tuff_connection;

/* Makes the function known to this connection. It owns the context from now on, also on
 * failure: function->release is called when it is no longer needed. */
bool tuff_function_define(struct tuff_connection *connection,
                          const tuff_function *function, tuff_error *err);

/* Loads a library, see tuff_functions. */
bool tuff_function_load(struct tuff_connection *connection, const char *path,
                        const char *entry, tuff_error *err);

/* Refuses, while a statement of the connection steps, what a function called by it must
 * not do. */
bool tuff_function_admits(const struct tuff_connection *connection, tuff_error *err);

#endif
