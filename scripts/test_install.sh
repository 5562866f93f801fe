#!/bin/sh
# test_install.sh: the rocks and `make install`, each built in a copy of the tree and used from
# another directory, as TAP.
set -u

scripts=$(cd "$(dirname "$0")" && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
mkdir "$here/tuff" "$here/elsewhere"
cp -R Makefile LICENSE README.md bin csrc lua rockspec "$here/tuff" 2>/dev/null
cd "$here/tuff" || exit 1
export HOME="$here" # luarocks keeps a cache there
unset LUA_INIT LUA_PATH LUA_CPATH MAKEFLAGS MFLAGS MAKELEVEL

number=0
# check SENTENCE COMMAND…: holds when the command succeeds.
check() {
  sentence=$1
  number=$((number + 1))
  shift
  if "$@" >"$here/output" 2>&1; then
    echo "ok $number - $sentence"
  else
    echo "not ok $number - $sentence"
    tail -n 20 "$here/output" | sed 's/^/# /'
  fi
}

# What tuff needs is found in a directory of its own, so that no other tuff is.
mkdir "$here/needed"
for module in cjson lfs; do
  ln -s "$(lua5.4 -e "print(package.searchpath('$module', package.cpath))")" \
    "$here/needed/$module.so"
done
ln -s "$(lua5.4 -e "print(package.searchpath('argparse', package.path))")" "$here/needed/"

# with PREFIX COMMAND…: runs it elsewhere, with the modules that are installed there.
with() (
  export LUA_PATH="$1/share/lua/5.4/?.lua;$1/share/lua/5.4/?/init.lua;$here/needed/?.lua"
  export LUA_CPATH="$1/lib/lua/5.4/?.so;$here/needed/?.so"
  shift
  cd "$here/elsewhere" && "$@"
)

cat >"$here/smoke.lua" <<'END'
local tuff = require("tuff")
local db <close> = tuff.open(arg[1])
local id = db.engine == "sqlite" and "integer primary key"
  or "bigint generated always as identity primary key"
local json = db.engine == "sqlite" and "json text" or "jsonb"
db:exec(("drop table if exists t; create table t(id %s, data %s)"):format(id, json))
assert(db:insert("t", { data = { tags = { "a", "b" } } }) == 1)
local row = db:row("select * from t where id in ?", { 1, 2 })
assert(row.data.tags[2] == "b")
END

# works PREFIX: the module installed there stores and finds something.
works() {
  with "$1" lua5.4 "$here/smoke.lua" smoke.db
}

# commands PREFIX: the command installed there writes a migration, and tells of it.
commands() {
  rm -rf "$here/elsewhere/migrations"
  with "$1" "$1/bin/tuff" new "first step" && with "$1" "$1/bin/tuff" status smoke.db |
    grep '_first_step  *main  *pending'
}

# works_on_server PREFIX: the same on a PostgreSQL server.
works_on_server() {
  with "$1" "$scripts/with_postgres.sh" "$here/cluster" lua5.4 "$here/smoke.lua"
}

cat >"$here/alone.lua" <<'END'
local good, err = pcall(require("tuff").open, "postgres://localhost/app")
assert(not good and err.code == "unsupported", err)
assert(tostring(err):find("tuff-postgres", 1, true), err)
for line in io.lines("/proc/self/maps") do assert(not line:find("libpq"), line) end
END

# stands_alone PREFIX: the module installed there needs no libpq, and names the rock that does.
stands_alone() {
  ! ldd "$1/lib/lua/5.4/tuff/core.so" | grep libpq && with "$1" lua5.4 "$here/alone.lua"
}

# rock ROCKSPEC [WORD…]: builds and installs it, on top of what is installed already.
rock() {
  luarocks make --lua-version 5.4 --tree "$here/rock" "$@"
}

# told ROCKSPEC: what it says beside its version and its source.
told() { sed '/^version = /d; /^source = {/,/^}/d; /"tuff == /d' "$1"; }

agree() {
  told "$2" >"$here/dev"
  told "$1" | diff "$here/dev" -
}

# names_version ROCKSPEC VERSION: it is this version's, in its name, by its tag and for scripts, and
# so is what it needs of tuff.
names_version() {
  grep -qx "version = \"$2\"" "$1" && grep -q "tag = \"v${2%-*}\"" "$1" &&
    grep -q "version = \"${2%-*}\"" lua/tuff/init.lua &&
    ! grep '"tuff == ' "$1" | grep -v "\"tuff == ${2%-*}\""
}

# check_rockspec NAME VERSION
check_rockspec() {
  [ "$2" != dev-1 ] || return
  check "$1-$2 differs from $1-dev-1 in version and source only" \
    agree "rockspec/$1-$2.rockspec" "rockspec/$1-dev-1.rockspec"
  check "$1-$2 is the version that the module says it is" \
    names_version "rockspec/$1-$2.rockspec" "$2"
}

for rockspec in rockspec/tuff-dev-1.rockspec rockspec/tuff-[0-9]*.rockspec; do
  version=$(basename "$rockspec" .rockspec)
  version=${version#tuff-}
  check_rockspec tuff "$version"
  check_rockspec tuff-postgres "$version"
  check "luarocks builds tuff-$version with no network" rock --deps-mode none "$rockspec"
  check "the rock tuff-$version works" works "$here/rock"
  check "the command of the rock tuff-$version works" commands "$here/rock"
  check "the rock tuff-$version needs no libpq" stands_alone "$here/rock"
  check "luarocks builds tuff-postgres-$version for it" rock --deps-mode one \
    "rockspec/tuff-postgres-$version.rockspec" PGSQL_INCDIR="$(pg_config --includedir)"
  check "the rock tuff-postgres-$version works" works_on_server "$here/rock"
  rm -rf build "$here/rock"
done

set -- PREFIX=/opt/tuff DESTDIR="$here/root"
root=$here/root/opt/tuff
check "make install puts it below PREFIX" make install "$@"
check "what it installed works" works "$root"
check "the command that it installed works" commands "$root"
check "what it installed needs no libpq" stands_alone "$root"
check "make install-postgres puts the driver beside it" make install-postgres "$@"
check "the driver that it installed works" works_on_server "$root"
check "make uninstall removes both" make uninstall "$@"
check "make uninstall leaves no file behind" test -z "$(find "$here/root" ! -type d -o -name '*tuff*' -path '*/5.4/*')"

echo "1..$number"
