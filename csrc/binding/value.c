/* value.c: Lua values as parameters, and what is no plain value of Lua: blobs, NULL and
 * JSON. */
#include "binding/binding.h"

/* ---- blobs ---- */

/* A userdata without a body: its user value is the string. */
int binding_blob_new(lua_State *L) {
  if (lua_type(L, 1) != LUA_TSTRING)
    return binding_misuse(L, "tuff.blob makes a blob of a string, not of a %s",
                          luaL_typename(L, 1));
  lua_newuserdatauv(L, 0, 1);
  luaL_setmetatable(L, BINDING_BLOB_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

static int blob_tostring(lua_State *L) {
  luaL_checkudata(L, 1, BINDING_BLOB_TYPE);
  lua_getiuservalue(L, 1, 1);
  return 1;
}

static int blob_length(lua_State *L) {
  blob_tostring(L);
  lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
  return 1;
}

static int blob_equal(lua_State *L) {
  bool equal = luaL_testudata(L, 1, BINDING_BLOB_TYPE) &&
               luaL_testudata(L, 2, BINDING_BLOB_TYPE) &&
               lua_getiuservalue(L, 1, 1) == LUA_TSTRING &&
               lua_getiuservalue(L, 2, 1) == LUA_TSTRING && lua_rawequal(L, -1, -2);
  lua_pushboolean(L, equal);
  return 1;
}

void binding_blob_install(lua_State *L) {
  static const luaL_Reg functions[] = {{"__tostring", blob_tostring},
                                       {"__len", blob_length},
                                       {"__eq", blob_equal},
                                       {NULL, NULL}};
  luaL_newmetatable(L, BINDING_BLOB_TYPE);
  luaL_setfuncs(L, functions, 0);
  lua_pushliteral(L, BINDING_BLOB_TYPE);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

/* ---- JSON ---- */

/* Says in the error on the stack which column holds the value that cannot be read. */
static void name_column(lua_State *L, const tuff_statement *statement,
                        const tuff_value *value) {
  if (!statement || !value || !statement->row || !lua_istable(L, -1)) return;
  for (unsigned i = 0; i < statement->shape->columns; i++) {
    if (value != &statement->row[i]) continue;
    lua_getfield(L, -1, "message");
    lua_pushfstring(L, "column %s: %s", statement->shape->names[i],
                    luaL_tolstring(L, -1, NULL));
    lua_setfield(L, -4, "message");
    lua_pop(L, 2);
    return;
  }
}

/* Calls the function below its argument. An error ends the statement that runs, before
 * it goes on: or that would keep its lock until the next call. `value` is what is read,
 * NULL where it is written. The first upvalue of an iterator is its cursor. */
static void call_json(lua_State *L, const tuff_value *value) {
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) return;
  binding_connection *connection = binding_connection_of(L, lua_upvalueindex(1));
  if (!connection) connection = binding_connection_of(L, 1);
  if (connection) {
    tuff_statement *statement = connection->active.statement;
    name_column(L, statement, value);
    tuff_statement_release(statement);
    if (connection->active.outer) connection->active = *connection->active.outer;
  }
  lua_error(L);
}

void binding_push_json(lua_State *L, const tuff_value *value) {
  luaL_checkstack(L, 4, NULL);
  lua_getfield(L, LUA_REGISTRYINDEX, BINDING_JSON_DECODE);
  lua_pushlstring(L, value->bytes, value->size);
  call_json(L, value);
}

/* The text is left on the stack. */
static bool encode_table(lua_State *L, int index, tuff_value *value) {
  index = lua_absindex(L, index);
  lua_getfield(L, LUA_REGISTRYINDEX, BINDING_JSON_ENCODE);
  lua_pushvalue(L, index);
  call_json(L, NULL);
  value->kind = TUFF_JSON;
  value->bytes = lua_tolstring(L, -1, &value->size);
  return value->bytes != NULL;
}

/* ---- rows ---- */

void binding_push_row(lua_State *L, const tuff_value *row, unsigned columns,
                      int names) {
  lua_createtable(L, 0, (int)columns);
  for (unsigned i = 0; i < columns; i++) {
    if (row[i].kind == TUFF_NULL) continue;
    lua_rawgeti(L, names, (lua_Integer)i + 1);
    binding_push(L, &row[i]);
    lua_rawset(L, -3);
  }
}

/* ---- parameters ---- */

static bool refuse(lua_State *L, int index, tuff_error *err) {
  tuff_fail(err, TUFF_TYPE, "a %s cannot be stored", luaL_typename(L, index));
  tuff_error_hint(err, "a parameter is nil, tuff.null, a boolean, a number, a string, "
                       "tuff.blob(string), or a table, which is stored as JSON");
  return false;
}

static bool read_userdata(lua_State *L, int index, tuff_value *value, tuff_error *err) {
  if (!luaL_testudata(L, index, BINDING_BLOB_TYPE)) return refuse(L, index, err);
  value->kind = TUFF_BLOB;
  lua_getiuservalue(L, index, 1);
  value->bytes = lua_tolstring(L, -1, &value->size); /* the userdata anchors it */
  lua_pop(L, 1);
  return true;
}

bool binding_to_other_value(lua_State *L, int index, tuff_value *value,
                            tuff_error *err) {
  switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL: value->kind = TUFF_NULL; return true;
    case LUA_TBOOLEAN:
      value->kind = TUFF_BOOLEAN;
      value->integer = lua_toboolean(L, index);
      return true;
    case LUA_TLIGHTUSERDATA:
      if (!binding_is_null(L, index)) return refuse(L, index, err);
      value->kind = TUFF_NULL;
      return true;
    case LUA_TUSERDATA: return read_userdata(L, index, value, err);
    case LUA_TTABLE: return encode_table(L, index, value) || refuse(L, index, err);
    default: return refuse(L, index, err);
  }
}
