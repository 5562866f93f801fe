/* test_io.c: the n-th call on a file fails, for every n until the work passes, once and
 * from then on. What was acknowledged is there afterwards, what failed is not, unless
 * the error said that nobody knows; nothing is halved, and nothing is left open. */
#include "test/faults.h"
#include "test/scratch.h"

enum { TRANSACTIONS = 6 };

typedef enum fate { NOT_TRIED, ACKNOWLEDGED, FAILED, UNKNOWN } fate;

static struct {
  bool delete_journal;
  const fault *fault;
} tried;

static tuff_connection connection;
static fate fates[TRANSACTIONS + 1];

/* ---- the work ---- */

static bool open_with_journal(tuff_error *err) {
  const char *path = scratch_path("io.db");
  tuff_options options = {.path = path,
                          .path_size = strlen(path),
                          .create = true,
                          .delete_journal = tried.delete_journal,
                          .page_size = 512,
                          .cache_bytes = 16384};
  static const tuff_connection_options own = {.busy_us = 2000, .statement_cache = 4};
  memset(&connection, 0, sizeof connection);
  return tuff_connection_open(&connection, tuff_sqlite_driver(tuff_host_get()),
                              &options, &own, err);
}

/* Two rows that belong together, and so many bytes that the cache overflows. */
static bool write_pair(unsigned k, tuff_error *err) {
  char sql[160];
  uint64_t serial = tuff_transaction_begin(&connection, TUFF_WRITE, 0, err);
  if (!serial) return false;
  for (int half = 0; half < 2; half++) {
    snprintf(sql, sizeof sql,
             "insert into pairs select %u, %d, zeroblob(%u) union all select %u, %d, 0",
             k, half, k == 3 ? 40000 : 700, k, half + 2);
    if (!try_run(&connection, sql, err)) {
      tuff_transaction_rollback(&connection, serial, NULL);
      return false;
    }
  }
  return tuff_transaction_commit(&connection, serial, err);
}

static bool write_alone(unsigned k, tuff_error *err) {
  char sql[160];
  snprintf(sql, sizeof sql,
           "insert into pairs values (%u, 0, 0), (%u, 1, 0), (%u, 2, 0), (%u, 3, 0)", k,
           k, k, k);
  return try_run(&connection, sql, err);
}

static fate fate_of(bool done, const tuff_error *err) {
  if (done) return ACKNOWLEDGED;
  expect(err->code != TUFF_OK && err->code != TUFF_MISUSE);
  return err->unknown ? UNKNOWN : FAILED;
}

static void work(void) {
  tuff_error err = {.code = TUFF_OK};
  memset(fates, 0, sizeof fates);
  if (open_with_journal(&err)) {
    bool made = try_exec(&connection,
                         "create table if not exists pairs(k, half, bytes);"
                         "create index if not exists by_k on pairs(k)",
                         &err);
    fates[0] = fate_of(made, &err);
    for (unsigned k = 1; made && k <= TRANSACTIONS; k++) {
      err.code = TUFF_OK;
      bool done = k % 2 ? write_pair(k, &err) : write_alone(k, &err);
      fates[k] = fate_of(done, &err);
      /* It goes on after any failure. */
      expect(!tuff_connection_in_transaction(&connection));
    }
  }
  tuff_connection_close(&connection, false);
}

/* ---- what is left of it ---- */

static void check_pair(unsigned k) {
  char sql[80];
  snprintf(sql, sizeof sql, "select count(*) from pairs where k = %u", k);
  int64_t rows = query(&connection, sql);
  expect(rows == 0 || rows == 4);
  if (fates[k] == ACKNOWLEDGED) expect_equal(rows, 4);
  if (fates[k] == FAILED || fates[k] == NOT_TRIED) expect_equal(rows, 0);
}

static void check(void) {
  tuff_error err = {.code = TUFF_OK};
  if (!expect(said(open_with_journal(&err), "opening afterwards", &err))) return;
  expect_equal(query(&connection, "select count(*) from pragma_integrity_check "
                                  "where integrity_check <> 'ok'"),
               0);
  bool made = query(&connection, "select count(*) from sqlite_schema "
                                 "where name = 'pairs'") == 1;
  expect(made || fates[0] != ACKNOWLEDGED);
  for (unsigned k = 1; made && k <= TRANSACTIONS; k++) check_pair(k);
  tuff_connection_close(&connection, false);
}

static void survives(void) {
  int files = open_files();
  long stride = every(7);
  for (long n = 1;; n += stride) {
    scratch_clear();
    long blocks = tuff_alloc_blocks();
    int wrong = tap.wrong;
    disk_fail(tried.fault->kind, n, tried.fault->more);
    work();
    long failed = disk_failed();
    disk_fail(tried.fault->kind, 0, 0);
    check();
    expect_equal(tuff_alloc_blocks(), blocks);
    expect_equal(open_files(), files);
    if (tap.wrong > wrong) say("where the %ld. call failed", n);
    if (failed == 0) {
      for (unsigned k = 0; k <= TRANSACTIONS; k++) expect_equal(fates[k], ACKNOWLEDGED);
      expect(n > 30); /* or the calls did not come by us */
      return;
    }
  }
}

int main(void) {
  scratch_begin();
  disk_watch(scratch);
  for (size_t i = 0; i < 2 * FAULTS; i++) {
    char sentence[128];
    tried.fault = &faults[i / 2];
    tried.delete_journal = i % 2;
    snprintf(sentence, sizeof sentence, "survives %s, with %s", faults[i / 2].name,
             i % 2 ? "a rollback journal" : "a write-ahead log");
    it(sentence, survives);
  }
  scratch_end();
  return tap_end();
}
