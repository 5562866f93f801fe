/* test_disk.c: what the model of a disk promises, and what it takes away. Were it too
 * kind, the replays of power losses would prove nothing. */
#include "test/disk/disk.h"

#include <sys/stat.h>

#include "test/scratch.h"

#define SECTOR INT64_C(512)

enum { TRIES = 200, MOST_RECORDS = 32 };

static disk *tried;
static disk_record records[MOST_RECORDS]; /* the disk points to them */
static size_t recorded;
static char *image; /* the content of a file of the last image */
static size_t image_size;

/* ---- what a program does ---- */

static void begin(void) {
  scratch_clear();
  recorded = 0;
  tried = disk_new(NULL);
}

static void end(void) {
  disk_free(tried);
  free(image);
  image = NULL;
  disk_clear(scratch);
}

static void act(disk_act what, uint64_t file, int64_t offset, const char *bytes,
                size_t size) {
  disk_record *record = &records[recorded++];
  *record = (disk_record){what, (uint32_t)size, file, offset};
  disk_follow(tried, record, bytes);
}

static void name(disk_act what, uint64_t file, const char *bytes) {
  act(what, file, 0, bytes, strlen(bytes) + 1);
}

static void create(uint64_t file, const char *as) { name(DISK_CREATE, file, as); }

static void put(uint64_t file, int64_t at, const char *bytes, size_t size) {
  act(DISK_WRITE, file, at, bytes, size);
}

static void sync_file(uint64_t file) { act(DISK_SYNC, file, 0, NULL, 0); }

static void sync_names(const char *directory) {
  name(DISK_SYNC_DIRECTORY, 0, directory);
}

/* A file that is there for certain. */
static void keep(uint64_t file, const char *as, const char *bytes, size_t size) {
  create(file, as);
  if (size) put(file, 0, bytes, size);
  sync_file(file);
  sync_names("");
}

/* ---- what is found ---- */

static void lose(unsigned loss, uint64_t seed) {
  disk_clear(scratch);
  disk_write_image(tried, scratch, loss, seed);
}

static bool is_there(const char *file) {
  struct stat status;
  return lstat(scratch_path(file), &status) == 0;
}

/* Into `image`; false: there is no such file. */
static bool look(const char *file) {
  FILE *opened = fopen(scratch_path(file), "rb");
  free(image);
  image = calloc(1, 1 << 16);
  image_size = opened && image ? fread(image, 1, 1 << 16, opened) : 0;
  if (opened) fclose(opened);
  return opened != NULL;
}

static bool holds(size_t at, char byte, size_t size) {
  for (size_t i = at; i < at + size; i++)
    if (i >= image_size || image[i] != byte) return false;
  return true;
}

static char *filled(char byte, size_t size) {
  static char rooms[4][8 * SECTOR];
  static unsigned next;
  return memset(rooms[next++ % 4], byte, size);
}

/* ---- sentences ---- */

static void keeps_what_was_synced(void) {
  begin();
  keep(1, "a", filled('x', 2000), 2000);
  put(1, 500, filled('y', 100), 100);
  sync_file(1);
  put(1, 4000, filled('z', 10), 10);
  for (unsigned loss = 0; loss < TRIES; loss++) {
    lose(loss, loss);
    expect(look("a") && holds(0, 'x', 500) && holds(500, 'y', 100) &&
           holds(600, 'x', 1400));
  }
  end();
}

static void tears_what_was_not(void) {
  bool whole = false, none = false, torn = false, swapped = false;
  begin();
  keep(1, "a", filled('-', 3 * SECTOR), 3 * SECTOR);
  put(1, 100, filled('1', SECTOR), SECTOR); /* the rest of one sector, a part of one */
  put(1, 2 * SECTOR, filled('2', SECTOR), SECTOR);
  for (unsigned loss = DISK_BY_CHANCE; loss < TRIES; loss++) {
    lose(loss, loss);
    if (!expect(look("a") && image_size == 3 * SECTOR)) break;
    bool first = image[100] == '1', second = image[SECTOR] == '1';
    bool later = image[2 * SECTOR] == '2';
    expect(holds(0, '-', 100) && holds(100, first ? '1' : '-', SECTOR - 100));
    expect(holds(SECTOR, second ? '1' : '-', 100));
    expect(holds(SECTOR + 100, '-', SECTOR - 100));
    expect(holds(2 * SECTOR, later ? '2' : '-', SECTOR));
    whole = whole || (first && second && later);
    none = none || (!first && !second && !later);
    torn = torn || first != second;
    swapped = swapped || (!first && !second && later);
  }
  expect(whole && none && torn && swapped);
  end();
}

static void knows_two_certain_images(void) {
  begin();
  keep(1, "a", "old", 3);
  put(1, 0, "new!", 4);
  create(2, "b");
  lose(DISK_ALL_WRITTEN, 1);
  expect(look("a") && is_there("b"));
  expect_text(image, image_size, "new!");
  lose(DISK_NONE_WRITTEN, 1);
  expect(look("a") && !is_there("b"));
  expect_text(image, image_size, "old");
  end();
}

static void forgets_names(void) {
  unsigned there = 0;
  begin();
  create(1, "a");
  put(1, 0, "text", 4);
  sync_file(1); /* which is not its directory */
  for (unsigned loss = DISK_BY_CHANCE; loss < TRIES; loss++) {
    lose(loss, loss);
    there += is_there("a");
    if (!look("a")) continue;
    expect_text(image, image_size, "text");
  }
  expect(there > 0 && there < TRIES - DISK_BY_CHANCE);
  sync_names("");
  for (unsigned loss = 0; loss < TRIES; loss++) {
    lose(loss, loss);
    expect(is_there("a"));
  }
  end();
}

static void forgets_that_a_name_is_gone(void) {
  unsigned there = 0;
  begin();
  keep(1, "a", "text", 4);
  name(DISK_UNLINK, 0, "a");
  for (unsigned loss = DISK_BY_CHANCE; loss < TRIES; loss++) {
    lose(loss, loss);
    there += is_there("a");
  }
  expect(there > 0 && there < TRIES - DISK_BY_CHANCE);
  sync_names("");
  lose(DISK_BY_CHANCE, 1);
  expect(!is_there("a"));
  end();
}

static void loses_a_file_whose_name_is_there(void) {
  bool empty = false;
  begin();
  create(1, "a");
  sync_names("");
  put(1, 0, "text", 4);
  for (unsigned loss = 0; loss < TRIES; loss++) {
    lose(loss, loss);
    expect(look("a") && (image_size == 0 || image_size == 4));
    empty = empty || image_size == 0;
  }
  expect(empty);
  end();
}

static void truncates(void) {
  bool shorter = false, longer = false;
  begin();
  keep(1, "a", filled('x', 1000), 1000);
  act(DISK_TRUNCATE, 1, 10, NULL, 0);
  for (unsigned loss = DISK_BY_CHANCE; loss < TRIES; loss++) {
    lose(loss, loss);
    expect(look("a") && (image_size == 10 || image_size == 1000));
    expect(holds(0, 'x', image_size));
    shorter = shorter || image_size == 10;
    longer = longer || image_size == 1000;
  }
  expect(shorter && longer);
  sync_file(1);
  act(DISK_TRUNCATE, 1, 20, NULL, 0);
  lose(DISK_ALL_WRITTEN, 1);
  expect(look("a") && image_size == 20 && holds(0, 'x', 10) && holds(10, 0, 10));
  lose(DISK_NONE_WRITTEN, 1);
  expect(look("a") && image_size == 10);
  end();
}

static void fills_holes_with_zeros(void) {
  begin();
  keep(1, "a", "", 0);
  put(1, 0, filled('x', SECTOR), SECTOR);
  put(1, 3 * SECTOR, filled('y', SECTOR), SECTOR);
  for (unsigned loss = 0; loss < TRIES; loss++) {
    lose(loss, loss);
    if (!expect(look("a")) || image_size <= SECTOR) continue;
    expect(holds(0, image[0], SECTOR) && (image[0] == 'x' || image[0] == 0));
    expect(holds(SECTOR, 0, 2 * SECTOR) && holds(3 * SECTOR, 'y', SECTOR));
  }
  end();
}

/* The new name leads to one file or the other, never to none. */
static void renames_at_once(void) {
  bool before = false, after = false;
  begin();
  keep(1, "a", "old", 3);
  keep(2, "a-new", "new", 3);
  act(DISK_RENAME, 0, 0, "a-new\0a", sizeof "a-new\0a");
  for (unsigned loss = 0; loss < TRIES; loss++) {
    lose(loss, loss);
    if (!expect(look("a") && image_size == 3)) break;
    bool done = strncmp(image, "new", 3) == 0;
    expect(done != is_there("a-new"));
    before = before || !done;
    after = after || done;
  }
  expect(before && after);
  sync_names("");
  lose(DISK_NONE_WRITTEN, 1);
  expect(look("a") && !is_there("a-new"));
  expect_text(image, image_size, "new");
  end();
}

/* The mistake that a rename is good for: its content was never synced. */
static void renames_what_was_not_written(void) {
  bool empty = false;
  begin();
  keep(1, "a", "old", 3);
  create(2, "a-new");
  put(2, 0, "new", 3);
  act(DISK_RENAME, 0, 0, "a-new\0a", sizeof "a-new\0a");
  sync_names("");
  for (unsigned loss = 0; loss < TRIES; loss++) {
    lose(loss, loss);
    expect(look("a") && !is_there("a-new"));
    empty = empty || image_size == 0;
  }
  expect(empty);
  end();
}

static void keeps_names_in_order(void) {
  begin();
  create(1, "a");
  create(2, "b");
  name(DISK_UNLINK, 0, "a");
  create(3, "c");
  for (unsigned loss = 0; loss < TRIES; loss++) {
    lose(loss, loss);
    expect(!is_there("c") || (is_there("b") && !is_there("a")));
    expect(!is_there("a") || !is_there("c"));
  }
  end();
}

static void has_directories(void) {
  bool gone = false;
  begin();
  name(DISK_MAKE_DIRECTORY, 0, "in");
  create(1, "in/a");
  put(1, 0, "text", 4);
  sync_file(1);
  sync_names(""); /* in which is `in`, and nothing else */
  for (unsigned loss = 0; loss < TRIES; loss++) {
    lose(loss, loss);
    expect(is_there("in"));
    gone = gone || !is_there("in/a");
  }
  expect(gone);
  sync_names("in");
  act(DISK_RENAME, 0, 0, "in/a\0b", sizeof "in/a\0b");
  for (unsigned loss = 0; loss < TRIES; loss++) {
    lose(loss, loss);
    expect(is_there("in/a") != is_there("b"));
  }
  name(DISK_REMOVE_DIRECTORY, 0, "in");
  sync_names("");
  lose(DISK_NONE_WRITTEN, 1);
  expect(look("b") && !is_there("in"));
  expect_text(image, image_size, "text");
  end();
}

static void begins_with_what_is_there(void) {
  begin();
  name(DISK_MAKE_DIRECTORY, 0, "in");
  create(1, "in/a");
  put(1, 0, "text", 4);
  create(2, ".hidden");
  lose(DISK_ALL_WRITTEN, 1);
  disk *second = disk_new(scratch);
  disk_clear(scratch);
  expect(!is_there("in") && !is_there(".hidden"));
  disk_write_image(second, scratch, DISK_NONE_WRITTEN, 1);
  expect(look("in/a") && is_there(".hidden"));
  expect_text(image, image_size, "text");
  disk_free(second);
  end();
}

static void gives_the_same_image_again(void) {
  char first[4 * SECTOR];
  begin();
  keep(1, "a", filled('-', sizeof first), sizeof first);
  for (int64_t at = 0; at < 8; at++) put(1, at * 200, filled('x', 300), 300);
  for (unsigned loss = DISK_BY_CHANCE; loss < 20; loss++) {
    lose(loss, loss);
    if (!expect(look("a"))) break;
    memcpy(first, image, sizeof first);
    lose(loss, loss);
    expect(look("a") && memcmp(first, image, image_size) == 0);
  }
  end();
}

int main(void) {
  scratch_begin();
  it("keeps what was synced", keeps_what_was_synced);
  it("tears what was not at the borders of sectors, and loses it in any order",
     tears_what_was_not);
  it("knows an image with all that was written, and one with what was synced",
     knows_two_certain_images);
  it("forgets a name until its directory was synced", forgets_names);
  it("forgets that a name was taken away", forgets_that_a_name_is_gone);
  it("may keep the name and lose the content", loses_a_file_whose_name_is_there);
  it("truncates, or has not truncated", truncates);
  it("fills with zeros what was never written", fills_holes_with_zeros);
  it("renames at once", renames_at_once);
  it("renames a file whose content is lost", renames_what_was_not_written);
  it("keeps changes of names in their order", keeps_names_in_order);
  it("has directories, each with names of its own", has_directories);
  it("begins with the files that are there", begins_with_what_is_there);
  it("gives the same image for the same number", gives_the_same_image_again);
  scratch_end();
  return tap_end();
}
