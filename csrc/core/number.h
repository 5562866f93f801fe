/* number.h: floats as text, whatever locale the script has set. */
#ifndef TUFF_NUMBER_H
#define TUFF_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

enum { TUFF_REAL_ROOM = 32 }; /* bytes for the text of a float */

/* Writes the shortest text, of so many digits at least, that reads back as the same
 * float, and as a float: 1.0, not 1. Gives its size; `out` is terminated. Infinities
 * are "Infinity" and "-Infinity". 15 digits are always exact. */
size_t tuff_real_write(char *out, double real, int digits);

/* Reads a float, of 4 bytes if `single`. *end: behind it; may be NULL. */
double tuff_real_read(const char *text, const char **end, bool single);

#endif
