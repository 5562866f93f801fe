/* module.c: the native module `tuff.core`: registers the types and functions, and finds
 * out what this Lua can do. */
#include "binding/binding.h"
#include "core/host.h"
#include "sqlite/sqlite.h"

/* Lua 5.4.4 leaves a generic `for` by `break` without closing its closing value, where
 * the body captures a local variable. The value is closed when the function returns,
 * or, where its slot was used again by then, the frame is harmed. The trial uses no
 * slot again, and runs in a coroutine of its own. */
static const char trial[] =
    "return coroutine.wrap(function()\n"
    "  local closed = false\n"
    "  local closing = setmetatable({}, { __close = function() closed = true end })\n"
    "  local function rows() return function() return true end, nil, nil, closing end\n"
    "  local function loop()\n"
    "    local capture\n"
    "    for row in rows() do\n"
    "      local captured = row\n"
    "      capture = function() return captured end\n"
    "      if row then break end\n"
    "    end\n"
    "    return closed\n"
    "  end\n"
    "  return (loop())\n"
    "end)()";

static const char for_closes_key;

static void try_for(lua_State *L) {
  bool closes = luaL_dostring(L, trial) == LUA_OK && lua_toboolean(L, -1);
  lua_settop(L, 0);
  lua_pushboolean(L, closes);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &for_closes_key);
}

bool binding_for_closes(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &for_closes_key);
  bool closes = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return closes;
}

static int instances(lua_State *L) {
  lua_pushinteger(L, binding_instances());
  return 1;
}

/* core.now(): milliseconds of a clock that only goes forward. */
static int now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)tuff_now_us() / 1000);
  return 1;
}

/* core.json(decode, encode) */
static int json(lua_State *L) {
  lua_settop(L, 2);
  lua_setfield(L, LUA_REGISTRYINDEX, BINDING_JSON_ENCODE);
  lua_setfield(L, LUA_REGISTRYINDEX, BINDING_JSON_DECODE);
  return 0;
}

/* core.own_code(prefix): chunks whose name begins so are no callers. */
static int own_code(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, BINDING_OWN_CODE);
  return 0;
}

static void new_type(lua_State *L, const char *type) {
  luaL_newmetatable(L, type);
  lua_pushstring(L, type); /* getmetatable shows this, and setmetatable is refused */
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

__attribute__((visibility("default"))) int luaopen_tuff_core(lua_State *L);

int luaopen_tuff_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"instances", instances},
                                       {"now", now},
                                       {"json", json},
                                       {"own_code", own_code},
                                       {"blob", binding_blob_new},
                                       {"insert_rows", binding_insert_rows},
                                       {"blob_stream", binding_stream_new},
                                       {"tokens", binding_tokens},
                                       {"sha256", binding_sha256},
                                       {"terminal", binding_terminal},
                                       {"keep_writing", binding_keep_writing},
                                       {NULL, NULL}};
  try_for(L);
  new_type(L, BINDING_CONNECTION_TYPE);
  new_type(L, BINDING_STATEMENT_TYPE);
  new_type(L, BINDING_CURSOR_TYPE);
  new_type(L, BINDING_TRANSACTION_TYPE);
  new_type(L, BINDING_STREAM_TYPE);
  new_type(L, BINDING_BACKUP_TYPE);
  lua_newtable(L);
  binding_add(L, functions);
  binding_error_install(L);
  binding_blob_install(L);
  binding_connection_install(L);
  binding_statement_install(L);
  binding_cursor_install(L);
  binding_query_install(L);
  binding_transaction_install(L);
  binding_function_install(L);
  binding_hook_install(L);
  binding_message_install(L);
  binding_stream_install(L);
  binding_backup_install(L);
  binding_push_null(L);
  lua_setfield(L, -2, "null");
  lua_pushstring(L, tuff_sqlite_version());
  lua_setfield(L, -2, "sqlite_version");
  lua_pushboolean(L, binding_for_closes(L));
  lua_setfield(L, -2, "for_closes");
  return 1;
}
