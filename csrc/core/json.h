/* json.h: which texts are JSON that can be read back. */
#ifndef TUFF_JSON_H
#define TUFF_JSON_H

#include "core/driver.h"

/* Levels of arrays and objects; lua/tuff/json.lua has the same number. */
enum { TUFF_JSON_DEPTH = 1000 };

/* Whether it is JSON (RFC 8259) that tuff.json reads without loss: integers of 64 bits,
 * floats that are finite, surrogates in pairs, nested no deeper than that. If not,
 * fills err with the reason, which holds nothing of the text. That it is UTF-8 is not
 * checked. */
bool tuff_json_check(const char *text, size_t size, tuff_error *err);

#endif
