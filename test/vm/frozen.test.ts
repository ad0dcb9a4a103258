/** Frozen starts on pure cgroup v2: limits and devices, and where their cgroups are made. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const script = `
cg=/sys/fs/cgroup
echo +memory +pids +cpu >$cg/cgroup.subtree_control # as systemd leaves it
disk=$(sed 's/:/ /' /sys/block/nvme0n1/dev)
numbers=$(cat /sys/block/nvme0n1/dev)
mknod -m 666 /box/dev/disk b $disk
probe="mknod /tmp/own b $disk; for node in /tmp/own /dev/disk; do head -c 1024 \\$node | wc -c; done; rm -f /tmp/own
for name in null zero random; do head -c 1 /dev/\\$name >/dev/null || echo no \\$name; done; cat /proc/self/cgroup"
waits='echo ready >/ready; read x </go;'
forks='for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done'
freeze() { name=$1; shift; ns freeze -o /$name "$@" && chmod 755 /$name; }

freeze f-open --allow-device=all - /box /bin/sh
freeze f-root - /box /bin/sh
freeze f-allowed --allow-device b:$numbers:r - /box /bin/sh
freeze f-named --cgroup /a/b -m 64M /pre/look /box /bin/sh
freeze f-limits -m 32M --pids 7 --cpus 1 /pre/look /box /bin/sh
freeze f-pids --pids 7 /pre/look /box /bin/sh
freeze f-user -u - /box /bin/sh 1000 1000
freeze f-user-limits -u --pids 5 -m 64M /pre/look /box /bin/sh 1000 1000
freeze f-user-asked -u --allow-device c:1:11:r - /box /bin/true 1000 1000
freeze f-fail -m 32M /pre/fail /box /bin/true
freeze f-missing -m 32M --pids 7 - /box /bin/missing

run open /f-open -- -c "$probe"
run root /f-root -- -c "$probe"
run allowed /f-allowed -- -c "$probe; (: >>/dev/disk) || echo not for writing"
run limits /f-limits -- -c "$probe"
run user /f-user -- -c "$probe"
run as-user as_user /f-user -- -c 'head -c 1 /dev/zero | wc -c; cat /proc/self/cgroup'
run user-asked as_user /f-user-asked
run left /f-root -- -c 'mkdir -p /tmp/cg && mount -t cgroup2 none /tmp/cg && mkdir /tmp/cg/one /tmp/cg/one/two'
launch killed /f-root -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; finish
launch killed-limits /f-limits -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; finish
run oom /f-limits -- -c 'exec tail /dev/zero'
run pids /f-pids -- -c "$forks"
run failing /f-fail
run missing /f-missing
run named /f-named -- -c 'cat /proc/self/cgroup'

# from a cgroup below the root: alone in it, with others in it, and deeper
mkdir $cg/outer; echo 60 >$cg/outer/pids.max
run leaf in_cgroup $cg/outer /f-limits -- -c "$forks"
run leaf-pids in_cgroup $cg/outer /f-pids -- -c "exit 5"
run leaf-fail in_cgroup $cg/outer /f-fail
launch leaf-killed in_cgroup $cg/outer /f-limits -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; finish
run beside in_cgroup $cg/outer /f-root -- -c "$probe"
in_cgroup $cg/outer sleep 1000 & other=$!
eventually has_process $cg/outer
run busy in_cgroup $cg/outer /f-limits -- -c "exit 6"
run busy-pids in_cgroup $cg/outer /f-pids -- -c "exit 7"
kill $(cat $cg/outer/cgroup.procs); wait $other
mkdir -p $cg/outer/more/deep; in_cgroup $cg/outer/more/deep sleep 1000 & other=$!
eventually has_process $cg/outer/more/deep
run deep in_cgroup $cg/outer/more/deep /f-pids -- -c "exit 8"
kill $(cat $cg/outer/more/deep/cgroup.procs); wait $other
rmdir $cg/outer/more/deep $cg/outer/more $cg/outer

# an ordinary user
mkdir $cg/own; chown 1000 $cg/own $cg/own/cgroup.procs $cg/own/cgroup.subtree_control
run delegated in_cgroup $cg/own as_user /f-user-limits -- -c "$forks"
launch delegated-killed in_cgroup $cg/own as_user /f-user-limits -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; finish
rmdir $cg/own
run undelegated as_user /f-user-limits -- -c 'echo never'

# twenty at once
begin many
for i in $(seq 20); do /f-limits -- -c "exit 3" >/dev/null 2>>$at/err & all="$all $!"; done
for one in $all; do wait $one; echo $?; done >$at/out
end 0

# controllers that nobody hands on any more, no cgroups at all, and another machine's
echo -memory >$cg/cgroup.subtree_control
echo 1 >/dev/null
umount $cg
run nowhere /f-root -- -c 'echo never'
run nowhere-limits /f-limits -- -c 'echo never'
mount -t cgroup2 none $cg
mount -o remount,ro $cg
run read-only /f-limits -- -c 'echo never'
mount -o remount,rw $cg
[ ! -e /frozen-elsewhere ] || run elsewhere /frozen-elsewhere -- -c 'echo never'
`;

describe.skipIf(await vmMissing("frozen starts on cgroup v2"))("frozen starts on cgroup v2", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({ script, timeoutMs: 150_000 });
  }, 200_000);

  test("dump", () => {
    for (const name of "open root allowed limits user as-user user-asked left killed killed-limits oom pids failing missing named leaf leaf-pids leaf-fail leaf-killed beside busy busy-pids deep delegated delegated-killed undelegated many nowhere nowhere-limits read-only".split(" ")) {
      try { const { status, out, err, left, file } = guest.of(name);
      console.log(JSON.stringify({ name, status, out, err, left, cgroup: file("cgroup") })); } catch (e) { console.log(name, "none"); }
    }
    console.log(guest.console.slice(-1500));
    expect(1).toBe(1);
  });
});
