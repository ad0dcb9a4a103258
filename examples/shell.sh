#!/bin/sh
# shell.sh [-nv] [-m SIZE] ROOT [CMD...] starts a shell, or CMD, in the root file system ROOT: "a better chroot". As an
# ordinary user it does the same by a user namespace, in which you are root. For people at a terminal; debian.sh uses
# it too. -n (with the network pre.sh makes; root only), -v and -m are those of ns.
# ns is $NS, or the one on the PATH, or the one built in this checkout.
set -eu

die() {
	printf 'shell.sh: %s\n' "$1" >&2
	exit 2
}
usage="usage: shell.sh [-nv] [-m SIZE] ROOT [CMD...]"
here=$(cd "$(dirname "$0")" && pwd)

network=
verbose=
memory=
while getopts :nvm: option; do
	case $option in
	n) network=-n ;;
	v) verbose=-v ;;
	m) memory=$OPTARG ;;
	*) die "$usage" ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || die "$usage"
root=$1
shift
[ -d "$root" ] || die "there is no directory $root"

ns=${NS:-$(command -v ns || :)}
for build in "$here"/../build/linux-*-rel/ns "$here"/../build/linux-*-dbg/ns; do
	[ -n "$ns" ] || [ ! -x "$build" ] || ns=$build
done
[ -n "$ns" ] || die "no ns on the PATH or in build/: run npm run build, or say NS=/path/to/ns"

# INIT is a full path in the root. A root's own init.sh mounts /tmp, /dev/pts and so on, then becomes its arguments;
# other roots get by with the /proc that ns mounts. What runs is looked up inside, on the container's PATH.
[ $# -gt 0 ] || set -- sh -c '[ ! -x /bin/bash ] || exec /bin/bash -l; exec /bin/sh -l'
if [ -x "$root/init.sh" ]; then
	init=/init.sh
else
	init=/bin/sh
	# shellcheck disable=SC2016 # for the shell inside
	set -- -c 'exec "$@"' sh "$@"
fi

pre=-
[ -z "$network" ] || pre=$here/pre.sh
if [ "$(id -u)" = 0 ]; then
	set -- "$pre" "$root" "$init" -- "$@"
else
	set -- -u "$pre" "$root" "$init" "$(id -u)" "$(id -g)" -- "$@"
fi
exec "$ns" ${network:+"$network"} ${verbose:+"$verbose"} ${memory:+-m "$memory"} "$@"
