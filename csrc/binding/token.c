/* token.c: core.tokens, which cuts SQL into tokens for the Lua layer. */
#include "binding/binding.h"
#include "core/lexer.h"

enum { SQL = 1, DIALECT };

static char letter_of(tuff_token_kind kind) {
  switch (kind) {
    case TUFF_TOKEN_WORD: return 'w';
    case TUFF_TOKEN_QUOTED: return 'q';
    case TUFF_TOKEN_STRING: return 's';
    case TUFF_TOKEN_NUMBER: return 'n';
    default: return 'p';
  }
}

static bool option(lua_State *L, const char *name) {
  lua_getfield(L, DIALECT, name);
  bool given = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return given;
}

static tuff_dialect dialect_of(lua_State *L) {
  luaL_checktype(L, DIALECT, LUA_TTABLE);
  return (tuff_dialect){.brackets = option(L, "brackets"),
                        .backticks = option(L, "backticks"),
                        .dollar_quotes = option(L, "dollar_quotes"),
                        .nested_comments = option(L, "nested_comments")};
}

static bool next_token(tuff_lexer *lexer, tuff_token *token) {
  do *token = tuff_lexer_next(lexer);
  while (token->kind == TUFF_TOKEN_SPACE);
  return token->kind != TUFF_TOKEN_END;
}

/* core.tokens(sql, dialect): twice through the text, because a buffer of Lua must be
 * on top of the stack. */
int binding_tokens(lua_State *L) {
  size_t size;
  const char *sql = luaL_checklstring(L, SQL, &size);
  lua_settop(L, DIALECT);
  tuff_dialect dialect = dialect_of(L);
  tuff_token token;
  luaL_Buffer kinds;
  luaL_buffinit(L, &kinds);
  tuff_lexer lexer = {sql, sql + size, &dialect};
  while (next_token(&lexer, &token)) luaL_addchar(&kinds, letter_of(token.kind));
  luaL_pushresult(&kinds);
  int count = (int)lua_rawlen(L, -1);
  lua_createtable(L, count, 0);
  lua_createtable(L, count, 0);
  lexer = (tuff_lexer){sql, sql + size, &dialect};
  for (lua_Integer i = 1; next_token(&lexer, &token); i++) {
    lua_pushlstring(L, token.start, token.size);
    lua_rawseti(L, -3, i);
    lua_pushinteger(L, token.start - sql + 1);
    lua_rawseti(L, -2, i);
  }
  return 3;
}
