/* test_backup.c: copies, while calls on files and allocations fail in turn, while the
 * process is killed, and while others make the same one. What has the name afterwards
 * is the old file or the new one, whole; and nothing else is left. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/backup.h"
#include "test/failing.h"
#include "test/faults.h"
#include "test/scratch.h"

enum { OLD = 1, NEW = 2, NONE = 0, ROWS = 60 };

/* ---- databases that hold a number ---- */

static tuff_connection source;

static bool open_source(const char *name, bool delete_journal, int page_size) {
  const char *path = scratch_path(name);
  tuff_options options = {.path = path,
                          .path_size = strlen(path),
                          .create = true,
                          .normal = true,
                          .delete_journal = delete_journal,
                          .page_size = page_size};
  tuff_error err = {.code = TUFF_OK};
  memset(&source, 0, sizeof source);
  return said(tuff_connection_open(&source, tuff_sqlite_driver(tuff_host_get()),
                                   &options, &scratch_own, &err),
              name, &err);
}

/* More than one piece of a copy, and an index. */
static bool fill(int rows) {
  char sql[256];
  snprintf(sql, sizeof sql,
           "create table v(x); create table filling(x unique, y);"
           "insert into filling with recursive n(i) as "
           "(select 1 union all select i + 1 from n limit %d) "
           "select i, randomblob(400) from n",
           rows);
  return exec(&source, sql);
}

static bool set_number(int number) {
  char sql[80];
  snprintf(sql, sizeof sql, "delete from v; insert into v values (%d)", number);
  return exec(&source, sql);
}

/* The number in a sound database; NONE: there is no file; -1: it is not sound. */
static int number_in(const char *name) {
  tuff_connection connection = {0};
  const char *path = scratch_path(name);
  tuff_options options = {
      .path = path, .path_size = strlen(path), .readonly = true, .normal = true};
  tuff_watch watch = {.busy_us = 1000000};
  tuff_inspection found;
  tuff_error err = {.code = TUFF_OK};
  int64_t number = -1;
  if (access(path, F_OK) != 0) return NONE;
  const tuff_driver *driver = tuff_sqlite_driver(tuff_host_get());
  if (driver->copying->verify(&options, TUFF_VERIFY_INDEXES, &watch, &found, &err) &&
      tuff_connection_open(&connection, driver, &options, &scratch_own, &err))
    number = query(&connection, "select x from v");
  if (number < 0) said(false, name, &err);
  tuff_connection_close(&connection, false);
  return (int)number;
}

static int files_with(const char *part) {
  int count = 0;
  DIR *directory = opendir(scratch);
  for (struct dirent *entry; directory && (entry = readdir(directory));)
    count += strstr(entry->d_name, part) != NULL;
  if (directory) closedir(directory);
  return count;
}

/* ---- copies ---- */

static bool begin(tuff_backup *backup, const char *name, bool replace,
                  tuff_error *err) {
  const char *path = scratch_path(name);
  tuff_backup_plan plan = {.to = {.path = path, .path_size = strlen(path)},
                           .replace = replace,
                           .verify = TUFF_VERIFY_REFERENCES};
  memset(backup, 0, sizeof *backup);
  return tuff_backup_begin(backup, &source, &plan, err);
}

static bool try_copy(const char *name, bool replace, tuff_error *err) {
  tuff_backup backup;
  tuff_result result = TUFF_FAILED;
  if (begin(&backup, name, replace, err))
    while ((result = tuff_backup_step(&backup, err)) == TUFF_MORE) continue;
  tuff_backup_finish(&backup);
  return result == TUFF_DONE;
}

static bool copy(const char *name, bool replace) {
  tuff_error err = {.code = TUFF_OK};
  return said(try_copy(name, replace, &err), name, &err);
}

/* ---- what every trial begins and ends with ---- */

static struct {
  bool delete_journal, replace; /* of the source; what was there before */
  const fault *fault;
} tried;

static bool prepare(void) {
  scratch_clear();
  return open_source("a.db", tried.delete_journal, 512) && fill(ROWS) &&
         set_number(OLD) && (!tried.replace || copy("b.db", false)) && set_number(NEW);
}

/* What is left of a copy that may have failed: see above. */
static void check_outcome(bool done, bool unknown) {
  int number = number_in("b.db"), before = tried.replace ? OLD : NONE;
  if (done)
    expect_equal(number, NEW);
  else if (!unknown)
    expect_equal(number, before);
  else
    expect(number == NEW || number == before);
}

/* The next copy goes well, and takes away what could not be taken away. */
static void check_next(void) {
  if (expect(copy("b.db", true))) expect_equal(number_in("b.db"), NEW);
  expect_equal(files_with(".tmp"), 0);
  expect_equal(query(&source, "select count(*) from filling"), ROWS);
  expect(run(&source, "update v set x = 3"));
}

/* ---- the n-th call on a file fails ---- */

static void survives_fault(void) {
  long stride = every(11);
  long blocks = tuff_alloc_blocks();
  for (long n = 1, failed = 1; failed; n += stride) {
    int wrong = tap.wrong, files = open_files();
    tuff_error err = {.code = TUFF_OK};
    if (!expect(prepare())) return;
    int opened = open_files();
    disk_fail(tried.fault->kind, n, tried.fault->more);
    bool done = try_copy("b.db", tried.replace, &err);
    failed = disk_failed();
    disk_fail(tried.fault->kind, 0, 0);
    expect(done || err.code != TUFF_OK);
    expect_equal(open_files(), opened);
    if (tried.fault->more == 0) expect(files_with(".tmp") == (files_with(".tmp-lock")));
    check_outcome(done, err.unknown);
    check_next();
    tuff_connection_close(&source, false);
    expect_equal(open_files(), files);
    expect_equal(tuff_alloc_blocks(), blocks);
    if (tap.wrong > wrong) {
      say("where the %ld. call failed: %s", n, done ? "done" : err.message);
      return;
    }
    if (failed == 0) expect(done && n > 30);
  }
}

/* ---- the process is killed at the n-th call ---- */

static void survives_kill(void) {
  long stride = every(7);
  for (long n = 1;; n += stride) {
    int wrong = tap.wrong, status = 0;
    if (!expect(prepare())) return;
    tuff_connection_close(&source, false);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      if (!open_source("a.db", tried.delete_journal, 0)) _exit(2);
      disk_fail(DISK_KILL, n, 0);
      _exit(copy("b.db", tried.replace) ? 0 : 1);
    }
    expect(child > 0 && waitpid(child, &status, 0) == child);
    bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    expect(done || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    check_outcome(done, true);
    if (!expect(open_source("a.db", tried.delete_journal, 0))) return;
    check_next();
    tuff_connection_close(&source, false);
    if (tap.wrong > wrong) say("where it was killed at the %ld. call", n);
    if (done || tap.wrong > wrong) {
      expect(n > 30);
      return;
    }
  }
}

/* ---- the n-th allocation fails ---- */

static const allocator *allocator_of;

static void survives_want_of_memory(void) {
  long blocks = tuff_alloc_blocks(), stride = every(13);
  for (long more = 0; more <= 100; more += 100) {
    bool failed = true;
    for (long n = 1; failed; n += stride) {
      int wrong = tap.wrong;
      tuff_error err = {.code = TUFF_OK};
      if (!expect(prepare())) return;
      allocator_of->fail(n, more);
      bool done = try_copy("b.db", tried.replace, &err);
      failed = allocator_of->has_failed();
      expect(done || (failed && err.code == TUFF_MEMORY));
      expect_equal(files_with(".tmp"), 0);
      check_outcome(done, false);
      check_next();
      tuff_connection_close(&source, false);
      expect_equal(tuff_alloc_blocks(), blocks);
      if (tap.wrong > wrong) {
        say("where allocation %ld and %ld more failed: %s", n, more,
            done ? "done" : err.message);
        return;
      }
    }
  }
}

/* ---- sizes ---- */

static int64_t size_of(const char *name) {
  struct stat status;
  return stat(scratch_path(name), &status) == 0 ? status.st_size : -1;
}

static void check_extents(int page_size) {
  tuff_backup backup;
  tuff_error err = {.code = TUFF_OK};
  int64_t total = -1, done = 0, pieces = 0;
  if (!expect(begin(&backup, "b.db", true, &err))) return;
  while (tuff_backup_step(&backup, &err) == TUFF_MORE) {
    const tuff_extent *extent = &backup.extent;
    if (total < 0) total = extent->total;
    expect_equal(extent->total, total);
    if (backup.stage == TUFF_BACKUP_CHECKED) break;
    pieces++;
    expect(extent->done > done);
    expect(extent->done == total || extent->done == pieces * 1000 * page_size);
    expect_equal(extent->done == total, backup.stage == TUFF_BACKUP_COPIED);
    done = extent->done;
  }
  expect_equal(tuff_backup_step(&backup, &err), TUFF_DONE);
  expect_equal(tuff_backup_step(&backup, &err), TUFF_DONE);
  expect_equal(backup.found.pages * page_size, total);
  expect_equal(backup.found.page_size, page_size);
  expect_equal(backup.found.tables, 2);
  expect_equal(size_of("b.db"), total);
  expect(pieces > 1 || page_size > 512);
  tuff_backup_finish(&backup);
}

static void copies_every_page_size(void) {
  for (int i = 0; i < 2; i++) {
    for (int page_size = 512; page_size <= 65536; page_size *= 2) {
      scratch_clear();
      if (!expect(open_source("a.db", i, page_size) && fill(1500) && set_number(NEW)))
        return;
      check_extents(page_size);
      expect_equal(query(&source, "pragma page_size"), page_size);
      expect_equal(number_in("b.db"), NEW);
      tuff_connection_close(&source, false);
    }
  }
}

/* SQLite keeps locks on the page at 1 GB, which holds nothing. Here it comes sooner. */
static void copies_the_page_of_locks(void) {
  sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, 0x20000);
  copies_every_page_size();
  sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, 0x40000000);
}

/* ---- ends ---- */

static void ends_with_its_connection(void) {
  tuff_backup backup;
  tuff_error err = {.code = TUFF_OK};
  if (!expect(prepare() && begin(&backup, "b.db", tried.replace, &err))) return;
  expect_equal(tuff_backup_step(&backup, &err), TUFF_MORE);
  expect_equal(files_with("b.db.tmp"), 2);
  tuff_connection_close(&source, false);
  expect_equal(files_with("b.db.tmp"), 0);
  expect_equal(tuff_backup_step(&backup, &err), TUFF_FAILED);
  expect_equal(err.code, TUFF_CLOSED);
  tuff_backup_finish(&backup);
  expect_equal(tuff_alloc_blocks(), 0);
}

static void keeps_its_first_error(void) {
  tuff_backup backup;
  tuff_error err = {.code = TUFF_OK};
  if (!expect(prepare() && begin(&backup, "b.db", tried.replace, &err))) return;
  disk_fail(DISK_ENOSPC, 1, LONG_MAX);
  expect_equal(tuff_backup_step(&backup, &err), TUFF_FAILED);
  disk_fail(DISK_ENOSPC, 0, 0);
  expect_equal(err.code, TUFF_FULL);
  err.code = TUFF_OK;
  expect_equal(tuff_backup_step(&backup, &err), TUFF_FAILED);
  expect_equal(err.code, TUFF_FULL);
  tuff_backup_finish(&backup);
  tuff_backup_finish(&backup);
  check_outcome(false, false);
  tuff_connection_close(&source, false);
}

static void lets_nobody_else_make_the_same(void) {
  tuff_backup first, second;
  tuff_error err = {.code = TUFF_OK};
  if (!expect(prepare() && begin(&first, "b.db", tried.replace, &err))) return;
  expect(!begin(&second, "b.db", tried.replace, &err));
  expect_equal(err.code, TUFF_BUSY);
  err.code = TUFF_OK;
  expect(copy("c.db", false));
  while (tuff_backup_step(&first, &err) == TUFF_MORE) continue;
  expect_equal(err.code, TUFF_OK);
  tuff_backup_finish(&first);
  expect_equal(number_in("b.db"), NEW);
  expect(copy("b.db", true));
  tuff_connection_close(&source, false);
}

static void belongs_to_the_process_that_began_it(void) {
  tuff_backup backup;
  tuff_error err = {.code = TUFF_OK};
  int status = -1;
  if (!expect(prepare() && begin(&backup, "b.db", tried.replace, &err))) return;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    tuff_error its = {.code = TUFF_OK};
    bool refused = tuff_backup_step(&backup, &its) == TUFF_FAILED;
    tuff_backup_finish(&backup);
    tuff_connection_close(&source, false);
    _exit(refused && its.code == TUFF_CONNECTION ? 0 : 1);
  }
  waitpid(child, &status, 0);
  expect_equal(status, 0);
  while (tuff_backup_step(&backup, &err) == TUFF_MORE) continue;
  expect(said(err.code == TUFF_OK, "after the fork", &err));
  tuff_backup_finish(&backup);
  check_outcome(true, false);
  tuff_connection_close(&source, false);
}

/* Some cannot sync a directory, nor rename without replacing. */
static void does_without_what_not_every_file_system_can(void) {
  tuff_backup backup;
  tuff_error err = {.code = TUFF_OK};
  tried.replace = false;
  if (!expect(prepare())) return;
  disk_fail(DISK_EINVAL, 1, LONG_MAX);
  expect(copy("b.db", false));
  expect_equal(disk_failed(), 2);
  expect(copy("b.db", true));
  if (expect(begin(&backup, "c.db", false, &err))) {
    while (backup.stage != TUFF_BACKUP_CHECKED) tuff_backup_step(&backup, &err);
    int other = creat(scratch_path("c.db"), 0600);
    expect_equal(tuff_backup_step(&backup, &err), TUFF_FAILED);
    expect_equal(err.code, TUFF_MISUSE);
    close(other);
  }
  tuff_backup_finish(&backup);
  disk_fail(DISK_EINVAL, 0, 0);
  expect_equal(number_in("b.db"), NEW);
  expect_equal(size_of("c.db"), 0);
  expect_equal(files_with(".tmp"), 0);
  tuff_connection_close(&source, false);
}

/* ---- a crowd ---- */

/* Makes the same copy again and again, of a database of its own. */
static int crowd(int number) {
  char name[16];
  snprintf(name, sizeof name, "%d.db", number);
  if (!open_source(name, false, 512) || !fill(300) || !set_number(number)) return 1;
  for (int i = 0; i < tap_times(300); i++) {
    tuff_error err = {.code = TUFF_OK};
    if (!try_copy("b.db", true, &err) && err.code != TUFF_BUSY) {
      fprintf(stderr, "%s\n", err.message);
      return 2;
    }
  }
  tuff_connection_close(&source, false);
  return 0;
}

static void is_whole_while_many_make_it(void) {
  enum { PROCESSES = 4 };
  pid_t children[PROCESSES];
  int left = PROCESSES, seen = 0;
  scratch_clear();
  fflush(stdout);
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = fork();
    if (children[i] == 0) _exit(crowd(i + 1));
  }
  while (left > 0) {
    int status, number = number_in("b.db");
    expect(number >= 0 && number <= PROCESSES);
    seen += number > 0;
    while (left > 0 && waitpid(-1, &status, WNOHANG) > 0) {
      expect_equal(status, 0);
      left--;
    }
  }
  expect(seen > 0);
  expect_equal(files_with(".tmp"), 0);
}

/* ---- all of it ---- */

static void each_way(const char *format, const char *name, void (*check)(void)) {
  for (int i = 0; i < 2; i++) {
    char sentence[160];
    tried.replace = i == 1;
    tried.delete_journal = !tried.delete_journal;
    int size = snprintf(sentence, sizeof sentence, format, name);
    snprintf(sentence + size, sizeof sentence - (size_t)size, ", %s a file",
             tried.replace ? "replacing" : "making");
    it(sentence, check);
  }
}

int main(void) {
  failing_install();
  scratch_begin();
  disk_watch(scratch);
  for (tried.fault = faults; tried.fault < faults + FAULTS; tried.fault++)
    each_way("survives %s", tried.fault->name, survives_fault);
  each_way("survives %s", "a kill at every call", survives_kill);
  allocator_of = &ours;
  each_way("survives failures of %s", ours.name, survives_want_of_memory);
  allocator_of = &theirs;
  each_way("survives failures of %s", theirs.name, survives_want_of_memory);
  it("copies every page size, and says how far it is", copies_every_page_size);
  it("copies a database that reaches over the page of locks", copies_the_page_of_locks);
  it("ends with its connection", ends_with_its_connection);
  it("keeps its first error", keeps_its_first_error);
  it("lets nobody else make the same copy", lets_nobody_else_make_the_same);
  it("belongs to the process that began it", belongs_to_the_process_that_began_it);
  it("does without what not every file system can",
     does_without_what_not_every_file_system_can);
  it("is whole at any time while many make it", is_whole_while_many_make_it);
  scratch_end();
  return tap_end();
}
