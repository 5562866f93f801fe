#!/bin/sh
# install_packages.sh PACKAGE…: installs those of Debian's packages that are not there yet.
# When all are, it runs nothing but dpkg-query.
set -eu

if ! command -v dpkg-query >/dev/null; then
  echo "Not a Debian system: taking for granted what these packages hold: $*"
  exit 0
fi

missing=
for package in "$@"; do
  case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
    installed*) ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root=
elif command -v sudo >/dev/null; then
  as_root=sudo
else
  echo "Packages are missing, and there is neither root nor sudo. As root: apt-get install$missing" >&2
  exit 1
fi

apt() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 "$@" </dev/null
}
install="install --no-install-recommends --no-remove"

echo "Installing from Debian:$missing"
mkdir -p build/log
log=build/log/packages.log

# The lists of packages are fetched only when those at hand do not do, being absent or too old.
# shellcheck disable=SC2086 # a list of words
if apt $install $missing >"$log" 2>&1; then
  exit 0
elif apt update >>"$log" 2>&1 && apt $install $missing >>"$log" 2>&1; then
  exit 0
fi
cat "$log" >&2
echo "apt-get could not install:$missing" >&2
exit 1
