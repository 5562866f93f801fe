/* interpose.h: the C library's file functions with a witness. In a program that is
 * linked with interpose.c, or preloads it, every call on the files of one directory is
 * counted, recorded where a log was asked for, and made to fail where that was asked
 * for. The engine and its libraries need not know.
 *
 * Preloaded, it obeys the environment: DISK_DIRECTORY, DISK_LOG (a file to append to),
 * DISK_LIES (set: syncs are not recorded, as if the disk had not done them). */
#ifndef TUFF_TEST_DISK_INTERPOSE_H
#define TUFF_TEST_DISK_INTERPOSE_H

/* How a call fails. */
typedef enum disk_fault {
  DISK_EIO,
  DISK_ENOSPC, /* only of what needs space; anything else passes */
  DISK_SHORT,  /* half of what was to be read or written; anything else passes */
  DISK_EINTR,
  DISK_EINVAL, /* only of what not every file system can do; anything else passes */
  DISK_KILL,   /* the process ends there and then */
  DISK_FAULTS  /* how many there are */
} disk_fault;

/* Watches the files of this directory from now on; NULL: of none. */
void disk_watch(const char *directory);

/* The n-th call from now fails (n from 1), and so do `more` after it; n = 0: none. */
void disk_fail(disk_fault fault, long n, long more);

/* How many calls failed since then. */
long disk_failed(void);

#endif
