/* digest.h: what tells two byte strings apart by a short text. */
#ifndef TUFF_DIGEST_H
#define TUFF_DIGEST_H

#include <stddef.h>

/* Digits of a SHA-256, and the NUL behind them. */
enum { TUFF_SHA256_DIGITS = 64, TUFF_SHA256_SIZE = TUFF_SHA256_DIGITS + 1 };

/* Writes the SHA-256 of the bytes in hexadecimal digits, small letters. */
void tuff_sha256(const char *bytes, size_t size, char digits[TUFF_SHA256_SIZE]);

#endif
