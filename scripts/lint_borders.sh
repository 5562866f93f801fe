#!/bin/sh
# lint_borders.sh: the borders between the layers (see CONTRIBUTING.md), as TAP.
set -u
number=0

# check SENTENCE OFFENDERS: holds when there is no offender.
check() {
  number=$((number + 1))
  if [ -z "$2" ]; then
    echo "ok $number - $1"
  else
    echo "not ok $number - $1"
    printf '%s\n' "$2" | sed 's/^/# /'
  fi
}

# included HEADERS [FOLDER]: the lines that include one of them (a pattern), below csrc/FOLDER.
included() {
  grep -rnE --include='*.[ch]' "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($1)[>\"]" "csrc/${2:-}"
}

# A library's header belongs to one folder; the programs in csrc/test look behind every border.
only_in() {
  check "only csrc/$1 includes $2" "$(included "$3" | grep -vE "^csrc/($1|test)/")"
}
only_in binding 'Lua' '(lua|luaconf|lauxlib|lualib)\.h'
only_in sqlite 'SQLite' 'sqlite3(ext)?\.h'
only_in postgres 'libpq' '(libpq-fe|libpq/.*|pg_config.*)\.h'
only_in codec 'zstd and libsodium' '(zstd.*|zdict|sodium|sodium/.*)\.h'
only_in redis 'hiredis' '(hiredis/.*|hiredis)\.h'

# Every arrow points down.
check "csrc/core includes no driver and no binding" \
  "$(included '(sqlite|postgres|redis|binding)/.*' core)"
check "csrc/codec includes no driver and no binding" \
  "$(included '(sqlite|postgres|redis|binding)/.*' codec)"
for driver in sqlite postgres redis; do
  [ -d csrc/$driver ] || continue
  check "csrc/$driver includes nothing of the core but driver.h" \
    "$(included '[^/"<>]*/.*\.h' $driver | grep -E '"(core|codec|binding|sqlite|postgres|redis)/' |
      grep -vE "\"(core/driver\.h|$driver/.*)\"")"
done

check "the module exports luaopen_* only" \
  "$(nm -D --defined-only build/tuff/core.so | awk '$3 !~ /^luaopen_/')"
check "a driver exports tuff_driver_v1 only" \
  "$(nm -D --defined-only build/tuff/postgres.so | awk '$3 != "tuff_driver_v1"')"

check "no file has more than 800 lines" \
  "$(find csrc lua -name '*.[ch]' -o -name '*.lua' | while read -r file; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 800 ] || echo "$file: $lines"
  done)"

echo "1..$number"
