#!/bin/sh
# run_suites.sh SUITE[:VARIANT]…: runs suites that speak TAP, a line each, and ends with one line
# that sums them all. Failures and skips are printed with their messages; all that a suite printed
# stays in build/log/. The exit status is 0 if and only if nothing failed.
#
#   borders luacheck format tidy   the sources
#   programs, threads              csrc/test/test_*.c, and of these test_thread*.c
#   corpus                         csrc/test/fuzz_*.c, each over its corpus
#   specs                          spec/
#   install                        the rock, make install, make uninstall
#
# VARIANT is the tree to run in: build/VARIANT instead of build. `gc` is the plain tree, with Lua's
# collector at its most aggressive.
set -u
ulimit -c 0

logs=$PWD/build/log
limit=1800 # seconds for a suite
[ -z "${TUFF_SOAK:-}" ] || limit=0
passed=0 failed=0 skipped=0

# run VARIANT LOG COMMAND…: in that tree. A sanitizer writes what it finds to LOG.found.PROGRAM.PID
# and leaves the exit status alone, so a leak of a foreign program (a shell that a spec starts
# has some) changes nothing; a real error aborts.
run() (
  variant=$1 log=$2
  shift 2
  export LUA_PATH="$PWD/lua/?.lua;$PWD/lua/?/init.lua;;"
  tree=${variant#gc}
  export LUA_CPATH="$PWD/build${tree:+/$tree}/?.so;;"
  report="abort_on_error=1:exitcode=0:log_path=$log.found:log_exe_name=1"
  preload= layout=
  case $variant in
    # A sanitizer wants memory where a randomised layout may have put something else.
    asan | tsan) ! setarch -R true 2>/dev/null || layout='setarch -R' ;;
  esac
  case $variant in
    asan)
      preload=$("${CC:-cc}" -print-file-name=libasan.so)
      export ASAN_OPTIONS="$report:detect_leaks=1:detect_stack_use_after_return=1"
      ASAN_OPTIONS="$ASAN_OPTIONS:allocator_may_return_null=1"
      export UBSAN_OPTIONS="$report:print_stacktrace=1"
      export LSAN_OPTIONS="suppressions=$PWD/scripts/leaks.supp:print_suppressions=0"
      ;;
    gc)
      export LUA_INIT="collectgarbage('incremental', 10, 10000) collectgarbage('setpause', 0)"
      ;;
    tsan)
      export TSAN_OPTIONS="$report"
      ;;
    coverage)
      mkdir -p build/coverage/lua
      export LUA_INIT="@$PWD/scripts/coverage_hook.lua"
      ;;
  esac
  # shellcheck disable=SC2086 # two words or none
  exec timeout --foreground -k 10 "$limit" $layout env ${preload:+LD_PRELOAD="$preload"} "$@"
)

# suite NAME VARIANT COMMAND…: runs one, prints its line and what is to be said of it, and counts.
suite() {
  name="$1${2:+, $2}" variant=$2
  shift 2
  log="$logs/$(printf %s "$name" | tr -cs '[:alnum:]_' -)"
  rm -f "$log".*
  printf '%s ' "$name"
  began=$(date +%s)
  run "$variant" "$log" "$@" >"$log.tap" 2>"$log.err" </dev/null
  status=$?
  took=$(($(date +%s) - began))
  # That a thread ended while leaks were looked for is said, and is no finding.
  found=$(cat "$log".found.lua5.4.* "$log".found.test_* "$log".found.fuzz_* 2>/dev/null |
    grep -v 'Unable to get registers from thread')
  report=$(awk -v status="$status" -v limit="$limit" -v found="${found:+1}" \
    -f scripts/tap.awk "$log.tap")
  read -r p f s <<-END
	$report
	END
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  printf '%.*s %s\n' $((36 - ${#name})) '....................................' \
    "$p passed$([ "$f" -eq 0 ] || echo ", $f failed")$([ "$s" -eq 0 ] || echo ", $s skipped") ($took s)"
  printf '%s\n' "$report" | sed 1d
  if [ "$f" -gt 0 ]; then
    # The interpreter's own frames say nothing.
    printf '%s\n' "$found" | cat - "$log.err" | sed '/lua5.4+0x/d; /^$/d; s/^/    | /' | head -n 60
  fi
}

mkdir -p "$logs"
for word in "$@"; do
  kind=${word%%:*}
  variant=${word#"$kind"}
  variant=${variant#:}
  built=build${variant:+/$variant}/test
  case $kind in
    borders) suite borders '' scripts/lint_borders.sh ;;
    luacheck) suite luacheck '' luacheck --formatter TAP . ;;
    format | tidy) suite "clang-$kind" '' scripts/lint_c.sh "$kind" ;;
    specs) suite specs "$variant" lua5.4 /usr/bin/busted -o scripts/busted_tap.lua ;;
    install) suite install '' scripts/test_install.sh ;;
    programs | threads)
      [ "$kind" = programs ] && prefix=test_ || prefix=test_thread
      for source in csrc/test/"$prefix"*.c; do
        [ -e "$source" ] || continue
        program=$(basename "$source" .c)
        suite "$program" "$variant" "$built/$program"
      done
      [ "$kind" = programs ] || continue
      data=$(mktemp -d)
      suite 'test_lua_allocation on PostgreSQL' "$variant" scripts/with_postgres.sh "$data/data" \
        "$built/test_lua_allocation" csrc/test/postgres_allocation.lua
      rm -rf "$data"
      ;;
    corpus)
      for source in csrc/test/fuzz_*.c; do
        [ -e "$source" ] || continue
        program=$(basename "$source" .c)
        suite "$program" "$variant" "$built/$program" "csrc/test/corpus/${program#fuzz_}"
      done
      ;;
    *)
      echo "no such suite: $word" >&2
      exit 2
      ;;
  esac
done

echo "$passed passed, $failed failed$([ $skipped -eq 0 ] || echo ", $skipped skipped")"
[ $failed -eq 0 ]
