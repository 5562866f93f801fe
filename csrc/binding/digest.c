/* digest.c: core.sha256. */
#include "codec/digest.h"

#include "binding/binding.h"

int binding_sha256(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  char digits[TUFF_SHA256_SIZE];
  tuff_sha256(bytes, size, digits);
  lua_pushlstring(L, digits, TUFF_SHA256_DIGITS);
  return 1;
}
