/* arguments.c: from the stack of a call to the parameters of a statement. Everything
 * that is refused here is the caller's mistake, and nothing has been sent yet. */
#include <stdio.h>

#include "binding/binding.h"

static bool no_room(tuff_error *err) {
  tuff_fail(err, TUFF_MEMORY, "no room left on Lua's stack");
  return false;
}

/* Space for the values: inside the struct, or in a userdata on the stack. */
static tuff_value *allocate(lua_State *L, binding_arguments *arguments,
                            unsigned count) {
  if (count <= BINDING_INLINE_VALUES) return arguments->inlined;
  return lua_newuserdatauv(L, count * sizeof(tuff_value), 0);
}

/* A function that SQL calls may change the list: what the item on top points at stays.
 */
static void anchor_item(lua_State *L, int items, size_t count, lua_Integer number) {
  if (lua_getiuservalue(L, items, 1) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_createtable(L, (int)count, 0);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, items, 1);
  }
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, number);
  lua_pop(L, 1);
}

static bool read_list(lua_State *L, int index, tuff_value *value, tuff_error *err) {
  size_t count = (size_t)lua_rawlen(L, index);
  tuff_value *items = lua_newuserdatauv(L, (count + 1) * sizeof *items, 1);
  int at = lua_gettop(L);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    if (!binding_to_value(L, lua_gettop(L), &items[i], err)) return false;
    bool table = items[i].kind == TUFF_JSON;
    if (table || items[i].kind == TUFF_NULL) {
      tuff_fail(err, table ? TUFF_TYPE : TUFF_MISUSE, "item %zu of the list is %s",
                i + 1, table ? "a table" : "NULL");
      tuff_error_hint(err, table ? "a list for `in` holds plain values"
                                 : "`in` never finds NULL: ask for it with `is null`");
      return false;
    }
    if (tuff_value_has_bytes(&items[i])) anchor_item(L, at, count, (lua_Integer)i + 1);
    lua_pop(L, 1);
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

/* A parameter of `in ?` or `in (?)`. */
static bool read_in(lua_State *L, const tuff_parameter *parameter, int index,
                    tuff_value *value, tuff_error *err) {
  if (parameter->array) {
    if (is_list(L, index)) return read_list(L, index, value, err);
    tuff_fail(err, TUFF_MISUSE,
              "`in` wants a list here, a table with the keys 1 to n, not %s",
              lua_type(L, index) == LUA_TTABLE ? "a table with other keys"
                                               : luaL_typename(L, index));
    return false;
  }
  if (lua_type(L, index) == LUA_TTABLE) {
    tuff_fail(err, TUFF_MISUSE, "`in (?)` takes one value, not a list");
    tuff_error_hint(err, "write `in ?`, without parentheses, and give it a list");
    return false;
  }
  return binding_to_value(L, index, value, err);
}

/* May leave one value on the stack, which must stay there. */
static inline bool read_one(lua_State *L, const tuff_parameter *parameter, int index,
                            tuff_value *value, tuff_error *err) {
  if (TUFF_UNLIKELY(parameter->array || parameter->parenthesised))
    return read_in(L, parameter, index, value, err);
  return binding_to_value(L, index, value, err);
}

/* Twenty slots are free in every call of C. */
static bool make_room(lua_State *L, unsigned count, tuff_error *err) {
  return count + 8 <= LUA_MINSTACK || lua_checkstack(L, (int)count + LUA_MINSTACK) ||
         no_room(err);
}

static bool wrong_count(const tuff_statement *statement, int given, tuff_error *err) {
  unsigned wanted = statement->tokenized.count;
  tuff_fail(err, TUFF_MISUSE, "the statement has %u parameter%s, %d value%s given",
            wanted, wanted == 1 ? "" : "s", given, given == 1 ? " was" : "s were");
  if ((unsigned)given < wanted)
    tuff_error_hint(err, "give nil or tuff.null where NULL is meant");
  return false;
}

static bool positional(lua_State *L, binding_arguments *arguments,
                       const tuff_statement *statement, int first, int last,
                       tuff_error *err) {
  int given = last - first + 1;
  const tuff_tokenized *tokenized = &statement->tokenized;
  if (TUFF_UNLIKELY((unsigned)given != tokenized->count))
    return wrong_count(statement, given, err);
  arguments->count = tokenized->count;
  if (given == 0) return true;
  if (TUFF_UNLIKELY(!make_room(L, arguments->count, err))) return false;
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

/* ":a, :b, :c" */
static void hint_names(const tuff_statement *statement, tuff_error *err) {
  char names[200] = "";
  size_t used = 0;
  for (unsigned i = 0; i < statement->tokenized.count; i++) {
    const tuff_parameter *parameter = &statement->tokenized.parameters[i];
    int size = snprintf(names + used, sizeof names - used, "%s:%.*s", i ? ", " : "",
                        (int)parameter->name_size, statement->source + parameter->name);
    if (size < 0 || (size_t)size >= sizeof names - used) break;
    used += (size_t)size;
  }
  names[used] = '\0';
  tuff_error_hint(err, "its parameters are %s", names);
}

/* A name that may be anything, as a message shows it: cut where it is long, NUL as \0.
 */
static const char *show(lua_State *L, int index) {
  enum { LONGEST = 100 };
  size_t size;
  const char *name = lua_tolstring(L, index, &size);
  size_t end = size;
  if (end > LONGEST)
    for (end = LONGEST; end > 0 && ((unsigned char)name[end] & 0xC0) == 0x80;) end--;
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (size_t i = 0; i < end; i++)
    if (name[i])
      luaL_addchar(&text, name[i]);
    else
      luaL_addstring(&text, "\\0");
  if (end < size) luaL_addstring(&text, "...");
  luaL_pushresult(&text);
  return lua_tostring(L, -1);
}

static bool surplus(lua_State *L, const tuff_statement *statement, int key,
                    tuff_error *err) {
  if (lua_type(L, key) == LUA_TSTRING)
    tuff_fail(err, TUFF_MISUSE, "the statement has no parameter :%s", show(L, key));
  else
    tuff_fail(err, TUFF_MISUSE, "the table of values has a key of type %s",
              luaL_typename(L, key));
  hint_names(statement, err);
  return false;
}

static bool missing(lua_State *L, int table, const tuff_statement *statement,
                    tuff_error *err) {
  const tuff_tokenized *tokenized = &statement->tokenized;
  for (unsigned i = 0; i < tokenized->count; i++) {
    const tuff_parameter *parameter = &tokenized->parameters[i];
    lua_pushlstring(L, statement->source + parameter->name, parameter->name_size);
    if (lua_rawget(L, table) != LUA_TNIL) continue;
    tuff_fail(err, TUFF_MISUSE, "no value for parameter :%.*s",
              (int)parameter->name_size, statement->source + parameter->name);
    tuff_error_hint(err, "give tuff.null where NULL is meant");
    break;
  }
  return false;
}

/* Walks the table once. What a value points into is moved below the key, and stays
 * until the call returns: a function that SQL calls may change the table. */
static bool named(lua_State *L, binding_arguments *arguments, int connection,
                  tuff_statement *statement, int first, int last, tuff_error *err) {
  const tuff_tokenized *tokenized = &statement->tokenized;
  if (last != first || lua_type(L, first) != LUA_TTABLE) {
    tuff_fail(err, TUFF_MISUSE, "the statement takes its values by name, in one table");
    tuff_error_hint(err, "for example { %.*s = … }",
                    (int)tokenized->parameters[0].name_size,
                    statement->source + tokenized->parameters[0].name);
    return false;
  }
  if (!make_room(L, tokenized->count, err)) return false;
  arguments->count = tokenized->count;
  arguments->values = allocate(L, arguments, arguments->count);
  binding_keys *keys = binding_push_parameters(L, connection, statement);
  int at = lua_gettop(L), key = at + 1;
  unsigned k = 0;
  lua_pushnil(L);
  while (lua_next(L, first)) {
    int number = binding_keys_find(L, keys, k++, at, key);
    if (TUFF_UNLIKELY(number < 0)) return surplus(L, statement, key, err);
    const tuff_parameter *parameter = &tokenized->parameters[number];
    if (TUFF_UNLIKELY(
            !read_one(L, parameter, key + 1, &arguments->values[number], err))) {
      tuff_error_context(err, "parameter :%.*s: ", (int)parameter->name_size,
                         statement->source + parameter->name);
      return false;
    }
    if (arguments->values[number].kind >= TUFF_TEXT) {
      lua_insert(L, key);
      key++;
    }
    lua_settop(L, key);
  }
  return k == tokenized->count || missing(L, first, statement, err);
}

bool binding_arguments_read(lua_State *L, binding_arguments *arguments, int connection,
                            tuff_statement *statement, int first, int last,
                            tuff_error *err) {
  arguments->values = NULL;
  arguments->count = 0;
  if (statement->tokenized.style == TUFF_NAMED)
    return named(L, arguments, connection, statement, first, last, err);
  return positional(L, arguments, statement, first, last, err);
}
