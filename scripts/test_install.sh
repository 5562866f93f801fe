#!/bin/sh
# test_install.sh: the rock and `make install`, each built in a copy of the tree and used from
# another directory, as TAP.
set -u

here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
mkdir "$here/tuff" "$here/elsewhere"
cp -R Makefile LICENSE README.md csrc lua rockspec "$here/tuff" 2>/dev/null
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

# lua-cjson is found in a directory of its own, so that no other tuff is.
mkdir "$here/cjson"
ln -s "$(lua5.4 -e 'print(package.searchpath("cjson", package.cpath))')" "$here/cjson/cjson.so"

# works LUADIR LIBDIR: the module installed there stores and finds something.
works() {
  (cd "$here/elsewhere" && rm -f smoke.db &&
    LUA_PATH="$1/?.lua;$1/?/init.lua" LUA_CPATH="$2/?.so;$here/cjson/?.so" lua5.4 -e '
    local tuff = require("tuff")
    local db <close> = tuff.open("smoke.db")
    db:exec("create table t(id integer primary key, data json text)")
    assert(db:insert("t", { data = { tags = { "a", "b" } } }) == 1)
    local row = db:row("select * from t where id in ?", { 1, 2 })
    assert(row.data.tags[2] == "b")')
}

rock_at() {
  luarocks make --lua-version 5.4 --tree "$here/rock" --deps-mode none "$1"
}

# told ROCKSPEC: what it says beside its version and its source.
told() { sed '/^version = /d; /^source = {/,/^}/d' "$1"; }

agree() {
  told rockspec/tuff-dev-1.rockspec >"$here/dev"
  told "$1" | diff "$here/dev" -
}

# names_version ROCKSPEC VERSION: it is this version's, in its name, by its tag and for scripts.
names_version() {
  grep -qx "version = \"$2\"" "$1" && grep -q "tag = \"v${2%-*}\"" "$1" &&
    grep -q "version = \"${2%-*}\"" lua/tuff/init.lua
}

for rockspec in rockspec/*.rockspec; do
  name=$(basename "$rockspec" .rockspec)
  if [ "$name" != tuff-dev-1 ]; then
    check "$name differs from tuff-dev-1 in version and source only" agree "$rockspec"
    check "$name is the version that the module says it is" names_version "$rockspec" "${name#tuff-}"
  fi
  check "luarocks builds $name with no network" rock_at "$rockspec"
  check "the rock $name works" works "$here/rock/share/lua/5.4" "$here/rock/lib/lua/5.4"
  rm -rf build "$here/rock"
done

check "make install puts it below PREFIX" make install PREFIX=/opt/tuff DESTDIR="$here/root"
check "what it installed works" works "$here/root/opt/tuff/share/lua/5.4" "$here/root/opt/tuff/lib/lua/5.4"
check "make uninstall removes it" make uninstall PREFIX=/opt/tuff DESTDIR="$here/root"
check "make uninstall leaves no file behind" test -z "$(find "$here/root" ! -type d -o -name '*tuff*' -path '*/5.4/*')"

echo "1..$number"
