/* message.c: notifications. They are waited for here, and given out one by one: which
 * function gets them is the Lua layer's. */
#include "binding/binding.h"
#include "core/message.h"

/* core.listen(db, channel, on) */
static int listen_to(lua_State *L) {
  binding_connection *box = binding_enter(L, 1);
  binding_refuse_busy(L, box);
  const char *channel = luaL_checkstring(L, 2);
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, box, 1, NULL);
  bool done = tuff_message_listen(&box->core, channel, lua_toboolean(L, 3), &err);
  box->active = outer;
  return done ? 0 : binding_fail(L, 1, &err, NULL, 0);
}

/* core.wait(db, milliseconds): how many notifications there are. */
static int wait_for_one(lua_State *L) {
  binding_connection *box = binding_enter(L, 1);
  binding_refuse_busy(L, box);
  int64_t us = (int64_t)(luaL_checknumber(L, 2) * 1000);
  size_t count = 0;
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, box, 1, NULL);
  bool waited = tuff_message_wait(&box->core, us, &count, &err);
  box->active = outer;
  if (!waited) return binding_fail(L, 1, &err, NULL, 0);
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

/* core.notification(db): channel, payload and sender of the oldest one, or nothing: a
 * function that was called for another may have closed the connection. */
static int next_notification(lua_State *L) {
  binding_connection *box = binding_test(L, 1, BINDING_CONNECTION);
  if (!box) return binding_argument(L, 1, "a tuff connection");
  tuff_notification notification;
  if (!box->open || !tuff_message_next(&box->core, &notification)) return 0;
  lua_pushstring(L, notification.channel);
  lua_pushstring(L, notification.payload);
  lua_pushinteger(L, notification.sender);
  return 3;
}

void binding_message_install(lua_State *L) {
  static const luaL_Reg functions[] = {{"listen", listen_to},
                                       {"wait", wait_for_one},
                                       {"notification", next_notification},
                                       {NULL, NULL}};
  binding_add(L, functions);
}
