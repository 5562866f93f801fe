/* stream.c: the userdata of a stream over one value. It has a position, as a file has.
 */
#include <string.h>

#include "binding/binding.h"

typedef struct binding_stream {
  tuff_blob core;
  binding_connection *connection; /* NULL: closed */
  int64_t at;                     /* of the next byte, from 0 */
} binding_stream;

static binding_stream *check(lua_State *L) {
  binding_stream *box = luaL_testudata(L, 1, BINDING_STREAM_TYPE);
  if (!box) binding_argument(L, 1, "a stream that db:blob returned");
  return box;
}

static bool close_stream(binding_stream *box, tuff_error *err) {
  if (!box->connection) return true;
  bool closed = !box->connection->open || tuff_blob_close(&box->core, err);
  binding_closed(box->connection);
  box->connection = NULL;
  return closed;
}

/* Ready for a call; the connection is pushed. */
static binding_stream *enter(lua_State *L) {
  binding_stream *box = check(L);
  lua_getiuservalue(L, 1, 1);
  binding_enter(L, lua_gettop(L));
  return box;
}

static BINDING_RAISES fail(lua_State *L, const tuff_error *err) {
  lua_getiuservalue(L, 1, 1);
  binding_fail(L, lua_gettop(L), err, NULL, 0);
}

/* core.blob_stream(db, schema or nil, table, column, row) */
int binding_stream_new(lua_State *L) {
  lua_settop(L, 5);
  binding_stream *box = lua_newuserdatauv(L, sizeof *box, 2);
  memset(box, 0, sizeof *box);
  luaL_setmetatable(L, BINDING_STREAM_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 6, 1);
  lua_createtable(L, 3, 0); /* keeps the names */
  for (int i = 2; i <= 4; i++) {
    lua_pushvalue(L, i);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setiuservalue(L, 6, 2);
  binding_connection *connection = binding_enter(L, 1);
  tuff_place place = {luaL_optstring(L, 2, NULL), luaL_checkstring(L, 3),
                      luaL_checkstring(L, 4), (int64_t)luaL_checkinteger(L, 5)};
  tuff_error err;
  tuff_error_clear(&err);
  if (!tuff_blob_open(&box->core, &connection->core, &place, &err))
    return binding_fail(L, 1, &err, NULL, 0);
  box->connection = connection;
  binding_opened(connection);
  return 1;
}

/* stream:read(count): as many bytes as are left, at most; nil at the end. Without a
 * count all that are left, which may be none. */
static int read_stream(lua_State *L) {
  lua_settop(L, 2);
  binding_stream *box = enter(L);
  int64_t left = box->core.size - box->at, size = left;
  if (!lua_isnil(L, 2)) {
    if (!lua_isinteger(L, 2) || lua_tointeger(L, 2) < 0)
      return binding_argument(L, 2, "a count of bytes");
    if (lua_tointeger(L, 2) < left) size = (int64_t)lua_tointeger(L, 2);
  }
  luaL_Buffer buffer;
  char *bytes = luaL_buffinitsize(L, &buffer, (size_t)size);
  tuff_error err;
  tuff_error_clear(&err);
  if (!tuff_blob_read(&box->core, box->at, bytes, (size_t)size, &err))
    return fail(L, &err);
  box->at += size;
  luaL_pushresultsize(&buffer, (size_t)size);
  if (left == 0 && lua_tointeger(L, 2) > 0) lua_pushnil(L);
  return 1;
}

/* stream:write(bytes, …): writes over what is there. Gives the stream. */
static int write_stream(lua_State *L) {
  int last = lua_gettop(L);
  binding_stream *box = enter(L);
  binding_connection *connection = lua_touserdata(L, last + 1);
  binding_refuse_busy(L, connection);
  for (int i = 2; i <= last; i++) {
    if (lua_type(L, i) != LUA_TSTRING) return binding_argument(L, i, "a string");
    size_t size;
    const char *bytes = lua_tolstring(L, i, &size);
    tuff_error err;
    tuff_error_clear(&err);
    binding_running outer = binding_activate(L, connection, last + 1, NULL);
    bool written = tuff_blob_write(&box->core, box->at, bytes, size, &err);
    connection->active = outer;
    if (!written) return fail(L, &err);
    box->at += (int64_t)size;
  }
  lua_pushvalue(L, 1);
  return 1;
}

/* stream:seek(whence, offset): as of a file: "set", "cur" or "end". The position. */
static int seek(lua_State *L) {
  static const char *const names[] = {"set", "cur", "end", NULL};
  lua_settop(L, 3);
  binding_stream *box = check(L);
  const char *whence = lua_isnil(L, 2) ? "cur" : lua_tostring(L, 2);
  int origin = 0;
  while (names[origin] && (!whence || strcmp(whence, names[origin]) != 0)) origin++;
  if (!names[origin]) return binding_argument(L, 2, "\"set\", \"cur\" or \"end\"");
  if (!lua_isnil(L, 3) && !lua_isinteger(L, 3))
    return binding_argument(L, 3, "an integer");
  int64_t base = origin == 0 ? 0 : origin == 1 ? box->at : box->core.size;
  lua_Integer offset = lua_tointeger(L, 3);
  if (offset < -base || offset > box->core.size - base)
    return binding_refuse(L, TUFF_RANGE,
                          "there is no such place in a value of %I bytes",
                          (LUAI_UACINT)box->core.size);
  box->at = base + (int64_t)offset;
  lua_pushinteger(L, (lua_Integer)box->at);
  return 1;
}

/* stream:length(), and #stream: bytes. */
static int length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check(L)->core.size);
  return 1;
}

static int close_method(lua_State *L) {
  binding_stream *box = check(L);
  tuff_error err;
  tuff_error_clear(&err);
  if (close_stream(box, &err)) return 0;
  return fail(L, &err);
}

static int collect(lua_State *L) {
  close_stream(lua_touserdata(L, 1), NULL);
  return 0;
}

void binding_stream_install(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__gc", collect}, {"__close", close_method}, {"__len", length}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"read", read_stream},   {"write", write_stream},
                                     {"seek", seek},          {"length", length},
                                     {"close", close_method}, {NULL, NULL}};
  luaL_getmetatable(L, BINDING_STREAM_TYPE);
  binding_add(L, metamethods);
  lua_newtable(L);
  binding_add(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
