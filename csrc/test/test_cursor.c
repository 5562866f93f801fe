/* test_cursor.c: open loops see the rows as they were when they began, whatever is
 * written meanwhile, and end when what they read from ends. */
#include "test/scratch.h"

static tuff_connection connection;

enum { ROWS = 1000 };

static const char all[] = "select id, text from t order by id";

/* t holds ROWS rows, each with a text as long as its number. */
static void begin(void) {
  scratch_clear();
  if (!expect(open_scratch(&connection, "a.db"))) return;
  expect(exec(&connection,
              "create table t(id integer primary key, text text);"
              "with recursive n(x) as (select 1 union all select x + 1 from n limit "
              "1000) insert into t select x, printf('%.*c', x, 'a') from n"));
}

static void end(void) { tuff_connection_close(&connection, false); }

static bool open_cursor(tuff_cursor *cursor, const char *sql, const tuff_value *values,
                        unsigned count) {
  tuff_error err = {.code = TUFF_OK};
  memset(cursor, 0, sizeof *cursor);
  tuff_statement *statement =
      tuff_statement_checkout(&connection, sql, strlen(sql), &err);
  return said(statement && tuff_cursor_open(cursor, statement, values, count, &err),
              sql, &err);
}

/* Whether the current row is this one, as it was written at first. */
static bool is_row(const tuff_cursor *cursor, int64_t id) {
  const tuff_value *row = cursor->row;
  if (row[0].kind != TUFF_INTEGER || row[0].integer != id || row[1].kind != TUFF_TEXT ||
      row[1].size != (size_t)id)
    return false;
  for (size_t i = 0; i < row[1].size; i++)
    if (row[1].bytes[i] != 'a') return false;
  return true;
}

/* Reads the rows up to and including `last`. */
static bool read_to(tuff_cursor *cursor, int64_t *id, int64_t last) {
  tuff_error err = {.code = TUFF_OK};
  while (*id < last) {
    if (tuff_cursor_step(cursor, &err) != TUFF_ROW)
      return said(false, "a row is missing", &err);
    if (!is_row(cursor, ++*id)) {
      say("row %lld is another: %lld", (long long)*id,
          (long long)cursor->row[0].integer);
      return false;
    }
  }
  return true;
}

static bool is_at_its_end(tuff_cursor *cursor) {
  tuff_error err = {.code = TUFF_OK};
  for (int i = 0; i < 3; i++)
    if (tuff_cursor_step(cursor, &err) != TUFF_DONE) return false;
  return cursor->connection == NULL;
}

static void reads_all_rows_in_order(void) {
  begin();
  tuff_cursor cursor;
  int64_t id = 0;
  if (expect(open_cursor(&cursor, all, NULL, 0))) {
    expect(read_to(&cursor, &id, ROWS));
    expect(is_at_its_end(&cursor));
  }
  if (expect(open_cursor(&cursor, "select id from t where id < 0", NULL, 0)))
    expect(is_at_its_end(&cursor));
  tuff_cursor_close(&cursor, NULL);
  expect(connection.cursors == NULL && connection.settled == NULL);
  end();
}

static void sees_no_write_of_its_body(void) {
  begin();
  tuff_cursor cursor;
  int64_t id = 0;
  if (expect(open_cursor(&cursor, all, NULL, 0))) {
    expect(read_to(&cursor, &id, 10));
    expect(run(&connection, "update t set id = id + 5000, text = 'b'"));
    expect(connection.cursors == NULL && connection.settled == &cursor);
    expect(read_to(&cursor, &id, 20));
    expect(run(&connection, "delete from t"));
    expect(run(&connection, "drop table t"));
    expect(read_to(&cursor, &id, ROWS));
    expect(is_at_its_end(&cursor));
  }
  end();
}

static void gives_the_first_row_also_after_a_write(void) {
  begin();
  tuff_cursor cursor;
  int64_t id = 0;
  if (expect(open_cursor(&cursor, all, NULL, 0))) {
    expect(run(&connection, "delete from t"));
    expect(read_to(&cursor, &id, ROWS));
    expect(is_at_its_end(&cursor));
  }
  end();
}

static void keeps_several_loops_apart(void) {
  begin();
  enum { CURSORS = 4 };
  tuff_cursor cursor[CURSORS];
  int64_t id[CURSORS] = {0};
  for (int i = 0; i < CURSORS; i++) {
    int64_t some = i * INT64_C(100);
    expect(open_cursor(&cursor[i], all, NULL, 0));
    expect(read_to(&cursor[i], &id[i], some));
  }
  expect(run(&connection, "update t set text = 'b'"));
  for (int i = 0; i < CURSORS; i++) expect(read_to(&cursor[i], &id[i], 500));
  tuff_cursor_close(&cursor[1], NULL);
  tuff_cursor_close(&cursor[1], "twice");
  for (int i = 0; i < CURSORS; i++)
    if (i != 1) expect(read_to(&cursor[i], &id[i], ROWS) && is_at_its_end(&cursor[i]));
  expect(connection.settled == NULL);
  end();
}

/* What was read ahead comes before what was not. */
static void loses_no_row_when_only_some_are_read_ahead(void) {
  begin();
  tuff_cursor cursor;
  tuff_error err = {.code = TUFF_OK};
  int64_t id = 0;
  if (expect(open_cursor(&cursor, all, NULL, 0))) {
    expect(tuff_cursors_settle(&connection, 5, &err));
    expect(tuff_cursors_settle(&connection, 3, &err));
    expect(read_to(&cursor, &id, 10));
    expect(tuff_cursors_settle(&connection, 20, &err));
    expect(connection.cursors == &cursor);
    expect(read_to(&cursor, &id, 15));
    expect(tuff_cursors_settle(&connection, 100, &err));
    expect(read_to(&cursor, &id, 500));
    expect(run(&connection, "delete from t"));
    expect(read_to(&cursor, &id, ROWS));
    expect(is_at_its_end(&cursor));
  }
  tuff_cursor_close(&cursor, NULL);
  end();
}

static void reads_ahead_no_more_than_its_budget(void) {
  begin();
  tuff_cursor cursor;
  tuff_error err = {.code = TUFF_OK};
  if (expect(open_cursor(&cursor, all, NULL, 0))) {
    uint64_t before = cursor.statement->rows;
    expect(tuff_cursors_settle(&connection, 20, &err));
    expect(cursor.statement && cursor.statement->rows <= before + 20);
    expect(tuff_cursors_settle(&connection, UINT64_MAX, &err));
    expect(connection.cursors == NULL);
  }
  tuff_cursor_close(&cursor, NULL);
  end();
}

static void copies_its_arguments(void) {
  begin();
  tuff_value items[] = {{.kind = TUFF_INTEGER, .integer = 3},
                        {.kind = TUFF_TEXT, .bytes = "aaaa", .size = 4},
                        {.kind = TUFF_INTEGER, .integer = 5}};
  tuff_value values[] = {{.kind = TUFF_ARRAY, .items = items, .size = 3},
                         {.kind = TUFF_ARRAY, .items = items, .size = 3},
                         {.kind = TUFF_TEXT, .bytes = "a", .size = 1}};
  tuff_cursor cursor;
  tuff_error err = {.code = TUFF_OK};
  if (expect(open_cursor(
          &cursor,
          "select id, text from t where id in ? or text in ? or text = ? order by id",
          values, 3))) {
    memset(items, 0x55, sizeof items);
    memset(values, 0x55, sizeof values);
    static const int64_t ids[] = {1, 3, 4, 5};
    for (size_t i = 0; i < 4; i++) {
      if (i == 2) expect(run(&connection, "delete from t"));
      if (expect_equal(tuff_cursor_step(&cursor, &err), TUFF_ROW))
        expect(is_row(&cursor, ids[i]));
    }
    expect(is_at_its_end(&cursor));
  }
  end();
}

static void ends_with_the_transaction_it_began_in(void) {
  begin();
  tuff_cursor before, within, nested;
  tuff_error err = {.code = TUFF_OK};
  int64_t id = 0;
  expect(open_cursor(&before, all, NULL, 0));
  uint64_t outer = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
  expect(open_cursor(&within, all, NULL, 0));
  uint64_t inner = tuff_transaction_begin(&connection, TUFF_WRITE, 0, &err);
  expect(open_cursor(&nested, all, NULL, 0));
  expect(outer && inner);
  expect(tuff_transaction_rollback(&connection, inner, &err));
  expect_equal(tuff_cursor_step(&nested, &err), TUFF_FAILED);
  expect_equal(err.code, TUFF_CLOSED);
  err.code = TUFF_OK;
  expect(read_to(&within, &id, 100));
  expect(tuff_transaction_commit(&connection, outer, &err));
  expect_equal(tuff_cursor_step(&within, &err), TUFF_FAILED);
  expect_equal(err.code, TUFF_CLOSED);
  id = 0;
  expect(read_to(&before, &id, ROWS));
  expect(is_at_its_end(&before));
  end();
}

static void runs_a_writing_statement_to_its_end(void) {
  begin();
  tuff_cursor cursor;
  tuff_error err = {.code = TUFF_OK};
  if (expect(open_cursor(&cursor, "delete from t where id <= 5 returning id, text",
                         NULL, 0))) {
    expect(tuff_cursor_complete(&cursor, &err));
    expect(!tuff_connection_in_transaction(&connection));
    expect_equal(query(&connection, "select count(*) from t"), ROWS - 5);
    int64_t id = 0;
    expect(read_to(&cursor, &id, 5));
    expect(is_at_its_end(&cursor));
  }
  end();
}

static void raises_an_error_of_its_statement(void) {
  begin();
  tuff_cursor cursor;
  tuff_error err = {.code = TUFF_OK};
  static const char fails[] =
      "select id, text, case when id = 3 then abs(-9223372036854775807 - 1) end from t "
      "order by id";
  if (expect(open_cursor(&cursor, fails, NULL, 0))) {
    int64_t id = 0;
    expect(read_to(&cursor, &id, 2));
    expect_equal(tuff_cursor_step(&cursor, &err), TUFF_FAILED);
    expect_equal(err.code, TUFF_RANGE);
    expect(is_at_its_end(&cursor));
  }
  err.code = TUFF_OK;
  if (expect(open_cursor(&cursor, fails, NULL, 0))) {
    expect(!try_run(&connection, "delete from t", &err));
    expect_equal(err.code, TUFF_RANGE);
    err.code = TUFF_OK;
    expect_equal(tuff_cursor_step(&cursor, &err), TUFF_FAILED);
    expect_equal(err.code, TUFF_CLOSED);
  }
  expect_equal(query(&connection, "select count(*) from t"), ROWS);
  end();
}

static void closes_those_of_one_source(void) {
  begin();
  tuff_cursor one, other;
  tuff_error err = {.code = TUFF_OK};
  expect(open_cursor(&one, all, NULL, 0) && open_cursor(&other, all, NULL, 0));
  one.source = &one;
  other.source = &other;
  tuff_cursors_close_of(&connection, &one, "the source is gone");
  expect_equal(tuff_cursor_step(&one, &err), TUFF_FAILED);
  expect_equal(err.code, TUFF_CLOSED);
  expect(strcmp(err.message, "the source is gone") == 0);
  int64_t id = 0;
  expect(read_to(&other, &id, ROWS) && is_at_its_end(&other));
  end();
}

static void follows_a_change_of_the_columns(void) {
  begin();
  tuff_connection other;
  tuff_cursor cursor;
  tuff_error err = {.code = TUFF_OK};
  expect(open_cursor(&cursor, "select * from t order by id", NULL, 0));
  tuff_cursor_close(&cursor, NULL);
  if (expect(open_scratch(&other, "a.db"))) {
    expect(exec(&other, "alter table t add column more text default 'm'; "
                        "alter table t rename column id to number"));
    tuff_connection_close(&other, false);
  }
  if (expect(open_cursor(&cursor, "select * from t order by 1", NULL, 0)) &&
      expect_equal(cursor.columns, 3)) {
    expect(strcmp(cursor.statement->shape->names[0], "number") == 0);
    expect_equal(tuff_cursor_step(&cursor, &err), TUFF_ROW);
    expect_text(cursor.row[2].bytes, cursor.row[2].size, "m");
  }
  tuff_cursor_close(&cursor, NULL);
  /* The same text as before the change, from the cache. */
  if (!expect(open_cursor(&cursor, "select * from t order by id", NULL, 0) == false))
    tuff_cursor_close(&cursor, NULL);
  end();
}

static void leaves_no_memory_behind(void) { expect_equal(tuff_alloc_blocks(), 0); }

int main(void) {
  scratch_begin();
  it("reads all rows in order", reads_all_rows_in_order);
  it("sees no write of its body", sees_no_write_of_its_body);
  it("gives the first row also after a write", gives_the_first_row_also_after_a_write);
  it("keeps several loops apart", keeps_several_loops_apart);
  it("loses no row when only some are read ahead",
     loses_no_row_when_only_some_are_read_ahead);
  it("reads ahead no more than its budget", reads_ahead_no_more_than_its_budget);
  it("copies its arguments", copies_its_arguments);
  it("ends with the transaction it began in", ends_with_the_transaction_it_began_in);
  it("runs a writing statement to its end", runs_a_writing_statement_to_its_end);
  it("raises an error of its statement", raises_an_error_of_its_statement);
  it("closes those of one source", closes_those_of_one_source);
  it("follows a change of the columns", follows_a_change_of_the_columns);
  it("leaves no memory behind", leaves_no_memory_behind);
  scratch_end();
  return tap_end();
}
