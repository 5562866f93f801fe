#!/bin/sh
# with_postgres.sh DIRECTORY COMMAND…: runs a command beside a PostgreSQL server of its own, whose
# data stays in DIRECTORY from one run to the next. The server ends with the command, or with this
# script if that is killed. The URL of the database is printed, and is the command's last argument:
# `scripts/with_postgres.sh build/demo/postgres psql` looks into what `make demo` has left there.
set -eu

data=$1
shift
PATH="$(printf '%s:' /usr/lib/postgresql/*/bin)$PATH" # where Debian has them

# Not beside the data, for the path of a socket has 107 bytes at most.
run=$(mktemp -d /tmp/tuff-XXXXXX)
url="postgres://tuff@/postgres?host=$run"
server=

end() {
  if [ -n "$server" ]; then
    kill -INT "$server" 2>/dev/null || :
    wait "$server" || :
  fi
  rm -rf "$run"
}
trap end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "PostgreSQL does not run on $data:" >&2
  cat "$run/log" >&2
  exit 1
}

# The server refuses to run as root. A sanitizer that watches the command does not watch it.
as_server='env -u LD_PRELOAD'
root=
if [ "$(id -u)" -eq 0 ]; then
  root=1
  as_server="$as_server setpriv --reuid=postgres --regid=postgres --clear-groups"
fi

hand_over() {
  [ -z "$root" ] || chown postgres "$1"
}

# The data is reached through a descriptor, for the path to it may lead through directories that
# the server's user must not enter, as /root is.
through=/proc/self/fd/9

# No half of a cluster stays behind.
if [ ! -d "$data" ]; then
  rm -rf "$data.new"
  mkdir -p "$data.new"
  hand_over "$data.new"
  # shellcheck disable=SC2086 # a list of words
  $as_server initdb -D $through -A trust --locale=C.UTF-8 -U tuff 9<"$data.new" >"$run/log" 2>&1 ||
    fail
  mv "$data.new" "$data"
fi

# In a session of its own: Ctrl-C is for the command, which may have to tell the server of it.
hand_over "$run"
# shellcheck disable=SC2086
(cd / && exec setsid $as_server setpriv --pdeathsig INT \
  postgres -D $through -k "$run" -c listen_addresses=) 9<"$data" >"$run/log" 2>&1 &
server=$!
until env -u LD_PRELOAD pg_isready -q -d "$url"; do
  kill -0 "$server" 2>/dev/null || fail
  sleep 0.1
done

echo "PostgreSQL: $url" >&2
"$@" "$url"
