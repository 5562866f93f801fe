/* test_insertion.c: many rows arrive, whichever way they go, before anything else that
 * is run after them; and an error is that of the first row that has one. */
#include "test/bulk.h"

static tuff_connection connection;
static tuff_statement *statement;
static uint64_t level;

static const tuff_insertion_ways *const all_ways[] = {&bulk_by_copy, &bulk_by_batch};

/* With rows from number 1 on. */
static tuff_insertion *begin_with(const char *sql, const tuff_insertion_ways *ways) {
  tuff_error err = {.code = TUFF_OK};
  scratch_clear();
  if (!expect(open_scratch(&connection, "a.db"))) return NULL;
  bulk_give_to(&connection);
  expect(exec(&connection, "create table t(id integer primary key, text text)"));
  level = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
  statement = tuff_statement_checkout(&connection, sql, strlen(sql), &err);
  if (!said(statement && tuff_insertion_begin(statement, ways, 1, &err), sql, &err))
    return NULL;
  return statement->insertion;
}

static tuff_insertion *begin(const tuff_insertion_ways *ways) {
  return begin_with(bulk_one, ways);
}

static void end(void) {
  tuff_error err = {.code = TUFF_OK};
  tuff_statement_release(statement);
  tuff_transaction_rollback(&connection, level, &err);
  tuff_connection_close(&connection, false);
  expect_equal(tuff_alloc_blocks(), 0);
}

static bool add(tuff_insertion *insertion, int64_t id, const char *text,
                tuff_error *err) {
  char copy[64]; /* is gone afterwards */
  snprintf(copy, sizeof copy, "%s", text);
  tuff_value row[] = {{.kind = TUFF_INTEGER, .integer = id},
                      {.kind = TUFF_TEXT, .bytes = copy, .size = strlen(copy)}};
  bool added = tuff_insertion_add(insertion, row, err);
  memset(copy, '#', sizeof copy);
  return added;
}

/* Rows from this number to that one, each with its number as id and as text. */
static bool add_rows(tuff_insertion *insertion, int64_t from, int64_t to,
                     tuff_error *err) {
  for (int64_t id = from; id <= to; id++) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)id);
    if (!add(insertion, id, text, err)) return false;
  }
  return true;
}

static int64_t count(void) {
  return query(&connection, "select count(*) from t where text = cast(id as text)");
}

static void brings_all_rows_into_the_table(void) {
  static const int64_t counts[] = {0, 1, 3, 4, 5, 999, 1000, 1001, 2500};
  for (size_t way = 0; way < 2; way++) {
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
      tuff_error err = {.code = TUFF_OK};
      tuff_insertion *insertion = begin(all_ways[way]);
      expect(add_rows(insertion, 1, counts[i], &err));
      expect(said(tuff_insertion_finish(insertion, &err), "finish", &err));
      expect_equal(insertion->changed, counts[i]);
      expect_equal(count(), counts[i]);
      expect_equal(bulk_begun, way == 0 && counts[i] >= 4);
      end();
    }
  }
}

/* Whatever is sent meanwhile sees the rows before it. */
static void lets_others_see_what_was_given(void) {
  for (size_t way = 0; way < 2; way++) {
    tuff_error err = {.code = TUFF_OK};
    tuff_insertion *insertion = begin(all_ways[way]);
    for (int64_t id = 1; id <= 1200; id++) {
      expect(add_rows(insertion, id, id, &err));
      if (id < 8 || id % 300 < 6) expect_equal(count(), id);
      if (id % 300 == 7) {
        uint64_t inner = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
        expect_equal(count(), id);
        expect(tuff_transaction_rollback(&connection, inner, &err));
        expect_equal(count(), id);
      }
    }
    expect(tuff_insertion_finish(insertion, &err));
    expect_equal(insertion->changed, 1200);
    end();
  }
}

static void is_undone_with_its_transaction(void) {
  for (size_t way = 0; way < 2; way++) {
    tuff_error err = {.code = TUFF_OK};
    tuff_insertion *insertion = begin(all_ways[way]);
    expect(add_rows(insertion, 1, 1500, &err));
    expect(tuff_transaction_rollback(&connection, level, &err));
    expect_equal(bulk_finished, 0);
    expect_equal(count(), 0);
    end();
    insertion = begin(all_ways[way]);
    expect(add_rows(insertion, 1, 1500, &err));
    tuff_statement_release(statement); /* in the middle of it */
    expect(connection.insertion == NULL);
    statement = NULL;
    end();
  }
}

/* The number of the row that failed. */
static int64_t failed_row(const tuff_insertion_ways *ways, int64_t bad,
                          const char *text, int64_t rows, tuff_code code) {
  tuff_error err = {.code = TUFF_OK};
  tuff_insertion *insertion = begin(ways);
  bool good = true;
  for (int64_t id = 1; good && id <= rows; id++)
    good = id == bad ? add(insertion, text ? id : 1, text ? text : "twice", &err)
                     : add_rows(insertion, id, id, &err);
  good = good && tuff_insertion_finish(insertion, &err);
  expect(!good);
  expect_equal(err.code, code);
  /* It stays so. */
  tuff_error again = {.code = TUFF_OK};
  expect(!tuff_insertion_finish(insertion, &again));
  expect_equal(again.row, err.row);
  again.code = TUFF_OK;
  expect(!add_rows(insertion, 9999, 9999, &again));
  end();
  return err.row;
}

static void tells_which_row_has_failed(void) {
  static const int64_t numbers[] = {2, 3, 4, 5, 70, 1000, 1001, 1700};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    int64_t bad = numbers[i];
    expect_equal(failed_row(&bulk_by_batch, bad, NULL, 2500, TUFF_CONSTRAINT), bad);
    expect_equal(failed_row(&bulk_by_batch, bad, NULL, bad, TUFF_CONSTRAINT), bad);
    expect_equal(failed_row(&bulk_by_copy, bad, NULL, bad, TUFF_CONSTRAINT), bad);
    expect_equal(failed_row(&bulk_by_copy, bad, NULL, 2500, TUFF_CONSTRAINT), bad);
    if (bad < 4) continue; /* these two fail in the bulk load alone */
    expect_equal(failed_row(&bulk_by_copy, bad, "?", 2500, TUFF_CONSTRAINT), bad);
    expect_equal(failed_row(&bulk_by_copy, bad, "!", 2500, TUFF_TYPE), bad);
  }
}

static void raises_the_first_error_first(void) {
  tuff_error err = {.code = TUFF_OK};
  tuff_insertion *insertion = begin(&bulk_by_copy);
  expect(add_rows(insertion, 1, 20, &err));
  expect(add(insertion, 21, "?", &err));
  expect(add_rows(insertion, 22, 30, &err));
  expect(!add(insertion, 31, "!", &err));
  expect_equal(err.code, TUFF_CONSTRAINT);
  expect_equal(err.row, 21);
  end();
  /* Whoever settles it is told, and so is the insertion. */
  err.code = TUFF_OK;
  insertion = begin(&bulk_by_copy);
  expect(add_rows(insertion, 1, 20, &err));
  expect(add(insertion, 21, "?", &err));
  expect_equal(code_of_run(&connection, "select 1"), TUFF_CONSTRAINT);
  expect_equal(code_of_run(&connection, "select 1"), TUFF_OK);
  expect(!add_rows(insertion, 22, 22, &err));
  expect_equal(err.row, 21);
  end();
}

static void keeps_the_last_of_equal_rows(void) {
  tuff_error err = {.code = TUFF_OK};
  tuff_insertion_ways ways = {.batch = bulk_batch};
  tuff_insertion *insertion = begin_with(
      "insert into t(id, text) values (?, ?) on conflict do update set text = "
      "excluded.text || '!' returning id, text",
      &ways);
  expect(add_rows(insertion, 1, 500, &err));
  expect(add(insertion, 7, "last", &err));
  expect(add_rows(insertion, 501, 600, &err));
  expect(said(tuff_insertion_finish(insertion, &err), "finish", &err));
  expect_equal(insertion->changed, 601);
  expect_equal(query(&connection, "select count(*) from t"), 600);
  expect_equal(query(&connection, "select text = 'last!' from t where id = 7"), 1);
  /* In the order of the input. */
  const tuff_value *row;
  int64_t number = 0;
  while ((row = tuff_insertion_result(insertion)) != NULL) {
    number++;
    int64_t id = number == 501 ? 7 : number > 501 ? number - 1 : number;
    if (!expect_equal(row[0].integer, id)) break;
  }
  expect_equal(number, 601);
  end();
}

static void returns_what_came_of_arrays(void) {
  tuff_error err = {.code = TUFF_OK};
  tuff_insertion_ways ways = {
      .batch = "insert into t(id, text) select a.value, b.value from tuff_array(?) a "
               "join tuff_array(?) b on b.rowid = a.rowid where true "
               "on conflict do nothing returning id, text"};
  tuff_insertion *insertion = begin_with(
      "insert into t(id, text) values (?, ?) on conflict do nothing returning id, text",
      &ways);
  int64_t number = 0;
  expect(add_rows(insertion, 1, 1100, &err) && add_rows(insertion, 1, 1300, &err));
  expect(said(tuff_insertion_finish(insertion, &err), "finish", &err));
  expect_equal(insertion->changed, 1300);
  for (const tuff_value *row; (row = tuff_insertion_result(insertion)) != NULL;) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)++number);
    if (!expect_equal(row[0].integer, number)) break;
    expect_text(row[1].bytes, row[1].size, text);
  }
  expect_equal(number, 1300);
  end();
}

/* Large rows do not wait for others. */
static void does_not_wait_for_many_large_rows(void) {
  enum { LARGE = 1 << 21 };
  char *bytes = malloc(LARGE);
  memset(bytes, 'a', LARGE);
  for (size_t way = 0; way < 2; way++) {
    tuff_error err = {.code = TUFF_OK};
    tuff_insertion *insertion = begin(all_ways[way]);
    for (int64_t id = 1; id <= 5; id++) {
      tuff_value row[] = {{.kind = TUFF_INTEGER, .integer = id},
                          {.kind = TUFF_TEXT, .bytes = bytes, .size = LARGE}};
      expect(tuff_insertion_add(insertion, row, &err));
      expect_equal(insertion->count, 0);
    }
    expect(tuff_insertion_finish(insertion, &err));
    expect_equal(query(&connection, "select sum(length(text)) from t"), 5 * LARGE);
    end();
  }
  free(bytes);
}

static void stops_where_it_may_not_write(void) {
  for (size_t way = 0; way < 2; way++) {
    tuff_error err = {.code = TUFF_OK};
    tuff_insertion *insertion = begin(all_ways[way]);
    uint64_t inner = tuff_transaction_begin(&connection, TUFF_READ, 0, &err);
    bool good = add_rows(insertion, 1, 1500, &err);
    expect(!good || !tuff_insertion_finish(insertion, &err));
    expect_equal(err.code, TUFF_READONLY);
    err.code = TUFF_OK;
    expect(tuff_transaction_rollback(&connection, inner, &err));
    expect_equal(count(), 0);
    end();
  }
}

int main(void) {
  scratch_begin();
  it("brings all rows into the table", brings_all_rows_into_the_table);
  it("lets others see what was given", lets_others_see_what_was_given);
  it("is undone with its transaction", is_undone_with_its_transaction);
  it("tells which row has failed", tells_which_row_has_failed);
  it("raises the first error first", raises_the_first_error_first);
  it("keeps the last of equal rows", keeps_the_last_of_equal_rows);
  it("returns what came of arrays", returns_what_came_of_arrays);
  it("does not wait for many large rows", does_not_wait_for_many_large_rows);
  it("stops where it may not write", stops_where_it_may_not_write);
  scratch_end();
  return tap_end();
}
