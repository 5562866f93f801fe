/* test_wait.c: waiting for the lock of another process: all who wait get it in the end,
 * and a deadline or an interruption ends a wait. Nobody sleeps to be in time: who waits
 * is known by the queue that it joins, and says so through a pipe. */
#include <signal.h>
#include <sys/wait.h>

#include "core/file.h"
#include "test/scratch.h"

enum { WAITERS = 6, ROUNDS = 20 };

static const char path_of_queue[] = "a.db-queue";

/* ---- a table of file operations that tells when the queue is joined ---- */

static int told = -1; /* a byte goes here for each time that the queue is joined */

static int open_and_tell(const char *path, int flags, unsigned mode) {
  int file = tuff_files_system.open(path, flags, mode);
  if (told >= 0 && strstr(path, path_of_queue) && write(told, "q", 1) != 1) abort();
  return file;
}

static tuff_files telling;

static void install(void) {
  telling = tuff_files_system;
  telling.open = open_and_tell;
  tuff_files_current = &telling;
}

/* ---- processes ---- */

typedef struct child {
  pid_t process;
  int to, from; /* the parent's ends */
} child;

static child start(int (*work)(int in, int out)) {
  int down[2], up[2];
  if (pipe(down) != 0 || pipe(up) != 0) abort();
  fflush(stdout);
  child started = {fork(), down[1], up[0]};
  if (started.process < 0) abort();
  if (started.process == 0) {
    close(down[1]);
    close(up[0]);
    _exit(work(down[0], up[1]));
  }
  close(down[0]);
  close(up[1]);
  return started;
}

static bool tell(int file) { return write(file, "x", 1) == 1; }

static bool hear(int file) {
  char byte;
  return read(file, &byte, 1) == 1;
}

static int finish(const child *ended) {
  int status = -1;
  close(ended->to);
  close(ended->from);
  waitpid(ended->process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

/* Takes the write lock, says so, and keeps it until it is told. */
static int hold(int in, int out) {
  tuff_connection connection;
  tuff_error err = {.code = TUFF_OK};
  if (!open_path(&connection, scratch_path("a.db"), &scratch_own, &err)) return 1;
  uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
  if (!serial || !try_run(&connection, "update t set x = x + 1", &err)) return 2;
  if (!tell(out) || !hear(in)) return 3;
  if (!tuff_transaction_commit(&connection, serial, &err)) return 4;
  tuff_connection_close(&connection, false);
  return 0;
}

static bool make_database(void) {
  tuff_connection connection;
  scratch_clear();
  bool made = open_scratch(&connection, "a.db") &&
              exec(&connection, "create table t(x); insert into t values (0)");
  tuff_connection_close(&connection, false);
  return made;
}

static int64_t value(void) {
  tuff_connection connection;
  int64_t value =
      open_scratch(&connection, "a.db") ? query(&connection, "select x from t") : -1;
  tuff_connection_close(&connection, false);
  return value;
}

/* ---- all get through ---- */

static int write_rounds(int in, int out, bool *waited) {
  tuff_connection connection;
  tuff_error err = {.code = TUFF_OK};
  told = out;
  if (!hear(in)) return 1;
  if (!open_path(&connection, scratch_path("a.db"), &scratch_own, &err)) return 2;
  for (int i = 0; i < ROUNDS; i++) {
    uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
    if (!serial || !try_run(&connection, "update t set x = x + 1", &err) ||
        !tuff_transaction_commit(&connection, serial, &err))
      return 3;
  }
  *waited = connection.watch.waits > 0;
  tuff_connection_close(&connection, false);
  return 0;
}

static int write_often(int in, int out) {
  bool waited = false;
  int status = write_rounds(in, out, &waited);
  return status == 0 && !waited ? 4 : status;
}

/* It has joined the queue, but may find that the lock is free by then. */
static int write_on(int in, int out) {
  bool waited;
  return write_rounds(in, out, &waited);
}

static void lets_all_through_in_the_end(void) {
  if (!expect(make_database())) return;
  child holder = start(hold), waiter[WAITERS];
  for (int i = 0; i < WAITERS; i++) waiter[i] = start(write_often);
  expect(hear(holder.from));
  for (int i = 0; i < WAITERS; i++) expect(tell(waiter[i].to));
  for (int i = 0; i < WAITERS; i++) expect(hear(waiter[i].from)); /* in the queue */
  expect(tell(holder.to));
  expect_equal(finish(&holder), 0);
  for (int i = 0; i < WAITERS; i++) {
    char byte; /* what it still says must not fill the pipe */
    while (read(waiter[i].from, &byte, 1) == 1) continue;
    expect_equal(finish(&waiter[i]), 0);
  }
  expect_equal(value(), 1 + WAITERS * ROUNDS);
}

/* Whoever dies with the baton gives it back. */
static void goes_on_when_one_who_waits_is_killed(void) {
  if (!expect(make_database())) return;
  child holder = start(hold), killed = start(write_often), waiter = start(write_often);
  expect(hear(holder.from));
  expect(tell(killed.to) && hear(killed.from));
  expect(tell(waiter.to) && hear(waiter.from));
  kill(killed.process, SIGKILL);
  finish(&killed);
  expect(tell(holder.to));
  expect_equal(finish(&holder), 0);
  char byte;
  while (read(waiter.from, &byte, 1) == 1) continue;
  expect_equal(finish(&waiter), 0);
  expect_equal(value(), 1 + ROUNDS);
}

static void goes_on_when_the_writer_is_killed(void) {
  if (!expect(make_database())) return;
  child holder = start(hold), waiter = start(write_on);
  expect(hear(holder.from));
  expect(tell(waiter.to) && hear(waiter.from));
  kill(holder.process, SIGKILL);
  finish(&holder);
  char byte;
  while (read(waiter.from, &byte, 1) == 1) continue;
  expect_equal(finish(&waiter), 0);
  expect_equal(value(), ROUNDS);
}

/* ---- what ends a wait ---- */

static int looks; /* how often it was asked whether to stop */

static bool stops_at_the_fifth_look(void *context) {
  (void)context;
  return ++looks >= 5;
}

/* What a transaction begins with while another process has the lock. */
static tuff_code code_of_waiting(const tuff_connection_options *own,
                                 int64_t timeout_us) {
  tuff_connection connection;
  tuff_error err = {.code = TUFF_OK};
  child holder = start(hold);
  expect(hear(holder.from));
  if (expect(open_path(&connection, scratch_path("a.db"), own, &err))) {
    looks = 0;
    uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, timeout_us, &err);
    expect(serial == 0);
    expect(!tuff_connection_in_transaction(&connection));
    expect(tell(holder.to));
    expect_equal(finish(&holder), 0);
    looks = INT32_MIN;
    /* Nothing is left of the wait: the next one gets the lock. */
    expect(run(&connection, "update t set x = x + 1"));
    tuff_connection_close(&connection, false);
  } else {
    finish(&holder);
  }
  return err.code;
}

static void does_not_wait_without_a_busy_timeout(void) {
  tuff_connection_options own = scratch_own;
  own.busy_us = 0;
  if (expect(make_database())) expect_equal(code_of_waiting(&own, 0), TUFF_BUSY);
}

static void gives_up_after_the_busy_timeout(void) {
  tuff_connection_options own = scratch_own;
  own.busy_us = 20000;
  if (expect(make_database())) expect_equal(code_of_waiting(&own, 0), TUFF_BUSY);
}

static void gives_up_at_the_deadline(void) {
  if (expect(make_database()))
    expect_equal(code_of_waiting(&scratch_own, 20000), TUFF_TIMEOUT);
}

static void gives_up_after_the_timeout_of_a_statement(void) {
  tuff_connection connection;
  tuff_error err = {.code = TUFF_OK};
  if (!expect(make_database())) return;
  child holder = start(hold);
  expect(hear(holder.from));
  if (expect(open_scratch(&connection, "a.db"))) {
    tuff_connection_limit(&connection, 20000, scratch_own.busy_us);
    expect(!try_run(&connection, "update t set x = 0", &err));
    expect_equal(err.code, TUFF_TIMEOUT);
    tuff_connection_close(&connection, false);
  }
  expect(tell(holder.to));
  expect_equal(finish(&holder), 0);
  expect_equal(value(), 1);
}

static void gives_up_when_it_is_interrupted(void) {
  tuff_connection_options own = scratch_own;
  own.interrupted = stops_at_the_fifth_look;
  if (expect(make_database())) expect_equal(code_of_waiting(&own, 0), TUFF_INTERRUPTED);
}

/* Also who does not have the baton: another one waits before. */
static void gives_up_in_the_queue(void) {
  if (!expect(make_database())) return;
  tuff_connection connection;
  tuff_error err = {.code = TUFF_OK};
  tuff_connection_options own = scratch_own;
  own.interrupted = stops_at_the_fifth_look;
  looks = INT32_MIN;
  child holder = start(hold), first = start(write_often);
  expect(hear(holder.from));
  expect(tell(first.to) && hear(first.from));
  if (expect(open_path(&connection, scratch_path("a.db"), &own, &err))) {
    looks = 0;
    expect(tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err) == 0);
    expect_equal(err.code, TUFF_INTERRUPTED);
    looks = INT32_MIN;
    err.code = TUFF_OK;
    expect(tuff_transaction_begin(&connection, TUFF_WRITE, 20000, &err) == 0);
    expect_equal(err.code, TUFF_TIMEOUT);
    tuff_connection_close(&connection, false);
  }
  expect(tell(holder.to));
  expect_equal(finish(&holder), 0);
  char byte;
  while (read(first.from, &byte, 1) == 1) continue;
  expect_equal(finish(&first), 0);
  expect_equal(value(), 1 + ROUNDS);
}

/* ---- readers ---- */

static void lets_readers_read_beside_a_writer(void) {
  tuff_connection connection;
  if (!expect(make_database())) return;
  child holder = start(hold);
  expect(hear(holder.from));
  if (expect(open_scratch(&connection, "a.db"))) {
    expect_equal(query(&connection, "select x from t"), 0);
    expect_equal(connection.watch.waits, 0);
    expect(tell(holder.to));
    expect_equal(finish(&holder), 0);
    expect_equal(query(&connection, "select x from t"), 1);
    tuff_connection_close(&connection, false);
  }
}

/* All of them at once make the same new database. */
static int make_it(int in, int out) {
  tuff_connection connection;
  tuff_error err = {.code = TUFF_OK};
  if (!hear(in)) return 1;
  if (!open_path(&connection, scratch_path("new.db"), &scratch_own, &err)) return 2;
  if (!try_exec(&connection,
                "create table if not exists t(x); insert into t values (1)", &err))
    return 3;
  tuff_connection_close(&connection, false);
  (void)out;
  return 0;
}

static void lets_many_make_the_same_database(void) {
  for (int round = 0; round < 5; round++) {
    scratch_clear();
    child maker[8];
    for (int i = 0; i < 8; i++) maker[i] = start(make_it);
    for (int i = 0; i < 8; i++) expect(tell(maker[i].to));
    for (int i = 0; i < 8; i++) expect_equal(finish(&maker[i]), 0);
    tuff_connection connection;
    if (expect(open_scratch(&connection, "new.db")))
      expect_equal(query(&connection, "select count(*) from t"), 8);
    tuff_connection_close(&connection, false);
  }
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  install();
  scratch_begin();
  it("lets all through in the end", lets_all_through_in_the_end);
  it("goes on when one who waits is killed", goes_on_when_one_who_waits_is_killed);
  it("goes on when the writer is killed", goes_on_when_the_writer_is_killed);
  it("does not wait without a busy timeout", does_not_wait_without_a_busy_timeout);
  it("gives up after the busy timeout", gives_up_after_the_busy_timeout);
  it("gives up at the deadline of the transaction", gives_up_at_the_deadline);
  it("gives up after the timeout of the statement",
     gives_up_after_the_timeout_of_a_statement);
  it("gives up when it is interrupted", gives_up_when_it_is_interrupted);
  it("gives up also behind others in the queue", gives_up_in_the_queue);
  it("lets readers read beside a writer", lets_readers_read_beside_a_writer);
  it("lets many processes make the same database", lets_many_make_the_same_database);
  scratch_end();
  return tap_end();
}
