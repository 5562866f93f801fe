/* statement.c: the userdata of a statement that a script prepared itself. */
#include "binding/binding.h"

static void close_statement(lua_State *L, binding_statement *box) {
  binding_connection *connection = box->connection;
  if (!connection) return;
  /* A connection that was closed has finished its statements. */
  if (box->core && connection->open) {
    /* The end of a loop may be told to a function of the script, which may be here. */
    binding_running outer = binding_activate(L, connection, 1, NULL);
    tuff_cursors_close_of(&connection->core, box,
                          "the statement of this loop was closed");
    connection->active = outer;
    if (!box->core) return;
    if (box->core->busy)
      box->core->owned = false; /* the end of the call that runs finishes it */
    else
      tuff_statement_finish(box->core);
  }
  binding_closed(connection);
  box->core = NULL;
  box->connection = NULL;
}

static binding_statement *check(lua_State *L) {
  binding_statement *box = binding_test(L, 1, BINDING_STATEMENT);
  if (!box) binding_argument(L, 1, "a prepared statement");
  return box;
}

/* db:prepare(sql) */
int binding_statement_new(lua_State *L) {
  lua_settop(L, 2);
  binding_statement *box = binding_new(L, sizeof *box, 1, BINDING_STATEMENT);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 3, 1);
  binding_connection *connection = binding_enter(L, 1);
  size_t size;
  const char *sql = binding_sql(L, 2, &size);
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, connection, 1, NULL);
  tuff_statement *core = tuff_statement_prepare(&connection->core, sql, size, 0, &err);
  connection->active = outer;
  if (!core) return binding_fail(L, 1, &err, sql, size);
  core->owned = true;
  box->core = core;
  box->connection = connection;
  binding_opened(connection);
  return 1;
}

static int close_method(lua_State *L) {
  binding_statement *box = check(L);
  if (box->core && box->connection->open &&
      (box->core->stepping || tuff_cursors_step(&box->connection->core, box)))
    return binding_misuse(L,
                          "a statement cannot be closed by a function that it calls");
  close_statement(L, box);
  return 0;
}

static int collect(lua_State *L) {
  close_statement(L, lua_touserdata(L, 1));
  return 0;
}

/* stmt:names(): the columns of its result, as they are keyed in a row. */
static int names(lua_State *L) {
  binding_statement *box = check(L);
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1);
  binding_enter(L, 2);
  if (!box->core) return binding_refuse(L, TUFF_CLOSED, "this statement is closed");
  binding_push_columns(L, 2, box->core);
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  lua_createtable(L, (int)count, 0);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, -2, i);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

static int describe(lua_State *L) {
  const binding_statement *box = lua_touserdata(L, 1);
  if (box->core && box->connection->open)
    lua_pushfstring(L, "tuff statement (%s)", box->core->source);
  else
    lua_pushliteral(L, "tuff statement (closed)");
  return 1;
}

void binding_statement_install(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", collect},
                                         {"__close", close_method},
                                         {"__tostring", describe},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"close", close_method}, {"names", names}, {NULL, NULL}};
  luaL_getmetatable(L, BINDING_STATEMENT_TYPE);
  binding_add(L, metamethods);
  lua_newtable(L);
  binding_add(L, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__index");
  lua_setfield(L, -3, "statement");
  lua_pop(L, 1);
}
