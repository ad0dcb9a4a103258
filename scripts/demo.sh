#!/bin/sh
# demo.sh, which is `npm run demo`, shows ns at work on this machine: builds it, makes a test root, runs a container with
# a memory limit and a network, then one that wants more memory than it may have. Run it as root for all of it; as an
# ordinary user it shows what ns does without root. It leaves nothing but node_modules and build/.
set -eu
cd "$(dirname "$0")/.."

title() { printf '\n== %s\n' "$1"; }
# Show a command as the reader would type it, then run it.
run() {
	printf '$ %s\n' "$shown"
	"$@"
}

scripts/setup.sh busybox-static iproute2 util-linux

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$work"
root=$work/root

title "Building ns"
# Bun keeps what it compiles C with in the temporary folder.
TMPDIR=$work node_modules/.bin/bun run build --release
case $(uname -m) in
aarch64) ns=build/linux-arm64-rel/ns ;;
*) ns=build/linux-x64-rel/ns ;;
esac
$ns --version

title "Making a root file system from busybox"
scripts/mk-test-root.sh "$root" >/dev/null
echo "$(find "$root" -mindepth 1 | wc -l) files, $(du -sh "$root" | cut -f 1)"

# What runs inside. Its memory limit is a file of the kernel's cgroup file system, v2 or v1.
cat >"$root/look" <<-'INSIDE'
	#!/bin/sh
	tell() { printf '  %-10s %s\n' "$1" "$2"; }
	echo "Inside the container:"
	tell pid "$$"
	tell host "$(hostname)"
	tell user "$(id)"
	ps -o pid,comm >/tmp/ps
	tell processes "$(awk 'NR > 1 { printf "%s %s  ", $1, $2 }' /tmp/ps)"
	tell network "$(ip -o -4 addr show | sed -n 's/^[0-9]*: \([^ ]*\) *inet \([^ ]*\).*/\1 \2/p' | tr '\n' ' ')"
	mkdir -p /tmp/cgroup
	for kind in cgroup2 'cgroup -o memory'; do
		mount -r -t $kind none /tmp/cgroup >/tmp/why 2>&1 || continue
		for file in memory.max memory.limit_in_bytes; do
			[ -r /tmp/cgroup/$file ] || continue
			limit=$(cat /tmp/cgroup/$file)
			# v1 writes "no limit" as the largest number there is.
			case $limit in max | ????????????????*) ;; *) tell memory "at most $((limit / 1048576)) MiB" ;; esac
		done
		umount /tmp/cgroup
	done
	if ip -o -4 addr show eth0 >/tmp/eth0 2>&1 && [ -s /tmp/eth0 ]; then
		tell ping "$(ping -c 1 -W 5 host | sed -n 2p)"
	fi
INSIDE
chmod 755 "$root/look"

if [ "$(id -u)" != 0 ]; then
	title "A container of an ordinary user: root inside, $(id -un) outside, no network"
	shown="ns -v -u -n - ROOT /init.sh $(id -u) $(id -g) -- /look"
	run $ns -v -u -n - "$root" /init.sh "$(id -u)" "$(id -g)" -- /look
	title "Done"
	echo "As root this also shows a memory limit and a network: sudo npm run demo"
	exit
fi

title "A container with 64 MiB of memory and a network (-v tells each step)"
shown="sudo ns -v -m 64M -n examples/pre.sh ROOT /init.sh -- /look"
run $ns -v -m 64M -n "$PWD/examples/pre.sh" "$root" /init.sh -- /look

title "A container that wants more memory than it may have"
shown="sudo ns -m 32M - ROOT /bin/sh -- -c 'exec awk \"BEGIN { for (s = \\\"x\\\";; ) s = s s }\"'"
status=0
run $ns -m 32M - "$root" /bin/sh -- -c 'exec awk "BEGIN { for (s = \"x\";; ) s = s s }"' || status=$?
echo "exit status $status (128 + 9: killed by SIGKILL)"
[ $status = 137 ] || exit 1

title "Done"
cat <<'END'
Nothing is left of them: no process, no mount, no cgroup, no interface. What examples/pre.sh set up on this host for
every container stays: it forwards packets and, with nft or iptables, has a NAT rule that now matches nothing.
END
