/* raw.h: what the raw programs of all engines share. Rows and keys mirror
 * workload.lua, the sums checksum.lua and the stopwatch stopwatch.lua. */
#ifndef TUFF_BENCH_RAW_H
#define TUFF_BENCH_RAW_H

#include <stdbool.h>
#include <stdint.h>

enum { TABLE_ROWS = 1000000, STREAM_MARK = 1000000 };

typedef struct row {
  int64_t id, n;
  double score;
  char name[24], tag[8];
  int name_bytes, tag_bytes;
} row;

row make_row(int64_t i);

/* The caller frees them. Without memory the program ends. */
row *make_rows(int count);
row *make_rows_to_upsert(int count);
int64_t *make_keys(int count);

/* All integers and lengths of texts summed, and all reals. */
typedef struct sums {
  int64_t integers;
  double reals;
} sums;

/* Time and memory are measured from start to stop; memory from settled on, if that is
 * called. */
void start(void);
void settled(void);
void stop(void);

typedef struct work {
  const char *name;
  sums (*run)(int count); /* starts and stops the watch itself */
  bool reads;             /* the sums are its checksum */
} work;

/* Prints who this is and what it can do. */
void describe(const char *title, const char *library, const work *works, int count);

/* Does one work, of so many rows or keys if it has any, and prints what was measured.
 */
void measure(const work *done, int count);

/* The work of this name, or NULL. */
const work *find_work(const work *works, int count, const char *name);

#endif
