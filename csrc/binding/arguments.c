/* arguments.c: from the stack of a call to the parameters of a statement. Everything that
 * is refused here is the caller's mistake, and nothing has been sent yet. */
#include "binding/binding.h"

static bool no_room(tuff_error *err) {
  tuff_fail(err, TUFF_MEMORY, "no room left on Lua's stack");
  return false;
}

/* Space for the values: inside the struct, or in a userdata on the stack. */
static tuff_value *allocate(lua_State *L, binding_arguments *arguments, unsigned count) {
  if (count <= BINDING_INLINE_VALUES) return arguments->inlined;
  return lua_newuserdatauv(L, count * sizeof(tuff_value), 0);
}

static bool read_list(lua_State *L, int index, tuff_value *value, tuff_error *err) {
  size_t count = (size_t)lua_rawlen(L, index);
  tuff_value *items = lua_newuserdatauv(L, (count + 1) * sizeof *items, 0);
  for (size_t i = 0; i < count; i++) {
    int pushed = 0;
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    if (!binding_to_value(L, lua_gettop(L), &items[i], &pushed, err)) return false;
    if (pushed || items[i].kind == TUFF_NULL) {
      tuff_fail(err, pushed ? TUFF_TYPE : TUFF_MISUSE, "item %zu of the list is %s", i + 1,
                pushed ? "a table" : "NULL");
      tuff_error_hint(err, pushed ? "a list for `in` holds plain values"
                                  : "`in` never finds NULL: ask for it with `is null`");
      return false;
    }
    lua_pop(L, 1); /* the list anchors it */
  }
  *value = (tuff_value){.kind = TUFF_ARRAY, .items = items, .size = count};
  return true;
}

/* A table with other keys than 1 to n is no list. */
static bool is_list(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE) return false;
  size_t count = (size_t)lua_rawlen(L, index), seen = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) seen++;
  return seen == count;
}

static bool read_one(lua_State *L, const tuff_parameter *parameter, int index,
                     tuff_value *value, tuff_error *err) {
  int pushed = 0;
  if (TUFF_UNLIKELY(parameter->array)) {
    if (is_list(L, index)) return read_list(L, index, value, err);
    tuff_fail(err, TUFF_MISUSE, "`in` wants a list here, a table with the keys 1 to n, not %s",
              lua_type(L, index) == LUA_TTABLE ? "a table with other keys"
                                               : luaL_typename(L, index));
    return false;
  }
  if (TUFF_UNLIKELY(parameter->parenthesised && lua_type(L, index) == LUA_TTABLE)) {
    tuff_fail(err, TUFF_MISUSE, "`in (?)` takes one value, not a list");
    tuff_error_hint(err, "write `in ?`, without parentheses, and give it a list");
    return false;
  }
  return binding_to_value(L, index, value, &pushed, err);
}

static bool wrong_count(const tuff_statement *statement, int given, tuff_error *err) {
  unsigned wanted = statement->tokenized.count;
  tuff_fail(err, TUFF_MISUSE, "the statement has %u parameter%s, %d value%s given", wanted,
            wanted == 1 ? "" : "s", given, given == 1 ? " was" : "s were");
  if ((unsigned)given < wanted)
    tuff_error_hint(err, "give nil or tuff.null where NULL is meant");
  return false;
}

static bool positional(lua_State *L, binding_arguments *arguments,
                       const tuff_statement *statement, int first, tuff_error *err) {
  int given = lua_gettop(L) - first + 1;
  const tuff_tokenized *tokenized = &statement->tokenized;
  if (TUFF_UNLIKELY((unsigned)given != tokenized->count))
    return wrong_count(statement, given, err);
  arguments->count = tokenized->count;
  if (given == 0) return true;
  if (TUFF_UNLIKELY(!lua_checkstack(L, given + LUA_MINSTACK))) return no_room(err);
  arguments->values = allocate(L, arguments, arguments->count);
  for (unsigned i = 0; i < arguments->count; i++) {
    if (TUFF_LIKELY(read_one(L, &tokenized->parameters[i], first + (int)i,
                             &arguments->values[i], err)))
      continue;
    tuff_error_context(err, "parameter %u: ", i + 1);
    return false;
  }
  return true;
}

static bool surplus(lua_State *L, int table, const tuff_statement *statement, int names,
                    tuff_error *err) {
  const tuff_tokenized *tokenized = &statement->tokenized;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    bool known = false;
    for (unsigned i = 0; i < tokenized->count && !known; i++) {
      lua_rawgeti(L, names, (lua_Integer)i + 1);
      known = lua_rawequal(L, -1, -3);
      lua_pop(L, 1);
    }
    if (known) continue;
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
    if (name)
      tuff_fail(err, TUFF_MISUSE, "the statement has no parameter :%s", name);
    else
      tuff_fail(err, TUFF_MISUSE, "the statement takes its values by name, in one table, but "
                "the table has a key of type %s", luaL_typename(L, -2));
    return false;
  }
  return true;
}

static bool named(lua_State *L, binding_arguments *arguments, int connection,
                  const tuff_statement *statement, int first, tuff_error *err) {
  const tuff_tokenized *tokenized = &statement->tokenized;
  if (lua_gettop(L) != first || lua_type(L, first) != LUA_TTABLE) {
    tuff_fail(err, TUFF_MISUSE, "the statement takes its values by name, in one table");
    tuff_error_hint(err, "for example { %.*s = … }", (int)tokenized->parameters[0].name_size,
                    statement->source + tokenized->parameters[0].name);
    return false;
  }
  /* A list or a table for JSON leaves two values behind. */
  if (!lua_checkstack(L, 2 * (int)tokenized->count + LUA_MINSTACK)) return no_room(err);
  arguments->count = tokenized->count;
  arguments->values = allocate(L, arguments, arguments->count);
  binding_push_parameters(L, connection, statement);
  int names = lua_gettop(L);
  for (unsigned i = 0; i < arguments->count; i++) {
    lua_rawgeti(L, names, (lua_Integer)i + 1);
    if (lua_rawget(L, first) == LUA_TNIL) {
      const tuff_parameter *missing = &tokenized->parameters[i];
      tuff_fail(err, TUFF_MISUSE, "no value for parameter :%.*s", (int)missing->name_size,
                statement->source + missing->name);
      tuff_error_hint(err, "give tuff.null where NULL is meant");
      return false;
    }
    int top = lua_gettop(L);
    if (!read_one(L, &tokenized->parameters[i], top, &arguments->values[i], err)) {
      tuff_error_context(err, "parameter :%.*s: ", (int)tokenized->parameters[i].name_size,
                         statement->source + tokenized->parameters[i].name);
      return false;
    }
    if (lua_gettop(L) == top) lua_pop(L, 1); /* nothing new: the table anchors it */
  }
  unsigned keys = 0;
  for (lua_pushnil(L); lua_next(L, first); lua_pop(L, 1))
    if (++keys > arguments->count) {
      lua_pop(L, 2);
      return surplus(L, first, statement, names, err);
    }
  return true;
}

bool binding_arguments_read(lua_State *L, binding_arguments *arguments, int connection,
                            const tuff_statement *statement, int first, tuff_error *err) {
  arguments->values = NULL;
  arguments->count = 0;
  if (statement->tokenized.style == TUFF_NAMED)
    return named(L, arguments, connection, statement, first, err);
  return positional(L, arguments, statement, first, err);
}
