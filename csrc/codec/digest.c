/* digest.c: digests, which libsodium computes. This function of it needs no
 * sodium_init. */
#include "codec/digest.h"

#include <sodium.h>

_Static_assert(TUFF_SHA256_DIGITS == 2 * crypto_hash_sha256_BYTES, "two digits a byte");

void tuff_sha256(const char *bytes, size_t size, char digits[TUFF_SHA256_SIZE]) {
  unsigned char digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(digest, (const unsigned char *)bytes, size);
  sodium_bin2hex(digits, TUFF_SHA256_SIZE, digest, sizeof digest);
}
