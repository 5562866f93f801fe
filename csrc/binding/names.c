/* names.c: the names of a statement's columns and parameters as strings of Lua. They
 * are made once, and kept in user value 1 of the connection by the slot of the
 * statement. */
#include "binding/binding.h"

/* Makes the names of one result differ: a, a_2, a_3. The table of names is on top. */
static void push_unique_name(lua_State *L, const char *name, int taken) {
  lua_pushstring(L, name);
  for (int n = 2;; n++) {
    lua_pushvalue(L, -1);
    if (lua_rawget(L, taken) == LUA_TNIL) break;
    lua_pop(L, 2);
    lua_pushfstring(L, "%s_%d", name, n);
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_pushboolean(L, 1);
  lua_rawset(L, taken);
}

static void build_columns(lua_State *L, const tuff_shape *shape) {
  luaL_checkstack(L, 8, NULL);
  lua_createtable(L, (int)shape->columns, 0);
  lua_createtable(L, 0, (int)shape->columns);
  int taken = lua_gettop(L);
  for (unsigned i = 0; i < shape->columns; i++) {
    push_unique_name(L, shape->names[i], taken);
    lua_rawseti(L, taken - 1, (lua_Integer)i + 1);
  }
  lua_pop(L, 1);
}

static lua_Integer columns_at(const tuff_statement *statement) {
  return 2 * (lua_Integer)statement->slot;
}

void binding_push_columns(lua_State *L, int connection, tuff_statement *statement) {
  lua_getiuservalue(L, connection, 1);
  if (TUFF_UNLIKELY(statement->slot_generation != statement->shape->generation)) {
    build_columns(L, statement->shape);
    lua_rawseti(L, -2, columns_at(statement));
    lua_pushnil(L); /* the slot may have belonged to another statement */
    lua_rawseti(L, -2, columns_at(statement) + 1);
    statement->slot_generation = statement->shape->generation;
  }
  lua_rawgeti(L, -1, columns_at(statement));
  lua_remove(L, -2);
}

static void build_parameters(lua_State *L, const tuff_statement *statement) {
  const tuff_tokenized *tokenized = &statement->tokenized;
  lua_createtable(L, (int)tokenized->count, 0);
  for (unsigned i = 0; i < tokenized->count; i++) {
    const tuff_parameter *parameter = &tokenized->parameters[i];
    lua_pushlstring(L, statement->source + parameter->name, parameter->name_size);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  binding_keys_new(L, -1);
  lua_remove(L, -2);
}

binding_keys *binding_push_parameters(lua_State *L, int connection,
                                      tuff_statement *statement) {
  lua_getiuservalue(L, connection, 1);
  if (statement->slot_generation != statement->shape->generation) {
    binding_push_columns(L, connection, statement);
    lua_pop(L, 1);
  }
  lua_Integer at = columns_at(statement) + 1;
  if (TUFF_UNLIKELY(lua_rawgeti(L, -1, at) != LUA_TUSERDATA)) {
    lua_pop(L, 1);
    build_parameters(L, statement);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, at);
  }
  lua_remove(L, -2);
  return lua_touserdata(L, -1);
}
