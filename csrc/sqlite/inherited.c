/* inherited.c: files that were open when the process forked.
 *
 * SQLite keeps the locks of a file in one list for the whole process. A child inherits
 * the list, but not the locks themselves: a connection that it opens to such a file
 * believes to hold what it does not, and rows that were acknowledged are lost. SQLite
 * offers no way to clear the list, so the file cannot be opened there at all. */
#include <pthread.h>
#include <sys/stat.h>

#include "sqlite/database.h"

typedef struct tuff_sqlite_open_file {
  dev_t device;
  ino_t inode;
  unsigned forks; /* of the process when it was opened */
  struct tuff_sqlite_open_file *next, **link;
} open_file;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static open_file *files;

static bool is_inherited(const struct stat *status) {
  unsigned forks = tuff_sqlite_host->forks();
  for (const open_file *file = files; file; file = file->next)
    if (file->device == status->st_dev && file->inode == status->st_ino &&
        file->forks != forks)
      return true;
  return false;
}

bool tuff_sqlite_inherited_enter(tuff_sqlite_file *entered, tuff_error *err) {
  struct stat status;
  if (stat(entered->path, &status) != 0) return true;
  open_file *file = tuff_sqlite_host->alloc(NULL, sizeof *file);
  if (!file) return tuff_sqlite_fail_memory(err);
  pthread_mutex_lock(&mutex);
  bool inherited = is_inherited(&status);
  if (!inherited) {
    *file = (open_file){status.st_dev, status.st_ino, tuff_sqlite_host->forks(), files,
                        &files};
    if (files) files->link = &file->next;
    files = file;
  }
  pthread_mutex_unlock(&mutex);
  if (!inherited) {
    entered->open_file = file;
    return true;
  }
  tuff_sqlite_host->alloc(file, 0);
  tuff_sqlite_host->fail(
      err, TUFF_CONNECTION,
      "the file was open in the parent when this process was forked");
  tuff_sqlite_host->hint(err,
                         "close it in the parent before the fork, or start another "
                         "program instead");
  return false;
}

bool tuff_sqlite_is_open(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) return false;
  pthread_mutex_lock(&mutex);
  const open_file *file = files;
  while (file && (file->device != status.st_dev || file->inode != status.st_ino))
    file = file->next;
  pthread_mutex_unlock(&mutex);
  return file != NULL;
}

void tuff_sqlite_inherited_leave(tuff_sqlite_file *left) {
  open_file *file = left->open_file;
  if (!file) return;
  pthread_mutex_lock(&mutex);
  *file->link = file->next;
  if (file->next) file->next->link = file->link;
  pthread_mutex_unlock(&mutex);
  tuff_sqlite_host->alloc(file, 0);
  left->open_file = NULL;
}
