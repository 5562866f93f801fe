/* artefact.c: the lock is a file of its own, never one that becomes a database: closing
 * a descriptor of a database drops the locks that SQLite holds on it in this process.
 * For the same reason the descriptor of the temporary file is closed before the file
 * gets its name. */
#include "core/artefact.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/path.h"

static const char temporary_ending[] = ".tmp", guard_ending[] = ".tmp-lock";

static char *append(char **end, const char *text, size_t size, const char *ending) {
  char *start = *end;
  size_t more = strlen(ending) + 1;
  memcpy(start, text, size);
  memcpy(start + size, ending, more);
  *end = start + size + more;
  return start;
}

static bool keep_names(tuff_artefact *artefact, const char *path, tuff_error *err) {
  size_t size = strlen(path);
  char *end =
      tuff_alloc(NULL, 4 * (size + 1) + sizeof temporary_ending + sizeof guard_ending);
  if (!end) return tuff_fail_memory(err);
  const char *slash = strrchr(path, '/');
  size_t directory = slash == path ? 1 : (size_t)(slash - path);
  artefact->path = append(&end, path, size, "");
  artefact->temporary = append(&end, path, size, temporary_ending);
  artefact->guard = append(&end, path, size, guard_ending);
  artefact->directory = append(&end, path, directory, "");
  return true;
}

static bool refuse(tuff_error *err, const char *reason) {
  tuff_fail(err, TUFF_MISUSE, "%s", reason);
  return false;
}

static bool refuse_taken(tuff_error *err) {
  refuse(err, "there is such a file already");
  tuff_error_hint(err, "choose another name, or give replace = true");
  return false;
}

static bool check_place(const char *path, bool replace, tuff_error *err) {
  struct stat status;
  if (lstat(path, &status) != 0) return errno == ENOENT || tuff_fail_errno(err, errno);
  if (S_ISLNK(status.st_mode)) return refuse(err, "it is a symbolic link");
  if (S_ISDIR(status.st_mode)) return refuse(err, "it is a directory");
  if (!S_ISREG(status.st_mode)) return refuse(err, "it is not a regular file");
  return replace || refuse_taken(err);
}

bool tuff_artefact_begin(tuff_artefact *artefact, const tuff_options *where,
                         bool replace, tuff_error *err) {
  char path[TUFF_PATH];
  artefact->replace = replace;
  artefact->file = artefact->lock = artefact->folder = -1;
  return tuff_path_resolve(where, path, err) && check_place(path, replace, err) &&
         keep_names(artefact, path, err);
}

/* Whoever had the guard before may have removed it while we waited for the lock of that
 * very file: then it guards nothing any more. */
static bool lock(tuff_artefact *artefact, tuff_error *err) {
  const tuff_files *files = tuff_files_current;
  for (;;) {
    int file = files->open(artefact->guard, O_RDWR | O_CREAT, 0600);
    if (file < 0) return tuff_fail_errno(err, errno);
    int got = files->lock(file);
    int same = got == 1 ? files->same(file, artefact->guard) : 0;
    int reason = errno;
    if (same == 1) {
      artefact->lock = file;
      return true;
    }
    files->close(file);
    if (got < 0 || same < 0) return tuff_fail_errno(err, reason);
    if (got == 1) continue;
    tuff_fail(err, TUFF_BUSY, "somebody else is making this file");
    tuff_error_hint(err, "try again when the other one is done");
    return false;
  }
}

static bool sweep(const tuff_artefact *artefact, tuff_error *err) {
  if (tuff_files_current->remove(artefact->temporary) == 0 || errno == ENOENT)
    return true;
  return tuff_fail_errno(err, errno);
}

/* The directory is opened at once: later nothing may fail that can fail now. */
bool tuff_artefact_create(tuff_artefact *artefact, tuff_error *err) {
  const tuff_files *files = tuff_files_current;
  artefact->folder = files->open(artefact->directory, O_RDONLY | O_DIRECTORY, 0);
  if (artefact->folder < 0) return tuff_fail_errno(err, errno);
  if (!lock(artefact, err) || !sweep(artefact, err)) return false;
  artefact->file = files->open(artefact->temporary, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (artefact->file < 0) return tuff_fail_errno(err, errno);
  artefact->made = true;
  return true;
}

static bool close_synced(tuff_artefact *artefact, tuff_error *err) {
  const tuff_files *files = tuff_files_current;
  if (files->sync(artefact->file) != 0) return tuff_fail_errno(err, errno);
  int result = files->close(artefact->file);
  artefact->file = -1;
  return result == 0 || tuff_fail_errno(err, errno);
}

static bool rename_made(tuff_artefact *artefact, tuff_error *err) {
  if (tuff_files_current->rename(artefact->temporary, artefact->path,
                                 artefact->replace) == 0) {
    artefact->made = false;
    return true;
  }
  /* Somebody was faster, with another file. */
  return errno == EEXIST ? refuse_taken(err) : tuff_fail_errno(err, errno);
}

bool tuff_artefact_publish(tuff_artefact *artefact, tuff_error *err) {
  if (!close_synced(artefact, err) || !rename_made(artefact, err)) return false;
  if (tuff_files_current->sync(artefact->folder) == 0) return true;
  /* A file system that keeps its names by itself. */
  if (errno == EINVAL) return true;
  tuff_fail_errno(err, errno);
  if (err) err->unknown = true;
  return false;
}

static void close_file(int *file) {
  if (*file >= 0) tuff_files_current->close(*file);
  *file = -1;
}

void tuff_artefact_end(tuff_artefact *artefact) {
  if (!artefact->path) return;
  close_file(&artefact->file);
  if (artefact->made) tuff_files_current->remove(artefact->temporary);
  if (artefact->lock >= 0) tuff_files_current->remove(artefact->guard);
  close_file(&artefact->lock);
  close_file(&artefact->folder);
  tuff_free(artefact->path);
  artefact->path = NULL;
  artefact->made = false;
}
