/* backup.c: the userdata of a copy that is being made, and the check of a file. Lua
 * drives the copy step by step, and may do anything between two steps. */
#include <string.h>

#include "binding/binding.h"
#include "core/backup.h"
#include "core/host.h"
#include "sqlite/sqlite.h"

/* A copy. User value 1: its connection. */
typedef struct binding_backup {
  tuff_backup core;
  binding_connection *connection; /* NULL: ended */
} binding_backup;

static void end(binding_backup *box) {
  if (!box->connection) return;
  tuff_backup_finish(&box->core);
  binding_closed(box->connection);
  box->connection = NULL;
}

/* How closely a file is looked at. */
static unsigned level(lua_State *L, int index) {
  bool deep = luaL_checkinteger(L, index) >= 3;
  return deep ? TUFF_VERIFY_INDEXES | TUFF_VERIFY_REFERENCES : 0;
}

/* core.backup(db, path, root or nil, replace, level) */
static int new_backup(lua_State *L) {
  lua_settop(L, 5);
  binding_backup *box = lua_newuserdatauv(L, sizeof *box, 1);
  memset(box, 0, sizeof *box);
  luaL_setmetatable(L, BINDING_BACKUP_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 6, 1);
  binding_connection *connection = binding_enter(L, 1);
  binding_refuse_busy(L, connection);
  tuff_backup_plan plan = {.to = {.root = luaL_optstring(L, 3, NULL)},
                           .replace = lua_toboolean(L, 4),
                           .verify = level(L, 5)};
  plan.to.path = luaL_checklstring(L, 2, &plan.to.path_size);
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, connection, 1, NULL);
  bool begun = tuff_backup_begin(&box->core, &connection->core, &plan, &err);
  connection->active = outer;
  if (!begun) return binding_fail(L, 1, &err, NULL, 0);
  box->connection = connection;
  binding_opened(connection);
  return 1;
}

static binding_backup *check(lua_State *L) {
  binding_backup *box = luaL_testudata(L, 1, BINDING_BACKUP_TYPE);
  if (!box) binding_argument(L, 1, "a copy that is being made");
  return box;
}

static void push_found(lua_State *L, const tuff_inspection *found) {
  lua_createtable(L, 0, 8);
  binding_set_integer(L, "bytes", found->bytes);
  binding_set_integer(L, "pages", found->pages);
  binding_set_integer(L, "page_size", found->page_size);
  binding_set_integer(L, "tables", found->tables);
  if (found->dangling >= 0) binding_set_integer(L, "dangling", found->dangling);
}

/* copy:step(): what it has done last, the bytes done, and all; or, when the copy has
 * its name, nil and what is known of it. The connection need not be free for that. */
static int step(lua_State *L) {
  static const char *const names[] = {[TUFF_BACKUP_COPYING] = "copy",
                                      [TUFF_BACKUP_COPIED] = "copy",
                                      [TUFF_BACKUP_CHECKED] = "check"};
  binding_backup *box = check(L);
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1);
  binding_connection *connection = lua_touserdata(L, 2);
  tuff_error err;
  tuff_error_clear(&err);
  binding_interrupt_begin(L, &connection->interrupt);
  binding_progress_begin(connection);
  binding_running outer = binding_activate(L, connection, 2, NULL);
  tuff_result result = tuff_backup_step(&box->core, &err);
  connection->active = outer;
  if (result == TUFF_FAILED) return binding_fail(L, 2, &err, NULL, 0);
  if (result == TUFF_MORE) {
    lua_pushstring(L, names[box->core.stage]);
    lua_pushinteger(L, (lua_Integer)box->core.extent.done);
    lua_pushinteger(L, (lua_Integer)box->core.extent.total);
    return 3;
  }
  lua_pushnil(L);
  push_found(L, &box->core.found);
  binding_set_integer(L, "created_us", box->core.created_us);
  binding_set_text(L, "path", box->core.artefact.path);
  return 2;
}

static int close_method(lua_State *L) {
  end(check(L));
  return 0;
}

static int collect(lua_State *L) {
  end(lua_touserdata(L, 1));
  return 0;
}

/* ---- checking a file ---- */

static bool is_interrupted(void *interrupt) {
  return binding_interrupt_came(interrupt);
}

/* core.verify(path, level, follow) */
static int verify(lua_State *L) {
  enum { PATIENCE_US = 5000000 };
  lua_settop(L, 3);
  tuff_options file = {.follow = lua_toboolean(L, 3)};
  file.path = luaL_checklstring(L, 1, &file.path_size);
  unsigned how = level(L, 2);
  binding_interrupt interrupt = {NULL};
  binding_interrupt_begin(L, &interrupt);
  tuff_watch watch = {
      .interrupted = is_interrupted, .context = &interrupt, .busy_us = PATIENCE_US};
  const tuff_driver *driver = tuff_sqlite_driver(tuff_host_get());
  tuff_inspection found;
  tuff_error err;
  tuff_error_clear(&err);
  if (!driver->copying->verify(&file, how, &watch, &found, &err)) {
    binding_interrupt_answer(&interrupt, &err);
    return binding_raise(L, &err, NULL, 0);
  }
  push_found(L, &found);
  return 1;
}

void binding_backup_install(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"backup", new_backup}, {"verify", verify}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {
      {"__gc", collect}, {"__close", close_method}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"step", step}, {"close", close_method}, {NULL, NULL}};
  binding_add(L, functions);
  luaL_getmetatable(L, BINDING_BACKUP_TYPE);
  binding_add(L, metamethods);
  lua_newtable(L);
  binding_add(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
