#!/bin/sh
# setup.sh [PACKAGE...] gets this checkout ready: the Debian packages named (installed when run as root, otherwise named
# for the reader), the npm packages of package-lock.json, and a Bun that starts. Called first by demo.sh, test.sh and
# .ci/run, each with what it needs. Quiet when there is nothing to do.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$1" >&2; }
die() {
	say "$1"
	exit 1
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# What a command says matters only if it fails.
logged() { "$@" >"$log" 2>&1 </dev/null; }
show_log() { head -n 30 "$log" >&2; }

missing=
for package in "$@"; do
	state=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | head -n 1) || :
	[ "$state" = installed ] || missing="$missing $package"
done

apt_install() {
	logged env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
		install --no-install-recommends "$@"
}
if [ -z "$missing" ]; then
	:
elif ! command -v apt-get >/dev/null; then
	say "note: this is no Debian; what these Debian packages hold has to be here:$missing"
elif [ "$(id -u)" != 0 ]; then
	die "Debian packages are missing; as root: apt-get install --no-install-recommends$missing"
else
	say "installing$missing"
	# A fresh machine has no package lists, an old one has lists of what is no longer there.
	# shellcheck disable=SC2086 # one word a package
	apt_install $missing || { logged apt-get -q update && apt_install $missing; } || {
		show_log
		die "apt-get could not install$missing"
	}
fi

# npm writes node_modules/.package-lock.json last: it tells a finished installation, and when it was.
if [ ! -e node_modules/.package-lock.json ] ||
	[ -n "$(find package-lock.json -newer node_modules/.package-lock.json)" ]; then
	command -v npm >/dev/null || die "npm is not there (Debian: apt-get install nodejs npm)"
	say "installing the npm packages"
	logged npm ci --no-audit --no-fund || {
		show_log
		die "npm ci failed"
	}
	# Where nothing but the lock file's date has changed npm may leave its own untouched.
	touch node_modules/.package-lock.json
fi

# The bun package puts its executable in place by a script that npm may have been told not to run, or that the shared
# node_modules of another architecture outlived. The executable itself lies in a package for each platform.
bun=node_modules/.bin/bun
bun_starts() { "$1" --version >/dev/null 2>&1; }
if ! bun_starts $bun; then
	for candidate in node_modules/@oven/bun-*/bin/bun; do
		if bun_starts "$candidate"; then
			ln -sf "../${candidate#node_modules/}" $bun
			ln -sf bun node_modules/.bin/bunx
			break
		fi
	done
fi
bun_starts $bun || die "node_modules has no Bun that starts here: remove node_modules and run this again"
