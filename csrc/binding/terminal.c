/* terminal.c: core.terminal and core.keep_writing, for programs that talk to people. */
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "binding/binding.h"

/* core.terminal(descriptor): how many columns it shows; nil: it is no terminal. */
int binding_terminal(lua_State *L) {
  int descriptor = (int)luaL_checkinteger(L, 1);
  struct winsize size = {0};
  if (!isatty(descriptor)) {
    lua_pushnil(L);
  } else if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    lua_pushinteger(L, size.ws_col);
  } else {
    lua_pushinteger(L, 80);
  }
  return 1;
}

/* core.keep_writing(): a pipe that nobody reads any more fails the writing, and does
 * not end the process. */
int binding_keep_writing(lua_State *L) {
  (void)L;
  signal(SIGPIPE, SIG_IGN);
  return 0;
}
