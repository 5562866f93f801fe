/* log.h: what a program did to the files of a directory and of those below it, in
 * order. A record is this struct and then `size` bytes: what was written; a name, as it
 * is seen from that directory ("a/b"), with a NUL; or two names. Records are appended
 * by one write each, after the fact, so that several processes may share a log, if what
 * they do to one file is kept apart by locks. */
#ifndef TUFF_TEST_DISK_LOG_H
#define TUFF_TEST_DISK_LOG_H

#include <stdint.h>

typedef enum disk_act {
  DISK_WRITE,    /* at `offset` */
  DISK_TRUNCATE, /* to `offset` bytes */
  DISK_SYNC,     /* what was written so far survives */
  DISK_CREATE,   /* a name for a new, empty file */
  DISK_EXISTING, /* a name for a file that was there when it was first opened */
  DISK_UNLINK,
  DISK_RENAME, /* old name, new name */
  DISK_MAKE_DIRECTORY,
  DISK_REMOVE_DIRECTORY,
  DISK_SYNC_DIRECTORY, /* the names in the one with this name ("": the first) survive */
  DISK_MARK            /* what the program said on its standard output */
} disk_act;

typedef struct disk_record {
  uint32_t act, size;
  uint64_t file; /* its inode: of several with one inode the last that was created */
  int64_t offset;
} disk_record;

#endif
