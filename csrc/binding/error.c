/* error.c: a tuff_error as the Lua table that is raised. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "binding/binding.h"
#include "core/text.h"

static void set_columns(lua_State *L, const char *columns) {
  if (!columns[0]) return;
  lua_newtable(L);
  for (lua_Integer i = 1; columns; i++) {
    const char *end = strchr(columns, '\n');
    size_t size = end ? (size_t)(end - columns) : strlen(columns);
    lua_pushlstring(L, columns, size);
    lua_rawseti(L, -2, i);
    columns = end ? end + 1 : NULL;
  }
  lua_setfield(L, -2, "columns");
}

/* Line and column, from 1, of a byte of the text; the column counts characters. */
static void set_position(lua_State *L, const char *sql, size_t size, int offset) {
  if (offset < 0 || (size_t)offset > size) return;
  lua_Integer line = 1, column = 1;
  for (const char *at = sql; at < sql + offset; at++) {
    if (*at == '\n') {
      line++;
      column = 1;
    } else if (((unsigned char)*at & 0xC0) != 0x80) {
      column++;
    }
  }
  binding_set_integer(L, "sql_line", line);
  binding_set_integer(L, "sql_column", column);
}

/* The innermost line that is no code of ours: the caller's. */
static void set_source(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, BINDING_OWN_CODE);
  const char *own = lua_tostring(L, -1);
  lua_Debug at;
  for (int level = 0; lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "Sl", &at);
    if (at.currentline <= 0 || (own && strncmp(at.source, own, strlen(own)) == 0))
      continue;
    lua_pushfstring(L, "%s:%d", at.short_src, at.currentline);
    lua_setfield(L, -3, "source");
    break;
  }
  lua_pop(L, 1);
}

/* A path in it may be cut in the middle of a character, or be no UTF-8. */
static void set_prose(lua_State *L, const char *field, const char *text) {
  char prose[sizeof((tuff_error *)NULL)->message];
  snprintf(prose, sizeof prose, "%s", text);
  tuff_text_mend(prose);
  binding_set_text(L, field, prose);
}

static void push_error(lua_State *L, const tuff_error *err, const char *sql,
                       size_t size) {
  luaL_checkstack(L, 6, NULL);
  lua_createtable(L, 0, 8);
  binding_set_text(L, "code", tuff_code_name(err->code));
  set_prose(L, "message", err->message);
  binding_set_text(L, "constraint", tuff_constraint_name(err->constraint));
  binding_set_text(L, "constraint_name", err->constraint_name);
  binding_set_text(L, "table", err->table);
  set_columns(L, err->columns);
  set_prose(L, "hint", err->hint);
  if (err->sqlstate[0]) {
    binding_set_text(L, "native", err->sqlstate);
  } else if (err->native) {
    binding_set_integer(L, "native", err->native);
  }
  if (err->row) binding_set_integer(L, "row", err->row);
  lua_pushboolean(L, err->retryable);
  lua_setfield(L, -2, "retryable");
  if (err->unknown) binding_set_text(L, "outcome", "unknown");
  if (sql) {
    lua_pushlstring(L, sql, size);
    lua_setfield(L, -2, "sql");
    set_position(L, sql, size, err->offset);
  }
  set_source(L);
  luaL_setmetatable(L, BINDING_ERROR_TYPE);
}

/* Raises the value on top. */
static BINDING_RAISES raise(lua_State *L) {
  lua_error(L);
  __builtin_unreachable();
}

BINDING_RAISES binding_raise(lua_State *L, const tuff_error *err, const char *sql,
                             size_t size) {
  push_error(L, err, sql, size);
  raise(L);
}

void binding_push_failure(lua_State *L, int connection, const tuff_error *err,
                          const char *sql, size_t size) {
  binding_connection *box = lua_touserdata(L, connection);
  connection = lua_absindex(L, connection);
  binding_interrupt_answer(&box->interrupt, err);
  tuff_error told = *err;
  bool raised = err->raised || (err->code == TUFF_INTERRUPTED &&
                                box->stopped == BINDING_STOPPED_BY_ERROR);
  if (!raised || !binding_push_raised(L, connection, &told))
    push_error(L, &told, sql, size);
  const tuff_transaction *transaction = &box->core.transaction;
  bool known = box->failures == transaction->failures;
  lua_getiuservalue(L, connection, 2);
  if (err->code == TUFF_TRANSACTION_ABORTED) {
    if (known) {
      lua_getfield(L, -1, "failure");
      lua_setfield(L, -3, "cause");
    }
  } else if (box->open && transaction->failed && !known) {
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "failure");
    box->failures = transaction->failures;
  }
  lua_pop(L, 1);
}

BINDING_RAISES binding_fail(lua_State *L, int connection, const tuff_error *err,
                            const char *sql, size_t size) {
  binding_push_failure(L, connection, err, sql, size);
  raise(L);
}

/* Raises an error with the message on top. */
static BINDING_RAISES refuse(lua_State *L, tuff_code code) {
  tuff_error err;
  tuff_error_clear(&err);
  tuff_fail(&err, code, "%s", lua_tostring(L, -1));
  binding_raise(L, &err, NULL, 0);
}

BINDING_RAISES binding_refuse(lua_State *L, tuff_code code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  lua_pushvfstring(L, format, args);
  va_end(args);
  refuse(L, code);
}

BINDING_RAISES binding_misuse(lua_State *L, const char *format, ...) {
  va_list args;
  va_start(args, format);
  lua_pushvfstring(L, format, args);
  va_end(args);
  refuse(L, TUFF_MISUSE);
}

BINDING_RAISES binding_argument(lua_State *L, int index, const char *expected) {
  lua_Debug at;
  const char *name = "this function";
  if (lua_getstack(L, 0, &at)) {
    lua_getinfo(L, "n", &at);
    if (at.name && strcmp(at.name, "?") != 0) name = at.name;
  }
  const char *got =
      lua_type(L, index) == LUA_TNONE ? "nothing" : luaL_typename(L, index);
  if (index == 1)
    binding_misuse(L,
                   "%s is a method of %s, and was called on %s; is a dot written "
                   "where a colon is meant?",
                   name, expected, got);
  binding_misuse(L, "argument %d of %s must be %s, not %s", index - 1, name, expected,
                 got);
}

void binding_error_install(lua_State *L) {
  luaL_newmetatable(L, BINDING_ERROR_TYPE); /* the Lua layer gives it its methods */
  lua_setfield(L, -2, "error");
}
