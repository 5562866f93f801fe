/* disk.h: a directory, and those below it, as a power loss may leave them. It follows a
 * log (log.h): what was synced is there for certain; of what was not, a part, in any
 * order and torn at the borders of sectors; of names that were given and taken away,
 * the first few, as file systems with a journal keep them. A name survives with its
 * directory, not with its file; a rename is there or not. A sector that was lost holds
 * what was there before, or zeros. */
#ifndef TUFF_TEST_DISK_DISK_H
#define TUFF_TEST_DISK_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "test/disk/log.h"

typedef struct disk disk;

/* An empty disk, or one with the files of a directory. It ends the program where there
 * is no memory left, as all of this does. */
disk *disk_new(const char *directory);
void disk_free(disk *disk);

/* The next record of the log; its bytes must live as long as the disk. */
void disk_follow(disk *disk, const disk_record *record, const char *bytes);

/* Writes the files into an empty directory. The kinds of loss: */
enum {
  DISK_ALL_WRITTEN,  /* all that was written is there */
  DISK_NONE_WRITTEN, /* only what was synced */
  DISK_BY_CHANCE     /* and all above: the number and the seed decide */
};
void disk_write_image(const disk *disk, const char *directory, unsigned loss,
                      uint64_t seed);

/* Removes all that is in a directory. */
void disk_clear(const char *directory);

#endif
