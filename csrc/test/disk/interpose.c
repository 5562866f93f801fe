/* interpose.c: one wrapper for each function of the C library through which a program
 * reaches a file. What is not about a watched file passes at once. */
#include "test/disk/interpose.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "test/disk/log.h"

/* The next definition behind ours: the C library's, or a sanitizer's. */
#define NEXT(name)                                                                     \
  static __typeof__(&name) next;                                                       \
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, #name)

#define EXPORT __attribute__((visibility("default")))

enum { MOST_FILES = 1024 };

static char watched[PATH_MAX]; /* the directory, without links; "": none */
static int record = -1;        /* the log */
static bool lies;
static struct {
  bool directory;
  bool shared;   /* memory that processes share: its locks do not fail */
  uint64_t file; /* its inode; 0: not watched */
} opened[MOST_FILES];

/* ---- faults ---- */

static atomic_long countdown, more_faults, failed;
static disk_fault kind;

void disk_fail(disk_fault fault, long n, long more) {
  kind = fault;
  atomic_store(&failed, 0);
  atomic_store(&more_faults, more);
  atomic_store(&countdown, n);
}

long disk_failed(void) { return atomic_load(&failed); }

typedef enum nature { TAKES_SPACE = 1, MOVES_BYTES = 2, NEITHER = 0 } nature;

/* Whether the call that asks is to fail; errno is set then. For DISK_SHORT it is
 * EOVERFLOW, which the caller takes for "do half". */
static bool refuse(unsigned nature) {
  static const int errors[] = {[DISK_EIO] = EIO,
                               [DISK_ENOSPC] = ENOSPC,
                               [DISK_SHORT] = EOVERFLOW,
                               [DISK_EINTR] = EINTR};
  if (atomic_load(&countdown) == 0) return false;
  if (kind == DISK_ENOSPC && !(nature & TAKES_SPACE)) return false;
  if (kind == DISK_SHORT && !(nature & MOVES_BYTES)) return false;
  if (atomic_load(&countdown) > 1) {
    atomic_fetch_sub(&countdown, 1);
    return false;
  }
  if (atomic_fetch_sub(&more_faults, 1) <= 0) atomic_store(&countdown, 0);
  atomic_fetch_add(&failed, 1);
  errno = errors[kind];
  return true;
}

/* ---- the log ---- */

static void put(disk_act act, uint64_t file, int64_t offset, const void *bytes,
                size_t size) {
  if (record < 0) return;
  NEXT(writev);
  int saved = errno;
  disk_record head = {act, (uint32_t)size, file, offset};
  struct iovec parts[] = {{&head, sizeof head}, {(void *)(uintptr_t)bytes, size}};
  if (next(record, parts, 2) != (ssize_t)(sizeof head + size)) abort();
  errno = saved;
}

/* What stands behind the watched directory in the path of a file, which need not exist:
 * "" for the directory itself; NULL: it is elsewhere. */
static const char *name_in_directory(const char *path, char *resolved) {
  char parent[PATH_MAX];
  if (!watched[0] || !path || strlen(path) >= sizeof parent) return NULL;
  strcpy(parent, path);
  char *slash = strrchr(parent, '/');
  const char *name = slash ? path + (slash - parent) + 1 : path;
  if (slash) *slash = '\0';
  if (!realpath(!slash ? "." : parent[0] ? parent : "/", resolved)) return NULL;
  size_t used = strlen(resolved), size = strlen(watched);
  if (used + strlen(name) + 2 > PATH_MAX) return NULL;
  resolved[used] = '/';
  strcpy(resolved + used + 1, name);
  if (strncmp(resolved, watched, size) != 0) return NULL;
  return resolved[size] == '/' ? resolved + size + 1
         : resolved[size]      ? NULL
                               : resolved + size;
}

static uint64_t watched_file(int fd) {
  return fd >= 0 && fd < MOST_FILES && !opened[fd].directory ? opened[fd].file : 0;
}

static void note_open(int fd, const char *name, int flags, bool existed) {
  struct stat status;
  if (fd < 0 || fd >= MOST_FILES) return;
  opened[fd].file = 0;
  if (!name || fstat(fd, &status) != 0) return;
  opened[fd].file = status.st_ino;
  opened[fd].directory = S_ISDIR(status.st_mode);
  size_t size = strlen(name);
  opened[fd].shared = size > 4 && strcmp(name + size - 4, "-shm") == 0;
  if (opened[fd].directory) return;
  put(existed ? DISK_EXISTING : DISK_CREATE, status.st_ino, 0, name, strlen(name) + 1);
  if (existed && (flags & O_TRUNC)) put(DISK_TRUNCATE, status.st_ino, 0, NULL, 0);
}

void disk_watch(const char *directory) {
  if (!directory || !realpath(directory, watched)) watched[0] = '\0';
}

__attribute__((constructor)) static void obey_environment(void) {
  const char *log = getenv("DISK_LOG");
  disk_watch(getenv("DISK_DIRECTORY"));
  if (!log) return;
  lies = getenv("DISK_LIES") != NULL;
  record = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (record < 0) abort();
}

/* ---- names ---- */

typedef int open_function(const char *path, int flags, ...);

static int open_with(open_function *next, const char *path, int flags, mode_t mode) {
  char room[PATH_MAX];
  const char *name = name_in_directory(path, room);
  struct stat status;
  bool existed = name && lstat(path, &status) == 0;
  if (name && refuse(flags & O_CREAT && !existed ? TAKES_SPACE : NEITHER)) return -1;
  int fd = next(path, flags, mode);
  note_open(fd, name, flags, existed);
  return fd;
}

#define OPEN(function)                                                                 \
  EXPORT int function(const char *path, int flags, ...) {                              \
    NEXT(function);                                                                    \
    va_list args;                                                                      \
    va_start(args, flags);                                                             \
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                          \
    va_end(args);                                                                      \
    return open_with(next, path, flags, mode);                                         \
  }

OPEN(open)
OPEN(open64)

EXPORT int mknod(const char *path, mode_t mode, dev_t device) {
  NEXT(mknod);
  char room[PATH_MAX];
  const char *name = name_in_directory(path, room);
  if (name && refuse(TAKES_SPACE)) return -1;
  int result = next(path, mode, device);
  struct stat status;
  if (name && result == 0 && lstat(path, &status) == 0)
    put(DISK_CREATE, status.st_ino, 0, name, strlen(name) + 1);
  return result;
}

EXPORT int close(int fd) {
  NEXT(close);
  if (fd >= 0 && fd < MOST_FILES) opened[fd].file = 0;
  return next(fd);
}

EXPORT int unlink(const char *path) {
  NEXT(unlink);
  char room[PATH_MAX];
  const char *name = name_in_directory(path, room);
  if (name && refuse(NEITHER)) return -1;
  int result = next(path);
  if (name && result == 0) put(DISK_UNLINK, 0, 0, name, strlen(name) + 1);
  return result;
}

EXPORT int remove(const char *path) { return unlink(path); }

EXPORT int rename(const char *from, const char *to) {
  NEXT(rename);
  char room[2][PATH_MAX], names[2 * PATH_MAX];
  const char *old = name_in_directory(from, room[0]);
  const char *new = name_in_directory(to, room[1]);
  if (new &&refuse(TAKES_SPACE)) return -1;
  int result = next(from, to);
  if (!old || !new || result != 0) return result;
  int size = snprintf(names, sizeof names, "%s%c%s", old, '\0', new);
  put(DISK_RENAME, 0, 0, names, (size_t)size + 1);
  return result;
}

/* ---- bytes ---- */

/* How many bytes to ask for; -1: fail with errno as it stands. */
static ssize_t admit(int fd, size_t size, unsigned nature) {
  if (!watched_file(fd) || !refuse(nature)) return (ssize_t)size;
  if (kind != DISK_SHORT) return -1;
  return (ssize_t)(size > 1 ? size / 2 : size);
}

static void note_write(int fd, const void *bytes, ssize_t written, off_t at) {
  if (written > 0 && watched_file(fd))
    put(DISK_WRITE, watched_file(fd), at, bytes, (size_t)written);
}

#define PWRITE(function, offset)                                                       \
  EXPORT ssize_t function(int fd, const void *bytes, size_t size, offset at) {         \
    NEXT(function);                                                                    \
    ssize_t room = admit(fd, size, TAKES_SPACE | MOVES_BYTES);                         \
    if (room < 0) return -1;                                                           \
    ssize_t written = next(fd, bytes, (size_t)room, at);                               \
    note_write(fd, bytes, written, at);                                                \
    return written;                                                                    \
  }

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define PREAD(function, offset)                                                        \
  EXPORT ssize_t function(int fd, void *bytes, size_t size, offset at) {               \
    NEXT(function);                                                                    \
    ssize_t room = admit(fd, size, MOVES_BYTES);                                       \
    return room < 0 ? -1 : next(fd, bytes, (size_t)room, at);                          \
  }

PREAD(pread, off_t)
PREAD(pread64, off64_t)

EXPORT ssize_t read(int fd, void *bytes, size_t size) {
  NEXT(read);
  ssize_t room = admit(fd, size, MOVES_BYTES);
  return room < 0 ? -1 : next(fd, bytes, (size_t)room);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size) {
  NEXT(write);
  ssize_t room = admit(fd, size, TAKES_SPACE | MOVES_BYTES);
  if (room < 0) return -1;
  if (fd == STDOUT_FILENO) put(DISK_MARK, 0, 0, bytes, size);
  off_t at = 0;
  if (watched_file(fd)) {
    bool append = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
    at = lseek(fd, 0, append ? SEEK_END : SEEK_CUR);
  }
  ssize_t written = next(fd, bytes, (size_t)room);
  note_write(fd, bytes, written, at);
  return written;
}

/* What Lua prints. The C library's own writing below it is out of our reach. */
EXPORT size_t fwrite(const void *bytes, size_t size, size_t count, FILE *file) {
  NEXT(fwrite);
  if (file == stdout) put(DISK_MARK, 0, 0, bytes, size * count);
  return next(bytes, size, count, file);
}

#define FTRUNCATE(function, offset)                                                    \
  EXPORT int function(int fd, offset size) {                                           \
    NEXT(function);                                                                    \
    if (watched_file(fd) && refuse(TAKES_SPACE)) return -1;                            \
    int result = next(fd, size);                                                       \
    if (result == 0 && watched_file(fd))                                               \
      put(DISK_TRUNCATE, watched_file(fd), size, NULL, 0);                             \
    return result;                                                                     \
  }

FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

/* A disk that lies is asked as well: what it says is what the program sees. */
static int note_sync(int fd, int result) {
  if (result != 0 || lies || fd < 0 || fd >= MOST_FILES || !opened[fd].file)
    return result;
  put(opened[fd].directory ? DISK_SYNC_DIRECTORY : DISK_SYNC, opened[fd].file, 0, NULL,
      0);
  return result;
}

#define SYNC(function)                                                                 \
  EXPORT int function(int fd) {                                                        \
    NEXT(function);                                                                    \
    bool ours = fd >= 0 && fd < MOST_FILES && opened[fd].file;                         \
    if (ours && refuse(NEITHER)) return -1;                                            \
    return note_sync(fd, next(fd));                                                    \
  }

SYNC(fsync)
SYNC(fdatasync)

/* ---- locks ---- */

/* SQLite takes any failure of a lock on its shared memory for a lock that somebody
 * holds, and tries for ten seconds. */

#define FCNTL(function)                                                                \
  EXPORT int function(int fd, int command, ...) {                                      \
    NEXT(function);                                                                    \
    va_list args;                                                                      \
    va_start(args, command);                                                           \
    void *argument = va_arg(args, void *);                                             \
    va_end(args);                                                                      \
    bool locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK;  \
    if (locks && watched_file(fd) && !opened[fd].shared &&                             \
        ((struct flock *)argument)->l_type != F_UNLCK && refuse(NEITHER))              \
      return -1;                                                                       \
    return next(fd, command, argument);                                                \
  }

FCNTL(fcntl)
FCNTL(fcntl64)
