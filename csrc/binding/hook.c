/* hook.c: functions of the script that are told what goes on: of every run of a
 * statement, of one that takes long, and of what the server says about it. */
#include "binding/binding.h"
#include "core/host.h"
#include "core/message.h"

/* Indexes on the stack of a function that is called back. */
enum { ANCHOR = 1, ARGUMENT, CONNECTION, FUNCTIONS };

static void push_hook(lua_State *L, const binding_connection *box, int slot) {
  binding_push_connection(L, ANCHOR, box);
  lua_getiuservalue(L, CONNECTION, 3);
  lua_rawgeti(L, FUNCTIONS, slot);
}

/* ---- trace ---- */

typedef struct traced {
  const binding_connection *box;
  const tuff_run_report *report;
} traced;

static int call_trace(lua_State *L) {
  const traced *traced = lua_touserdata(L, ARGUMENT);
  const tuff_run_report *report = traced->report;
  push_hook(L, traced->box, BINDING_TRACE);
  lua_createtable(L, 0, 5);
  lua_pushlstring(L, report->sql, report->size);
  lua_setfield(L, -2, "sql");
  lua_pushnumber(L, (lua_Number)report->us / 1000);
  lua_setfield(L, -2, "ms");
  binding_set_integer(L, "rows", (int64_t)report->rows);
  binding_set_integer(L, "changes", report->changes);
  binding_set_text(L, "failed", tuff_code_name(report->failed));
  lua_pushboolean(L, report->own);
  lua_setfield(L, -2, "own");
  lua_call(L, 1, 0);
  return 0;
}

static void on_run(void *context, const tuff_run_report *report) {
  binding_connection *box = context;
  traced traced = {box, report};
  binding_call_back(box, call_trace, &traced);
}

/* Puts the function at index 2, or nothing, into the slot. */
static binding_connection *set_hook(lua_State *L, int slot) {
  binding_connection *box = binding_enter(L, 1);
  lua_getiuservalue(L, 1, 3);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, slot);
  return box;
}

/* core.trace(db, fn or false): fn gets a table for every run, and must not raise. */
static int trace(lua_State *L) {
  binding_connection *box = set_hook(L, BINDING_TRACE);
  box->core.trace = lua_toboolean(L, 2) ? on_run : NULL;
  box->core.trace_context = box;
  return 0;
}

/* ---- progress ---- */

typedef struct progress {
  const binding_connection *box;
  int64_t us;
  bool stops;
} progress;

static int call_progress(lua_State *L) {
  progress *progress = lua_touserdata(L, ARGUMENT);
  push_hook(L, progress->box, BINDING_PROGRESS);
  lua_pushnumber(L, (lua_Number)progress->us / 1000);
  lua_call(L, 1, 1);
  progress->stops = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
  return 0;
}

bool binding_progress_stops(binding_connection *box) {
  if (box->stopped || box->watching || !box->active.L) return box->stopped;
  int64_t now = tuff_now_us();
  if (!box->began_us) box->began_us = box->progressed_us = now;
  if (now - box->progressed_us < box->progress_us) return false;
  progress progress = {box, now - box->began_us, false};
  box->watching = true;
  bool called = binding_call_back(box, call_progress, &progress);
  box->watching = false;
  box->progressed_us = tuff_now_us();
  if (!called) box->stopped = BINDING_STOPPED_BY_ERROR;
  if (called && progress.stops) box->stopped = BINDING_STOPPED;
  return box->stopped;
}

/* core.progress(db, fn or false, milliseconds): fn gets how long the call has taken so
 * far; false, or an error, ends it. */
static int set_progress(lua_State *L) {
  lua_Number every = luaL_optnumber(L, 3, 0);
  binding_connection *box = set_hook(L, BINDING_PROGRESS);
  box->progress_us = lua_toboolean(L, 2) ? (int64_t)(every * 1000) : 0;
  box->stopped = BINDING_GOES_ON;
  return 0;
}

/* ---- notices ---- */

typedef struct noticed {
  const binding_connection *box;
  const tuff_notice *notice;
} noticed;

static int call_notice(lua_State *L) {
  const noticed *noticed = lua_touserdata(L, ARGUMENT);
  const tuff_notice *notice = noticed->notice;
  push_hook(L, noticed->box, BINDING_NOTICE);
  lua_createtable(L, 0, 5);
  lua_pushstring(L, notice->message); /* also where it is empty */
  lua_setfield(L, -2, "message");
  binding_set_text(L, "severity", notice->severity);
  binding_set_text(L, "detail", notice->detail);
  binding_set_text(L, "hint", notice->hint);
  binding_set_text(L, "native", notice->sqlstate);
  lua_call(L, 1, 0);
  return 0;
}

static void on_notice(void *context, const tuff_notice *notice) {
  binding_connection *box = context;
  noticed noticed = {box, notice};
  binding_call_back(box, call_notice, &noticed);
}

/* core.notice(db, fn, all): fn gets a table for every notice, or for warnings alone,
 * and must not raise. */
static int hear(lua_State *L) {
  bool all = lua_toboolean(L, 3);
  binding_connection *box = set_hook(L, BINDING_NOTICE);
  box->core.notice = on_notice;
  box->core.notice_context = box;
  tuff_message_hear(&box->core, all ? TUFF_HEAR_ALL : TUFF_HEAR_WARNINGS);
  return 0;
}

void binding_hook_install(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"trace", trace}, {"progress", set_progress}, {"notice", hear}, {NULL, NULL}};
  binding_add(L, functions);
}
