/* test_thread.c: several threads, each with a connection of its own to one file, as
 * several Lua states of one program have them. Meant for ThreadSanitizer. */
#include <pthread.h>

#include "test/scratch.h"

enum { THREADS = 8, TRANSACTIONS = 200 };

typedef struct worker {
  pthread_t thread;
  bool (*work)(struct worker *worker);
  tuff_connection connection;
  tuff_error err;
  int number;
  bool done;
} worker;

static worker workers[THREADS];
static pthread_barrier_t start;

static void *run_worker(void *context) {
  worker *worker = context;
  pthread_barrier_wait(&start);
  worker->done = worker->work(worker);
  return NULL;
}

/* All at once; each one that failed is said. */
static void run_all(bool (*work)(worker *worker)) {
  pthread_barrier_init(&start, NULL, THREADS);
  for (int i = 0; i < THREADS; i++) {
    memset(&workers[i], 0, sizeof workers[i]);
    workers[i].number = i;
    workers[i].work = work;
    if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0) abort();
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    expect(said(workers[i].done, "a thread", &workers[i].err));
  }
  pthread_barrier_destroy(&start);
}

static char path[512];

static bool prepare(const char *script) {
  tuff_connection connection;
  scratch_clear();
  snprintf(path, sizeof path, "%s", scratch_path("a.db"));
  bool made = open_scratch(&connection, "a.db") && exec(&connection, script);
  tuff_connection_close(&connection, false);
  return made;
}

static int64_t ask(const char *sql) {
  tuff_connection connection;
  int64_t answer = open_scratch(&connection, "a.db") ? query(&connection, sql) : -1;
  tuff_connection_close(&connection, false);
  return answer;
}

/* ---- transactions ---- */

/* Reads, then writes what follows from it: a lost update would show in the sum. */
static bool increment_once(worker *worker) {
  static const char read[] = "select x from counter";
  tuff_connection *connection = &worker->connection;
  tuff_error *err = &worker->err;
  uint64_t serial = tuff_transaction_begin(connection, TUFF_WRITE, 0, err);
  tuff_statement *statement =
      serial ? tuff_statement_checkout(connection, read, strlen(read), err) : NULL;
  tuff_value next = {.kind = TUFF_INTEGER};
  bool seen = statement && tuff_statement_start(statement, NULL, 0, err) &&
              tuff_statement_step(statement, err) == TUFF_ROW;
  if (seen) next.integer = statement->row[0].integer + 1;
  tuff_statement_release(statement);
  return seen && run_with(connection, "update counter set x = ?", &next, 1, err) == 1 &&
         tuff_transaction_commit(connection, serial, err);
}

static bool increment(worker *worker) {
  bool done = open_path(&worker->connection, path, &scratch_own, &worker->err);
  for (int i = 0; done && i < TRANSACTIONS; i++) done = increment_once(worker);
  tuff_connection_close(&worker->connection, false);
  return done;
}

static void counts_exactly(void) {
  if (!expect(prepare("create table counter(x); insert into counter values (0)")))
    return;
  run_all(increment);
  expect_equal(ask("select x from counter"), THREADS * TRANSACTIONS);
}

/* ---- rows of many sizes, so that the log grows and is checkpointed ---- */

static bool insert_much(worker *worker) {
  static char bytes[100000];
  tuff_connection *connection = &worker->connection;
  bool done = open_path(connection, path, &scratch_own, &worker->err);
  for (int i = 0; done && i < 40; i++) {
    tuff_value values[] = {
        {.kind = TUFF_INTEGER, .integer = worker->number},
        {.kind = TUFF_BLOB, .bytes = bytes, .size = (size_t)(i * 2500)}};
    done = run_with(connection, "insert into t values (?, ?)", values, 2,
                    &worker->err) == 1;
  }
  tuff_connection_close(connection, false);
  return done;
}

static void keeps_all_rows_while_the_log_is_moved(void) {
  if (!expect(prepare("create table t(thread, bytes)"))) return;
  run_all(insert_much);
  expect_equal(ask("select count(*) from t"), THREADS * 40);
  expect_equal(ask("select count(distinct thread) from t"), THREADS);
  expect_equal(ask("select sum(length(bytes)) from t"), THREADS * 2500 * 39 * 40 / 2);
}

/* ---- opening and closing ---- */

static bool open_often(worker *worker) {
  for (int i = 0; i < 20; i++) {
    if (!open_path(&worker->connection, path, &scratch_own, &worker->err)) return false;
    bool done = try_run(&worker->connection, "insert into t values (1)", &worker->err);
    tuff_connection_close(&worker->connection, i % 2 == 0);
    if (!done) return false;
  }
  return true;
}

static void opens_and_closes(void) {
  if (!expect(prepare("create table t(x)"))) return;
  run_all(open_often);
  expect_equal(ask("select count(*) from t"), THREADS * 20);
}

static bool make_it(worker *worker) {
  tuff_connection *connection = &worker->connection;
  bool done =
      open_path(connection, path, &scratch_own, &worker->err) &&
      try_exec(connection, "create table if not exists t(x); insert into t values (1)",
               &worker->err);
  tuff_connection_close(connection, false);
  return done;
}

static void makes_a_new_database(void) {
  scratch_clear();
  snprintf(path, sizeof path, "%s", scratch_path("a.db"));
  run_all(make_it);
  expect_equal(ask("select count(*) from t"), THREADS);
}

/* ---- one connection, interrupted by another thread ---- */

static bool wanted;

static bool is_wanted(void *context) {
  (void)context;
  return __atomic_load_n(&wanted, __ATOMIC_ACQUIRE);
}

/* The first thread runs what never ends, until one of the others wants it to. */
static bool run_or_interrupt(worker *worker) {
  pthread_barrier_wait(&start);
  if (worker->number != 0) {
    __atomic_store_n(&wanted, true, __ATOMIC_RELEASE);
    return true;
  }
  tuff_connection *running = &worker->connection;
  bool done = open_path(running, ":memory:", &scratch_own, &worker->err);
  running->watch.interrupted = is_wanted;
  done = done &&
         !try_run(running,
                  "with recursive n(x) as (select 1 union all select x + 1 from n) "
                  "select count(*) from n",
                  &worker->err) &&
         worker->err.code == TUFF_INTERRUPTED;
  tuff_connection_close(running, false);
  return done;
}

static void is_interrupted_by_another_thread(void) { run_all(run_or_interrupt); }

static void leaves_no_memory_behind(void) { expect_equal(tuff_alloc_blocks(), 0); }

int main(void) {
  scratch_begin();
  it("counts exactly in 200 transactions of each of 8 threads", counts_exactly);
  it("keeps all rows while the log is moved", keeps_all_rows_while_the_log_is_moved);
  it("opens and closes in all threads at once", opens_and_closes);
  it("makes a new database from all threads at once", makes_a_new_database);
  it("is interrupted by another thread", is_interrupted_by_another_thread);
  it("leaves no memory behind", leaves_no_memory_behind);
  scratch_end();
  return tap_end();
}
