/* number.c: the locale of the process may write numbers with a comma: ours does not. */
#include "core/number.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t plain; /* 0: none could be made; then the process has its own way */

static void make_plain(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

/* Gives the thread's own locale, for leave. */
static locale_t enter(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_plain);
  return plain ? uselocale(plain) : (locale_t)0;
}

static void leave(locale_t before) {
  if (before) uselocale(before);
}

size_t tuff_real_write(char *out, double real, int digits) {
  enum { MOST_DIGITS = 17 };
  if (real - real != 0)
    return (size_t)snprintf(out, TUFF_REAL_ROOM, real > 0 ? "Infinity" : "-Infinity");
  locale_t before = enter();
  do {
    snprintf(out, TUFF_REAL_ROOM, "%.*g", digits, real);
  } while (++digits <= MOST_DIGITS && strtod(out, NULL) != real);
  leave(before);
  size_t size = strlen(out);
  if (strpbrk(out, ".e")) return size;
  memcpy(out + size, ".0", 3);
  return size + 2;
}

double tuff_real_read(const char *text, const char **end, bool single) {
  char *rest;
  locale_t before = enter();
  double real = single ? (double)strtof(text, &rest) : strtod(text, &rest);
  leave(before);
  if (end) *end = rest;
  return real;
}
