/* path.c: every check here is of names, never of descriptors: closing a descriptor of a
 * database drops the locks that SQLite holds on it in this process. */
#include "sqlite/path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { SHOWN = 200 }; /* bytes of a path that a message repeats */

static bool fail_errno(const tuff_host *host, const char *path, tuff_error *err) {
  int reason = errno;
  bool missing = reason == ENOENT || reason == ENOTDIR;
  host->fail(err,
             missing                  ? TUFF_NOT_FOUND
             : reason == ENAMETOOLONG ? TUFF_RANGE
                                      : TUFF_IO,
             "cannot open \"%.*s\": %s", SHOWN, path, strerror(reason));
  if (reason == EACCES || reason == EPERM || reason == EROFS)
    host->hint(err, "this process is not permitted to do that there");
  return false;
}

static bool refuse(const tuff_host *host, const char *path, tuff_code code,
                   const char *reason, tuff_error *err) {
  host->fail(err, code, "cannot open \"%.*s\": %s", SHOWN, path, reason);
  return false;
}

/* Files that SQLite or the queue opens and closes by themselves. */
static bool is_sidecar(const char *name) {
  static const char *const endings[] = {"-wal", "-shm", "-journal", "-queue"};
  size_t size = strlen(name);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    size_t length = strlen(endings[i]);
    if (size > length && strcmp(name + size - length, endings[i]) == 0) return true;
  }
  return false;
}

/* Resolves the directory of the path, and keeps its last part as it is. */
static bool resolve(const tuff_host *host, const tuff_options *options,
                    char out[TUFF_SQLITE_PATH], tuff_error *err) {
  const char *path = options->path;
  char directory[TUFF_SQLITE_PATH], real[PATH_MAX];
  if (options->path_size == 0)
    return refuse(host, path, TUFF_MISUSE, "the path is empty", err);
  if (strlen(path) != options->path_size)
    return refuse(host, path, TUFF_MISUSE, "the path holds a NUL byte", err);
  if (options->path_size >= sizeof directory - 16) {
    host->fail(err, TUFF_RANGE,
               "cannot open \"%.*s…\": the path is %zu bytes long, the "
               "system takes %d",
               SHOWN, path, options->path_size, TUFF_SQLITE_PATH);
    return false;
  }
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  if (strlen(name) + sizeof "-journal" > NAME_MAX + 1)
    return refuse(host, path, TUFF_RANGE, "its name is too long: journals add to it",
                  err);
  if (is_sidecar(name)) {
    refuse(host, path, TUFF_MISUSE,
           "this is the name of a file that lies beside a database", err);
    host->hint(err,
               "choose a name that does not end in -wal, -shm, -journal or -queue");
    return false;
  }
  if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return refuse(host, path, TUFF_MISUSE, "it is a directory, not a file", err);
  size_t size = slash ? (size_t)(slash - path) : 0;
  if (slash && size == 0) size = 1; /* "/name" */
  memcpy(directory, path, size);
  directory[size] = '\0';
  if (!realpath(size ? directory : ".", real)) {
    fail_errno(host, path, err);
    if (err->code == TUFF_NOT_FOUND) host->hint(err, "make its directory first");
    return false;
  }
  const char *separator = strcmp(real, "/") == 0 ? "" : "/";
  if (snprintf(out, TUFF_SQLITE_PATH, "%s%s%s", real, separator, name) >=
      TUFF_SQLITE_PATH - 16)
    return refuse(host, path, TUFF_RANGE, "its full path is too long", err);
  return true;
}

static bool is_within(const char *path, const char *root) {
  size_t size = strlen(root);
  if (strcmp(root, "/") == 0) return true;
  return strncmp(path, root, size) == 0 && path[size] == '/';
}

static bool check_root(const tuff_host *host, const tuff_options *options,
                       const char *path, tuff_error *err) {
  if (!options->root) return true;
  char root[PATH_MAX];
  if (!realpath(options->root, root)) {
    host->fail(err, TUFF_NOT_FOUND, "the root directory \"%.*s\": %s", SHOWN,
               options->root, strerror(errno));
    return false;
  }
  if (is_within(path, root)) return true;
  refuse(host, options->path, TUFF_AUTH, "it lies outside of the root directory", err);
  host->hint(err, "databases of this program must lie in \"%.*s\"", SHOWN, root);
  return false;
}

/* A link at the end is only followed when that was asked for: somebody who may write to
 * the directory could otherwise lead the program to another file. */
static bool follow_link(const tuff_host *host, const tuff_options *options,
                        char path[TUFF_SQLITE_PATH], tuff_error *err) {
  char target[PATH_MAX];
  if (!options->follow) {
    ssize_t size = readlink(path, target, sizeof target - 1);
    target[size > 0 ? size : 0] = '\0';
    refuse(host, options->path, TUFF_MISUSE, "it is a symbolic link", err);
    host->hint(err, "it points to \"%.*s\"; open that, or give follow = true", SHOWN,
               target);
    return false;
  }
  if (!realpath(path, target)) return fail_errno(host, options->path, err);
  if (snprintf(path, TUFF_SQLITE_PATH, "%s", target) >= TUFF_SQLITE_PATH - 16)
    return refuse(host, options->path, TUFF_RANGE, "its full path is too long", err);
  return true;
}

static bool create(const tuff_host *host, const tuff_options *options, const char *path,
                   tuff_error *err) {
  if (options->readonly || !options->create) {
    refuse(host, options->path, TUFF_NOT_FOUND, "there is no such file", err);
    if (!options->create) host->hint(err, "create = true makes a new database");
    return false;
  }
  if (host->files->create(path, 0600) == 0) return true;
  /* Somebody else was faster: that is as good. */
  return errno == EEXIST || fail_errno(host, options->path, err);
}

/* SQLite takes a file below the smallest page for an empty one, and writes over it.
 * Only one whose creation was cut off is: that one has a journal beside it. */
static bool is_too_short(const char *path, int64_t size) {
  char journal[TUFF_SQLITE_PATH + 16];
  struct stat status;
  if (size == 0 || size >= 512) return false;
  snprintf(journal, sizeof journal, "%s-journal", path);
  return lstat(journal, &status) != 0;
}

bool tuff_sqlite_path(const tuff_host *host, const tuff_options *options,
                      char out[TUFF_SQLITE_PATH], tuff_error *err) {
  struct stat status;
  if (!resolve(host, options, out, err)) return false;
  if (lstat(out, &status) == 0 && S_ISLNK(status.st_mode) &&
      !follow_link(host, options, out, err))
    return false;
  if (!check_root(host, options, out, err)) return false;
  if (lstat(out, &status) != 0) {
    if (errno != ENOENT) return fail_errno(host, options->path, err);
    return create(host, options, out, err);
  }
  if (S_ISDIR(status.st_mode))
    return refuse(host, options->path, TUFF_MISUSE, "it is a directory, not a file",
                  err);
  if (!S_ISREG(status.st_mode))
    return refuse(host, options->path, TUFF_MISUSE, "it is not a regular file", err);
  if (is_too_short(out, status.st_size))
    return refuse(host, options->path, TUFF_NOTADB, "file is not a database", err);
  return true;
}

bool tuff_sqlite_path_or_memory(const tuff_host *host, const tuff_options *options,
                                char out[TUFF_SQLITE_PATH], tuff_error *err) {
  static const char memory[] = ":memory:";
  if (options->path_size != sizeof memory - 1 ||
      memcmp(options->path, memory, sizeof memory - 1) != 0)
    return tuff_sqlite_path(host, options, out, err);
  memcpy(out, memory, sizeof memory);
  return true;
}

void tuff_sqlite_path_uri(const char *path, const char *query,
                          char out[TUFF_SQLITE_URI]) {
  static const char digits[] = "0123456789ABCDEF";
  size_t size = (size_t)snprintf(out, TUFF_SQLITE_URI, "file:");
  for (const char *at = path; *at; at++) {
    if (strchr("?#%", *at)) {
      out[size++] = '%';
      out[size++] = digits[(unsigned char)*at >> 4];
      out[size++] = digits[*at & 15];
    } else {
      out[size++] = *at;
    }
  }
  snprintf(out + size, TUFF_SQLITE_URI - size, "?%s", query);
}

/* Magic numbers of statfs(2): NFS, SMB, CIFS, SMB2, AFS, Coda, 9P, Ceph, Lustre. */
bool tuff_sqlite_path_is_shared(const char *path) {
  static const unsigned long shared[] = {0x6969,     0x517B,     0xFF534D42,
                                         0xFE534D42, 0x5346414F, 0x73757245,
                                         0x01021997, 0x00C36400, 0x0BD00BD0};
  struct statfs system;
  if (statfs(path, &system) != 0) return false;
  for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
    if ((unsigned long)system.f_type == shared[i]) return true;
  return false;
}
