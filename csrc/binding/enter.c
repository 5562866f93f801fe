/* enter.c: what guards every call on a connection: that it may be used here and now, by
 * this coroutine, and not in the middle of another call; and how a call hears of
 * Ctrl-C.
 */
#include "binding/binding.h"

/* The hook with which the stock interpreter answers Ctrl-C. It is set on the main
 * thread, and so never runs while a coroutine does: there it is for us to see. */
static bool is_pending_interrupt(lua_State *main) {
  enum { EVERYTHING = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT };
  return lua_gethookmask(main) == EVERYTHING && lua_gethookcount(main) == 1;
}

static lua_State *main_of(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main = lua_tothread(L, -1);
  lua_pop(L, 1);
  return main;
}

void binding_interrupt_begin(lua_State *L, binding_interrupt *interrupt) {
  if (TUFF_UNLIKELY(!interrupt->main)) interrupt->main = main_of(L);
  lua_State *main = interrupt->main;
  lua_Hook hook = lua_gethook(main);
  bool pending = hook && L != main && is_pending_interrupt(main);
  interrupt->hook = TUFF_UNLIKELY(pending) ? NULL : hook;
}

void binding_interrupt_answer(const binding_interrupt *interrupt,
                              const tuff_error *err) {
  if (err->code == TUFF_INTERRUPTED && binding_interrupt_came(interrupt))
    lua_sethook(interrupt->main, NULL, 0, 0);
}

bool binding_interrupted(void *context) {
  binding_connection *box = context;
  return binding_interrupt_came(&box->interrupt) ||
         (box->progress_us && binding_progress_stops(box));
}

/* Another coroutine has a transaction open here. If it has resumed this one, directly
 * or not, this is its own work; if it is suspended, this would write into its
 * transaction; if it is dead, nobody else is left to end it. */
static void check_owner(lua_State *L, binding_connection *box) {
  if (!box->owner || lua_status(box->owner) != LUA_YIELD) return;
  /* Perhaps nobody can resume it any more: collecting it rolls its transaction back. */
  lua_gc(L, LUA_GCCOLLECT, 0);
  if (!box->owner || box->core.transaction.depth == 0) return;
  tuff_error err;
  tuff_error_clear(&err);
  tuff_fail(&err, TUFF_MISUSE,
            "a suspended coroutine has a transaction open on this "
            "connection");
  tuff_error_hint(&err,
                  "open a connection for each coroutine that writes, or finish the "
                  "transaction before yielding");
  binding_raise(L, &err, NULL, 0);
}

static void check_usable(lua_State *L, const binding_connection *box) {
  tuff_error err;
  tuff_error_clear(&err);
  if (!tuff_connection_check(&box->core, &err)) binding_raise(L, &err, NULL, 0);
}

void binding_reenter(lua_State *L, binding_connection *box) {
  check_usable(L, box);
  if (TUFF_UNLIKELY(box->watching))
    binding_misuse(L, "a progress function cannot use its connection");
  if (TUFF_UNLIKELY(box->core.transaction.depth > 0 && box->owner != L)) {
    check_owner(L, box);
    check_usable(L, box); /* a finaliser may have closed it */
  }
  binding_interrupt_begin(L, &box->interrupt);
}

binding_connection *binding_connection_of(lua_State *L, int index) {
  binding_connection *connection = binding_test(L, index, BINDING_CONNECTION);
  if (connection) return connection;
  if (!binding_test(L, index, BINDING_STATEMENT) &&
      !binding_test(L, index, BINDING_CURSOR) &&
      !binding_test(L, index, BINDING_TRANSACTION) &&
      !luaL_testudata(L, index, BINDING_STREAM_TYPE) &&
      !luaL_testudata(L, index, BINDING_BACKUP_TYPE))
    return NULL;
  lua_getiuservalue(L, index, 1);
  connection = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return connection;
}

/* The connection that the function of this level is a call on, if it is one of ours: a
 * method, whose first upvalue is a metatable, or an iterator, whose is a cursor. */
static const binding_connection *called_at(lua_State *L, lua_Debug *at) {
  const binding_connection *connection = NULL;
  int top = lua_gettop(L);
  lua_getinfo(L, "f", at);
  if (lua_iscfunction(L, -1) && lua_getupvalue(L, -1, 1) &&
      (!lua_rawequal(L, -1, lua_upvalueindex(BINDING_CONNECTION)) ||
       lua_getlocal(L, at, 1)))
    connection = binding_connection_of(L, -1);
  lua_settop(L, top);
  return connection;
}

/* The call is remembered until it has returned, and an error that is none of ours, want
 * of memory, leaves it behind. The stack of C grows down, also through coroutines,
 * which Lua runs on the same one: a call that still waits stands above us, and so may
 * one that was left; but on our own thread only the one that waits is still to be seen.
 */
bool binding_is_busy(lua_State *L, const binding_connection *box) {
  if (__builtin_frame_address(0) >= box->active.frame) return false;
  if (L != box->active.L) return L != box->interrupt.main;
  lua_Debug at;
  for (int level = 1; lua_getstack(L, level, &at); level++)
    if (called_at(L, &at) == box) return true;
  return false;
}

void binding_refuse_busy(lua_State *L, const binding_connection *box) {
  if (binding_is_busy(L, box))
    binding_misuse(
        L, "this cannot be done in the middle of another call on the connection "
           "(by a finaliser, a metamethod or an iterator)");
}

/* Reading so many ahead costs less than a full collection. */
enum { CHEAP_ROWS = 1000 };

/* In a Lua whose loops are not closed by `break`, a loop that was left keeps its
 * snapshot, which every other read of the connection would share. So, once for each
 * loop that is open when something else is run: read the rest ahead if it is short; or
 * else, and where that calls functions of the script, whose errors nobody would see,
 * let the collector find out whether anybody can still reach it. */
static void find_lost_loops(lua_State *L, int connection) {
  binding_connection *box = lua_touserdata(L, connection);
  bool seen = true, calls = false;
  for (tuff_cursor *cursor = box->core.cursors; cursor; cursor = cursor->next) {
    seen = seen && cursor->suspected;
    calls = calls || cursor->calls;
    cursor->suspected = true;
  }
  if (seen || binding_for_closes(L)) return;
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, box, connection, NULL);
  bool settled = calls || tuff_cursors_settle(&box->core, CHEAP_ROWS, &err);
  box->active = outer;
  if (!settled) binding_fail(L, connection, &err, NULL, 0);
  if (box->core.cursors) lua_gc(L, LUA_GCCOLLECT, 0);
}

void binding_begin(lua_State *L, int connection) {
  binding_connection *box = lua_touserdata(L, connection);
  binding_reenter(L, box);
  if (TUFF_UNLIKELY(box->active.frame != NULL) && !binding_is_busy(L, box)) {
    tuff_statement_release(box->active.statement);
    box->active = (binding_running){0};
  }
  binding_progress_begin(box);
  if (TUFF_UNLIKELY(box->core.cursors != NULL)) {
    find_lost_loops(L, connection);
    check_usable(L, box);
  }
  box->core.own = box->own;
  box->own = false;
  if (TUFF_UNLIKELY(box->limited)) {
    box->limited = false;
    tuff_connection_limit(&box->core, box->timeout_us, box->busy_us);
  } else {
    tuff_connection_limit(&box->core, box->core.timeout_us, box->core.busy_us);
  }
}

binding_connection *binding_enter(lua_State *L, int index) {
  binding_connection *box = binding_test(L, index, BINDING_CONNECTION);
  if (TUFF_UNLIKELY(!box)) binding_argument(L, index, "a tuff connection");
  binding_begin(L, index);
  return box;
}

const char *binding_sql(lua_State *L, int index, size_t *size) {
  if (TUFF_UNLIKELY(lua_type(L, index) != LUA_TSTRING))
    binding_argument(L, index, "the text of an SQL statement");
  return lua_tolstring(L, index, size);
}
