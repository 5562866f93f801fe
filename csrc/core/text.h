/* text.h: what counts as text. */
#ifndef TUFF_TEXT_H
#define TUFF_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether it is well-formed UTF-8 (RFC 3629: no surrogates, nothing above U+10FFFF, no
 * overlong form) without a NUL. */
bool tuff_text_is_valid(const char *text, size_t size);

/* Makes it UTF-8, as far as it is none: '?' stands for each byte that is in the way. */
void tuff_text_mend(char *text);

#endif
