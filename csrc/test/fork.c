/* fork.c: lets a script fork, which Lua cannot by itself. A module of Lua: `fork()`
 * gives 0 in the child, else its number; `wait(number)` gives its exit status. */
#include <lauxlib.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_fork(lua_State *L);

static int fork_script(lua_State *L) {
  fflush(NULL); /* what stands in a buffer would be written twice */
  lua_pushinteger(L, fork());
  return 1;
}

static int wait_for_child(lua_State *L) {
  int status = -1;
  waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0);
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return 1;
}

int luaopen_fork(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"fork", fork_script}, {"wait", wait_for_child}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
