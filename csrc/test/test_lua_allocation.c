/* test_lua_allocation.c: the n-th allocation fails, for every n until the work passes,
 * in scripts: first those of Lua, then those of the core and of SQLite. Whatever fails,
 * the script gets an error that says so, what it wrote is there whole or not at all,
 * the connection goes on, and nothing leaks. The works are in lua_allocation.lua, or
 * in the file of the first argument, which are done at the place of the second. */
#include <dlfcn.h>
#include <lualib.h>

#include "binding/binding.h"
#include "test/failing.h"
#include "test/scratch.h"

int luaopen_tuff_core(lua_State *L);

/* The sanitizer looks for this name. NOLINTBEGIN(bugprone-reserved-identifier) */
__attribute__((visibility("default"))) const char *__lsan_default_options(void);

const char *__lsan_default_options(void) {
  return "suppressions=scripts/leaks.supp:print_suppressions=0";
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- Lua's allocator ---- */

static failing failing_lua;

/* Lua counts on it that a block can be made smaller. */
static void *lua_allocate(void *context, void *old, size_t before, size_t size) {
  (void)context;
  if (size == 0) {
    free(old);
    return NULL;
  }
  if ((!old || size > before) && failing_refuses(&failing_lua)) return NULL;
  return realloc(old, size);
}

static void fail_lua(long n, long more) { failing_arm(&failing_lua, n, more); }

static bool lua_has_failed(void) { return failing_disarm(&failing_lua); }

/* Lua tries again after a collection: two failures in a row are one to the script. */
static const allocator of_lua = {"Lua's", fail_lua, lua_has_failed};

static const struct {
  const allocator *allocator;
  long more;
} faults[] = {{&of_lua, 2}, {&of_lua, LONG_MAX - 1}, {&ours, 0}, {&ours, 100},
              {&theirs, 0}, {&theirs, 100}};

/* ---- one trial ---- */

static bool called(lua_State *L, int status) {
  if (status == LUA_OK) return true;
  say("%s", luaL_tolstring(L, -1, NULL));
  return false;
}

static const char *works = "csrc/test/lua_allocation.lua";
static const char *place = scratch;

/* A state in which index 1 is what the file of works returned. */
static lua_State *new_state(void) {
  lua_State *L = lua_newstate(lua_allocate, NULL);
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_tuff_core);
  lua_setfield(L, -2, "tuff.core");
  lua_settop(L, 0);
  if (!called(L, luaL_dofile(L, works))) {
    printf("Bail out! %s\n", lua_tostring(L, -1));
    exit(EXIT_FAILURE);
  }
  return L;
}

static int work; /* the number of the work, from 1 */

/* Whether memory has failed in it. */
static bool try_work(const allocator *allocator, long n, long more) {
  long blocks = tuff_alloc_blocks();
  long long sqlite_bytes = sqlite3_memory_used();
  scratch_clear();
  lua_State *L = new_state();
  lua_getfield(L, 1, "check");
  lua_pushvalue(L, 1);
  lua_getfield(L, 1, "prepare");
  lua_pushvalue(L, 1);
  lua_pushstring(L, place);
  lua_pushinteger(L, work);
  bool failed = false;
  if (expect(called(L, lua_pcall(L, 3, 1, 0)))) {
    allocator->fail(n, more);
    bool good = lua_pcall(L, 0, 0, 0) == LUA_OK;
    failed = allocator->has_failed();
    if (good) lua_pushnil(L);
    lua_pushboolean(L, good);
    lua_insert(L, 4);
    lua_pushboolean(L, failed);
    expect(called(L, lua_pcall(L, 4, 0, 0)));
  }
  lua_close(L);
  expect_equal(binding_instances(), 0);
  expect_equal(tuff_alloc_blocks(), blocks);
  expect_equal(sqlite3_memory_used(), sqlite_bytes);
  return failed;
}

/* ---- every allocation in turn ---- */

static int stride = 10;

static void survives(void) {
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    long n = 1 + work % stride;
    for (bool failed = true; failed && tap.wrong < 12; n += stride) {
      int before = tap.wrong;
      failed = try_work(faults[i].allocator, n, faults[i].more);
      if (tap.wrong > before)
        say("%s allocation %ld and %ld more", faults[i].allocator->name, n,
            faults[i].more);
    }
  }
}

/* A library that is unmapped cannot be named by a report about leaks. */
static void keep_mapped(lua_State *L, const char *module) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchpath");
  lua_pushstring(L, module);
  lua_getfield(L, -3, "cpath");
  if (lua_pcall(L, 2, 1, 0) == LUA_OK && lua_isstring(L, -1))
    dlopen(lua_tostring(L, -1), RTLD_NOW | RTLD_NODELETE);
  lua_settop(L, 1);
}

int main(int count, char **arguments) {
  if (getenv("TUFF_SOAK")) stride = 1;
  if (count > 1) works = arguments[1];
  if (count > 2) place = arguments[2];
  setenv("LUA_PATH", "lua/?.lua;lua/?/init.lua;;", 0);
  failing_install();
  scratch_begin();
  lua_State *L = new_state();
  keep_mapped(L, "cjson");
  lua_getfield(L, 1, "names");
  int last = (int)lua_rawlen(L, 2);
  for (work = 1; work <= last; work++) {
    char sentence[128];
    lua_rawgeti(L, 2, work);
    snprintf(sentence, sizeof sentence, "survives failures in %s", lua_tostring(L, -1));
    lua_pop(L, 1);
    it(sentence, survives);
  }
  lua_close(L);
  scratch_end();
  return tap_end();
}
