/* transaction.c: the handle of a transaction. What happens around it, such as retrying
 * and the functions to run after a commit, is the Lua layer's. */
#include "binding/binding.h"

static binding_transaction *check(lua_State *L) {
  binding_transaction *box = binding_test(L, 1, BINDING_TRANSACTION);
  if (!box) binding_argument(L, 1, "a transaction");
  return box;
}

/* Levels are counted, not handles: they end with the one around them, whatever becomes
 * of their handles. To be called when a level may have begun or ended. */
static void count_levels(binding_connection *connection) {
  if (!connection->open) return;
  unsigned depth = connection->core.transaction.depth;
  for (; connection->levels < depth; connection->levels++) binding_opened(connection);
  for (; connection->levels > depth; connection->levels--) binding_closed(connection);
  if (depth == 0) connection->owner = NULL;
}

static void forget(binding_transaction *box) {
  if (!box->connection) return;
  count_levels(box->connection);
  box->connection = NULL;
}

static tuff_mode mode_of(lua_State *L, int index) {
  static const char *const names[] = {[TUFF_WRITE] = "serializable",
                                      [TUFF_READ_COMMITTED] = "read committed",
                                      [TUFF_REPEATABLE_READ] = "repeatable read",
                                      [TUFF_READ] = "read",
                                      [TUFF_CHANGE] = "change",
                                      NULL};
  return (tuff_mode)luaL_checkoption(L, index, "serializable", names);
}

/* Begins one for the arguments db, mode, timeout, and pushes its handle. */
static binding_transaction *begin_new(lua_State *L) {
  binding_transaction *box = binding_new(L, sizeof *box, 2, BINDING_TRANSACTION);
  int handle = lua_gettop(L);
  binding_connection *connection = binding_enter(L, 1);
  binding_refuse_busy(L, connection);
  tuff_mode mode = mode_of(L, 2);
  int64_t timeout_us = (int64_t)(luaL_optnumber(L, 3, 0) * 1000);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, handle, 1);
  lua_pushthread(L);
  lua_setiuservalue(L, handle, 2);
  bool outermost = connection->core.transaction.depth == 0;
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, connection, 1, NULL);
  uint64_t serial = tuff_transaction_begin(&connection->core, mode, timeout_us, &err);
  connection->active = outer;
  if (!serial) binding_fail(L, 1, &err, NULL, 0);
  if (outermost) connection->owner = L;
  box->serial = serial;
  box->connection = connection;
  count_levels(connection);
  return box;
}

/* core.begin(db, mode, timeout in milliseconds or nil) */
static int begin(lua_State *L) {
  lua_settop(L, 3);
  begin_new(L);
  return 1;
}

static void check_open(lua_State *L, const binding_transaction *box) {
  if (!box->connection) binding_refuse(L, TUFF_CLOSED, "this transaction has ended");
}

/* The handle of a call that ends it; the connection, ready for that, is at index 2. */
static binding_transaction *enter(lua_State *L) {
  binding_transaction *box = check(L);
  check_open(L, box);
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1);
  binding_refuse_busy(L, binding_enter(L, 2));
  return box;
}

/* Whether it was kept; if not, the error is pushed. Whatever happens, the transaction
 * has ended, unless one inside it is still open. */
static bool keep(lua_State *L, binding_transaction *box, int index) {
  binding_connection *connection = lua_touserdata(L, index);
  bool failed = connection->core.transaction.failed;
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, connection, index, NULL);
  bool committed = tuff_transaction_commit(&connection->core, box->serial, &err);
  connection->active = outer;
  if (!tuff_transaction_is_open(&connection->core, box->serial)) forget(box);
  if (committed) return true;
  bool known = connection->failures == connection->core.transaction.failures;
  if (failed && known && err.code != TUFF_MISUSE) {
    lua_getiuservalue(L, index, 2); /* the first error is the one to be seen */
    if (lua_getfield(L, -1, "failure") != LUA_TNIL) return false;
  }
  binding_push_failure(L, index, &err, NULL, 0);
  return false;
}

/* core.commit(tx) */
static int commit(lua_State *L) {
  binding_transaction *box = enter(L);
  return keep(L, box, 2) ? 0 : lua_error(L);
}

/* A function may still be running in the one inside, and the rest of it would take
 * effect outside of any transaction. */
static bool is_around(const binding_transaction *box) {
  const tuff_connection *connection = &box->connection->core;
  return box->connection->open && tuff_transaction_is_open(connection, box->serial) &&
         tuff_transaction_current(connection) != box->serial;
}

/* core.rollback(tx, all): `all` says that those inside it end, too. */
static int rollback(lua_State *L) {
  binding_transaction *box = check(L);
  bool all = lua_toboolean(L, 2);
  check_open(L, box);
  if (!all && is_around(box))
    return binding_misuse(L, "a transaction inside this one is still open");
  enter(L);
  binding_connection *connection = lua_touserdata(L, 2);
  tuff_error err;
  tuff_error_clear(&err);
  bool open = tuff_transaction_is_open(&connection->core, box->serial);
  binding_running outer = binding_activate(L, connection, 2, NULL);
  bool undone = tuff_transaction_rollback(&connection->core, box->serial, &err);
  connection->active = outer;
  forget(box);
  if (!open) check_open(L, box);
  return undone ? 0 : binding_fail(L, 2, &err, NULL, 0);
}

/* Rolls back without a word, whoever calls. */
static void undo(lua_State *L, binding_transaction *box, int index) {
  binding_connection *connection = box->connection;
  tuff_error err;
  if (connection && connection->open) {
    tuff_error_clear(&err);
    binding_running outer = binding_activate(L, connection, index, NULL);
    if (tuff_connection_check(&connection->core, &err))
      tuff_transaction_rollback(&connection->core, box->serial, &err);
    connection->active = outer;
  }
  forget(box);
}

/* core.collect(tx): for a finaliser. */
static int collect(lua_State *L) {
  undo(L, check(L), 1);
  return 0;
}

static int check_ready(lua_State *L) {
  enter(L);
  return 0;
}

/* The function of core.attempt has ended; its results, or its error, are above the
 * handle. */
static int settle(lua_State *L, int status, lua_KContext handle) {
  int tx = (int)handle;
  binding_transaction *box = lua_touserdata(L, tx);
  uint64_t serial = box->serial;
  bool good = status == LUA_OK || status == LUA_YIELD;
  if (good) {
    for (int i = 1; i <= BINDING_UPVALUES; i++) lua_pushvalue(L, lua_upvalueindex(i));
    lua_pushcclosure(L, check_ready, BINDING_UPVALUES);
    lua_pushvalue(L, tx);
    good = lua_pcall(L, 1, 0, 0) == LUA_OK && keep(L, box, 1);
  }
  if (good) {
    lua_pushinteger(L, (lua_Integer)serial);
    lua_insert(L, tx + 1);
    return lua_gettop(L) - tx;
  }
  undo(L, box, 1); /* the first error is the one to be seen */
  lua_pushboolean(L, false);
  lua_insert(L, -2);
  return 2;
}

/* core.attempt(db, mode, timeout, fn): runs fn(db) in a transaction. The number of its
 * level and the results, if it was kept; false and the error. Ctrl-C can strike between
 * any two lines of Lua, also between a call and what its result is assigned to: in here
 * it cannot, but while fn runs. */
static int attempt(lua_State *L) {
  lua_settop(L, 4);
  begin_new(L);
  lua_toclose(L, 5); /* fn's coroutine may be closed */
  lua_pushvalue(L, 4);
  lua_pushvalue(L, 1);
  return settle(L, lua_pcallk(L, 1, LUA_MULTRET, 0, 5, settle), 5);
}

/* core.is_busy(tx): whether its connection is in the middle of a call, or a transaction
 * inside this one is open. */
static int is_busy(lua_State *L) {
  const binding_transaction *box = check(L);
  lua_pushboolean(L, box->connection &&
                         (binding_is_busy(L, box->connection) || is_around(box)));
  return 1;
}

/* core.is_open(tx) */
static int is_open(lua_State *L) {
  const binding_transaction *box = check(L);
  lua_pushboolean(L, box->connection && box->connection->open &&
                         tuff_transaction_is_open(&box->connection->core, box->serial));
  return 1;
}

/* core.connection_of(tx) */
static int connection_of(lua_State *L) {
  check(L);
  lua_getiuservalue(L, 1, 1);
  return 1;
}

/* core.level(db): the number of the innermost transaction that is open, which no other
 * has had; 0: there is none. */
static int level(lua_State *L) {
  const binding_connection *connection = binding_test(L, 1, BINDING_CONNECTION);
  if (!connection) return binding_argument(L, 1, "a tuff connection");
  uint64_t serial = connection->open ? tuff_transaction_current(&connection->core) : 0;
  lua_pushinteger(L, (lua_Integer)serial);
  return 1;
}

/* core.forget_touched(db): begins to note them anew. */
static int forget_touched(lua_State *L) {
  const binding_connection *connection = binding_enter(L, 1);
  const tuff_changing *changing = connection->core.driver->changing;
  if (changing) changing->forget(connection->core.native);
  return 0;
}

/* core.touched(db): the tables that the change of the schema has written, made or
 * dropped so far; nil: not known. */
static int touched(lua_State *L) {
  const binding_connection *connection = binding_enter(L, 1);
  const tuff_changing *changing = connection->core.driver->changing;
  size_t at = 0;
  const char *table;
  lua_newtable(L);
  for (lua_Integer i = 1;; i++) {
    if (!changing || !changing->touched(connection->core.native, &at, &table)) return 0;
    if (!table) return 1;
    lua_pushstring(L, table);
    lua_rawseti(L, -2, i);
  }
}

/* core.is_manual(db): whether the script has begun the transaction by hand. */
static int is_manual(lua_State *L) {
  const binding_connection *connection = binding_test(L, 1, BINDING_CONNECTION);
  if (!connection) return binding_argument(L, 1, "a tuff connection");
  lua_pushboolean(L, connection->open && connection->core.transaction.manual);
  return 1;
}

void binding_transaction_install(lua_State *L) {
  static const luaL_Reg functions[] = {{"begin", begin},
                                       {"attempt", attempt},
                                       {"commit", commit},
                                       {"rollback", rollback},
                                       {"collect", collect},
                                       {"is_open", is_open},
                                       {"is_busy", is_busy},
                                       {"is_manual", is_manual},
                                       {"connection_of", connection_of},
                                       {"level", level},
                                       {"touched", touched},
                                       {"forget_touched", forget_touched},
                                       {NULL, NULL}};
  binding_add(L, functions);
  /* The Lua layer gives it its methods. */
  luaL_getmetatable(L, BINDING_TRANSACTION_TYPE);
  lua_setfield(L, -2, "transaction");
}
