/* insert.c: many rows into one prepared statement. Each row is walked once. */
#include "binding/binding.h"
#include "core/insertion.h"

enum { MOST_COLUMNS = 2000 }; /* SQLite's own limit */

/* One call of insert_rows. Indexes on the stack: */
enum {
  CONNECTION = 1,
  SQL,
  COLUMNS,
  SOURCE,
  FIRST,
  RESULTS,
  COPY,
  BATCH,
  KEYS,
  VALUES,
  ROW
};

typedef struct insertion {
  lua_State *L;
  binding_connection *box;
  tuff_statement *statement;
  tuff_insertion *many;  /* NULL: row by row */
  binding_running outer; /* the call that waits for this one */
  binding_keys *keys;
  tuff_value *values; /* not on the stack of C: an iterator may insert, too */
  lua_Integer number; /* of the row, from 1 */
  lua_Integer results;
  int64_t changes;
  tuff_error err;
} insertion;

static void release(insertion *insertion) {
  tuff_statement_release(insertion->statement);
  insertion->box->active = insertion->outer;
}

/* The error is of the current row. */
static bool is_here(insertion *insertion) {
  insertion->err.row = insertion->number;
  return false;
}

static BINDING_RAISES fail(insertion *insertion) {
  lua_State *L = insertion->L;
  if (insertion->statement)
    release(insertion);
  else
    insertion->box->active = insertion->outer;
  size_t size;
  const char *sql = lua_tolstring(L, SQL, &size);
  binding_fail(L, CONNECTION, &insertion->err, sql, size);
}

static BINDING_RAISES fail_here(insertion *insertion) {
  is_here(insertion);
  fail(insertion);
}

/* Reads the row into the values. 1: it fits; 0: its keys are others; -1: an error; 2: a
 * value is a table. With `anchored`, what the values point into stays on the stack
 * below the key until the row has been inserted: what is run for a table, and a trigger
 * that calls a function of the script, may change the row. */
static int try_row(insertion *insertion, bool anchored) {
  lua_State *L = insertion->L;
  binding_keys *keys = insertion->keys;
  unsigned k = 0;
  int key = ROW + 1;
  lua_pushnil(L);
  while (lua_next(L, ROW)) {
    int number = binding_keys_find(L, keys, k, KEYS, key);
    if (TUFF_UNLIKELY(number < 0)) return 0;
    tuff_value *value = &insertion->values[number];
    if (TUFF_UNLIKELY(!anchored && lua_istable(L, key + 1))) return 2;
    if (TUFF_UNLIKELY(!binding_to_value(L, key + 1, value, &insertion->err))) {
      tuff_error_context(&insertion->err, "column \"%s\": ", lua_tostring(L, key));
      return -1;
    }
    k++;
    if (TUFF_UNLIKELY(anchored) && tuff_value_has_bytes(value)) {
      lua_insert(L, key);
      key++;
    }
    lua_settop(L, key);
  }
  return k == keys->count ? 1 : 0;
}

static int read_row(insertion *insertion) {
  int fits = try_row(insertion, insertion->box->functions > 0);
  if (TUFF_LIKELY(fits != 2)) return fits;
  lua_settop(insertion->L, ROW);
  return try_row(insertion, true);
}

/* Begins the call, or goes on with it. */
static binding_running activate(insertion *insertion) {
  binding_connection *box = insertion->box;
  binding_running before =
      binding_activate(insertion->L, box, CONNECTION, insertion->statement);
  box->active.outer = &insertion->outer;
  return before;
}

/* Calls the script's iterator, which may use the connection, but must leave it and its
 * transaction open. */
static void call_iterator(insertion *insertion) {
  lua_State *L = insertion->L;
  binding_connection *box = insertion->box;
  uint64_t transaction = tuff_transaction_current(&box->core);
  box->active = (binding_running){0}; /* the iterator may do as it likes */
  box->callbacks++;
  lua_pushvalue(L, SOURCE);
  int status = lua_pcall(L, 0, 1, 0);
  box->callbacks--;
  activate(insertion);
  if (status != LUA_OK) {
    release(insertion);
    lua_error(L);
  }
  if (tuff_transaction_current(&box->core) == transaction &&
      !box->core.transaction.failed)
    return;
  /* Rows that were on their way may have failed when it used the connection. */
  if (insertion->many && insertion->many->failure.code) {
    insertion->err = insertion->many->failure;
    fail(insertion);
  }
  tuff_fail(&insertion->err, TUFF_MISUSE,
            "the iterator given to insert_many began or ended a transaction");
  fail_here(insertion);
}

/* Puts the next row on the stack; false: there is none. */
static bool next_row(insertion *insertion) {
  lua_State *L = insertion->L;
  lua_settop(L, VALUES);
  if (lua_type(L, SOURCE) == LUA_TTABLE)
    lua_rawgeti(L, SOURCE, insertion->number);
  else
    call_iterator(insertion);
  return !lua_isnil(L, ROW);
}

static void push_result(insertion *insertion, const tuff_value *row) {
  lua_State *L = insertion->L;
  if (lua_type(L, RESULTS) != LUA_TTABLE) return;
  binding_push_columns(L, CONNECTION, insertion->statement);
  int names = lua_gettop(L);
  binding_push_row(L, row, insertion->statement->shape->columns, names);
  lua_rawseti(L, RESULTS, ++insertion->results);
  lua_settop(L, names - 1);
}

static bool insert_one(insertion *insertion) {
  tuff_statement *statement = insertion->statement;
  tuff_error *err = &insertion->err;
  if (!tuff_statement_start(statement, insertion->values, insertion->keys->count, err))
    return is_here(insertion);
  tuff_result result;
  while ((result = tuff_statement_step(statement, err)) == TUFF_ROW)
    push_result(insertion, statement->row);
  if (result == TUFF_DONE) insertion->changes += statement->changed;
  tuff_statement_rewind(statement);
  return result == TUFF_DONE || is_here(insertion);
}

/* ---- where the engine has a faster way for many ---- */

static void take_results(insertion *insertion) {
  const tuff_value *row;
  while ((row = tuff_insertion_result(insertion->many)) != NULL)
    push_result(insertion, row);
}

/* Before an error of this row is raised: one of a row before it comes first. */
static void finish_before(insertion *insertion) {
  tuff_error earlier;
  tuff_error_clear(&earlier);
  if (insertion->many && !tuff_insertion_finish(insertion->many, &earlier))
    insertion->err = earlier;
}

static void finish(insertion *insertion) {
  if (!insertion->many) return;
  if (!tuff_insertion_finish(insertion->many, &insertion->err)) fail(insertion);
  take_results(insertion);
  insertion->changes = insertion->many->changed;
}

static inline bool insert(insertion *insertion) {
  if (TUFF_LIKELY(!insertion->many)) return insert_one(insertion);
  take_results(insertion);
  return tuff_insertion_add(insertion->many, insertion->values, &insertion->err);
}

/* ---- the call ---- */

static void begin_many(insertion *insertion) {
  lua_State *L = insertion->L;
  tuff_insertion_ways ways = {lua_tostring(L, COPY), lua_tostring(L, BATCH)};
  if (!ways.copy && !ways.batch) return;
  if (!tuff_insertion_begin(insertion->statement, &ways, insertion->number,
                            &insertion->err))
    fail_here(insertion);
  insertion->many = insertion->statement->insertion;
}

static void begin(lua_State *L, insertion *insertion) {
  size_t size;
  const char *sql = binding_sql(L, SQL, &size);
  insertion->L = L;
  insertion->statement = NULL;
  insertion->many = NULL;
  insertion->changes = 0;
  insertion->number = luaL_checkinteger(L, FIRST);
  tuff_error_clear(&insertion->err);
  insertion->results =
      lua_type(L, RESULTS) == LUA_TTABLE ? (lua_Integer)lua_rawlen(L, RESULTS) : 0;
  insertion->keys = binding_keys_new(L, COLUMNS);
  size_t room = (insertion->keys->count + 1) * sizeof *insertion->values;
  insertion->values = lua_newuserdatauv(L, room, 0);
  luaL_checkstack(L, (int)insertion->keys->count + LUA_MINSTACK, "too many columns");
  insertion->box = binding_enter(L, CONNECTION);
  insertion->outer = activate(insertion);
  insertion->statement =
      tuff_statement_checkout(&insertion->box->core, sql, size, &insertion->err);
  if (!insertion->statement) fail_here(insertion);
  insertion->box->active.statement = insertion->statement;
  if (insertion->statement->tokenized.count == insertion->keys->count) {
    begin_many(insertion);
    return;
  }
  tuff_fail(&insertion->err, TUFF_MISUSE,
            "the statement has another number of columns");
  fail_here(insertion);
}

/* core.insert_rows(db, sql, columns, rows, first, results, copy, batch): inserts rows,
 * beginning with number `first`, as long as their keys are exactly these columns.
 * `rows` is an array or a function that returns a row or nil; `results`, a table or
 * nil, takes what RETURNING gives; `copy` and `batch`, texts or nil, are faster ways
 * for many, see tuff_insertion. Returns how many rows were changed, the number of the
 * row it stopped at and, for a function, that row (nil: there are no more). */
int binding_insert_rows(lua_State *L) {
  insertion insertion;
  lua_settop(L, BATCH);
  luaL_checktype(L, COLUMNS, LUA_TTABLE);
  if (lua_rawlen(L, COLUMNS) > MOST_COLUMNS)
    return binding_misuse(L, "a row has more than %d columns", MOST_COLUMNS);
  begin(L, &insertion);
  for (; next_row(&insertion); insertion.number++) {
    int fits = lua_type(L, ROW) == LUA_TTABLE ? read_row(&insertion) : 0;
    if (fits < 0) {
      is_here(&insertion);
      finish_before(&insertion);
      return fail(&insertion);
    }
    if (!fits) break;
    if (!insert(&insertion)) return fail(&insertion);
  }
  finish(&insertion);
  release(&insertion);
  lua_settop(L, ROW);
  lua_pushinteger(L, (lua_Integer)insertion.changes);
  lua_pushinteger(L, insertion.number);
  lua_pushvalue(L, ROW);
  return 3;
}
