/* faults.h: the ways in which calls on files go wrong, for tests that try each of them
 * at every call in turn. */
#ifndef TUFF_TEST_FAULTS_H
#define TUFF_TEST_FAULTS_H

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>

#include "test/disk/interpose.h"

typedef struct fault {
  disk_fault kind;
  const char *name;
  long more; /* calls that fail after the first */
} fault;

static const fault faults[] = {{DISK_EIO, "an input/output error", 0},
                               {DISK_EIO, "input/output errors from then on", LONG_MAX},
                               {DISK_ENOSPC, "no space once", 0},
                               {DISK_ENOSPC, "no space from then on", LONG_MAX},
                               {DISK_SHORT, "half of the bytes once", 0},
                               {DISK_SHORT, "half of the bytes from then on", LONG_MAX},
                               {DISK_EINTR, "an interruption", 0},
                               {DISK_EINTR, "three interruptions in a row", 2}};

enum { FAULTS = sizeof faults / sizeof *faults };

/* Of the points in time at which something may go wrong. */
static inline long every(long most) { return getenv("TUFF_SOAK") ? 1 : most; }

/* To see that none is left open. */
static inline int open_files(void) {
  int count = 0;
  DIR *files = opendir("/proc/self/fd");
  while (files && readdir(files)) count++;
  if (files) closedir(files);
  return count;
}

#endif
