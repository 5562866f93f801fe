/* error.h: filling a tuff_error, and the names of its codes. */
#ifndef TUFF_ERROR_H
#define TUFF_ERROR_H

#include "core/driver.h"

static inline void tuff_error_clear(tuff_error *err) { err->code = TUFF_OK; }

/* Sets code and message, unless err is NULL or already holds an error: the first error
 * wins. A message longer than the field is cut at a character's border. */
void tuff_fail(tuff_error *err, tuff_code code, const char *format, ...)
    TUFF_PRINTF(3, 4);

/* Fails for want of memory. Always false. */
bool tuff_fail_memory(tuff_error *err);

/* Fails with a reason of the system, an errno: `full`, `not_found`, `range` or `io`.
 * Always false. */
bool tuff_fail_errno(tuff_error *err, int reason);

/* Says what to do about an error; only the first hint is kept. */
void tuff_error_hint(tuff_error *err, const char *format, ...) TUFF_PRINTF(2, 3);

/* "cannot open x: " in front of the message. */
void tuff_error_context(tuff_error *err, const char *format, ...) TUFF_PRINTF(2, 3);

/* Takes the texts among these values out of the message: it may be logged, and values
 * of the script do not belong there. values may be NULL. */
void tuff_error_conceal(tuff_error *err, const tuff_value *values, unsigned count);

/* The names that scripts see: "busy", "not_null". "" for none. */
const char *tuff_code_name(tuff_code code);
const char *tuff_constraint_name(tuff_constraint constraint);

#endif
