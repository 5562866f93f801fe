/* file.c: the system's own file operations. A call interrupted by a signal is made
 * again here, so that no caller has to think of it. */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* mknod instead of open: an existing database must never be opened and closed by hand,
 * because closing any descriptor of it drops the locks SQLite holds in this process. */
static int create(const char *path, unsigned mode) {
  return mknod(path, (mode_t)(S_IFREG | mode), 0);
}

static int open_file(const char *path, int flags, unsigned mode) {
  int file;
  do {
    file = open(path, flags | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
  } while (file < 0 && errno == EINTR);
  return file;
}

static int close_file(int file) { return close(file); }

/* Locks of the open file description: they belong to this descriptor, not to the whole
 * process as POSIX record locks do. */
static int lock(int file) {
  struct flock wanted = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
  int result;
  do {
    result = fcntl(file, F_OFD_SETLK, &wanted);
  } while (result < 0 && errno == EINTR);
  if (result == 0) return 1;
  return errno == EAGAIN || errno == EACCES ? 0 : -1;
}

static int same(int file, const char *path) {
  struct stat one, other;
  if (fstat(file, &one) != 0) return -1;
  if (lstat(path, &other) != 0) return errno == ENOENT ? 0 : -1;
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static int sync_file(int file) { return (int)TEMP_FAILURE_RETRY(fsync(file)); }

/* Some file systems cannot tell whether the new name is taken while they rename. */
static int rename_new(const char *from, const char *to) {
  struct stat status;
  int result = (int)TEMP_FAILURE_RETRY(
      renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE));
  if (result == 0 || (errno != EINVAL && errno != ENOSYS)) return result;
  if (lstat(to, &status) == 0) {
    errno = EEXIST;
    return -1;
  }
  return errno == ENOENT ? (int)TEMP_FAILURE_RETRY(rename(from, to)) : -1;
}

static int rename_file(const char *from, const char *to, bool replace) {
  if (!replace) return rename_new(from, to);
  return (int)TEMP_FAILURE_RETRY(rename(from, to));
}

static int remove_file(const char *path) {
  return (int)TEMP_FAILURE_RETRY(unlink(path));
}

const tuff_files tuff_files_system = {.create = create,
                                      .open = open_file,
                                      .close = close_file,
                                      .lock = lock,
                                      .same = same,
                                      .sync = sync_file,
                                      .rename = rename_file,
                                      .remove = remove_file};

const tuff_files *tuff_files_current = &tuff_files_system;
