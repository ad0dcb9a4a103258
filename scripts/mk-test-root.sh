#!/bin/sh
# mk-test-root.sh [DIR] makes a small root file system to try ns with, from the static busybox of this machine, by
# default in /tmp/zzroot. Called by people who follow the README, by scripts/demo.sh and by the tests.
# Run it as root: only root can make the device nodes. Without root it makes everything else.
set -eu
umask 022

say() { printf 'mk-test-root.sh: %s\n' "$1" >&2; }
die() {
	say "$1"
	exit 1
}

case $#:${1:-} in
0: | 1:[!-]*) ;;
*) die "usage: mk-test-root.sh [DIR]   (default: /tmp/zzroot)" ;;
esac
dir=${1:-/tmp/zzroot}
source=$(cd "$(dirname "$0")/.." && pwd)

# A dynamic executable names its loader in its first page; inside the new root that would not exist.
is_static() { ! head -c 4096 "$1" | grep -q -e 'ld-linux' -e 'ld-musl' -e '/ld[0-9]*\.so' -e '/linker'; }
busybox=
for candidate in "$(command -v busybox || :)" /bin/busybox /usr/bin/busybox; do
	if [ -x "$candidate" ] && is_static "$candidate"; then
		busybox=$candidate
		break
	fi
done
[ -n "$busybox" ] || die "no static busybox here (Debian: apt-get install busybox-static)"

# mkdir is what refuses an existing directory, and a link somebody put there: whatever stands after it is ours alone.
mkdir -- "$dir" || die "$dir has to be a new directory: remove what is there, or name another"
dir=$(cd -- "$dir" && pwd -P)
trap 'say "failed; removing $dir"; rm -rf --one-file-system "$dir"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

for d in bin sbin usr usr/bin usr/sbin etc proc dev dev/net dev/pts dev/shm sys tmp run root var mnt; do
	mkdir "$dir/$d"
done
chmod 1777 "$dir/tmp"

cp "$busybox" "$dir/bin/busybox"
chmod 755 "$dir/bin/busybox"
# busybox lists where each of its applets belongs: bin/sh, sbin/init, usr/bin/awk, …
"$busybox" --list-full >"$dir/tmp/applets"
while read -r applet; do
	case $applet in
	bin/busybox | linuxrc) ;;
	bin/*) ln -s busybox "$dir/$applet" ;;
	sbin/*) ln -s ../bin/busybox "$dir/$applet" ;;
	usr/bin/* | usr/sbin/*) ln -s ../../bin/busybox "$dir/$applet" ;;
	*) say "note: no place for the applet $applet" ;;
	esac
done <"$dir/tmp/applets"
rm "$dir/tmp/applets"
for applet in bin/sh bin/mount sbin/init sbin/ip; do
	[ -x "$dir/$applet" ] || die "$busybox was built without ${applet##*/} (Debian's busybox-static has it)"
done

printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'nobody:x:65534:65534:nobody:/:/bin/false' >"$dir/etc/passwd"
printf '%s\n' 'root:x:0:' 'tty:x:5:' 'nogroup:x:65534:' >"$dir/etc/group"
printf '%s\n' '127.0.0.1 localhost' '::1 localhost' >"$dir/etc/hosts"
echo zzroot >"$dir/etc/hostname"
# The host's name servers, unless they listen on the host's own loopback, which a container cannot reach.
grep '^nameserver' /etc/resolv.conf 2>/dev/null | grep -v -e ' 127\.' -e ' ::1' >"$dir/etc/resolv.conf" || :
# For busybox's init: a shell on whatever ns was started on; leaving it ends the container.
cat >"$dir/etc/inittab" <<-'TABLE'
	::once:/bin/sh -c 'echo "busybox init runs; leave this shell to end the container"; sh -l; poweroff'
	::ctrlaltdel:/sbin/poweroff
TABLE
echo "PS1='\\h:\\w\\\$ '" >"$dir/etc/profile"

ln -s /proc/self/fd "$dir/dev/fd"
ln -s /proc/self/fd/0 "$dir/dev/stdin"
ln -s /proc/self/fd/1 "$dir/dev/stdout"
ln -s /proc/self/fd/2 "$dir/dev/stderr"
ln -s pts/ptmx "$dir/dev/ptmx"

# The kernel's names, numbers (Documentation/admin-guide/devices.txt) and modes.
make_nodes() {
	while read -r mode node major minor; do
		mknod -m "$mode" "$dir/dev/$node" c "$major" "$minor" 2>/dev/null || return
	done <<-'NODES'
		666 null 1 3
		666 zero 1 5
		666 full 1 7
		666 random 1 8
		666 urandom 1 9
		644 kmsg 1 11
		666 tty 5 0
		600 console 5 1
		666 net/tun 10 200
	NODES
}
if ! make_nodes; then
	say "note: no device nodes: only root on the host can make them (the container has no /dev/null and so on)"
elif ! (: <"$dir/dev/null") 2>/dev/null; then
	say "note: $dir is on a file system mounted nodev: the device nodes cannot be opened there"
fi

cp "$source/examples/init.sh" "$source/examples/pre.sh" "$dir/"
chmod 755 "$dir/init.sh" "$dir/pre.sh"

trap - EXIT

# For the command to be copied: a word as the shell wants it.
word() {
	case $1 in
	*[!A-Za-z0-9_/.:=@%+,-]*) printf "'%s'" "$(printf '%s\n' "$1" | sed "s/'/'\\\\''/g")" ;;
	*) printf '%s' "$1" ;;
	esac
}
ns=$(command -v ns || :)
if [ -z "$ns" ]; then
	for build in "$source"/build/linux-*-rel/ns "$source"/build/linux-*-dbg/ns; do
		[ ! -x "$build" ] || [ -n "$ns" ] || ns=$build
	done
fi
# The pre.sh named here is the checkout's: it runs as root on the host, and the one in the root is the container's to
# change.
echo "Made $dir. Try it:"
if [ "$(id -u)" = 0 ]; then
	sudo=$(command -v sudo || :)
	echo "  ${sudo:+sudo }$(word "${ns:-ns}") -m 1G -n $(word "$source/examples/pre.sh") $(word "$dir") /init.sh"
else
	echo "  $(word "${ns:-ns}") -u - $(word "$dir") /init.sh $(id -u) $(id -g)"
fi
