/* host.c: the clock, the watch and the fork counter. */
#include "core/host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/number.h"
#include "core/path.h"
#include "core/text.h"

static int64_t read_us(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t tuff_now_us(void) { return read_us(CLOCK_MONOTONIC); }

int64_t tuff_time_us(void) { return read_us(CLOCK_REALTIME); }

static void sleep_us(int64_t us) {
  struct timespec wait = {.tv_sec = (time_t)(us / 1000000),
                          .tv_nsec = us % 1000000 * 1000};
  nanosleep(&wait, NULL); /* a signal ends the sleep early: the caller polls again */
}

bool tuff_watch_stop(tuff_watch *watch, tuff_error *err) {
  if (watch->interrupted && watch->interrupted(watch->context)) {
    tuff_fail(err, TUFF_INTERRUPTED, "interrupted");
    return true;
  }
  if (watch->deadline_us == 0 && watch->timeout_us == 0) return false;
  int64_t now = tuff_now_us();
  if (watch->deadline_us && now >= watch->deadline_us) {
    tuff_fail(err, TUFF_TIMEOUT, "the transaction took longer than its timeout");
    return true;
  }
  /* A step's time starts when it is first looked at, after a thousand operations of the
   * engine: a short statement then never reads the clock. */
  if (watch->started_us == 0) watch->started_us = now;
  if (watch->timeout_us && now - watch->started_us >= watch->timeout_us) {
    tuff_fail(err, TUFF_TIMEOUT,
              "the statement took longer than its timeout of %.16g ms",
              (double)watch->timeout_us / 1000);
    return true;
  }
  return false;
}

static atomic_uint forks;

static void count_fork(void) { atomic_fetch_add(&forks, 1); }

unsigned tuff_fork_generation(void) {
  return atomic_load_explicit(&forks, memory_order_relaxed);
}

static tuff_host host;

static void prepare_host(void) {
  pthread_atfork(NULL, NULL, count_fork);
  host = (tuff_host){.abi = TUFF_ABI,
                     .size = sizeof host,
                     .alloc = tuff_alloc,
                     .files = tuff_files_current,
                     .now_us = tuff_now_us,
                     .sleep_us = sleep_us,
                     .forks = tuff_fork_generation,
                     .stop = tuff_watch_stop,
                     .valid_text = tuff_text_is_valid,
                     .valid_json = tuff_json_check,
                     .write_real = tuff_real_write,
                     .read_real = tuff_real_read,
                     .fail = tuff_fail,
                     .fail_errno = tuff_fail_errno,
                     .hint = tuff_error_hint,
                     .context = tuff_error_context,
                     .resolve = tuff_path_resolve,
                     .conceal = tuff_error_conceal};
}

const tuff_host *tuff_host_get(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, prepare_host);
  return &host;
}
