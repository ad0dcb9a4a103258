#!/bin/sh
# debian.sh DIR [CMD...] runs a shell, or CMD, in a Debian of its own with a network, so that apt works in it. The first
# time it makes that Debian in DIR (the smallest there is, some 170 MB), with mmdebstrap or debootstrap, from the mirror
# that this machine's apt uses. For people at a terminal, as root.
set -eu
umask 022

say() { printf 'debian.sh: %s\n' "$1" >&2; }
die() {
	say "$1"
	exit 1
}
case $#:${1:-} in
0: | *:-*) die "usage: debian.sh DIR [CMD...]" ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
dir=${1%/}
case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
shift
[ "$(id -u)" = 0 ] || die "this needs root: a Debian has files of many users"

make_debian() {
	for tool in mmdebstrap debootstrap ''; do
		[ -n "$tool" ] || die "it takes mmdebstrap or debootstrap (Debian: apt-get install mmdebstrap)"
		! command -v "$tool" >/dev/null || break
	done

	# Where apt gets the release this machine runs: the first source that has packages of exactly that name.
	suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	# shellcheck disable=SC2016 # $(REPO_URI) is for apt
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $suite" \
		'Component: main' | grep -e '^https*:' -e '^file:' | head -n 1)
	[ -n "$mirror" ] || die "apt has no source for Debian ${suite:-(of which release?)} that $tool could use"
	# apt's proxy, for the tools that take it from the environment.
	eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
	[ -z "${http_proxy:-}" ] || export http_proxy
	[ -z "${https_proxy:-}" ] || export https_proxy

	# Made beside its place and then moved there: DIR is whole or not there at all. In a mount namespace, so that what
	# the tool mounts is gone before anything is removed.
	new=$dir.new
	mkdir -- "$new" || die "cannot make $new (remove what an earlier try left there)"
	trap 'rm -rf --one-file-system -- "$new" "$new.log"' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	say "making a Debian $suite in $dir with $tool; this takes a minute"
	case $tool in
	mmdebstrap) unshare -m mmdebstrap --quiet --mode=root --variant=minbase "$suite" "$new" "$mirror" >&2 ;;
	debootstrap) unshare -m debootstrap --variant=minbase "$suite" "$new" "$mirror" >"$new.log" || {
		tail -n 5 "$new.log" >&2
		die "debootstrap failed"
	} ;;
	esac
	rm -f "$new.log"
	cp "$here/init.sh" "$new/init.sh"
	chmod 755 "$new" "$new/init.sh"
	mv -T -- "$new" "$dir"
	trap - EXIT HUP INT TERM
}

[ -d "$dir" ] || make_debian
[ -x "$dir/init.sh" ] || die "$dir was not made by this script"
exec "$here/shell.sh" -n "$dir" "$@"
