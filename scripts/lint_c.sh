#!/bin/sh
# lint_c.sh format|tidy: clang-format or clang-tidy over the C sources, as TAP.
set -u
export flags="-std=c11 -D_GNU_SOURCE -Icsrc $(pkg-config --cflags lua5.4 sqlite3 libsodium libpq)"

# Each prints what it finds in one file, and nothing when that is in order.
case $1 in
  format) tool='clang-format "$1" | diff -u "$1" -' kinds='*.[ch]' ;;
  tidy) tool='clang-tidy --quiet "$1" -- $flags 2>/dev/null' kinds='*.c' ;;
  *) exit 2 ;;
esac
files=$(find csrc scripts spec -name "$kinds" | sort)

printf '%s\n' "$files" | xargs -n 1 -P "$(nproc)" sh -c '
  found=$('"$tool"' | head -n 40 | sed "s/^/# /")
  if [ -z "$found" ]; then echo "ok - $1"; else printf "not ok - %s\n%s\n" "$1" "$found"; fi' -

echo "1..$(printf '%s\n' "$files" | wc -l)"
