/* disk.c: files by inode, with the writes that no sync has covered yet, and names, with
 * the changes that no sync of the directory has covered. */
#include "test/disk/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, LONGEST_PATH = 4096 };

static const size_t DIRECTORY = SIZE_MAX; /* in place of a file */

typedef struct change {
  const disk_record *record;
  const char *bytes;
  size_t file; /* that a name was given to */
} change;

typedef struct changes {
  change *items;
  size_t count, room;
} changes;

typedef struct content {
  char *bytes;
  size_t size, room;
} content;

typedef struct file {
  uint64_t inode;
  content durable;
  changes pending;
} file;

typedef struct entry {
  const char *name;
  size_t file; /* index, or DIRECTORY */
} entry;

typedef struct entries {
  entry *items;
  size_t count, room;
} entries;

struct disk {
  file *files;
  size_t count, room;
  entries durable, current; /* the directory as it is for certain, and as it was seen */
  changes pending;
  char **owned; /* names that were read from a directory */
  size_t owned_count;
};

static void *grow(void *old, size_t size) {
  void *block = realloc(old, size);
  if (!block) abort();
  return block;
}

static void die(const char *path) {
  perror(path);
  exit(EXIT_FAILURE);
}

/* ---- contents ---- */

static void resize(content *content, size_t size) {
  if (!content->bytes || size > content->room) {
    content->room = 64 + size * 2;
    content->bytes = grow(content->bytes, content->room);
  }
  if (size > content->size)
    memset(content->bytes + content->size, 0, size - content->size);
  content->size = size;
}

static void put_bytes(content *content, size_t at, const char *bytes, size_t size) {
  if (size == 0) return;
  if (!content->bytes || at + size > content->size) resize(content, at + size);
  memcpy(content->bytes + at, bytes, size);
}

static void apply(content *content, const change *change) {
  size_t at = (size_t)change->record->offset;
  if (change->record->act == DISK_TRUNCATE)
    resize(content, at);
  else
    put_bytes(content, at, change->bytes, change->record->size);
}

static uint64_t draw(uint64_t *seed) { /* splitmix64 */
  uint64_t z = (*seed += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* Some of its sectors. */
static void apply_torn(content *content, const change *change, uint64_t *seed) {
  size_t at = (size_t)change->record->offset, end = at + change->record->size;
  if (change->record->act == DISK_TRUNCATE) {
    apply(content, change);
    return;
  }
  for (size_t start = at, next; start < end; start = next) {
    next = (start / SECTOR + 1) * SECTOR;
    if (next > end) next = end;
    if (draw(seed) & 1)
      put_bytes(content, start, change->bytes + (start - at), next - start);
  }
}

/* ---- names ---- */

static void set_name(entries *entries, const char *name, size_t file) {
  for (size_t i = 0; i < entries->count; i++) {
    if (strcmp(entries->items[i].name, name) != 0) continue;
    entries->items[i].file = file;
    return;
  }
  if (entries->count == entries->room) {
    entries->room = entries->room ? entries->room * 2 : 8;
    entries->items = grow(entries->items, entries->room * sizeof *entries->items);
  }
  entries->items[entries->count++] = (entry){name, file};
}

static bool remove_name(entries *entries, const char *name, size_t *file) {
  for (size_t i = 0; i < entries->count; i++) {
    if (strcmp(entries->items[i].name, name) != 0) continue;
    *file = entries->items[i].file;
    entries->items[i] = entries->items[--entries->count];
    return true;
  }
  return false;
}

static size_t file_of(const disk *disk, uint64_t inode) {
  for (size_t i = disk->count; i-- > 0;)
    if (disk->files[i].inode == inode) return i;
  fprintf(stderr, "the log speaks of a file that it never opened\n");
  exit(EXIT_FAILURE);
}

static void change_name(entries *entries, const change *change) {
  size_t file;
  switch (change->record->act) {
    case DISK_MAKE_DIRECTORY: set_name(entries, change->bytes, DIRECTORY); break;
    case DISK_REMOVE_DIRECTORY:
    case DISK_UNLINK: remove_name(entries, change->bytes, &file); break;
    case DISK_RENAME:
      if (remove_name(entries, change->bytes, &file))
        set_name(entries, change->bytes + strlen(change->bytes) + 1, file);
      break;
    default: set_name(entries, change->bytes, change->file); break;
  }
}

/* ---- following the log ---- */

static void add_change(changes *changes, change change) {
  if (changes->count == changes->room) {
    changes->room = changes->room ? changes->room * 2 : 16;
    changes->items = grow(changes->items, changes->room * sizeof *changes->items);
  }
  changes->items[changes->count++] = change;
}

static size_t add_file(disk *disk, uint64_t inode) {
  if (disk->count == disk->room) {
    disk->room = disk->room ? disk->room * 2 : 8;
    disk->files = grow(disk->files, disk->room * sizeof *disk->files);
  }
  disk->files[disk->count] = (file){.inode = inode};
  return disk->count++;
}

static void see_name(disk *disk, const disk_record *record, const char *bytes) {
  change change = {record, bytes, 0};
  if (record->act == DISK_CREATE) change.file = add_file(disk, record->file);
  change_name(&disk->current, &change);
  add_change(&disk->pending, change);
}

/* A file of an earlier program that this disk has under the name already gets the
 * inode that it has now. */
static void see_existing(disk *disk, const disk_record *record, const char *name) {
  for (size_t i = 0; i < disk->current.count; i++) {
    if (strcmp(disk->current.items[i].name, name) != 0) continue;
    disk->files[disk->current.items[i].file].inode = record->file;
    return;
  }
  fprintf(stderr, "%s was there before the log began\n", name);
  exit(EXIT_FAILURE);
}

static void sync_file(file *file) {
  for (size_t i = 0; i < file->pending.count; i++)
    apply(&file->durable, &file->pending.items[i]);
  file->pending.count = 0;
}

static bool is_in(const char *name, const char *directory) {
  const char *slash = strrchr(name, '/');
  size_t size = slash ? (size_t)(slash - name) : 0;
  return strlen(directory) == size && strncmp(name, directory, size) == 0;
}

static bool touches(const change *change, const char *directory) {
  if (is_in(change->bytes, directory)) return true;
  return change->record->act == DISK_RENAME &&
         is_in(change->bytes + strlen(change->bytes) + 1, directory);
}

/* Names are kept in a journal: what comes before the last change of this directory
 * survives too. */
static void sync_directory(disk *disk, const char *directory) {
  changes *pending = &disk->pending;
  size_t count = pending->count;
  while (count > 0 && !touches(&pending->items[count - 1], directory)) count--;
  for (size_t i = 0; i < count; i++) change_name(&disk->durable, &pending->items[i]);
  pending->count -= count;
  if (pending->count)
    memmove(pending->items, pending->items + count,
            pending->count * sizeof *pending->items);
}

void disk_follow(disk *disk, const disk_record *record, const char *bytes) {
  switch (record->act) {
    case DISK_CREATE:
    case DISK_UNLINK:
    case DISK_MAKE_DIRECTORY:
    case DISK_REMOVE_DIRECTORY:
    case DISK_RENAME: see_name(disk, record, bytes); break;
    case DISK_EXISTING: see_existing(disk, record, bytes); break;
    case DISK_WRITE:
    case DISK_TRUNCATE:
      add_change(&disk->files[file_of(disk, record->file)].pending,
                 (change){record, bytes, 0});
      break;
    case DISK_SYNC: sync_file(&disk->files[file_of(disk, record->file)]); break;
    case DISK_SYNC_DIRECTORY: sync_directory(disk, bytes); break;
    default: break;
  }
}

/* ---- images ---- */

/* What a write may become: there, gone, or torn, more or less often. */
static void lose(content *content, const changes *pending, uint64_t *seed) {
  uint64_t manner = draw(seed) % 4;
  for (size_t i = 0; i < pending->count; i++) {
    const change *change = &pending->items[i];
    bool there = manner == 0   ? true
                 : manner == 1 ? draw(seed) % 8 != 0
                 : manner == 2 ? draw(seed) % 2 == 0
                               : draw(seed) % 4 == 0;
    if (!there) continue;
    if (manner >= 2 && draw(seed) % 2)
      apply_torn(content, change, seed);
    else
      apply(content, change);
  }
}

static void write_file(const char *path, const content *content) {
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  if (fd < 0 || (content->size &&
                 write(fd, content->bytes, content->size) != (ssize_t)content->size))
    die(path);
  close(fd);
}

/* The content that a file may have. */
static content content_of(const file *file, unsigned loss, uint64_t *seed) {
  content content = {0};
  resize(&content, file->durable.size);
  if (file->durable.size)
    memcpy(content.bytes, file->durable.bytes, file->durable.size);
  if (loss == DISK_ALL_WRITTEN)
    for (size_t i = 0; i < file->pending.count; i++)
      apply(&content, &file->pending.items[i]);
  else if (loss != DISK_NONE_WRITTEN)
    lose(&content, &file->pending, seed);
  return content;
}

/* A directory comes before what is in it. */
static int compare_names(const void *a, const void *b) {
  return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

void disk_write_image(const disk *disk, const char *directory, unsigned loss,
                      uint64_t seed) {
  entries names = {0};
  for (size_t i = 0; i < disk->durable.count; i++)
    set_name(&names, disk->durable.items[i].name, disk->durable.items[i].file);
  size_t kept = loss == DISK_ALL_WRITTEN    ? disk->pending.count
                : loss == DISK_NONE_WRITTEN ? 0
                                            : draw(&seed) % (disk->pending.count + 1);
  for (size_t i = 0; i < kept; i++) change_name(&names, &disk->pending.items[i]);
  if (names.count) qsort(names.items, names.count, sizeof *names.items, compare_names);
  for (size_t i = 0; i < names.count; i++) {
    char path[LONGEST_PATH];
    snprintf(path, sizeof path, "%s/%s", directory, names.items[i].name);
    if (names.items[i].file == DIRECTORY) {
      if (mkdir(path, 0700) != 0) die(path);
      continue;
    }
    content content = content_of(&disk->files[names.items[i].file], loss, &seed);
    write_file(path, &content);
    free(content.bytes);
  }
  free(names.items);
}

/* Whether an entry of a directory is one that we made; its path is put together. */
static bool is_ours(const char *directory, const struct dirent *found, char *path,
                    struct stat *status) {
  if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0) return false;
  snprintf(path, LONGEST_PATH, "%s/%s", directory, found->d_name);
  if (lstat(path, status) != 0) die(path);
  return true;
}

void disk_clear(const char *directory) {
  char path[LONGEST_PATH];
  struct stat status;
  DIR *files = opendir(directory);
  if (!files) die(directory);
  for (struct dirent *found; (found = readdir(files));) {
    if (!is_ours(directory, found, path, &status)) continue;
    if (S_ISDIR(status.st_mode)) disk_clear(path);
    if ((S_ISDIR(status.st_mode) ? rmdir(path) : unlink(path)) != 0) die(path);
  }
  closedir(files);
}

/* ---- life ---- */

static void read_file(const char *path, content *content) {
  struct stat status;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &status) != 0) die(path);
  resize(content, (size_t)status.st_size);
  if (status.st_size && read(fd, content->bytes, content->size) != status.st_size)
    die(path);
  close(fd);
}

static char *own_name(disk *disk, const char *above, const char *name) {
  size_t size = strlen(above) + strlen(name) + 2;
  char *own = grow(NULL, size);
  snprintf(own, size, "%s%s%s", above, above[0] ? "/" : "", name);
  disk->owned = grow(disk->owned, (disk->owned_count + 1) * sizeof *disk->owned);
  return disk->owned[disk->owned_count++] = own;
}

/* above: the name of the directory on the disk. */
static void load(disk *disk, const char *directory, const char *above) {
  char path[LONGEST_PATH];
  struct stat status;
  DIR *files = opendir(directory);
  if (!files) die(directory);
  for (struct dirent *found; (found = readdir(files));) {
    if (!is_ours(directory, found, path, &status)) continue;
    const char *name = own_name(disk, above, found->d_name);
    size_t file = DIRECTORY;
    if (!S_ISDIR(status.st_mode)) {
      file = add_file(disk, status.st_ino);
      read_file(path, &disk->files[file].durable);
    }
    set_name(&disk->durable, name, file);
    set_name(&disk->current, name, file);
    if (file == DIRECTORY) load(disk, path, name);
  }
  closedir(files);
}

disk *disk_new(const char *directory) {
  disk *disk = grow(NULL, sizeof *disk);
  memset(disk, 0, sizeof *disk);
  if (directory) load(disk, directory, "");
  return disk;
}

void disk_free(disk *disk) {
  for (size_t i = 0; i < disk->count; i++) {
    free(disk->files[i].durable.bytes);
    free(disk->files[i].pending.items);
  }
  for (size_t i = 0; i < disk->owned_count; i++) free(disk->owned[i]);
  free(disk->owned);
  free(disk->files);
  free(disk->durable.items);
  free(disk->current.items);
  free(disk->pending.items);
  free(disk);
}
