/* raw.c: rows and keys, time and memory, and how a raw program answers. */
#define _POSIX_C_SOURCE 200809L /* NOLINT: the name is POSIX's */
#include "raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- rows and keys ---- */

static void *allocate(int count, size_t size) {
  void *memory = calloc((size_t)count, size);
  if (memory) return memory;
  fprintf(stderr, "memory for rows and keys: not enough\n");
  exit(EXIT_FAILURE);
}

row make_row(int64_t i) {
  row made = {.id = i, .n = i * 7919 % 1000003, .score = (double)i * 0.5 + 0.25};
  made.name_bytes =
      snprintf(made.name, sizeof made.name, "user_name_%lld", (long long)i);
  made.tag_bytes = snprintf(made.tag, sizeof made.tag, "tag%d", (int)(i % 16));
  return made;
}

row *make_rows(int count) {
  row *rows = allocate(count, sizeof *rows);
  for (int i = 0; i < count; i++) rows[i] = make_row(i + 1);
  return rows;
}

row *make_rows_to_upsert(int count) {
  row *rows = allocate(count, sizeof *rows);
  for (int i = 0; i < count; i++) {
    rows[i] = make_row((int64_t)(i + 1) * 20);
    rows[i].n = i + 1;
  }
  return rows;
}

int64_t *make_keys(int count) {
  int64_t *keys = allocate(count, sizeof *keys);
  for (int64_t i = 1; i <= count; i++) keys[i - 1] = i * 7919 % TABLE_ROWS + 1;
  return keys;
}

/* ---- time and memory ---- */

static struct {
  double cpu, elapsed;
  long memory;
} watch;

static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* In kilobytes; 0 where there is no /proc. */
static long peak_memory(void) {
  FILE *status = fopen("/proc/self/status", "r");
  char line[256];
  long kilobytes = 0;
  if (!status) return 0;
  while (fgets(line, sizeof line, status))
    if (sscanf(line, "VmHWM: %ld", &kilobytes) == 1) break;
  fclose(status);
  return kilobytes;
}

void start(void) {
  watch.memory = peak_memory();
  watch.elapsed = seconds(CLOCK_MONOTONIC);
  watch.cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
}

void settled(void) { watch.memory = peak_memory(); }

void stop(void) {
  watch.cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - watch.cpu;
  watch.elapsed = seconds(CLOCK_MONOTONIC) - watch.elapsed;
  watch.memory = peak_memory() - watch.memory;
}

/* ---- answers ---- */

void describe(const char *title, const char *library, const work *works, int count) {
  printf("title %s\nlibrary %s\n", title, library);
  for (int i = 0; i < count; i++) printf("work %s\n", works[i].name);
}

const work *find_work(const work *works, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (strcmp(works[i].name, name) == 0) return &works[i];
  return NULL;
}

void measure(const work *done, int count) {
  sums sum = done->run(count);
  printf("seconds %.6f\nelapsed %.6f\n", watch.cpu, watch.elapsed);
  printf("memory %ld\n", watch.memory);
  if (done->reads) printf("checksum %lld %.2f\n", (long long)sum.integers, sum.reals);
}
