/* query.c: the vocabulary of queries, once for a database and once for a prepared
 * statement. One call of Lua is one call of C: check, bind, step, fetch, release. */
#include <string.h>

#include "binding/binding.h"

/* One call. The statement is the connection's `active` one until it is released. */
typedef struct call {
  lua_State *L;
  binding_connection *box;
  int connection; /* index of its userdata */
  tuff_statement *statement;
  binding_running outer;       /* the call that waits for this one */
  int first, last;             /* indexes of the values */
  binding_arguments arguments; /* borrowed by the driver until the release */
  tuff_error err;
} call;

static BINDING_RAISES fail(call *call) {
  lua_State *L = call->L;
  tuff_statement *statement = call->statement;
  if (!statement) {
    size_t size;
    const char *sql = binding_sql(L, 2, &size);
    call->box->active = call->outer;
    binding_fail(L, call->connection, &call->err, sql, size);
  }
  lua_pushlstring(L, statement->source, statement->size); /* outlives the statement */
  size_t size;
  const char *sql = lua_tolstring(L, -1, &size);
  tuff_statement_release(statement);
  call->box->active = call->outer;
  binding_fail(L, call->connection, &call->err, sql, size);
}

static void finish(call *call) {
  tuff_statement_release(call->statement);
  call->box->active = call->outer;
}

static void begin_database(lua_State *L, call *call) {
  size_t size;
  call->L = L;
  call->box = binding_enter(L, 1);
  call->connection = 1;
  call->first = 3;
  call->last = lua_gettop(L);
  tuff_error_clear(&call->err);
  const char *sql = binding_sql(L, 2, &size);
  call->outer = binding_activate(L, call->box, 1, NULL);
  call->statement = tuff_statement_checkout(&call->box->core, sql, size, &call->err);
  if (TUFF_UNLIKELY(!call->statement)) fail(call);
  call->box->active.statement = call->statement;
  call->box->active.outer = &call->outer;
}

static void check_prepared(lua_State *L, const binding_statement *prepared) {
  if (TUFF_UNLIKELY(!prepared->connection))
    binding_refuse(L, TUFF_CLOSED, "this statement is closed");
}

/* A statement that is running already, in a loop around this call, runs as a copy. */
static void begin_prepared(lua_State *L, call *call) {
  binding_statement *prepared = binding_test(L, 1, BINDING_STATEMENT);
  if (TUFF_UNLIKELY(!prepared)) binding_argument(L, 1, "a prepared statement");
  call->L = L;
  call->first = 2;
  call->last = lua_gettop(L);
  tuff_error_clear(&call->err);
  check_prepared(L, prepared);
  lua_getiuservalue(L, 1, 1);
  call->connection = call->last + 1;
  call->box = prepared->connection;
  binding_begin(L, call->connection);
  check_prepared(L, prepared); /* a function of the script may have run */
  call->outer = binding_activate(L, call->box, call->connection, NULL);
  tuff_statement *statement = prepared->core;
  if (TUFF_UNLIKELY(statement->busy)) {
    tuff_statement *copy = tuff_statement_checkout(&call->box->core, statement->source,
                                                   statement->size, &call->err);
    if (!copy) {
      call->box->active = call->outer;
      binding_fail(L, call->connection, &call->err, statement->source, statement->size);
    }
    statement = copy;
  }
  statement->busy = true;
  call->statement = statement;
  call->box->active.statement = statement;
  call->box->active.outer = &call->outer;
}

/* Reads the arguments and binds them. They stay on the stack until the call returns. */
static void start(call *call) {
  binding_arguments *arguments = &call->arguments;
  if (TUFF_UNLIKELY(!binding_arguments_read(call->L, arguments, call->connection,
                                            call->statement, call->first, call->last,
                                            &call->err) ||
                    !tuff_statement_start(call->statement, arguments->values,
                                          arguments->count, &call->err)))
    fail(call);
}

static bool next(call *call) {
  tuff_result result = tuff_statement_step(call->statement, &call->err);
  if (TUFF_UNLIKELY(result == TUFF_FAILED)) fail(call);
  return result == TUFF_ROW;
}

/* Steps to the end, because a statement that writes is only done then. */
static void drain(call *call) {
  if (!call->statement->shape->readonly &&
      TUFF_UNLIKELY(tuff_statement_finish_run(call->statement, &call->err) < 0))
    fail(call);
}

/* ---- fetching ---- */

static void push_or_null(lua_State *L, const tuff_value *value) {
  if (value->kind == TUFF_NULL)
    binding_push_null(L);
  else
    binding_push(L, value);
}

/* The names as values of the stack, for results of many rows; the first one's index. */
static int spread_names(call *call) {
  lua_State *L = call->L;
  int columns = (int)call->statement->shape->columns;
  luaL_checkstack(L, columns + LUA_MINSTACK, "too many columns");
  binding_push_columns(L, call->connection, call->statement);
  int names = lua_gettop(L);
  for (int i = 1; i <= columns; i++) lua_rawgeti(L, names, i);
  return names + 1;
}

static void push_spread_row(lua_State *L, const tuff_statement *statement, int names) {
  unsigned columns = statement->shape->columns;
  const tuff_value *row = statement->row;
  lua_createtable(L, 0, (int)columns);
  for (unsigned i = 0; i < columns; i++) {
    if (row[i].kind == TUFF_NULL) continue;
    lua_pushvalue(L, names + (int)i);
    binding_push(L, &row[i]);
    lua_rawset(L, -3);
  }
}

/* ---- the vocabulary ---- */

static int run(call *call) {
  start(call);
  int64_t changes = tuff_statement_finish_run(call->statement, &call->err);
  if (TUFF_UNLIKELY(changes < 0)) fail(call);
  finish(call);
  lua_pushinteger(call->L, (lua_Integer)changes);
  return 1;
}

static int row(call *call) {
  lua_State *L = call->L;
  call->statement->one = true;
  start(call);
  if (!next(call)) {
    finish(call);
    lua_pushnil(L);
    return 1;
  }
  const tuff_statement *statement = call->statement;
  binding_push_columns(L, call->connection, call->statement);
  binding_push_row(L, statement->row, statement->shape->columns, lua_gettop(L));
  drain(call);
  finish(call);
  return 1;
}

static int value(call *call) {
  call->statement->one = true;
  start(call);
  if (next(call) && call->statement->shape->columns > 0)
    binding_push(call->L, &call->statement->row[0]);
  else
    lua_pushnil(call->L);
  drain(call);
  finish(call);
  return 1;
}

static int exists(call *call) {
  call->statement->one = true;
  start(call);
  bool found = next(call);
  drain(call);
  finish(call);
  lua_pushboolean(call->L, found);
  return 1;
}

static int all(call *call) {
  lua_State *L = call->L;
  start(call);
  bool found = next(call);
  int names = spread_names(call);
  lua_newtable(L);
  for (lua_Integer n = 1; found; n++) {
    push_spread_row(L, call->statement, names);
    lua_rawseti(L, -2, n);
    found = next(call);
  }
  finish(call);
  return 1;
}

static int column(call *call) {
  lua_State *L = call->L;
  start(call);
  lua_newtable(L);
  for (lua_Integer n = 1; next(call); n++) {
    if (call->statement->shape->columns > 0)
      push_or_null(L, &call->statement->row[0]);
    else
      binding_push_null(L);
    lua_rawseti(L, -2, n);
  }
  finish(call);
  return 1;
}

/* `n` is the count, and so a column of that name is n_2, or the first that is free. */
static void push_other_n(lua_State *L, int names, int columns) {
  lua_pop(L, 1);
  for (int n = 2;; n++) {
    const char *name = lua_pushfstring(L, "n_%d", n);
    bool taken = false;
    for (int i = 0; i < columns && !taken; i++)
      taken = strcmp(lua_tostring(L, names + i), name) == 0;
    if (!taken) return;
    lua_pop(L, 1);
  }
}

static int arrays(call *call) {
  lua_State *L = call->L;
  start(call);
  bool found = next(call);
  int columns = (int)call->statement->shape->columns;
  int names = spread_names(call);
  luaL_checkstack(L, columns + LUA_MINSTACK, "too many columns");
  int first = lua_gettop(L) + 1;
  for (int i = 0; i < columns; i++) lua_newtable(L);
  lua_Integer count = 0;
  while (found) {
    count++;
    for (int i = 0; i < columns; i++) {
      push_or_null(L, &call->statement->row[i]);
      lua_rawseti(L, first + i, count);
    }
    found = next(call);
  }
  finish(call);
  lua_createtable(L, 0, columns + 1);
  for (int i = 0; i < columns; i++) {
    lua_pushvalue(L, names + i);
    if (strcmp(lua_tostring(L, -1), "n") == 0) push_other_n(L, names, columns);
    lua_pushvalue(L, first + i);
    lua_rawset(L, -3);
  }
  lua_pushinteger(L, count);
  lua_setfield(L, -2, "n");
  return 1;
}

static int loop(call *call, bool named) {
  lua_State *L = call->L;
  if (!binding_arguments_read(L, &call->arguments, call->connection, call->statement,
                              call->first, call->last, &call->err))
    return fail(call);
  return binding_cursor_new(L, call->connection, call->statement, call->outer,
                            &call->arguments, named);
}

static int rows(call *call) { return loop(call, true); }

static int tuples(call *call) { return loop(call, false); }

/* ---- both sources ---- */

#define BOTH(name)                                                                     \
  static int database_##name(lua_State *L) {                                           \
    call call;                                                                         \
    begin_database(L, &call);                                                          \
    return name(&call);                                                                \
  }                                                                                    \
  static int prepared_##name(lua_State *L) {                                           \
    call call;                                                                         \
    begin_prepared(L, &call);                                                          \
    return name(&call);                                                                \
  }

BOTH(run)
BOTH(row)
BOTH(value)
BOTH(exists)
BOTH(all)
BOTH(column)
BOTH(arrays)
BOTH(rows)
BOTH(tuples)

#undef BOTH

void binding_query_install(lua_State *L) {
  static const luaL_Reg database[] = {
      {"run", database_run},       {"row", database_row},
      {"value", database_value},   {"exists", database_exists},
      {"all", database_all},       {"column", database_column},
      {"arrays", database_arrays}, {"rows", database_rows},
      {"tuples", database_tuples}, {NULL, NULL}};
  static const luaL_Reg prepared[] = {
      {"run", prepared_run},       {"row", prepared_row},
      {"value", prepared_value},   {"exists", prepared_exists},
      {"all", prepared_all},       {"column", prepared_column},
      {"arrays", prepared_arrays}, {"rows", prepared_rows},
      {"tuples", prepared_tuples}, {NULL, NULL}};
  lua_getfield(L, -1, "connection");
  binding_add(L, database);
  lua_pop(L, 1);
  lua_getfield(L, -1, "statement");
  binding_add(L, prepared);
  lua_pop(L, 1);
}
