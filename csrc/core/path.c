/* path.c: paths are looked at by their names only, never by a descriptor: closing one
 * of a database drops the locks that SQLite holds on it in this process. */
#include "core/path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"

enum {
  SHOWN = 200, /* bytes of a path that a message repeats */
  SPARE = 16   /* bytes that files which lie beside it add to its name */
};

static bool refuse(tuff_error *err, tuff_code code, const char *reason) {
  tuff_fail(err, code, "%s", reason);
  return false;
}

static bool is_within(const char *path, const char *root) {
  size_t size = strlen(root);
  if (strcmp(root, "/") == 0) return true;
  return strncmp(path, root, size) == 0 && path[size] == '/';
}

static bool check_root(const tuff_options *options, const char *path, tuff_error *err) {
  if (!options->root) return true;
  char root[PATH_MAX];
  if (!realpath(options->root, root)) {
    tuff_fail(err, TUFF_NOT_FOUND, "the root directory \"%.*s\": %s", SHOWN,
              options->root, strerror(errno));
    return false;
  }
  if (is_within(path, root)) return true;
  tuff_fail(err, TUFF_AUTH, "it lies outside of the root directory");
  tuff_error_hint(err, "databases of this program must lie in \"%.*s\"", SHOWN, root);
  return false;
}

static bool check_size(const tuff_options *options, tuff_error *err) {
  if (options->path_size == 0) return refuse(err, TUFF_MISUSE, "the path is empty");
  if (strlen(options->path) != options->path_size)
    return refuse(err, TUFF_MISUSE, "the path holds a NUL byte");
  if (options->path_size < TUFF_PATH - SPARE) return true;
  tuff_fail(err, TUFF_RANGE, "the path is %zu bytes long, the system takes %d",
            options->path_size, TUFF_PATH);
  return false;
}

bool tuff_path_resolve(const tuff_options *options, char out[TUFF_PATH],
                       tuff_error *err) {
  char directory[TUFF_PATH], real[PATH_MAX];
  if (!check_size(options, err)) return false;
  const char *path = options->path, *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return refuse(err, TUFF_MISUSE, "it is a directory, not a file");
  size_t size = slash ? (size_t)(slash - path) : 0;
  if (slash && size == 0) size = 1; /* "/name" */
  memcpy(directory, path, size);
  directory[size] = '\0';
  if (!realpath(size ? directory : ".", real)) {
    tuff_fail_errno(err, errno);
    if (err && err->code == TUFF_NOT_FOUND)
      tuff_error_hint(err, "make its directory first");
    return false;
  }
  const char *separator = strcmp(real, "/") == 0 ? "" : "/";
  if (snprintf(out, TUFF_PATH, "%s%s%s", real, separator, name) >= TUFF_PATH - SPARE)
    return refuse(err, TUFF_RANGE, "its full path is too long");
  return check_root(options, out, err);
}
