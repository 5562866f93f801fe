/* function.c: functions of Lua that SQL calls. The engine calls back inside of a call
 * of the script on the connection: the Lua state is the one of that call, and nothing
 * that Lua raises may pass through the engine. What a function raised is kept, and
 * raised again, the same object, by the call that ran the statement. */
#include <string.h>

#include "binding/binding.h"
#include "core/function.h"
#include "core/memory.h"
#include "core/text.h"

/* A function's place in user value 3 of the connection holds a function, or for an
 * aggregate an array of these: */
enum { STEP = 1, FINAL, START, INVERSE, VALUE };

/* Stands where no function has raised anything: nil and false can be raised too. */
static const char nothing;

/* What the engine keeps for a function. */
struct binding_function {
  binding_connection *box;
  lua_Integer number;
  struct binding_function *next; /* of those that the engine has given back */
};

/* One call from the engine. */
typedef struct invocation {
  binding_function *function;
  const tuff_value *arguments;
  unsigned count;
  uint64_t *group;
  tuff_value *result;
  int *order;
} invocation;

/* ---- inside of a protected call ---- */

/* Indexes on its stack: the object that leads to the connection, the invocation, the
 * connection, and its functions. */
enum { ANCHOR = 1, INVOCATION, CONNECTION, FUNCTIONS };

void binding_push_connection(lua_State *L, int anchor, const binding_connection *box) {
  if (lua_touserdata(L, anchor) == box)
    lua_pushvalue(L, anchor);
  else
    lua_getiuservalue(L, anchor, 1);
}

static invocation *enter(lua_State *L) {
  invocation *call = lua_touserdata(L, INVOCATION);
  binding_push_connection(L, ANCHOR, call->function->box);
  lua_getiuservalue(L, CONNECTION, 3);
  lua_rawgeti(L, FUNCTIONS, call->function->number);
  return call;
}

static void push_arguments(lua_State *L, const invocation *call) {
  luaL_checkstack(L, (int)call->count + LUA_MINSTACK, "too many arguments");
  for (unsigned i = 0; i < call->count; i++) binding_push(L, &call->arguments[i]);
}

static BINDING_RAISES refuse_result(lua_State *L, tuff_code code, const char *what) {
  tuff_error err;
  tuff_error_clear(&err);
  tuff_fail(&err, code, "the function has returned %s", what);
  tuff_error_hint(&err, "it may return what can be stored: nil, a boolean, a number, a "
                        "string, tuff.blob(string), or a table, which becomes JSON");
  binding_raise(L, &err, NULL, 0);
}

/* The value on top is what the engine gets; it is kept until the next one. */
static void take_result(lua_State *L, const invocation *call) {
  tuff_value *result = call->result;
  tuff_error err;
  tuff_error_clear(&err);
  if (!binding_to_value(L, lua_gettop(L), result, &err))
    refuse_result(L, TUFF_TYPE, luaL_typename(L, -1));
  if (result->kind == TUFF_REAL && result->real != result->real)
    refuse_result(L, TUFF_RANGE, "NaN");
  if (result->kind == TUFF_TEXT && !tuff_text_is_valid(result->bytes, result->size))
    refuse_result(L, TUFF_TYPE,
                  "a string that is not UTF-8, or holds a NUL byte, and no tuff.blob");
  if (tuff_value_has_bytes(result)) lua_rawseti(L, FUNCTIONS, BINDING_RESULT);
}

static int call_scalar(lua_State *L) {
  const invocation *call = enter(L);
  push_arguments(L, call);
  lua_call(L, (int)call->count, 1);
  take_result(L, call);
  return 0;
}

static int call_collation(lua_State *L) {
  const invocation *call = enter(L);
  push_arguments(L, call);
  lua_call(L, (int)call->count, 1);
  if (lua_type(L, -1) != LUA_TNUMBER)
    binding_misuse(L, "a collation returns a number, below 0, 0 or above 0, not a %s",
                   luaL_typename(L, -1));
  lua_Number order = lua_tonumber(L, -1);
  if (order != order)
    binding_misuse(L, "a collation returns a number, below 0, 0 or above 0, not NaN");
  *call->order = (order > 0) - (order < 0);
  return 0;
}

/* A state that nobody has changed yet. The definition is on top. */
static void push_start(lua_State *L) {
  if (lua_rawgeti(L, -1, START) == LUA_TFUNCTION) lua_call(L, 0, 1);
}

/* States of groups that a statement was given up with are forgotten when none is left
 * that counts. */
static void begin_group(lua_State *L, binding_connection *box, uint64_t *group) {
  if (box->groups == 0) {
    lua_newtable(L);
    lua_setiuservalue(L, CONNECTION, 4);
  }
  box->groups++;
  *group = ++box->last_group;
}

/* Calls a function of the aggregate with the state and the arguments; one that returns
 * nothing has changed its state in place. */
static void change(lua_State *L, int function) {
  const invocation *call = enter(L);
  int definition = lua_gettop(L);
  uint64_t number = *call->group;
  if (number == 0) {
    push_start(L);
    begin_group(L, call->function->box, &number);
    lua_getiuservalue(L, CONNECTION, 4);
    lua_insert(L, -2);
  } else {
    lua_getiuservalue(L, CONNECTION, 4);
    lua_rawgeti(L, -1, (lua_Integer)number);
  }
  *call->group = number;
  int groups = lua_gettop(L) - 1;
  lua_rawgeti(L, definition, function);
  lua_pushvalue(L, groups + 1);
  push_arguments(L, call);
  lua_call(L, (int)call->count + 1, 1);
  if (lua_isnil(L, -1)) lua_pop(L, 1); /* leaves the state that it had */
  lua_rawseti(L, groups, (lua_Integer)number);
}

static int call_step(lua_State *L) {
  change(L, STEP);
  return 0;
}

static int call_inverse(lua_State *L) {
  change(L, INVERSE);
  return 0;
}

static void tell(lua_State *L, int function) {
  const invocation *call = enter(L);
  lua_rawgeti(L, -1, function);
  lua_insert(L, -2);
  if (*call->group == 0) {
    push_start(L);
  } else {
    lua_getiuservalue(L, CONNECTION, 4);
    lua_rawgeti(L, -1, (lua_Integer)*call->group);
  }
  lua_insert(L, FUNCTIONS + 2); /* behind the function */
  lua_settop(L, FUNCTIONS + 2);
  lua_call(L, 1, 1);
  take_result(L, call);
}

static int call_value(lua_State *L) {
  tell(L, VALUE);
  return 0;
}

/* A loop over a window may keep the table of states for long: this one is let go. */
static int call_final(lua_State *L) {
  tell(L, FINAL);
  const invocation *call = lua_touserdata(L, INVOCATION);
  if (*call->group == 0) return 0;
  lua_getiuservalue(L, CONNECTION, 4);
  lua_pushnil(L);
  lua_rawseti(L, -2, (lua_Integer)*call->group);
  return 0;
}

/* ---- what the engine calls ---- */

/* Queries of the function have limits of their own, those of the statement that calls
 * it go on. */
bool binding_call_back(binding_connection *box, lua_CFunction body,
                       const void *argument) {
  binding_running running = box->active;
  lua_State *L = running.L;
  if (!L || !lua_checkstack(L, LUA_MINSTACK)) return false;
  lua_pushcfunction(L, body);
  lua_pushvalue(L, running.anchor);
  lua_pushlightuserdata(L, (void *)(uintptr_t)argument);
  tuff_watch watch = box->core.watch;
  int status = lua_pcall(L, 2, 0, 0);
  box->active = running; /* the function may have made calls of its own */
  box->core.watch.timeout_us = watch.timeout_us;
  box->core.watch.started_us = watch.started_us;
  box->core.watch.busy_us = watch.busy_us;
  if (TUFF_LIKELY(status == LUA_OK)) return true;
  binding_push_connection(L, running.anchor, box);
  lua_getiuservalue(L, -1, 3);
  lua_pushvalue(L, -3);
  lua_rawseti(L, -2, BINDING_RAISED); /* needs no memory: the slot exists */
  lua_pop(L, 3);
  return false;
}

static bool invoke(const invocation *call, lua_CFunction body) {
  call->function->box->core.calls++;
  return binding_call_back(call->function->box, body, call);
}

static bool on_call(void *context, const tuff_value *arguments, unsigned count,
                    tuff_value *result) {
  invocation call = {context, arguments, count, NULL, result, NULL};
  return invoke(&call, call_scalar);
}

static bool on_compare(void *context, const tuff_value *a, const tuff_value *b,
                       int *order) {
  tuff_value both[] = {*a, *b};
  invocation call = {context, both, 2, NULL, NULL, order};
  return invoke(&call, call_collation);
}

static bool on_step(void *context, uint64_t *group, const tuff_value *arguments,
                    unsigned count) {
  invocation call = {context, arguments, count, group, NULL, NULL};
  return invoke(&call, call_step);
}

static bool on_inverse(void *context, uint64_t *group, const tuff_value *arguments,
                       unsigned count) {
  invocation call = {context, arguments, count, group, NULL, NULL};
  return invoke(&call, call_inverse);
}

static bool on_value(void *context, uint64_t group, tuff_value *result) {
  invocation call = {context, NULL, 0, &group, result, NULL};
  return invoke(&call, call_value);
}

static bool on_final(void *context, uint64_t group, tuff_value *result) {
  invocation call = {context, NULL, 0, &group, result, NULL};
  return invoke(&call, call_final);
}

static void on_forget(void *context, uint64_t group) {
  (void)group;
  ((binding_function *)context)->box->groups--;
}

/* Without a Lua state: the function itself is let go when its number is used again. */
static void on_release(void *context) {
  binding_function *function = context;
  function->next = function->box->released;
  function->box->released = function;
}

void binding_functions_new(lua_State *L, int connection) {
  lua_createtable(L, BINDING_FUNCTION - 1, 0);
  for (int slot = 1; slot < BINDING_FUNCTION; slot++) {
    /* So that setting them needs no memory. */
    lua_pushlightuserdata(L, (void *)(uintptr_t)&nothing);
    lua_rawseti(L, -2, slot);
  }
  lua_setiuservalue(L, connection, 3);
}

void binding_functions_free(binding_connection *box) {
  while (box->released) {
    binding_function *function = box->released;
    box->released = function->next;
    tuff_free(function);
  }
}

/* ---- raising ---- */

bool binding_push_raised(lua_State *L, int connection, tuff_error *err) {
  lua_getiuservalue(L, connection, 3);
  lua_rawgeti(L, -1, BINDING_RAISED);
  lua_pushlightuserdata(L, (void *)(uintptr_t)&nothing);
  lua_rawseti(L, -3, BINDING_RAISED);
  lua_remove(L, -2);
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  bool yielded = strcmp(text, "attempt to yield across a C-call boundary") == 0;
  if (!yielded && lua_touserdata(L, -1) != &nothing) return true;
  lua_pop(L, 1);
  tuff_error_clear(err);
  if (yielded)
    tuff_fail(err, TUFF_MISUSE, "a function that SQL calls cannot yield");
  else
    tuff_fail(err, TUFF_MEMORY, "no room is left to call a function");
  return false;
}

/* ---- definitions ---- */

static BINDING_RAISES raise_memory(lua_State *L) {
  tuff_error err;
  tuff_error_clear(&err);
  tuff_fail_memory(&err);
  binding_raise(L, &err, NULL, 0);
}

/* A number for the function that is on top, which is then popped. */
static binding_function *new_function(lua_State *L, binding_connection *box) {
  if (!box->released) {
    binding_function *function = tuff_alloc_zero(sizeof *function);
    if (!function) raise_memory(L);
    function->box = box;
    function->number = BINDING_FUNCTION + box->functions++;
    on_release(function);
  }
  lua_getiuservalue(L, 1, 3);
  lua_insert(L, -2);
  lua_rawseti(L, -2, box->released->number);
  lua_pop(L, 1);
  binding_function *function = box->released;
  box->released = function->next;
  return function;
}

static const char *name_of(lua_State *L) {
  size_t size;
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &size) : NULL;
  if (!name) binding_argument(L, 2, "the name of a function");
  if (size == 0 || size > 255 || !tuff_text_is_valid(name, size))
    binding_misuse(L, "a name for SQL has 1 to 255 bytes of UTF-8, without NUL");
  return name;
}

/* What the engine has given back can be collected. */
static void forget_released(lua_State *L, const binding_connection *box) {
  lua_getiuservalue(L, 1, 3);
  for (const binding_function *at = box->released; at; at = at->next) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, at->number);
  }
  lua_pop(L, 1);
}

static int define_as(lua_State *L, tuff_function definition) {
  binding_connection *box = lua_touserdata(L, 1);
  definition.context = new_function(L, box);
  definition.release = on_release;
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, box, 1, NULL);
  bool defined = tuff_function_define(&box->core, &definition, &err);
  box->active = outer;
  forget_released(L, box);
  return defined ? 0 : binding_fail(L, 1, &err, NULL, 0);
}

/* core.define(db, name, fn, deterministic, schema) */
static int define(lua_State *L) {
  binding_enter(L, 1);
  tuff_function definition = {.name = name_of(L),
                              .deterministic = lua_toboolean(L, 4),
                              .schema = lua_toboolean(L, 5),
                              .call = on_call};
  lua_settop(L, 3);
  return define_as(L, definition);
}

/* core.define_aggregate(db, name, definition, deterministic, schema): an array of step,
 * final, start, inverse and value; the last two may be missing. */
static int define_aggregate(lua_State *L) {
  binding_enter(L, 1);
  luaL_checktype(L, 3, LUA_TTABLE);
  bool window = lua_rawgeti(L, 3, INVERSE) == LUA_TFUNCTION;
  tuff_function definition = {.name = name_of(L),
                              .deterministic = lua_toboolean(L, 4),
                              .schema = lua_toboolean(L, 5),
                              .step = on_step,
                              .final = on_final,
                              .forget = on_forget,
                              .inverse = window ? on_inverse : NULL,
                              .value = window ? on_value : NULL};
  lua_settop(L, 3);
  return define_as(L, definition);
}

/* core.define_collation(db, name, fn) */
static int define_collation(lua_State *L) {
  binding_enter(L, 1);
  tuff_function definition = {.name = name_of(L), .compare = on_compare};
  lua_settop(L, 3);
  return define_as(L, definition);
}

/* core.load_extension(db, path, entry or nil) */
static int load_extension(lua_State *L) {
  binding_connection *box = binding_enter(L, 1);
  const char *path = luaL_checkstring(L, 2), *entry = luaL_optstring(L, 3, NULL);
  tuff_error err;
  tuff_error_clear(&err);
  binding_running outer = binding_activate(L, box, 1, NULL);
  bool loaded = tuff_function_load(&box->core, path, entry, &err);
  box->active = outer;
  return loaded ? 0 : binding_fail(L, 1, &err, NULL, 0);
}

void binding_function_install(lua_State *L) {
  static const luaL_Reg functions[] = {{"define", define},
                                       {"define_aggregate", define_aggregate},
                                       {"define_collation", define_collation},
                                       {"load_extension", load_extension},
                                       {NULL, NULL}};
  binding_add(L, functions);
}
