/* connection.c: the userdata of a connection: opening, closing and its methods. */
#include <stdatomic.h>
#include <string.h>

#include "binding/binding.h"
#include "core/host.h"
#include "core/load.h"
#include "sqlite/sqlite.h"

/* ---- objects ---- */

static atomic_int instances;

lua_Integer binding_instances(void) { return atomic_load(&instances); }

void binding_opened(binding_connection *connection) {
  connection->objects++;
  atomic_fetch_add(&instances, 1);
}

void binding_closed(binding_connection *connection) {
  if (!connection->open) return;
  connection->objects--;
  atomic_fetch_sub(&instances, 1);
}

void *binding_new(lua_State *L, size_t size, int values, int upvalue) {
  void *object = lua_newuserdatauv(L, size, values);
  memset(object, 0, size);
  lua_pushvalue(L, lua_upvalueindex(upvalue));
  lua_setmetatable(L, -2);
  return object;
}

void binding_add(lua_State *L, const luaL_Reg *functions) {
  luaL_getmetatable(L, BINDING_CONNECTION_TYPE);
  luaL_getmetatable(L, BINDING_STATEMENT_TYPE);
  luaL_getmetatable(L, BINDING_CURSOR_TYPE);
  luaL_getmetatable(L, BINDING_TRANSACTION_TYPE);
  luaL_setfuncs(L, functions, BINDING_UPVALUES);
}

/* ---- opening ---- */

/* Indexes on the stack of core.open: the strings live as long as the call. */
enum { OPTIONS = 1, PATH, ROOT, DRIVER, CONNECTION };

static bool flag(lua_State *L, const char *field, bool otherwise) {
  int type = lua_getfield(L, OPTIONS, field);
  bool value = type == LUA_TNIL ? otherwise : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

static int64_t integer(lua_State *L, const char *field, int64_t otherwise) {
  lua_getfield(L, OPTIONS, field);
  int64_t value = lua_isnil(L, -1) ? otherwise : (int64_t)lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

/* Given in milliseconds. */
static int64_t microseconds(lua_State *L, const char *field, int64_t otherwise) {
  lua_getfield(L, OPTIONS, field);
  int64_t value = lua_isnil(L, -1) ? otherwise : (int64_t)(lua_tonumber(L, -1) * 1000);
  lua_pop(L, 1);
  return value;
}

/* Pushes the strings among the options. */
static tuff_options read_options(lua_State *L) {
  tuff_options options = {.readonly = flag(L, "readonly", false),
                          .create = flag(L, "create", true),
                          .follow = flag(L, "follow", false),
                          .legacy_quotes = flag(L, "legacy_quotes", false),
                          .normal = flag(L, "normal", false),
                          .delete_journal = flag(L, "delete_journal", false),
                          .pooler = flag(L, "pooler", false),
                          .connect_us = microseconds(L, "connect_timeout", 0),
                          .page_size = integer(L, "page_size", 0),
                          .cache_bytes = integer(L, "cache_bytes", 0),
                          .value_bytes = integer(L, "value_bytes", 0)};
  lua_getfield(L, OPTIONS, "path");
  options.path = luaL_checklstring(L, PATH, &options.path_size);
  lua_getfield(L, OPTIONS, "root");
  options.root = lua_tostring(L, ROOT);
  lua_getfield(L, OPTIONS, "driver");
  return options;
}

/* Pushes a connection that is not open yet. */
static binding_connection *new_connection(lua_State *L) {
  binding_connection *box = binding_new(L, sizeof *box, 4, BINDING_CONNECTION);
  lua_newtable(L);
  lua_setiuservalue(L, CONNECTION, 1);
  lua_newtable(L);
  lua_setiuservalue(L, CONNECTION, 2);
  binding_functions_new(L, CONNECTION);
  binding_interrupt_begin(L, &box->interrupt);
  return box;
}

/* core.open(options): a table of options that the Lua layer has checked. */
static int open_connection(lua_State *L) {
  luaL_checktype(L, OPTIONS, LUA_TTABLE);
  lua_settop(L, OPTIONS);
  tuff_options options = read_options(L);
  binding_connection *box = new_connection(L);
  tuff_connection_options own = {.timeout_us = microseconds(L, "timeout", 0),
                                 .busy_us = microseconds(L, "busy_timeout", 5000000),
                                 .statement_cache =
                                     (unsigned)integer(L, "statement_cache", 128),
                                 .result_rows = (uint64_t)integer(L, "result_rows", 0),
                                 .sql_bytes = (uint64_t)integer(L, "sql_bytes", 0),
                                 .interrupted = binding_interrupted,
                                 .context = box};
  tuff_error err;
  tuff_error_clear(&err);
  const char *library = lua_tostring(L, DRIVER);
  const tuff_driver *driver =
      library ? tuff_driver_load(library, &err) : tuff_sqlite_driver(tuff_host_get());
  if (!driver || !tuff_connection_open(&box->core, driver, &options, &own, &err)) {
    binding_interrupt_answer(&box->interrupt, &err);
    return binding_raise(L, &err, NULL, 0);
  }
  box->open = true;
  atomic_fetch_add(&instances, 1);
  return 1;
}

static void close_connection(binding_connection *box, bool collected) {
  if (!box->open) return;
  box->open = false;
  box->active = (binding_running){0};
  box->owner = NULL;
  tuff_connection_close(&box->core, collected);
  binding_functions_free(box);
  atomic_fetch_sub(&instances, 1 + box->objects);
}

/* core.close(db): whether that has rolled a transaction back. */
static int close_function(lua_State *L) {
  binding_connection *box = binding_test(L, 1, BINDING_CONNECTION);
  if (!box) return binding_argument(L, 1, "a tuff connection");
  if (box->open) binding_refuse_busy(L, box);
  if (box->open && box->callbacks > 0)
    binding_misuse(L, "a connection cannot be closed by an iterator of insert_many");
  bool undone =
      tuff_connection_check(&box->core, NULL) && box->core.transaction.depth > 0;
  close_connection(box, false);
  lua_pushboolean(L, undone);
  return 1;
}

/* At the end of its scope: the method, which is the Lua layer's. */
static int close_scope(lua_State *L) {
  lua_settop(L, 1);
  lua_getfield(L, 1, "close");
  lua_insert(L, 1);
  lua_call(L, 1, 0);
  return 0;
}

static int collect(lua_State *L) {
  close_connection(lua_touserdata(L, 1), true);
  return 0;
}

/* ---- methods ---- */

static int exec(lua_State *L) {
  binding_connection *box = binding_enter(L, 1);
  size_t size;
  const char *script = binding_sql(L, 2, &size);
  if (lua_gettop(L) > 2)
    return binding_misuse(L,
                          "db:exec runs a script, which takes no values; db:run takes "
                          "one statement and its values");
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, box, 1, NULL);
  bool done = tuff_connection_exec(&box->core, script, size, &err);
  box->active = outer;
  return done ? 0 : binding_fail(L, 1, &err, script, size);
}

static int in_transaction(lua_State *L) {
  binding_connection *box = binding_enter(L, 1);
  lua_pushboolean(L, box->core.transaction.depth > 0 || box->core.transaction.manual ||
                         tuff_connection_in_transaction(&box->core));
  return 1;
}

static int stats(lua_State *L) {
  const binding_connection *box = binding_enter(L, 1);
  const tuff_counters *counters = &box->core.counters;
  lua_createtable(L, 0, 7);
  binding_set_integer(L, "statements", (int64_t)counters->statements);
  binding_set_integer(L, "rows", (int64_t)counters->rows);
  binding_set_integer(L, "changes", (int64_t)counters->changes);
  binding_set_integer(L, "transactions", (int64_t)counters->transactions);
  binding_set_integer(L, "cache_hits", (int64_t)counters->cache_hits);
  binding_set_integer(L, "waits", (int64_t)box->core.watch.waits);
  lua_Number each = counters->samples ? (lua_Number)counters->sampled_us /
                                            (lua_Number)counters->samples
                                      : 0;
  lua_pushnumber(L, each * (lua_Number)counters->statements / 1e6);
  lua_setfield(L, -2, "time");
  return 1;
}

static int supports(lua_State *L) {
  const binding_connection *box = binding_enter(L, 1);
  const tuff_driver *driver = box->core.driver;
  if (lua_type(L, 2) != LUA_TSTRING)
    return binding_argument(L, 2, "the name of a feature");
  const char *wanted = lua_tostring(L, 2);
  bool found = false;
  for (const char *const *feature = driver->features; *feature; feature++)
    found = found || strcmp(*feature, wanted) == 0;
  bool lacking = found && driver->lacks && driver->lacks(box->core.native, wanted);
  lua_pushboolean(L, found && !lacking);
  return 1;
}

/* core.limit(db, timeout, busy_timeout): milliseconds for the next call alone; nil
 * takes the connection's own. */
static int limit(lua_State *L) {
  binding_connection *box = binding_enter(L, 1);
  box->timeout_us = lua_isnoneornil(L, 2) ? box->core.timeout_us
                                          : (int64_t)(lua_tonumber(L, 2) * 1000);
  box->busy_us =
      lua_isnoneornil(L, 3) ? box->core.busy_us : (int64_t)(lua_tonumber(L, 3) * 1000);
  box->limited = true;
  return 0;
}

/* core.timeout(db, milliseconds): of each statement from now on, 0 for none. What it
 * was. */
static int timeout(lua_State *L) {
  binding_connection *box = binding_enter(L, 1);
  lua_pushnumber(L, (lua_Number)box->core.timeout_us / 1000);
  box->core.timeout_us = (int64_t)(luaL_checknumber(L, 2) * 1000);
  return 1;
}

/* A word that SQL needs no quotes for. */
static const char *schema_name(lua_State *L, int index) {
  size_t size;
  const char *name = luaL_checklstring(L, index, &size);
  static const char letters[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  bool plain = size > 0 && size <= 64 && strspn(name, letters) == size &&
               (name[0] < '0' || name[0] > '9');
  if (!plain)
    binding_misuse(L, "the name of an attached database is a word of at most 64 "
                      "letters, digits and underscores");
  return name;
}

/* core.attach(db, name, path, readonly, create, follow) */
static int attach(lua_State *L) {
  lua_settop(L, 6);
  binding_connection *box = binding_enter(L, 1);
  binding_refuse_busy(L, box);
  const char *name = schema_name(L, 2);
  tuff_options options = {.readonly = lua_toboolean(L, 4),
                          .create = lua_toboolean(L, 5),
                          .follow = lua_toboolean(L, 6)};
  options.path = luaL_checklstring(L, 3, &options.path_size);
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, box, 1, NULL);
  bool attached = tuff_connection_attach(&box->core, &options, name, &err);
  box->active = outer;
  return attached ? 0 : binding_fail(L, 1, &err, NULL, 0);
}

/* core.detach(db, name) */
static int detach(lua_State *L) {
  lua_settop(L, 2);
  binding_connection *box = binding_enter(L, 1);
  binding_refuse_busy(L, box);
  const char *name = schema_name(L, 2);
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, box, 1, NULL);
  bool detached = tuff_connection_detach(&box->core, name, &err);
  box->active = outer;
  return detached ? 0 : binding_fail(L, 1, &err, NULL, 0);
}

/* core.own(db): the next call runs a text that tuff has written, for which the limits
 * of a script's texts and results do not count. */
static int own(lua_State *L) {
  binding_enter(L, 1)->own = true;
  return 0;
}

/* core.schema(db): a number that changes when this session changes tables; nil where
 * the driver does not count that. */
static int schema(lua_State *L) {
  const binding_connection *box = binding_enter(L, 1);
  if (!box->core.driver->schema) return 0;
  lua_pushinteger(L, (lua_Integer)box->core.driver->schema(box->core.native));
  return 1;
}

/* core.state(db): a table that the Lua layer keeps things of this connection in. */
static int state(lua_State *L) {
  if (!binding_test(L, 1, BINDING_CONNECTION))
    return binding_argument(L, 1, "a tuff connection");
  lua_getiuservalue(L, 1, 2);
  return 1;
}

/* Methods first: only then the few fields. */
static int index_connection(lua_State *L) {
  lua_pushvalue(L, 2);
  if (TUFF_LIKELY(lua_rawget(L, lua_upvalueindex(BINDING_UPVALUES + 1)) != LUA_TNIL))
    return 1;
  const binding_connection *box = lua_touserdata(L, 1);
  const char *field = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(field, "engine") == 0) {
    lua_pushstring(L, box->core.driver ? box->core.driver->name : "");
  } else if (strcmp(field, "path") == 0) {
    lua_getiuservalue(L, 1, 2);
    lua_getfield(L, -1, "path");
    if (lua_isnil(L, -1) && box->open) {
      lua_pushstring(L, box->core.driver->path(box->core.native));
      lua_pushvalue(L, -1);
      lua_setfield(L, -4, "path");
    }
  } else if (strcmp(field, "settings") == 0) {
    lua_getiuservalue(L, 1, 2);
    lua_getfield(L, -1, "settings");
  } else if (strcmp(field, "corrupted") == 0) {
    lua_pushboolean(L, 0);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

static int describe(lua_State *L) {
  const binding_connection *box = lua_touserdata(L, 1);
  if (box->open)
    lua_pushfstring(L, "tuff connection (%s)",
                    box->core.driver->path(box->core.native));
  else
    lua_pushliteral(L, "tuff connection (closed)");
  return 1;
}

void binding_connection_install(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"open", open_connection}, {"close", close_function},
      {"limit", limit},          {"own", own},
      {"timeout", timeout},      {"attach", attach},
      {"detach", detach},        {"state", state},
      {"schema", schema},        {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__gc", collect},
                                         {"__close", close_scope},
                                         {"__tostring", describe},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {{"exec", exec},
                                     {"prepare", binding_statement_new},
                                     {"in_transaction", in_transaction},
                                     {"stats", stats},
                                     {"supports", supports},
                                     {NULL, NULL}};
  binding_add(L, functions); /* to the module's table, on top */
  luaL_getmetatable(L, BINDING_CONNECTION_TYPE);
  binding_add(L, metamethods);
  lua_newtable(L); /* of methods */
  binding_add(L, methods);
  for (int i = 0; i < BINDING_UPVALUES; i++) lua_pushnil(L);
  lua_pushvalue(L, -BINDING_UPVALUES - 1);
  lua_pushcclosure(L, index_connection, BINDING_UPVALUES + 1);
  lua_setfield(L, -3, "__index");
  lua_setfield(L, -3, "connection"); /* core.connection: the Lua layer adds to it */
  lua_pop(L, 1);
}
