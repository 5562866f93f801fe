/* cursor.c: the loops over rows. The iterator is a C closure that holds its cursor and
 * the names of the columns, so that a row costs one call and no search. */
#include "binding/binding.h"

static void close_cursor(binding_cursor *box) {
  if (!box->connection) return;
  tuff_cursor_close(&box->core, "this loop was closed");
  binding_closed(box->connection);
  box->connection = NULL;
}

/* Its statement runs, and has called a function of the script, which is here. */
static bool is_stepping(const binding_cursor *box) {
  return box->connection && box->core.statement && box->core.statement->stepping;
}

/* Outside of a call on it: the object is at index 1. */
static void close_on(lua_State *L, binding_cursor *box) {
  binding_connection *connection = box->connection;
  binding_running outer = binding_activate(L, connection, 1, NULL);
  close_cursor(box);
  connection->active = outer;
}

static int close_method(lua_State *L) {
  binding_cursor *box = binding_test(L, 1, BINDING_CURSOR);
  if (!box || !box->connection) return 0;
  if (is_stepping(box))
    return binding_misuse(L, "a loop cannot be closed by a function that it calls");
  close_on(L, box);
  return 0;
}

/* A loop that nobody holds any more may be read ahead just now: the next cycle of the
 * collector comes back to it. */
static int collect(lua_State *L) {
  binding_cursor *box = lua_touserdata(L, 1);
  tuff_cursor_row_read(&box->core); /* unless an error has kept it from being read */
  if (!box->connection) return 0;
  if (!is_stepping(box)) {
    close_on(L, box);
  } else {
    lua_getmetatable(L, 1);
    lua_setmetatable(L, 1);
  }
  return 0;
}

static int fail(lua_State *L, binding_cursor *box, const tuff_error *err) {
  lua_getiuservalue(L, lua_upvalueindex(1), 1);
  close_cursor(box);
  return binding_fail(L, lua_gettop(L), err, NULL, 0);
}

/* A step, and the call that waits for it. */
typedef struct stepping {
  binding_cursor *box;
  binding_connection *connection;
  binding_running outer;
} stepping;

/* Steps; false at the end. From here on until the row has been read, functions and
 * finalisers may use the connection, and may close this very loop. */
static inline bool step(lua_State *L, stepping *call) {
  binding_cursor *box = call->box = lua_touserdata(L, lua_upvalueindex(1));
  binding_connection *connection = call->connection = box->connection;
  tuff_error err;
  tuff_error_clear(&err);
  if (TUFF_UNLIKELY(!connection) || !box->core.connection) {
    tuff_result ended = tuff_cursor_step(&box->core, &err);
    close_cursor(box);
    if (ended == TUFF_FAILED) binding_raise(L, &err, NULL, 0);
    return false;
  }
  if (TUFF_UNLIKELY(is_stepping(box)))
    binding_misuse(L, "a loop cannot go on in a function that it calls");
  binding_reenter(L, connection);
  binding_progress_begin(connection);
  call->outer = binding_activate(L, connection, lua_upvalueindex(1), NULL);
  connection->active.outer = &call->outer;
  tuff_result result = tuff_cursor_step(&box->core, &err);
  box->core.reading = result == TUFF_ROW;
  if (TUFF_LIKELY(result == TUFF_ROW)) return true;
  connection->active = call->outer;
  if (result == TUFF_FAILED) fail(L, box, &err);
  close_cursor(box);
  return false;
}

/* The row has been read, and stands on the stack. */
static inline int give(lua_State *L, const stepping *call, int results) {
  bool lost = !call->box->core.row;
  tuff_cursor_row_read(&call->box->core);
  call->connection->active = call->outer;
  if (TUFF_LIKELY(!lost)) return results;
  tuff_error err;
  tuff_error_clear(&err);
  tuff_fail_memory(&err);
  return binding_raise(L, &err, NULL, 0);
}

/* Upvalues: the cursor, then the names. */
static int next_row(lua_State *L) {
  stepping call;
  if (!step(L, &call)) return 0;
  const tuff_cursor *cursor = &call.box->core;
  lua_createtable(L, 0, (int)cursor->columns);
  for (int i = 0; i < (int)cursor->columns; i++) {
    if (cursor->row[i].kind == TUFF_NULL) continue;
    lua_pushvalue(L, lua_upvalueindex(2 + i));
    binding_push(L, &cursor->row[i]);
    lua_rawset(L, -3);
  }
  return give(L, &call, 1);
}

/* Upvalues: the cursor, and an array of the names, where there are too many. */
static int next_wide_row(lua_State *L) {
  stepping call;
  if (!step(L, &call)) return 0;
  const tuff_cursor *cursor = &call.box->core;
  lua_createtable(L, 0, (int)cursor->columns);
  for (int i = 0; i < (int)cursor->columns; i++) {
    if (cursor->row[i].kind == TUFF_NULL) continue;
    lua_rawgeti(L, lua_upvalueindex(2), (lua_Integer)i + 1);
    binding_push(L, &cursor->row[i]);
    lua_rawset(L, -3);
  }
  return give(L, &call, 1);
}

static int next_tuple(lua_State *L) {
  stepping call;
  if (!step(L, &call)) return 0;
  const tuff_cursor *cursor = &call.box->core;
  int columns = (int)cursor->columns;
  luaL_checkstack(L, columns + 1, "too many columns");
  lua_pushinteger(L, ++call.box->count);
  for (int i = 0; i < (int)cursor->columns; i++) binding_push(L, &cursor->row[i]);
  return give(L, &call, columns + 1);
}

static void push_iterator(lua_State *L, int connection, int cursor, bool named) {
  const binding_cursor *box = lua_touserdata(L, cursor);
  tuff_statement *statement = box->core.statement;
  lua_pushvalue(L, cursor);
  if (!named || !statement) { /* without rows there are no names either */
    lua_pushcclosure(L, next_tuple, 1);
    return;
  }
  binding_push_columns(L, connection, statement);
  int names = lua_gettop(L), columns = (int)box->core.columns;
  if (columns > BINDING_UPVALUE_COLUMNS) {
    lua_pushcclosure(L, next_wide_row, 2);
    return;
  }
  luaL_checkstack(L, columns + LUA_MINSTACK, "too many columns");
  for (int i = 1; i <= columns; i++) lua_rawgeti(L, names, i);
  lua_remove(L, names);
  lua_pushcclosure(L, next_row, columns + 1);
}

int binding_cursor_new(lua_State *L, int connection, tuff_statement *statement,
                       binding_running outer, const binding_arguments *arguments,
                       bool named) {
  luaL_checkstack(L, 8, NULL);
  binding_connection *owner = lua_touserdata(L, connection);
  lua_pushlstring(L, statement->source, statement->size);
  int sql = lua_gettop(L);
  binding_cursor *box = binding_new(L, sizeof *box, 2, BINDING_CURSOR);
  int cursor = lua_gettop(L);
  lua_pushvalue(L, connection);
  lua_setiuservalue(L, cursor, 1);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, cursor, 2);
  tuff_error err;
  tuff_error_clear(&err);
  owner->active.statement = NULL; /* the cursor has it now */
  box->connection = owner;
  box->core.source = lua_touserdata(L, 1);
  binding_opened(owner);
  bool opened = tuff_cursor_open(&box->core, statement, arguments->values,
                                 arguments->count, &err);
  if (opened) {
    push_iterator(L, connection, cursor, named);
    opened = tuff_cursor_complete(&box->core, &err);
  }
  owner->active = outer;
  if (!opened) {
    close_cursor(box);
    size_t size;
    const char *text = lua_tolstring(L, sql, &size);
    return binding_fail(L, connection, &err, text, size);
  }
  if (!binding_for_closes(L)) return 1;
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, cursor);
  return 4;
}

void binding_cursor_install(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__gc", collect}, {"__close", close_method}, {NULL, NULL}};
  luaL_getmetatable(L, BINDING_CURSOR_TYPE);
  binding_add(L, metamethods);
  lua_pop(L, 1);
}
