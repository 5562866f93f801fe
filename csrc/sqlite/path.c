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

static bool refuse(const tuff_host *host, tuff_code code, const char *reason,
                   tuff_error *err) {
  host->fail(err, code, "%s", reason);
  return false;
}

bool tuff_sqlite_path_is_sidecar(const char *path) {
  static const char *const endings[] = {"-wal", "-shm", "-journal", "-queue"};
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  size_t size = strlen(name);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    size_t length = strlen(endings[i]);
    if (size > length && strcmp(name + size - length, endings[i]) == 0) return true;
  }
  return false;
}

bool tuff_sqlite_path_has_beside(const char *path, const char *ending) {
  char beside[TUFF_PATH + 16];
  struct stat status;
  snprintf(beside, sizeof beside, "%s%s", path, ending);
  return lstat(beside, &status) == 0;
}

static bool check_name(const tuff_host *host, const char *path, tuff_error *err) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  if (strlen(name) + sizeof "-journal" > NAME_MAX + 1)
    return refuse(host, TUFF_RANGE, "its name is too long: journals add to it", err);
  if (!tuff_sqlite_path_is_sidecar(path)) return true;
  refuse(host, TUFF_MISUSE, "this is the name of a file that lies beside a database",
         err);
  host->hint(err, "choose a name that does not end in -wal, -shm, -journal or -queue");
  return false;
}

/* A link at the end is only followed when that was asked for: somebody who may write to
 * the directory could otherwise lead the program to another file. */
static bool follow_link(const tuff_host *host, const tuff_options *options,
                        char path[TUFF_PATH], tuff_error *err) {
  enum { SHOWN = 200 };
  char target[PATH_MAX];
  if (!options->follow) {
    ssize_t size = readlink(path, target, sizeof target - 1);
    target[size > 0 ? size : 0] = '\0';
    refuse(host, TUFF_MISUSE, "it is a symbolic link", err);
    host->hint(err, "it points to \"%.*s\"; open that, or give follow = true", SHOWN,
               target);
    return false;
  }
  if (!realpath(path, target)) return host->fail_errno(err, errno);
  tuff_options real = *options;
  real.path = target;
  real.path_size = strlen(target);
  return host->resolve(&real, path, err) && check_name(host, path, err);
}

static bool create(const tuff_host *host, const tuff_options *options, const char *path,
                   tuff_error *err) {
  if (options->readonly || !options->create) {
    refuse(host, TUFF_NOT_FOUND, "there is no such file", err);
    if (!options->create) host->hint(err, "create = true makes a new database");
    return false;
  }
  if (host->files->create(path, 0600) == 0) return true;
  /* Somebody else was faster: that is as good. */
  return errno == EEXIST || host->fail_errno(err, errno);
}

/* SQLite takes a file below the smallest page for an empty one, and writes over it.
 * Only one whose creation was cut off is: that one has a journal beside it. */
static bool is_too_short(const char *path, int64_t size) {
  return size > 0 && size < 512 && !tuff_sqlite_path_has_beside(path, "-journal");
}

static bool find(const tuff_host *host, const tuff_options *options,
                 char out[TUFF_PATH], tuff_error *err) {
  struct stat status;
  if (!host->resolve(options, out, err) || !check_name(host, out, err)) return false;
  if (lstat(out, &status) == 0 && S_ISLNK(status.st_mode) &&
      !follow_link(host, options, out, err))
    return false;
  if (lstat(out, &status) != 0) {
    if (errno != ENOENT) return host->fail_errno(err, errno);
    return create(host, options, out, err);
  }
  if (S_ISDIR(status.st_mode))
    return refuse(host, TUFF_MISUSE, "it is a directory, not a file", err);
  if (!S_ISREG(status.st_mode))
    return refuse(host, TUFF_MISUSE, "it is not a regular file", err);
  if (is_too_short(out, status.st_size))
    return refuse(host, TUFF_NOTADB, "file is not a database", err);
  return true;
}

bool tuff_sqlite_path(const tuff_host *host, const tuff_options *options,
                      char out[TUFF_PATH], tuff_error *err) {
  if (find(host, options, out, err)) return true;
  host->context(err, "cannot open \"%.200s\": ", options->path);
  return false;
}

bool tuff_sqlite_path_or_memory(const tuff_host *host, const tuff_options *options,
                                char out[TUFF_PATH], tuff_error *err) {
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
