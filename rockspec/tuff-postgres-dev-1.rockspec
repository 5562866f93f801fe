rockspec_format = "3.0"
package = "tuff-postgres"
version = "dev-1"
source = {
  url = "git+file://.", -- built where it stands: `luarocks make` in the root
}
description = {
  summary = "PostgreSQL for tuff, the data layer for Lua",
  detailed = [[
    The driver that tuff loads where a program opens a postgres:// or postgresql:// URL.
  ]],
  license = "MIT",
  labels = { "database", "postgresql", "sql" },
}
dependencies = {
  "lua ~> 5.4",
  "tuff == dev",
}
external_dependencies = {
  PGSQL = { header = "libpq-fe.h", library = "pq" },
}
build = {
  type = "make",
  build_target = "postgres",
  build_variables = {
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LIBFLAG = "$(LIBFLAG)",
    WERROR = "",
    PGSQL_INCDIR = "$(PGSQL_INCDIR)",
    PGSQL_LIBDIR = "$(PGSQL_LIBDIR)",
  },
  install_target = "install-postgres",
  install_variables = {
    LIBDIR = "$(LIBDIR)",
  },
}
