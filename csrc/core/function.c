/* function.c: what stands between a script that defines a function and the engine. */
#include "core/function.h"

#include "core/connection.h"
#include "core/error.h"

bool tuff_function_admits(const tuff_connection *connection, tuff_error *err) {
  if (TUFF_LIKELY(connection->stepping == 0)) return true;
  tuff_fail(err, TUFF_MISUSE,
            "a function that %s may read from its connection, but not write, begin or "
            "end anything",
            connection->telling     ? "hears notices"
            : connection->reporting ? "traces statements"
                                    : "SQL calls");
  tuff_error_hint(err, "do that before or after the statement, or on a connection of "
                       "the function's own");
  return false;
}

static const tuff_functions *functions_of(const tuff_connection *connection,
                                          tuff_error *err) {
  const tuff_driver *driver = connection->driver;
  if (!driver->functions)
    tuff_fail(err, TUFF_UNSUPPORTED, "%s calls no functions of a script", driver->name);
  return driver->functions;
}

/* An open loop would go on with the old function, or keep the engine from taking the
 * new one. */
static const tuff_functions *prepare(tuff_connection *connection, tuff_error *err) {
  if (!tuff_function_admits(connection, err) ||
      !tuff_cursors_settle(connection, UINT64_MAX, err))
    return NULL;
  return functions_of(connection, err);
}

bool tuff_function_define(tuff_connection *connection, const tuff_function *function,
                          tuff_error *err) {
  const tuff_functions *functions = prepare(connection, err);
  if (functions) return functions->define(connection->native, function, err);
  function->release(function->context);
  return false;
}

bool tuff_function_load(tuff_connection *connection, const char *path,
                        const char *entry, tuff_error *err) {
  const tuff_functions *functions = prepare(connection, err);
  return functions && functions->load(connection->native, path, entry, err);
}
