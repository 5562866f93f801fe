/* test_statement_cache.c: which statements a connection keeps, and that none is handed
 * out twice. */
#include "test/scratch.h"

static tuff_connection connection;

static void open_with(unsigned capacity) {
  tuff_connection_options own = scratch_own;
  own.statement_cache = capacity;
  tuff_error err = {.code = TUFF_OK};
  expect(open_path(&connection, ":memory:", &own, &err));
}

static void close_it(void) { tuff_connection_close(&connection, false); }

static tuff_statement *checkout(const char *sql) {
  tuff_error err = {.code = TUFF_OK};
  tuff_statement *statement =
      tuff_statement_checkout(&connection, sql, strlen(sql), &err);
  said(statement != NULL, sql, &err);
  return statement;
}

static void use(const char *sql) { tuff_statement_release(checkout(sql)); }

static bool is_cached(const char *sql) {
  size_t size = strlen(sql);
  return tuff_statement_cache_find(&connection.cache, sql, size,
                                   tuff_text_hash(sql, size)) != NULL;
}

/* How many statements the connection has in all. */
static unsigned count(void) {
  unsigned count = 0;
  for (tuff_statement *at = connection.statements; at; at = at->next) count++;
  return count;
}

/* The lists in both directions and the buckets agree on what is there. */
static void check_lists(void) {
  tuff_statement_cache *cache = &connection.cache;
  unsigned forwards = 0, backwards = 0, chained = 0;
  for (tuff_statement *at = cache->newest; at; at = at->older, forwards++)
    expect(at->cached && is_cached(at->source));
  for (tuff_statement *at = cache->oldest; at; at = at->newer) backwards++;
  for (size_t i = 0; i < TUFF_CACHE_BUCKETS; i++)
    for (tuff_statement *at = cache->bucket[i]; at; at = at->bucket_next) chained++;
  expect_equal(forwards, cache->count);
  expect_equal(backwards, cache->count);
  expect_equal(chained, cache->count);
  expect(cache->count <= cache->capacity);
}

static void gives_the_same_statement_again(void) {
  open_with(4);
  tuff_statement *first = checkout("select 1");
  tuff_statement_release(first);
  expect(checkout("select 1") == first);
  expect_equal(connection.counters.cache_hits, 1);
  tuff_statement_release(first);
  tuff_statement *other = checkout("select  1");
  expect(other != first);
  tuff_statement_release(other);
  expect_equal(connection.counters.cache_hits, 1);
  check_lists();
  close_it();
}

static void drops_the_least_recently_used(void) {
  open_with(3);
  use("select 1");
  use("select 2");
  use("select 3");
  use("select 1");
  use("select 4");
  expect(is_cached("select 1"));
  expect(!is_cached("select 2"));
  expect(is_cached("select 3"));
  expect(is_cached("select 4"));
  use("select 5");
  expect(!is_cached("select 3"));
  expect_equal(count(), 3);
  check_lists();
  close_it();
}

static void does_not_hand_one_out_twice(void) {
  open_with(4);
  tuff_statement *outer = checkout("select 1");
  tuff_statement *inner = checkout("select 1");
  tuff_statement *innermost = checkout("select 1");
  expect(outer && inner && innermost);
  expect(outer != inner && inner != innermost && outer != innermost);
  expect_equal(count(), 3);
  expect_equal(connection.cache.count, 1);
  tuff_statement_release(innermost);
  tuff_statement_release(inner);
  expect_equal(count(), 1);
  tuff_statement_release(outer);
  expect_equal(count(), 1);
  expect(checkout("select 1") == outer);
  tuff_statement_release(outer);
  check_lists();
  close_it();
}

static void keeps_what_is_released_first_usable(void) {
  open_with(4);
  tuff_statement *outer = checkout("select 1");
  tuff_statement *inner = checkout("select 1");
  tuff_statement_release(outer);
  expect(checkout("select 1") == outer);
  tuff_statement_release(inner);
  tuff_statement_release(outer);
  expect_equal(count(), 1);
  check_lists();
  close_it();
}

static void steps_in_itself(void) {
  static const char rows[] = "select 1 union all select 2 union all select 3";
  open_with(2);
  tuff_error err = {.code = TUFF_OK};
  int64_t sum = 0;
  tuff_statement *outer = checkout(rows);
  if (expect(outer && tuff_statement_start(outer, NULL, 0, &err))) {
    while (tuff_statement_step(outer, &err) == TUFF_ROW) {
      tuff_statement *inner = checkout(rows);
      if (!expect(inner && tuff_statement_start(inner, NULL, 0, &err))) break;
      while (tuff_statement_step(inner, &err) == TUFF_ROW)
        sum += outer->row[0].integer * inner->row[0].integer;
      tuff_statement_release(inner);
    }
  }
  tuff_statement_release(outer);
  expect_equal(sum, 36);
  check_lists();
  close_it();
}

static void keeps_none_with_a_capacity_of_0(void) {
  open_with(0);
  use("select 1");
  expect_equal(count(), 0);
  tuff_statement *outer = checkout("select 1"), *inner = checkout("select 1");
  expect(outer != inner);
  tuff_statement_release(outer);
  tuff_statement_release(inner);
  expect_equal(count(), 0);
  expect_equal(connection.counters.cache_hits, 0);
  check_lists();
  close_it();
}

static void keeps_one_with_a_capacity_of_1(void) {
  open_with(1);
  use("select 1");
  use("select 2");
  expect(!is_cached("select 1"));
  expect(is_cached("select 2"));
  expect_equal(count(), 1);
  tuff_statement *busy = checkout("select 2");
  use("select 3");
  expect(is_cached("select 2"));
  expect(!is_cached("select 3"));
  expect_equal(count(), 1);
  tuff_statement_release(busy);
  use("select 3");
  expect(!is_cached("select 2"));
  expect(is_cached("select 3"));
  check_lists();
  close_it();
}

static void keeps_busy_ones(void) {
  open_with(2);
  tuff_statement *one = checkout("select 1"), *two = checkout("select 2");
  tuff_statement *three = checkout("select 3");
  expect(is_cached("select 1") && is_cached("select 2") && !is_cached("select 3"));
  tuff_statement_release(two);
  tuff_statement *four = checkout("select 4");
  expect(is_cached("select 1") && !is_cached("select 2") && is_cached("select 4"));
  tuff_statement_release(one);
  tuff_statement_release(three);
  tuff_statement_release(four);
  expect_equal(count(), 2);
  check_lists();
  close_it();
}

/* What they know of their parameters' columns may have changed with it. */
static void prepares_again_after_a_change_of_tables(void) {
  open_with(8);
  expect(run(&connection, "create table t(x decimal integer(10,2))"));
  static const char insert[] = "insert into t values (?)";
  tuff_value value = {.kind = TUFF_TEXT, .bytes = "1.50", .size = 4};
  tuff_error err = {.code = TUFF_OK};
  expect_equal(run_with(&connection, insert, &value, 1, &err), 1);
  tuff_statement *busy = checkout("select 1");
  expect(exec(&connection, "drop table t; create table t(x text)"));
  tuff_statement_release(busy);
  check_lists();
  expect_equal(run_with(&connection, insert, &value, 1, &err), 1);
  expect_equal(query(&connection, "select x = '1.50' from t"), 1);
  check_lists();
  close_it();
}

static void forgets_values_when_it_is_released(void) {
  open_with(2);
  tuff_error err = {.code = TUFF_OK};
  char bytes[] = "borrowed";
  tuff_value value = {.kind = TUFF_TEXT, .bytes = bytes, .size = 8};
  tuff_statement *statement = checkout("select ?");
  if (expect(statement && tuff_statement_start(statement, &value, 1, &err)))
    expect_equal(tuff_statement_step(statement, &err), TUFF_ROW);
  tuff_statement_release(statement);
  memset(bytes, 'x', sizeof bytes);
  statement = checkout("select ?");
  tuff_value none = {.kind = TUFF_NULL};
  if (expect(statement && tuff_statement_start(statement, &none, 1, &err))) {
    expect_equal(tuff_statement_step(statement, &err), TUFF_ROW);
    expect_equal(statement->row[0].kind, TUFF_NULL);
  }
  tuff_statement_release(statement);
  close_it();
}

static void survives_random_use(void) {
  enum { TEXTS = 40, HELD = 8 };
  open_with(8);
  tuff_statement *held[HELD] = {NULL};
  uint32_t state = 7;
  for (int round = tap_times(100000); round > 0 && !tap.wrong; round--) {
    state = state * 1664525 + 1013904223;
    unsigned slot = state >> 8 & (HELD - 1);
    if (held[slot]) {
      tuff_statement_release(held[slot]);
      held[slot] = NULL;
    } else {
      char sql[32];
      snprintf(sql, sizeof sql, "select %u", (state >> 16) % TEXTS);
      held[slot] = checkout(sql);
      if (!expect(held[slot] != NULL)) break;
      expect(strcmp(held[slot]->source, sql) == 0);
      for (unsigned i = 0; i < HELD; i++) expect(i == slot || held[i] != held[slot]);
    }
    if (round % 64 == 0) check_lists();
  }
  for (unsigned i = 0; i < HELD; i++) tuff_statement_release(held[i]);
  expect(count() <= 8);
  check_lists();
  close_it();
}

static void leaves_no_memory_behind(void) { expect_equal(tuff_alloc_blocks(), 0); }

int main(void) {
  it("gives the same statement again", gives_the_same_statement_again);
  it("drops the least recently used", drops_the_least_recently_used);
  it("does not hand one out twice", does_not_hand_one_out_twice);
  it("keeps the first usable when it is released before the second",
     keeps_what_is_released_first_usable);
  it("lets a statement run nested in itself", steps_in_itself);
  it("keeps none with a capacity of 0", keeps_none_with_a_capacity_of_0);
  it("keeps one with a capacity of 1", keeps_one_with_a_capacity_of_1);
  it("keeps those that are busy", keeps_busy_ones);
  it("prepares again after a change of tables",
     prepares_again_after_a_change_of_tables);
  it("forgets values when a statement is released", forgets_values_when_it_is_released);
  it("survives random use", survives_random_use);
  it("leaves no memory behind", leaves_no_memory_behind);
  return tap_end();
}
