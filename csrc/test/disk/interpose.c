/* interpose.c: one wrapper for each function of the C library through which a program
 * reaches a file. What is not about a watched file passes at once. */
#include "test/disk/interpose.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
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
  static __typeof__(&(name)) next;                                                     \
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, #name)

#define EXPORT __attribute__((visibility("default")))

enum { MOST_FILES = 1024 };

static char watched[PATH_MAX]; /* the directory, without links; "": none */
static int record = -1;        /* the log */
static bool lies;
static struct {
  char *directory; /* its name, if it is one */
  bool shared;     /* memory that processes share: its locks do not fail */
  uint64_t file;   /* its inode; 0: not watched */
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

typedef enum nature {
  NEITHER = 0,
  TAKES_SPACE = 1,
  MOVES_BYTES = 2,
  MAY_BE_UNKNOWN = 4
} nature;

/* Whether the call that asks is to fail; errno is set then. For DISK_SHORT it is
 * EOVERFLOW, which the caller takes for "do half". */
static bool refuse(unsigned nature) {
  static const int errors[DISK_FAULTS] = {[DISK_EIO] = EIO,
                                          [DISK_ENOSPC] = ENOSPC,
                                          [DISK_SHORT] = EOVERFLOW,
                                          [DISK_EINTR] = EINTR,
                                          [DISK_EINVAL] = EINVAL};
  if (atomic_load(&countdown) == 0) return false;
  if (kind == DISK_ENOSPC && !(nature & TAKES_SPACE)) return false;
  if (kind == DISK_SHORT && !(nature & MOVES_BYTES)) return false;
  if (kind == DISK_EINVAL && !(nature & MAY_BE_UNKNOWN)) return false;
  if (atomic_load(&countdown) > 1) {
    atomic_fetch_sub(&countdown, 1);
    return false;
  }
  if (kind == DISK_KILL) raise(SIGKILL);
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

/* What a log cannot tell, and what so would be lost in every image: better no log. */
static void follow_not(const char *call, bool watched_is_concerned) {
  if (record < 0 || !watched_is_concerned) return;
  fprintf(stderr, "the recorder does not follow %s\n", call);
  abort();
}

/* What stands behind the watched directory in the path of a file, which need not exist:
 * "" for the directory itself; NULL: it is elsewhere. */
static const char *name_in_directory(const char *path, char *resolved) {
  char parent[PATH_MAX];
  if (!watched[0] || !path || strlen(path) >= sizeof parent) return NULL;
  size_t length = strlen(path);
  memcpy(parent, path, length + 1);
  while (length > 1 && parent[length - 1] == '/') parent[--length] = '\0';
  char *slash = strrchr(parent, '/');
  char name[PATH_MAX];
  snprintf(name, sizeof name, "%s", slash ? slash + 1 : parent);
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    name[0] = '\0'; /* the parent is the whole path */
  else if (slash)
    *slash = '\0';
  else
    memcpy(parent, ".", 2);
  if (!realpath(parent[0] ? parent : "/", resolved)) return NULL;
  size_t used = strlen(resolved), size = strlen(watched);
  if (used + strlen(name) + 2 > PATH_MAX) return NULL;
  if (name[0]) {
    if (used > 1) resolved[used++] = '/';
    memcpy(resolved + used, name, strlen(name) + 1);
  }
  if (strncmp(resolved, watched, size) != 0) return NULL;
  return resolved[size] == '/' ? resolved + size + 1
         : resolved[size]      ? NULL
                               : resolved + size;
}

static uint64_t watched_file(int fd) {
  return fd >= 0 && fd < MOST_FILES && !opened[fd].directory ? opened[fd].file : 0;
}

static void forget_open(int fd) {
  if (fd < 0 || fd >= MOST_FILES) return;
  opened[fd].file = 0;
  free(opened[fd].directory);
  opened[fd].directory = NULL;
}

static void note_open(int fd, const char *name, int flags, bool existed) {
  struct stat status;
  forget_open(fd);
  follow_not("more than 1024 open files", name && fd >= MOST_FILES);
  if (fd < 0 || fd >= MOST_FILES) return;
  if (!name || fstat(fd, &status) != 0) return;
  opened[fd].file = status.st_ino;
  if (S_ISDIR(status.st_mode)) opened[fd].directory = strdup(name);
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
  follow_not("O_TMPFILE", name && (flags & O_TMPFILE) == O_TMPFILE);
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
  forget_open(fd);
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

static int note_directory(disk_act act, const char *name, int result) {
  if (name && result == 0) put(act, 0, 0, name, strlen(name) + 1);
  return result;
}

EXPORT int mkdir(const char *path, mode_t mode) {
  NEXT(mkdir);
  char room[PATH_MAX];
  const char *name = name_in_directory(path, room);
  if (name && refuse(TAKES_SPACE)) return -1;
  return note_directory(DISK_MAKE_DIRECTORY, name, next(path, mode));
}

EXPORT int rmdir(const char *path) {
  NEXT(rmdir);
  char room[PATH_MAX];
  const char *name = name_in_directory(path, room);
  if (name && refuse(NEITHER)) return -1;
  return note_directory(DISK_REMOVE_DIRECTORY, name, next(path));
}

EXPORT int remove(const char *path) {
  struct stat status;
  bool directory = lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
  return directory ? rmdir(path) : unlink(path);
}

/* Both names are seen from the directory, one behind the other; NULL: it is elsewhere.
 */
static const char *names_in_directory(const char *from, const char *to, char *names,
                                      size_t *size) {
  char room[2][PATH_MAX];
  const char *old = name_in_directory(from, room[0]);
  const char *new = name_in_directory(to, room[1]);
  struct stat status;
  follow_not("renaming into or out of the directory", !old != !new);
  follow_not("renaming a directory",
             old && lstat(from, &status) == 0 && S_ISDIR(status.st_mode));
  if (!old || !new) return NULL;
  *size = (size_t)snprintf(names, (size_t)2 * PATH_MAX, "%s%c%s", old, '\0', new) + 1;
  return names;
}

EXPORT int rename(const char *from, const char *to) {
  NEXT(rename);
  char room[2 * PATH_MAX];
  size_t size = 0;
  const char *names = names_in_directory(from, to, room, &size);
  if (names && refuse(TAKES_SPACE)) return -1;
  int result = next(from, to);
  if (names && result == 0) put(DISK_RENAME, 0, 0, names, size);
  return result;
}

EXPORT int renameat2(int from_directory, const char *from, int to_directory,
                     const char *to, unsigned flags) {
  NEXT(renameat2);
  char room[2 * PATH_MAX];
  size_t size = 0;
  follow_not("renameat2", from_directory != AT_FDCWD || to_directory != AT_FDCWD ||
                              (flags & ~(unsigned)RENAME_NOREPLACE) != 0);
  const char *names = names_in_directory(from, to, room, &size);
  if (names && refuse(TAKES_SPACE | MAY_BE_UNKNOWN)) return -1;
  int result = next(from_directory, from, to_directory, to, flags);
  if (names && result == 0) put(DISK_RENAME, 0, 0, names, size);
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
  const char *directory = opened[fd].directory;
  put(directory ? DISK_SYNC_DIRECTORY : DISK_SYNC, opened[fd].file, 0, directory,
      directory ? strlen(directory) + 1 : 0);
  return result;
}

#define SYNC(function)                                                                 \
  EXPORT int function(int fd) {                                                        \
    NEXT(function);                                                                    \
    bool ours = fd >= 0 && fd < MOST_FILES && opened[fd].file;                         \
    if (ours && refuse(opened[fd].directory ? MAY_BE_UNKNOWN : NEITHER)) return -1;    \
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
    follow_not("copies of a descriptor",                                               \
               watched_file(fd) &&                                                     \
                   (command == F_DUPFD || command == F_DUPFD_CLOEXEC));                \
    bool locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK;  \
    if (locks && watched_file(fd) && !opened[fd].shared &&                             \
        ((struct flock *)argument)->l_type != F_UNLCK && refuse(NEITHER))              \
      return -1;                                                                       \
    return next(fd, command, argument);                                                \
  }

FCNTL(fcntl)
FCNTL(fcntl64)

/* ---- what is not followed ---- */

/* Nor are mappings, whose writes nobody can see: SQLite's shared memory is one, and
 * what it holds is built anew; nor files of stdio, but that they are opened for
 * writing. */

static bool is_watched(const char *path) {
  char room[PATH_MAX];
  return name_in_directory(path, room) != NULL;
}

static bool is_below(int directory, const char *path) {
  if (path[0] == '/' || directory == AT_FDCWD) return is_watched(path);
  return directory >= 0 && directory < MOST_FILES && opened[directory].file;
}

EXPORT int truncate(const char *path, off_t size) {
  NEXT(truncate);
  follow_not("truncate", is_watched(path));
  return next(path, size);
}

EXPORT int link(const char *from, const char *to) {
  NEXT(link);
  follow_not("link", is_watched(from) || is_watched(to));
  return next(from, to);
}

EXPORT int symlink(const char *from, const char *to) {
  NEXT(symlink);
  follow_not("symlink", is_watched(to));
  return next(from, to);
}

EXPORT int openat(int directory, const char *path, int flags, ...) {
  NEXT(openat);
  va_list args;
  va_start(args, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
  va_end(args);
  bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT;
  follow_not("openat", writes && is_below(directory, path));
  return next(directory, path, flags, mode);
}

EXPORT int unlinkat(int directory, const char *path, int flags) {
  NEXT(unlinkat);
  follow_not("unlinkat", is_below(directory, path));
  return next(directory, path, flags);
}

EXPORT int renameat(int from, const char *old, int to, const char *new) {
  NEXT(renameat);
  follow_not("renameat", is_below(from, old) || is_below(to, new));
  return next(from, old, to, new);
}

EXPORT FILE *fopen(const char *path, const char *mode) {
  NEXT(fopen);
  follow_not("fopen", strpbrk(mode, "wa+") && is_watched(path));
  return next(path, mode);
}

EXPORT int dup(int fd) {
  NEXT(dup);
  follow_not("dup", watched_file(fd) != 0);
  return next(fd);
}

EXPORT int dup2(int fd, int other) {
  NEXT(dup2);
  follow_not("dup2", watched_file(fd) || watched_file(other));
  return next(fd, other);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) {
  NEXT(writev);
  follow_not("writev", watched_file(fd) != 0);
  return next(fd, parts, count);
}

EXPORT int fallocate(int fd, int mode, off_t at, off_t size) {
  NEXT(fallocate);
  follow_not("fallocate", watched_file(fd) != 0);
  return next(fd, mode, at, size);
}

EXPORT int posix_fallocate(int fd, off_t at, off_t size) {
  NEXT(posix_fallocate);
  follow_not("posix_fallocate", watched_file(fd) != 0);
  return next(fd, at, size);
}

EXPORT ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *to_at,
                               size_t size, unsigned flags) {
  NEXT(copy_file_range);
  follow_not("copy_file_range", watched_file(to) != 0);
  return next(from, at, to, to_at, size, flags);
}
