/* test_files.c: each file operation of the driver fails in turn while a lock is waited
 * for. Whoever waits then waits without a queue: it still gets the lock, or gives up
 * when it should, and never hangs. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/file.h"
#include "test/scratch.h"

/* ---- operations that fail on demand ---- */

typedef enum operation { CREATE, OPEN, CLOSE, LOCK, OPERATIONS } operation;

static const char *const name_of[] = {"create", "open", "close", "lock"};

static struct {
  operation operation;
  int at;     /* the call that fails, from 1; 0: none */
  bool after; /* and all after it */
  int error;
  int calls[OPERATIONS];
  int failed;
  int open; /* descriptors that were not closed */
  int told; /* a byte goes here before the first call that looks for a lock */
} fault = {.told = -1};

static bool fails(operation operation) {
  int call = ++fault.calls[operation];
  if (fault.at == 0 || operation != fault.operation) return false;
  if (call != fault.at && !(fault.after && call > fault.at)) return false;
  fault.failed++;
  errno = fault.error;
  return true;
}

/* The lock is being waited for: whoever has it may let it go. */
static void tell_once(void) {
  if (fault.told < 0) return;
  if (write(fault.told, "x", 1) != 1) abort();
  fault.told = -1;
}

static int create(const char *path, unsigned mode) {
  return fails(CREATE) ? -1 : tuff_files_system.create(path, mode);
}

static int open_file(const char *path, int flags, unsigned mode) {
  tell_once();
  if (fails(OPEN)) return -1;
  int file = tuff_files_system.open(path, flags, mode);
  fault.open += file >= 0;
  return file;
}

/* As the system does it: also a close that fails has closed. */
static int close_file(int file) {
  fault.open--;
  int result = tuff_files_system.close(file);
  return fails(CLOSE) ? -1 : result;
}

static int lock(int file) { return fails(LOCK) ? -1 : tuff_files_system.lock(file); }

static const tuff_files faulty = {
    .create = create, .open = open_file, .close = close_file, .lock = lock};

static void set_fault(operation operation, int at, bool after, int error) {
  memset(&fault, 0, sizeof fault);
  fault.operation = operation;
  fault.at = at;
  fault.after = after;
  fault.error = error;
  fault.told = -1;
}

/* ---- another process that has the lock ---- */

typedef struct holder {
  pid_t process;
  int to, from;
} holder;

static int hold(int in, int out) {
  char byte;
  tuff_connection connection;
  tuff_error err = {.code = TUFF_OK};
  if (!open_path(&connection, scratch_path("a.db"), &scratch_own, &err)) return 1;
  uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
  if (!serial || !try_run(&connection, "update t set x = x + 1", &err)) return 2;
  if (write(out, "x", 1) != 1 || read(in, &byte, 1) != 1) return 3;
  if (!tuff_transaction_commit(&connection, serial, &err)) return 4;
  tuff_connection_close(&connection, false);
  return 0;
}

static holder start_holder(void) {
  int down[2], up[2];
  char byte;
  if (pipe(down) != 0 || pipe(up) != 0) abort();
  fflush(stdout);
  holder started = {fork(), down[1], up[0]};
  if (started.process == 0) {
    set_fault(CREATE, 0, false, 0);
    close(down[1]);
    _exit(hold(down[0], up[1]));
  }
  close(down[0]);
  close(up[1]);
  expect(read(up[0], &byte, 1) == 1);
  return started;
}

static void finish_holder(const holder *holder) {
  int status = -1;
  close(holder->to);
  close(holder->from);
  waitpid(holder->process, &status, 0);
  expect(WIFEXITED(status));
  expect_equal(WEXITSTATUS(status), 0);
}

static bool make_database(void) {
  tuff_connection connection;
  set_fault(CREATE, 0, false, 0);
  scratch_clear();
  bool made = open_scratch(&connection, "a.db") &&
              exec(&connection, "create table t(x); insert into t values (0)");
  tuff_connection_close(&connection, false);
  return made;
}

/* A write that has to wait, with this fault. The lock is let go once it waits, which
 * `open` tells: it is called before it fails. */
static void check_wait(operation operation, int at, bool after, int error) {
  tuff_connection connection;
  tuff_error err = {.code = TUFF_OK};
  if (!expect(make_database())) return;
  holder holder = start_holder();
  int before = tap.wrong;
  if (expect(open_scratch(&connection, "a.db"))) {
    set_fault(operation, at, after, error);
    fault.told = holder.to;
    said(expect(try_run(&connection, "update t set x = x + 1", &err)), "update", &err);
    expect(connection.watch.waits > 0);
    expect(fault.failed > 0 || at != 1);
    expect_equal(fault.open, 0);
    /* The same connection, when nothing is to be waited for. */
    set_fault(operation, at, after, error);
    expect(run(&connection, "update t set x = x + 1"));
    expect_equal(query(&connection, "select x from t"), 3);
    tuff_connection_close(&connection, false);
  }
  finish_holder(&holder);
  if (tap.wrong > before)
    say("%s %d%s: %s", name_of[operation], at, after ? " and after" : "",
        strerror(error));
}

static const int errors[] = {EIO, ENOSPC, EMFILE, EACCES, EROFS, ENOLCK, EINTR};

static void check_all(operation operation) {
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    check_wait(operation, 1, false, errors[i]);
    check_wait(operation, 1, true, errors[i]);
    check_wait(operation, 2, true, errors[i]);
  }
}

static void waits_without_a_fault(void) { check_wait(CREATE, 0, false, 0); }
static void waits_when_open_fails(void) { check_all(OPEN); }
static void waits_when_close_fails(void) { check_all(CLOSE); }
static void waits_when_lock_fails(void) { check_all(LOCK); }

/* Two wait: one in the queue, and one whose queue fails. */
static int update_with_fault(int out, operation operation) {
  tuff_connection connection;
  tuff_error err = {.code = TUFF_OK};
  if (!open_path(&connection, scratch_path("a.db"), &scratch_own, &err)) return 1;
  set_fault(operation, 1, true, EIO);
  fault.told = out;
  bool done = true;
  for (int i = 0; i < 10; i++)
    done = done && try_run(&connection, "update t set x = x + 1", &err);
  tuff_connection_close(&connection, false);
  return done ? 0 : 2;
}

static void waits_beside_those_in_the_queue(void) {
  enum { WAITERS = OPERATIONS };
  if (!expect(make_database())) return;
  holder holder = start_holder();
  pid_t waiter[WAITERS];
  int ends[2];
  char byte;
  if (!expect(pipe(ends) == 0)) return;
  fflush(stdout);
  for (int i = 0; i < WAITERS; i++) {
    waiter[i] = fork();
    if (waiter[i] == 0) _exit(update_with_fault(ends[1], (operation)i));
  }
  for (int i = 0; i < WAITERS; i++) expect(read(ends[0], &byte, 1) == 1);
  expect(write(holder.to, "x", 1) == 1);
  finish_holder(&holder);
  for (int i = 0; i < WAITERS; i++) {
    int status = -1;
    waitpid(waiter[i], &status, 0);
    expect_equal(status, 0);
  }
  close(ends[0]);
  close(ends[1]);
  tuff_connection connection;
  if (expect(open_scratch(&connection, "a.db")))
    expect_equal(query(&connection, "select x from t"), 1 + 10 * WAITERS);
  tuff_connection_close(&connection, false);
}

static int looks;

static bool stops_at_the_fifth_look(void *context) {
  (void)context;
  return ++looks >= 5;
}

static void still_ends_when_it_is_told_to(void) {
  tuff_connection_options own = scratch_own;
  own.interrupted = stops_at_the_fifth_look;
  for (operation operation = OPEN; operation < OPERATIONS; operation++) {
    tuff_connection connection;
    tuff_error err = {.code = TUFF_OK};
    if (!expect(make_database())) return;
    holder holder = start_holder();
    looks = INT32_MIN;
    if (expect(open_path(&connection, scratch_path("a.db"), &own, &err))) {
      set_fault(operation, 1, true, EIO);
      looks = 0;
      expect(!try_run(&connection, "update t set x = 9", &err));
      expect_equal(err.code, TUFF_INTERRUPTED);
      looks = INT32_MIN;
      err.code = TUFF_OK;
      expect(tuff_transaction_begin(&connection, TUFF_WRITE, 10000, &err) == 0);
      expect_equal(err.code, TUFF_TIMEOUT);
      tuff_connection_limit(&connection, 0, 10000);
      expect_equal(code_of_run(&connection, "update t set x = 9"), TUFF_BUSY);
      expect_equal(fault.open, 0);
      tuff_connection_close(&connection, false);
    }
    expect(write(holder.to, "x", 1) == 1);
    finish_holder(&holder);
  }
}

static void reports_a_file_that_cannot_be_made(void) {
  static const int refused[] = {EACCES, ENOSPC, EROFS, EIO, ENAMETOOLONG};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    tuff_connection connection;
    tuff_error err = {.code = TUFF_OK};
    scratch_clear();
    set_fault(CREATE, 1, true, refused[i]);
    expect(!open_path(&connection, scratch_path("a.db"), &scratch_own, &err));
    expect(err.code == TUFF_IO || err.code == TUFF_FULL || err.code == TUFF_RANGE);
    expect(strstr(err.message, strerror(refused[i])) != NULL);
    expect(access(scratch_path("a.db"), F_OK) != 0);
  }
  /* Somebody else was faster, and then took it away again. */
  tuff_connection connection;
  tuff_error err = {.code = TUFF_OK};
  set_fault(CREATE, 1, true, EEXIST);
  expect(!open_path(&connection, scratch_path("a.db"), &scratch_own, &err));
  expect(err.code == TUFF_IO || err.code == TUFF_NOT_FOUND);
  expect(access(scratch_path("a.db"), F_OK) != 0);
}

/* A link where the queue should be leads to a file of somebody else. */
static void does_not_follow_a_link_for_the_queue(void) {
  tuff_connection connection;
  if (!expect(make_database())) return;
  holder holder = start_holder();
  expect(symlink("elsewhere", scratch_path("a.db-queue")) == 0);
  if (expect(open_scratch(&connection, "a.db"))) {
    set_fault(CREATE, 0, false, 0);
    fault.told = holder.to;
    expect(run(&connection, "update t set x = x + 1"));
    tuff_connection_close(&connection, false);
  }
  finish_holder(&holder);
  expect(access(scratch_path("elsewhere"), F_OK) != 0);
}

static void leaves_no_memory_behind(void) { expect_equal(tuff_alloc_blocks(), 0); }

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  tuff_files_current = &faulty;
  scratch_begin();
  it("waits in the queue", waits_without_a_fault);
  it("waits when open fails", waits_when_open_fails);
  it("waits when close fails", waits_when_close_fails);
  it("waits when lock fails", waits_when_lock_fails);
  it("waits beside those in the queue", waits_beside_those_in_the_queue);
  it("still ends when it is told to", still_ends_when_it_is_told_to);
  it("reports a file that cannot be made", reports_a_file_that_cannot_be_made);
  it("does not follow a link for the queue", does_not_follow_a_link_for_the_queue);
  it("leaves no memory behind", leaves_no_memory_behind);
  scratch_end();
  return tap_end();
}
