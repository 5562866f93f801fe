/* keys.c: finding the place of a value by its key. */
#include "binding/binding.h"

binding_keys *binding_keys_new(lua_State *L, int names) {
  names = lua_absindex(L, names);
  unsigned count = (unsigned)lua_rawlen(L, names);
  binding_keys *keys =
      lua_newuserdatauv(L, sizeof *keys + count * sizeof keys->key[0], 1);
  lua_pushvalue(L, names);
  lua_setiuservalue(L, -2, 1);
  keys->count = count;
  for (unsigned i = 0; i < count; i++) {
    lua_rawgeti(L, names, (lua_Integer)i + 1);
    keys->key[i].address = lua_topointer(L, -1);
    keys->key[i].guess = i;
    lua_pop(L, 1);
  }
  return keys;
}

/* A longer string may exist twice. */
static bool equals(lua_State *L, int at, unsigned number, int key) {
  lua_getiuservalue(L, at, 1);
  lua_rawgeti(L, -1, (lua_Integer)number + 1);
  bool equal = lua_rawequal(L, -1, key);
  lua_pop(L, 2);
  return equal;
}

int binding_keys_search(lua_State *L, binding_keys *keys, unsigned k, int at, int key) {
  enum { SHORT = 40 }; /* bytes; Lua's LUAI_MAXSHORTLEN */
  const void *address = lua_topointer(L, key);
  bool twice = lua_type(L, key) == LUA_TSTRING && lua_rawlen(L, key) > SHORT;
  for (unsigned i = 0; i < keys->count; i++) {
    if (keys->key[i].address != address && !(twice && equals(L, at, i, key))) continue;
    keys->key[k].guess = i;
    return (int)i;
  }
  return -1;
}
