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
unset LUA_PATH LUA_CPATH MAKEFLAGS MFLAGS MAKELEVEL

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

# works LUADIR LIBDIR: the module installed there answers a question.
works() {
  (cd "$here/elsewhere" && LUA_PATH="$1/?.lua;$1/?/init.lua" LUA_CPATH="$2/?.so;;" lua5.4 -e '
    local db <close> = require("tuff").open("smoke.db")
    assert(db:value("select 40 + ?", 2) == 42)')
}

rock_at() {
  luarocks make --lua-version 5.4 --tree "$here/rock" --deps-mode none "$1"
}

version=tuff-9.9.9-1
sed 's/"dev-1"/"9.9.9-1"/' rockspec/tuff-dev-1.rockspec >"rockspec/$version.rockspec"

for name in tuff-dev-1 $version; do
  check "luarocks builds $name with no network" rock_at "rockspec/$name.rockspec"
  check "the rock $name works" works "$here/rock/share/lua/5.4" "$here/rock/lib/lua/5.4"
  luarocks remove --lua-version 5.4 --tree "$here/rock" tuff >/dev/null 2>&1
  rm -rf build "$here/rock"
done

check "make install puts it below PREFIX" make install PREFIX=/opt/tuff DESTDIR="$here/root"
check "what it installed works" works "$here/root/opt/tuff/share/lua/5.4" "$here/root/opt/tuff/lib/lua/5.4"
check "make uninstall removes it" make uninstall PREFIX=/opt/tuff DESTDIR="$here/root"
check "make uninstall leaves nothing behind" test -z "$(find "$here/root" -name '*tuff*' -path '*/5.4/*')"

echo "1..$number"
