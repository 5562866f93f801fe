/* tap.h: sentences about the engine, each checked by a function, printed as TAP. A
 * failed expectation is a line behind its sentence; the function goes on. */
#ifndef TUFF_TEST_TAP_H
#define TUFF_TEST_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
  int count, failures; /* of sentences */
  int wrong;           /* expectations of this sentence that did not hold */
  char said[4096];     /* about this sentence */
  size_t size;
} tap;

/* A line about the sentence that is being checked; shown if it fails. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char line[512];
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  for (char *at = line; *at; at++)
    if (*at == '\n' || *at == '\r') *at = ' ';
  size_t room = sizeof tap.said - tap.size;
  int size = snprintf(tap.said + tap.size, room, "# %s\n", line);
  if (size > 0 && (size_t)size < room)
    tap.size += (size_t)size;
  else
    tap.said[tap.size] = '\0';
}

static inline bool tap_expect(bool holds, const char *what, const char *file,
                              int line) {
  if (holds) return true;
  tap.wrong++;
  say("%s:%d: %s", file, line, what);
  return false;
}

/* Whether it holds, so that what depends on it can be left out. */
#define expect(condition) tap_expect((condition), #condition, __FILE__, __LINE__)

static inline bool tap_equal(long long is, long long wanted, const char *what,
                             const char *file, int line) {
  if (is == wanted) return true;
  tap.wrong++;
  say("%s:%d: %s is %lld, not %lld", file, line, what, is, wanted);
  return false;
}

#define expect_equal(is, wanted)                                                       \
  tap_equal((long long)(is), (long long)(wanted), #is, __FILE__, __LINE__)

static inline bool tap_text(const char *is, size_t size, const char *wanted,
                            const char *what, const char *file, int line) {
  if (is && size == strlen(wanted) && memcmp(is, wanted, size) == 0) return true;
  tap.wrong++;
  say("%s:%d: %s is \"%.*s\", not \"%s\"", file, line, what, is ? (int)size : 0,
      is ? is : "", wanted);
  return false;
}

#define expect_text(is, size, wanted)                                                  \
  tap_text((is), (size), (wanted), #is, __FILE__, __LINE__)

/* One sentence, and what checks it. */
static inline void it(const char *sentence, void (*check)(void)) {
  tap.wrong = 0;
  tap.size = 0;
  tap.said[0] = '\0';
  check();
  if (tap.wrong) tap.failures++;
  printf("%sok %d - %s\n%s", tap.wrong ? "not " : "", ++tap.count, sentence,
         tap.wrong ? tap.said : "");
  fflush(stdout);
}

/* The plan; what main returns. */
static inline int tap_end(void) {
  printf("1..%d\n", tap.count);
  return tap.failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A tenth of a count, unless the full counts were asked for. */
static inline int tap_times(int full) { return getenv("TUFF_SOAK") ? full : full / 10; }

#endif
