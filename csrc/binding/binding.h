/* binding.h: what the files of the Lua binding share. Each type of userdata has a file:
 * connection.c, statement.c, cursor.c, transaction.c, stream.c, and value.c for blobs.
 */
#ifndef TUFF_BINDING_H
#define TUFF_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#include "core/connection.h"
#include "core/error.h"

/* Every function of the module has these upvalues, so that a type is checked by one
 * comparison and not by a search in the registry. */
enum {
  BINDING_CONNECTION = 1,
  BINDING_STATEMENT,
  BINDING_CURSOR,
  BINDING_TRANSACTION,
  BINDING_UPVALUES = BINDING_TRANSACTION
};

#define BINDING_CONNECTION_TYPE "tuff.connection"
#define BINDING_STATEMENT_TYPE "tuff.statement"
#define BINDING_CURSOR_TYPE "tuff.cursor"
#define BINDING_TRANSACTION_TYPE "tuff.transaction"
#define BINDING_STREAM_TYPE "tuff.stream"
#define BINDING_BACKUP_TYPE "tuff.backup"
#define BINDING_BLOB_TYPE "tuff.blob"
#define BINDING_ERROR_TYPE "tuff.Error"

/* Registry fields that the Lua layer fills. */
#define BINDING_JSON_DECODE "tuff.json.decode"
#define BINDING_JSON_ENCODE "tuff.json.encode"
#define BINDING_OWN_CODE "tuff.own_code"

/* Slots of user value 3 of a connection: */
enum {
  BINDING_RESULT = 1, /* what a function of the script returned last */
  BINDING_RAISED,     /* what one has raised */
  BINDING_TRACE,      /* the function that is told of every run */
  BINDING_PROGRESS,   /* the one that may stop them */
  BINDING_NOTICE,     /* the one that hears what the server says */
  BINDING_FUNCTION    /* from here on those that SQL calls */
};

/* Most columns whose names fit into the upvalues of an iterator, beside its cursor. */
enum { BINDING_UPVALUE_COLUMNS = 200 };

/* ---- userdata ---- */

/* A call that runs: its statement, where it stands on the C stack, and its Lua state
 * with the index of an object that leads to the connection: for functions that the
 * engine calls back, in the same call of C. */
typedef struct binding_running {
  tuff_statement *statement;
  const void *frame;
  lua_State *L;
  int anchor;
  const struct binding_running *outer; /* the one that waits, where values are read */
} binding_running;

/* Ctrl-C, of which the stock interpreter tells by a hook. */
typedef struct binding_interrupt {
  lua_State *main; /* the thread whose hook it sets */
  lua_Hook hook;   /* the one that was set when the current call began */
} binding_interrupt;

/* What the engine keeps of a function of the script, see function.c. */
typedef struct binding_function binding_function;

/* A connection. User value 1: names of columns and parameters by the slot of their
 * statement; 2: a table for the Lua layer; 3 and 4: functions that SQL calls,
 * and the states of their groups. */
typedef struct binding_connection {
  tuff_connection core;
  bool open;
  int objects;       /* open ones that belong to it */
  unsigned levels;   /* of its transaction that are counted among them */
  int callbacks;     /* iterators of insert_many that run */
  uint64_t failures; /* of transactions: the last one whose error was raised */
  bool own;          /* the next call is of tuff's own text, see tuff_statement */
  bool limited;      /* the next call has limits of its own: */
  int64_t timeout_us, busy_us;
  binding_interrupt interrupt;
  lua_State *owner; /* the coroutine that began the outermost transaction; its handle
                       anchors it */
  /* The call that runs. A finaliser or a metamethod may make another call meanwhile,
   * which keeps it and puts it back. A Lua error that leaves the call behind (no
   * memory, say) leaves it set, and a later call releases it. */
  binding_running active;
  bool watching; /* the progress function runs */
  enum { BINDING_GOES_ON, BINDING_STOPPED, BINDING_STOPPED_BY_ERROR } stopped;
  int64_t progress_us; /* between two calls of it, 0: there is none */
  int64_t began_us, progressed_us;
  binding_function *released; /* to be used again */
  lua_Integer functions;      /* numbers that were given */
  uint64_t groups, last_group;
} binding_connection;

/* A prepared statement. User value 1: its connection. */
typedef struct binding_statement {
  tuff_statement *core; /* NULL: closed */
  binding_connection *connection;
} binding_statement;

/* An open loop. User value 1: its connection; 2: what it was opened from. */
typedef struct binding_cursor {
  tuff_cursor core;
  binding_connection *connection; /* NULL: closed */
  lua_Integer count;
} binding_cursor;

/* A transaction begun by db:begin. User value 1: its connection; 2: its coroutine. */
typedef struct binding_transaction {
  binding_connection *connection;
  uint64_t serial; /* 0: ended */
} binding_transaction;

/* The object at this index, or NULL. `upvalue` says which metatable. */
static inline void *binding_test(lua_State *L, int index, int upvalue) {
  void *object = lua_touserdata(L, index);
  if (!object || !lua_getmetatable(L, index)) return NULL;
  bool same = lua_rawequal(L, -1, lua_upvalueindex(upvalue));
  lua_pop(L, 1);
  return same ? object : NULL;
}

/* Pushes a zeroed userdata with so many user values, and the metatable of this upvalue.
 */
void *binding_new(lua_State *L, size_t size, int values, int upvalue);

/* How many objects are open in this process. The objects of a connection are closed
 * with it. */
lua_Integer binding_instances(void);
void binding_opened(binding_connection *connection);
void binding_closed(binding_connection *connection);

/* ---- errors (error.c) ---- */

/* They never return: the type is for `return binding_raise(…)`. */
#define BINDING_RAISES __attribute__((noreturn)) int

/* Raises err as a tuff.Error, with the text it is of: sql, size bytes, NULL for none.
 */
BINDING_RAISES binding_raise(lua_State *L, const tuff_error *err, const char *sql,
                             size_t size);

/* The same for an error of this connection: it may end its transaction, which remembers
 * the first one. */
void binding_push_failure(lua_State *L, int connection, const tuff_error *err,
                          const char *sql, size_t size);
BINDING_RAISES binding_fail(lua_State *L, int connection, const tuff_error *err,
                            const char *sql, size_t size);

/* Raises an error with this message, whose format is one of lua_pushfstring. */
BINDING_RAISES binding_refuse(lua_State *L, tuff_code code, const char *format, ...);

/* The same with the code `misuse`. */
BINDING_RAISES binding_misuse(lua_State *L, const char *format, ...);

/* Raises `misuse` for an argument of the wrong type: what was expected of it. */
BINDING_RAISES binding_argument(lua_State *L, int index, const char *expected);

/* ---- values (value.c) ---- */

/* Reads the Lua value at this index as a parameter. The value may point into the Lua
 * string; that of TUFF_JSON points into a text that was pushed on the stack. */
bool binding_to_other_value(lua_State *L, int index, tuff_value *value,
                            tuff_error *err);

static inline bool binding_to_value(lua_State *L, int index, tuff_value *value,
                                    tuff_error *err) {
  switch (lua_type(L, index)) {
    case LUA_TNUMBER:
      if (lua_isinteger(L, index)) {
        value->kind = TUFF_INTEGER;
        value->integer = (int64_t)lua_tointeger(L, index);
      } else {
        value->kind = TUFF_REAL;
        value->real = lua_tonumber(L, index);
      }
      return true;
    case LUA_TSTRING:
      value->kind = TUFF_TEXT;
      value->bytes = lua_tolstring(L, index, &value->size);
      return true;
    default: return binding_to_other_value(L, index, value, err);
  }
}

/* Pushes JSON text as a Lua value. */
void binding_push_json(lua_State *L, const tuff_value *value);

static inline void binding_push(lua_State *L, const tuff_value *value) {
  switch (value->kind) {
    case TUFF_INTEGER: lua_pushinteger(L, (lua_Integer)value->integer); break;
    case TUFF_REAL: lua_pushnumber(L, value->real); break;
    case TUFF_TEXT:
    case TUFF_BLOB:
      /* An empty blob has no address. */
      lua_pushlstring(L, value->size ? value->bytes : "", value->size);
      break;
    case TUFF_BOOLEAN: lua_pushboolean(L, value->integer != 0); break;
    case TUFF_JSON: binding_push_json(L, value); break;
    default: lua_pushnil(L); break;
  }
}

/* Pushes a row as a table without its NULLs. names: index of the array of its names. */
void binding_push_row(lua_State *L, const tuff_value *row, unsigned columns, int names);

/* tuff.null */
static inline void binding_push_null(lua_State *L) { lua_pushlightuserdata(L, NULL); }

static inline bool binding_is_null(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == NULL;
}

/* ---- keys.c ---- */

/* The names that a table of values may be keyed by, and where each belongs. A string of
 * Lua up to 40 bytes exists once, so that most keys are found by their address; tables
 * made by the same code give their keys in the same order, so that most are found at
 * once. */
typedef struct binding_keys {
  unsigned count;
  struct {
    const void *address; /* of the name; user value 1 holds it */
    unsigned guess;      /* the k-th key of the last table was this name */
  } key[];
} binding_keys;

/* Pushes the keys for an array of strings at this index. */
binding_keys *binding_keys_new(lua_State *L, int names);

/* The number of the name that is not where it was guessed; -1: it is none. */
int binding_keys_search(lua_State *L, binding_keys *keys, unsigned k, int at, int key);

/* The number, from 0, of the name at index `key`, the k-th key of its table; -1: it is
 * none. at: index of the keys. */
static inline int binding_keys_find(lua_State *L, binding_keys *keys, unsigned k,
                                    int at, int key) {
  if (TUFF_UNLIKELY(k >= keys->count)) return -1;
  unsigned guess = keys->key[k].guess;
  if (TUFF_LIKELY(keys->key[guess].address == lua_topointer(L, key))) return (int)guess;
  return binding_keys_search(L, keys, k, at, key);
}

/* ---- what guards a call (enter.c) ---- */

/* Whether Ctrl-C was pressed, or the progress function says stop: for the core's watch,
 * whose context is the connection. */
bool binding_interrupted(void *connection);

/* A call begins, which will see Ctrl-C. In zeroed memory at first. */
void binding_interrupt_begin(lua_State *L, binding_interrupt *interrupt);

/* Whether Ctrl-C was pressed since. */
static inline bool binding_interrupt_came(const binding_interrupt *interrupt) {
  return lua_gethook(interrupt->main) != interrupt->hook;
}

/* An error is about to be raised. If it is that of Ctrl-C the script gets it in place
 * of the one that the hook would raise at the next instruction, and can catch it. */
void binding_interrupt_answer(const binding_interrupt *interrupt,
                              const tuff_error *err);

/* Makes the connection at this index ready for a call; raises where it cannot be used.
 * Between this and binding_activate nothing may allocate in Lua: a finaliser could
 * close the connection. */
void binding_begin(lua_State *L, int connection);

/* Begins the call that runs: with its statement, or NULL, and what leads to the
 * connection. Gives the call that waits for it, to be put back into ->active. */
static inline binding_running binding_activate(lua_State *L,
                                               binding_connection *connection,
                                               int anchor, tuff_statement *statement) {
  binding_running outer = connection->active;
  connection->active =
      (binding_running){statement, __builtin_frame_address(0), L, anchor, NULL};
  return outer;
}

/* The connection of the object at this index, a connection or one that belongs to
 * it; NULL: it is none of these. */
binding_connection *binding_connection_of(lua_State *L, int index);

/* Whether a call on this connection waits for the one that asks: a finaliser, a
 * metamethod or an iterator runs in the middle of it. */
bool binding_is_busy(lua_State *L, const binding_connection *connection);

/* Raises `misuse` if it is: for what would end what the waiting call reads. */
void binding_refuse_busy(lua_State *L, const binding_connection *connection);

/* The connection at this index, ready for a call. */
binding_connection *binding_enter(lua_State *L, int index);

/* Makes it ready for a step of an open loop. */
void binding_reenter(lua_State *L, binding_connection *connection);

/* The text of a statement at this index. */
const char *binding_sql(lua_State *L, int index, size_t *size);

/* ---- names.c ---- */

/* Pushes the names of the statement's columns, an array of strings, each one once. */
void binding_push_columns(lua_State *L, int connection, tuff_statement *statement);

/* Pushes the names of its parameters. */
binding_keys *binding_push_parameters(lua_State *L, int connection,
                                      tuff_statement *statement);

/* ---- arguments.c ---- */

enum { BINDING_INLINE_VALUES = 16 };

typedef struct binding_arguments {
  tuff_value *values;
  unsigned count;
  tuff_value inlined[BINDING_INLINE_VALUES];
} binding_arguments;

/* Reads the arguments of a statement from the stack, from `first` to `last`. Pushes
 * what must stay on the stack while they are used. connection: index of the userdata.
 */
bool binding_arguments_read(lua_State *L, binding_arguments *arguments, int connection,
                            tuff_statement *statement, int first, int last,
                            tuff_error *err);

/* ---- functions that the engine calls back (function.c, hook.c) ---- */

/* Calls a C function of Lua, protected, in the middle of the call that runs, with the
 * object that leads to the connection and the argument. What it raises is kept. */
bool binding_call_back(binding_connection *box, lua_CFunction body,
                       const void *argument);

/* Pushes the connection, to which the object at this index leads. */
void binding_push_connection(lua_State *L, int anchor, const binding_connection *box);

/* Pushes what a function that SQL called has raised; or, where that is nothing that the
 * script could understand, puts it into err and pushes nothing. */
bool binding_push_raised(lua_State *L, int connection, tuff_error *err);

/* Gives a new connection its place for functions. */
void binding_functions_new(lua_State *L, int connection);

/* Frees what the engine, now closed, has given back. */
void binding_functions_free(binding_connection *box);

/* What the progress function has said about the last call does not count any more. */
static inline void binding_progress_begin(binding_connection *box) {
  if (TUFF_LIKELY(!box->progress_us) || box->active.frame) return;
  box->stopped = BINDING_GOES_ON;
  box->began_us = 0;
}

/* Whether the progress function stops the call that runs. */
bool binding_progress_stops(binding_connection *box);

/* ---- cursor.c ---- */

/* Takes over the statement; pushes what a generic `for` needs, and says how many. The
 * object at index 1, a connection or a prepared statement, lives as long as the loop,
 * and ends it when it is closed. */
int binding_cursor_new(lua_State *L, int connection, tuff_statement *statement,
                       binding_running outer, const binding_arguments *arguments,
                       bool named);

/* Whether a generic `for` closes its closing value here (module.c). */
bool binding_for_closes(lua_State *L);

/* ---- what the module holds ---- */

/* Sets a field of the table on top; a text only where it is not empty. */
static inline void binding_set_integer(lua_State *L, const char *field, int64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, field);
}
static inline void binding_set_text(lua_State *L, const char *field, const char *text) {
  if (!text[0]) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, field);
}

/* Adds functions to the table on top, with the upvalues that all of them share. */
void binding_add(lua_State *L, const luaL_Reg *functions);

/* Functions of Lua. */
int binding_blob_new(lua_State *L);
int binding_statement_new(lua_State *L);
int binding_stream_new(lua_State *L);
int binding_insert_rows(lua_State *L);
int binding_tokens(lua_State *L);
int binding_sha256(lua_State *L);
int binding_terminal(lua_State *L);
int binding_keep_writing(lua_State *L);

/* Each adds its functions and metatables to the module, the table on top. */
void binding_error_install(lua_State *L);
void binding_blob_install(lua_State *L);
void binding_connection_install(lua_State *L);
void binding_statement_install(lua_State *L);
void binding_cursor_install(lua_State *L);
void binding_query_install(lua_State *L);
void binding_transaction_install(lua_State *L);
void binding_function_install(lua_State *L);
void binding_hook_install(lua_State *L);
void binding_message_install(lua_State *L);
void binding_stream_install(lua_State *L);
void binding_backup_install(lua_State *L);

#endif
