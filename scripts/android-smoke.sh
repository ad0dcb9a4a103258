#!/bin/sh
# android-smoke.sh [NS [BUSYBOX]] tries ns on the Android device that adb(1) is connected to (ANDROID_SERIAL chooses one
# of several). NS is build/android-<machine>-rel/ns by default; BUSYBOX is a static one for the device's machine, the
# command of this machine by default (Debian: apt-get download busybox-static:arm64, dpkg -x). Needs root on the device:
# adb root, or su. Prints a line a check, `pass: …` or `fail: …`, and what ns said for one that failed; ends with their
# numbers. Everything it makes is in /data/local/tmp/ns-smoke, and removed.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
there=/data/local/tmp/ns-smoke

die() {
	echo "android-smoke.sh: $1" >&2
	exit 1
}
command -v adb >/dev/null || die "adb is not here (Debian: apt-get install adb)"
[ "$(adb get-state 2>/dev/null)" = device ] || die "adb has no device: connect one, allow it, and look at adb devices"

case $(adb shell uname -m | tr -d '\r') in
aarch64) machine=arm64 ;;
x86_64) machine=x64 ;;
*) die "ns has no executable for this device: it is not arm64 and not x86-64 (docs/targets.md)" ;;
esac
ns=${1:-$source/build/android-$machine-rel/ns}
busybox=${2:-$(command -v busybox || :)}
[ -f "$ns" ] || die "$ns is not there: bun run build --release --target=android-$machine"
[ -f "$busybox" ] || die "no busybox to make a root of: name a static one for $machine"

# as root: by adb root, or by su of one of the usual kinds
if [ "$(adb shell id -u | tr -d '\r')" = 0 ]; then
	su=
elif [ "$(adb shell su -c 'id -u' </dev/null 2>/dev/null | tr -d '\r')" = 0 ]; then
	su=su
else
	die "no root on this device: adb root, or a device with su"
fi
device() { # a script, run as root by the device's shell; its output and status
	printf '%s\n' "$1" >"$scratch/script"
	adb push "$scratch/script" $there.sh >/dev/null
	if [ -n "$su" ]; then adb shell "su -c 'sh $there.sh'"; else adb shell "sh $there.sh"; fi </dev/null
}

scratch=$(mktemp -d)
clean() {
	device "rm -rf $there" >/dev/null 2>&1 || :
	adb shell "rm -f $there.sh" >/dev/null 2>&1 || :
	rm -rf "$scratch"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

passed=0
failed=0
check() { # what, the status it should have, a pattern that a line of its output should match, a script
	status=0
	device "cd $there; $4" >"$scratch/output" 2>&1 || status=$?
	tr -d '\r' <"$scratch/output" >"$scratch/text"
	if [ "$status" = "$2" ] && grep -q -e "$3" "$scratch/text"; then
		passed=$((passed + 1))
		echo "pass: $1"
	else
		failed=$((failed + 1))
		echo "fail: $1: status $status (should be $2)"
		sed 's/^/      /' "$scratch/text" | head -n 8
	fi
}

device "rm -rf $there; mkdir -p $there/root/bin $there/root/proc $there/root/tmp; chmod 755 $there" >/dev/null
adb push "$ns" $there/ns >/dev/null
adb push "$busybox" $there/root/bin/busybox >/dev/null
# shellcheck disable=SC2016 # for the device
printf '#!/system/bin/sh\n[ -d /proc/$1 ]\n' >"$scratch/pre"
adb push "$scratch/pre" $there/pre >/dev/null
device "cd $there; chmod 755 ns pre root root/bin root/bin/busybox; cd root/bin; for name in sh id ip ls; do ln -s busybox \$name; done" >/dev/null

box="- $there/root /bin/sh"
check "Android 9 or later" 0 '^\(9\|[1-9][0-9]\)' 'getprop ro.build.version.release'
check "Linux 4.11 or later" 0 '^\(4\.\(1[1-9]\|[2-9][0-9]\)\|[5-9]\|[1-9][0-9]\)' 'uname -r'
for kind in mnt pid uts ipc net user cgroup; do
	check "the kernel has $kind namespaces" 0 "$kind:" "readlink /proc/self/ns/$kind"
done
check "ns starts" 0 "^ns .*android-$machine" './ns --version'
check "a container: init is process 1, its status is passed on" 7 '^1$' "./ns $box -- -c 'echo \$\$; exit 7'"
check "no descriptor above 2" 0 '^0 1 2 3 *$' "./ns - $there/root /bin/sh -- -c 'echo \$(ls /proc/self/fd)'"
check "the host's switches are read-only" 1 'Read-only' "./ns $box -- -c 'echo 1 >/proc/sys/kernel/printk'"
check "a network of its own" 0 '127\.0\.0\.1' "./ns -n $box -- -c 'ip -o addr show lo'"
check "a user namespace" 0 '^0$' "./ns -u $box 2000 2000 -- -c 'id -u'"
check "a pre script" 0 '^ok$' "./ns $there/pre $there/root /bin/sh -- -c 'echo ok'"
check "a memory limit" 137 'out of its 16M memory limit' "./ns -m 16M $box -- -c 'x=xxxxxxxx; while :; do x=\$x\$x; done'"
check "an init that is not there" 127 'is not there' "./ns - $there/root /bin/nothing"
# both wait for what init says, and then for what has to come, as long as a slow device may take
begin="rm -f root/tmp/ready; ./ns $box -- -c"
loop="trap 'echo done; exit 9' TERM; : >/tmp/ready ns-smoke-mark; while :; do :; done"
# shellcheck disable=SC2016 # for the device
ready='& pid=$!; until [ -e root/tmp/ready ]; do [ -d /proc/$pid ] || exit 99; done'
check "a signal reaches init" 9 '^done$' "$begin \"$loop\" $ready; kill \$pid; wait \$pid"
check "SIGKILL of ns ends the container" 0 '^gone$' "$begin \"$loop\" $ready; kill -9 \$pid
n=0; while grep -l 'ns-smoke-mar[k]' /proc/[0-9]*/cmdline >/dev/null 2>&1; do n=\$((n + 1)); [ \$n -lt 500 ] || exit 1; done; echo gone"
check "no cgroup is left" 0 '^none$' \
	"find /dev/memcg /sys/fs/cgroup -name ns -type d 2>/dev/null | grep . || echo none"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
