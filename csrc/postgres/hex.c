/* hex.c: bytes and UUIDs as texts of hexadecimal digits in lower case. */
#include <string.h>

#include "postgres/database.h"

/* Bytes of a UUID, with a dash between. */
static const size_t groups[] = {4, 2, 2, 2, 6};
enum { GROUPS = sizeof groups / sizeof *groups };

/* From the end, see tuff_postgres_print_bytes. */
static char *write_hex(char *out, const char *bytes, size_t size) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = size; i-- > 0;) {
    unsigned char byte = (unsigned char)bytes[i];
    out[2 * i] = digits[byte >> 4];
    out[2 * i + 1] = digits[byte & 15];
  }
  return out + 2 * size;
}

char *tuff_postgres_print_bytes(char *out, const char *bytes, size_t size) {
  *out++ = '\\';
  *out++ = 'x';
  return write_hex(out, bytes, size);
}

static int value_of(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool tuff_postgres_read_hex(char *out, const char *digits, size_t size) {
  for (size_t i = 0; i < size; i++) {
    int high = value_of(digits[2 * i]), low = value_of(digits[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = (char)(high << 4 | low);
  }
  return true;
}

char *tuff_postgres_print_uuid(char *out, const char *bytes) {
  for (size_t i = 0; i < GROUPS; bytes += groups[i++]) {
    if (i > 0) *out++ = '-';
    out = write_hex(out, bytes, groups[i]);
  }
  return out;
}

bool tuff_postgres_read_uuid(char *out, const char *text) {
  for (size_t i = 0; i < GROUPS; i++) {
    if (i > 0 && *text++ != '-') return false;
    if (!tuff_postgres_read_hex(out, text, groups[i])) return false;
    out += groups[i];
    text += 2 * groups[i];
  }
  return true;
}
