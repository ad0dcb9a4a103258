#!/bin/sh
# init.sh is the first process of a container: give it to ns as INIT, from the container's own root (mk-test-root.sh
# puts it there as /init.sh). It mounts what a small system needs, sets up the container's end of what pre.sh began (its
# name, and the names and addresses of itself and of the host), then becomes what was asked for: the command after
# `--`, in debug builds of ns a shell, otherwise the root's real init.
#
# It runs with busybox and with Debian's tools, with and without -u and -n, and writes nothing to the root, which
# other containers may be using too.
set -eu

# What follows is wanted, not needed: a user namespace, a read-only or a bare root may refuse some of it. The output is
# caught rather than sent to /dev/null, which roots made without root do not have.
quietly() { : "$("$@" 2>&1)"; }
mount_on() {
	where=$1
	shift
	[ ! -d "$where" ] || quietly mount "$@" "$where"
}

# Without -n or -u this is the host's /sys, and root here is the host's root: read-only.
mount_on /sys -t sysfs -o ro,nosuid,nodev,noexec sysfs
mount_on /tmp -t tmpfs -o nosuid,nodev,mode=1777 tmpfs
mount_on /run -t tmpfs -o nosuid,nodev,mode=755 tmpfs
mount_on /dev/shm -t tmpfs -o nosuid,nodev,mode=1777 tmpfs
# Group 5 is tty; under -u no group but 0 exists.
pts=nosuid,noexec,newinstance,ptmxmode=666,mode=620
if [ -n "${CLONE_NEWUSER:-}" ]; then
	mount_on /dev/pts -t devpts -o $pts devpts
else
	mount_on /dev/pts -t devpts -o $pts,gid=5 devpts
fi

[ ! -s /etc/hostname ] || quietly hostname -F /etc/hostname

# pre.sh gave eth0 its address from outside. Give the two ends names here: `host` is the machine this runs on. The
# file is put over /etc/hosts for this container alone.
name_the_ends() {
	address=$(ip -o -4 addr show dev eth0 2>&1 | sed -n 's/.* inet \([0-9.]*\).*/\1/p')
	gateway=$(ip route 2>&1 | sed -n 's/^default via \([0-9.]*\).*/\1/p')
	[ -n "$address" ] && [ -n "$gateway" ] && [ -f /etc/hosts ] || return 0
	printf '%s\n' "127.0.0.1 localhost" "::1 localhost" "$address $(hostname)" "$gateway host" >/run/hosts
	quietly mount -o bind /run/hosts /etc/hosts
}
if [ -n "${CLONE_NEWNET:-}" ] && [ -n "$(command -v ip)" ] && grep -q ' /run tmpfs ' /proc/mounts; then
	name_the_ends
fi

[ $# -eq 0 ] || exec "$@"
[ -z "${DEBUG:-}" ] || exec /bin/sh -l
for init in /sbin/init /etc/init /bin/init; do
	[ ! -x "$init" ] || exec "$init"
done
exec /bin/sh -l
