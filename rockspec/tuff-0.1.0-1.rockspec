rockspec_format = "3.0"
package = "tuff"
version = "0.1.0-1"
source = {
  url = "git+https://git.example/tuff.git", -- the place of the repository, once it has one
  tag = "v0.1.0",
}
description = {
  summary = "A data layer for Lua: SQLite in one require",
  detailed = [[
    A C core does storage, transactions, migrations and backup; a Lua native module wraps it; a Lua
    layer on top lets scripts declare schemas, query, migrate and run maintenance.
  ]],
  license = "MIT",
  labels = { "database", "sqlite", "sql" },
}
dependencies = {
  "lua ~> 5.4",
  "argparse",
  "lua-cjson",
  "luafilesystem",
}
external_dependencies = {
  SQLITE = { header = "sqlite3.h", library = "sqlite3" },
  SODIUM = { header = "sodium.h", library = "sodium" },
}
build = {
  type = "make",
  build_variables = {
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LIBFLAG = "$(LIBFLAG)",
    WERROR = "",
    LUA_INCDIR = "$(LUA_INCDIR)",
    SQLITE_INCDIR = "$(SQLITE_INCDIR)",
    SODIUM_INCDIR = "$(SODIUM_INCDIR)",
  },
  install_variables = {
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
    BINDIR = "$(BINDIR)",
  },
}
