/** All limits on pure cgroup v2, as root with every capability and as an ordinary user. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const script = `
cg=/sys/fs/cgroup
echo +memory +cpu +cpuset +io +pids +hugetlb >$cg/cgroup.subtree_control
waits='echo ready >/ready; read x </go;'
cat >/pre/all <<'end'
#!/bin/sh
at=$(cat /run/case)
dir=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/$1/cgroup); dir=\${dir%/inside}
echo $dir >$at/dir
cd $dir && grep -H . memory.max memory.swap.max memory.high cpu.max cpu.weight cpuset.cpus cpuset.mems pids.max io.max hugetlb.2MB.max >$at/values 2>$at/values-err
exit 0
end
chmod 755 /pre/all
disk=$(cat /sys/block/nvme0n1/dev)

run all ns -m 64M --memory-swap 96M --memory-high 48M --cpus 1.5 --cpu-weight 50 --cpuset-cpus 0 --cpuset-mems 0 --pids 9 --io-max $disk:rbps=1M,wiops=7 --hugetlb 2M:4M /pre/all /box /bin/sh -- -c 'nproc; cat /proc/self/cgroup'
run pids ns --pids 4 - /box /bin/sh -- -c 'for i in 1 2 3 4 5 6; do sleep 1000 & done'
run cpuset-none ns --cpuset-cpus 0-7 - /box /bin/true
mkdir $cg/one; echo +cpuset >$cg/one/cgroup.subtree_control; echo 0 >$cg/one/cpuset.cpus
run cpuset-silent ns --cgroup /one --cpuset-cpus 0-1 - /box /bin/true
rmdir $cg/one
run no-pages ns --hugetlb 8M:8M - /box /bin/true
run partition ns --io-max 259:4000:rbps=1M - /box /bin/true

launch cpus ns --cpus 0.2 /pre/all /box /bin/sh -- -c '(while :; do :; done) & echo ready >/ready; read x </go'
throttled() { [ "$(sed -n 's/^nr_throttled //p' $(cat $at/dir)/cpu.stat)" -gt 3 ]; }
eventually throttled && echo yes >$at/throttled
release

# 4 MB at 1 MB a second: the kernel counts who waits
head -c 4000000 /dev/zero >/box/big; head -c 30000000 /dev/zero >/box/more; sync; echo 3 >/proc/sys/vm/drop_caches
begin io
start=$(now)
ns --io-max $disk:rbps=1M /pre/all /box /bin/sh -- -c 'cat /big | wc -c' >$at/out 2>$at/err </dev/null; status=$?
echo $(($(now) - start)) >$at/seconds
end $status


# pages of a file can be reclaimed, so it is not slowed down much
launch high ns --memory-high 8M -m 512M /pre/all /box /bin/sh -- -c "cat /more | wc -c; $waits"
sed -n 's/^high //p' $(cat $at/dir)/memory.events >$at/high
release

launch killed ns --pids 20 --cpus 1 -m 64M - /box /bin/sh -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; finish
run failing ns --pids 20 --cpus 1 -m 64M /pre/fail /box /bin/true
launch oom ns --pids 20 -m 16M - /box /bin/sh -- -c "$waits exec tail /dev/zero"
release

run rlimits ns --rlimit nofile=900000:1000000 --rlimit core=unlimited /pre/all /box /bin/sh -- -c 'ulimit -n; ulimit -Hn; ulimit -c'
ulimit -Hn 4096
run raised ns -u --rlimit nofile=5000:6000 - /box /bin/sh 1000 1000 -- -c 'ulimit -n; ulimit -Hn'
run not-raised as_user ns -u --rlimit nofile=5000:6000 - /box /bin/true 1000 1000
run priorities ns -u --nice -4 --sched rr:5 --ionice realtime:3 --oom-score-adj -700 - /box /bin/sh 1000 1000 -- -c 'cut -d " " -f 19,41 /proc/self/stat; ionice -p 1; cat /proc/self/oom_score_adj'
run no-priority as_user ns -u --oom-score-adj -700 - /box /bin/true 1000 1000

# --cgroup
run named ns --cgroup /a/b --pids 9 -m 64M /pre/look /box /bin/sh -- -c 'cat /proc/self/cgroup'
run named-none ns --cgroup none /pre/look /box /bin/true
run named-only ns --cgroup x /pre/look /box /bin/true
mkdir $cg/there $cg/there/1-other
run existing ns --cgroup there --pids 9 /pre/look /box /bin/true
launch named-killed ns --cgroup there/more --pids 9 - /box /bin/sh -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; finish
rmdir $cg/there/1-other $cg/there

# alone in a cgroup: it has to become an inner one, for threads' controllers too
mkdir $cg/outer; echo 60 >$cg/outer/pids.max
run leaf in_cgroup $cg/outer ns --pids 100 --cpus 1 /pre/look /box /bin/sh -- -c 'for i in $(seq 70); do sleep 1000 & done'
run leaf-named in_cgroup $cg/outer ns --cgroup p/q --pids 100 -m 64M /pre/look /box /bin/sh -- -c 'exit 5'
launch leaf-killed in_cgroup $cg/outer ns --pids 100 -m 64M - /box /bin/sh -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; finish
in_cgroup $cg/outer sleep 1000 & other=$!
eventually has_process $cg/outer
run busy in_cgroup $cg/outer ns --pids 9 /pre/look /box /bin/true
run busy-named in_cgroup $cg/outer ns --cgroup p --pids 9 /pre/look /box /bin/true
kill $(cat $cg/outer/cgroup.procs); wait $other
rmdir $cg/outer

# an ordinary user
mkdir $cg/own; chown 1000 $cg/own $cg/own/cgroup.procs $cg/own/cgroup.subtree_control
run delegated in_cgroup $cg/own as_user ns -u --pids 5 --cpus 1 -m 64M /pre/look /box /bin/sh 1000 1000 -- -c 'for i in 1 2 3 4 5 6; do sleep 1000 & done'
launch delegated-killed in_cgroup $cg/own as_user ns -u --pids 5 --cpus 1 - /box /bin/sh 1000 1000 -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; finish
rmdir $cg/own/ns 2>/dev/null; rmdir $cg/own
run undelegated as_user ns -u --pids 5 - /box /bin/true 1000 1000
mkdir $cg/less; echo -cpu >$cg/cgroup.subtree_control
chown 1000 $cg/less $cg/less/cgroup.procs $cg/less/cgroup.subtree_control
run less in_cgroup $cg/less as_user ns -u --cpus 1 --pids 5 - /box /bin/true 1000 1000
rmdir $cg/less
`;

describe.skipIf(await vmMissing("limits on cgroup v2"))("limits on cgroup v2", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({ script, timeoutMs: 200_000 });
  }, 240_000);

  const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");

  test("all at once, each in its file", () => {
    const { status, out, err, file } = guest.of("all");
    expect({ status, err }).toEqual({ status: 0, err: "" });
    expect(out).toBe("1\n0::/");
    expect(file("values").split("\n")).toEqual([
      "memory.max:67108864",
      "memory.swap.max:33554432",
      "memory.high:50331648",
      "cpu.max:150000 100000",
      "cpu.weight:50",
      "cpuset.cpus:0",
      "cpuset.mems:0",
      "pids.max:9",
      expect.stringMatching(/^io\.max:\d+:\d+ rbps=1048576 wbps=max riops=max wiops=7$/),
      "hugetlb.2MB.max:4194304",
    ]);
    nothingLeft("all");
  });

  describe("they bite", () => {
    test("--pids", () => {
      expect(guest.of("pids").err).toContain("can't fork");
      nothingLeft("pids");
    });
    test("--cpus", () => {
      expect(guest.of("cpus")).toMatchObject({ status: 0 });
      expect(guest.of("cpus").file("throttled")).toBe("yes");
      nothingLeft("cpus");
    });
    test("--io-max: four megabytes take three seconds at least", () => {
      const { status, out, err, file } = guest.of("io");
      expect({ status, out, err }).toEqual({ status: 0, out: "4000000", err: "" });
      expect(Number(file("seconds"))).toBeGreaterThanOrEqual(3);
    });
    test("--memory-high: above it memory is reclaimed", () => {
      expect(guest.of("high").out).toBe("30000000");
      expect(Number(guest.of("high").file("high"))).toBeGreaterThan(0);
    });
    test("out of memory is still told", () => {
      expect(guest.of("oom")).toMatchObject({
        status: 137,
        err: "ns: init was killed: out of its 16M memory limit",
      });
      nothingLeft("oom");
    });
  });

  describe("what cannot be had is an error", () => {
    test("CPUs that are not there", () => {
      const { status, err } = guest.of("cpuset-none");
      expect(status).toBe(125);
      expect(err).toMatch(/cannot write 0-7 to .*cpuset\.cpus: .*\nnote: there is 0-1$/);
      nothingLeft("cpuset-none");
    });
    test("CPUs that a cgroup above has not got, which the kernel takes in silence", () => {
      const { status, err } = guest.of("cpuset-silent");
      expect(status).toBe(125);
      expect(err).toMatch(/cannot write 0-1 to .*cpuset\.cpus: 1 is not to be had\nnote: there is 0$/);
      nothingLeft("cpuset-silent");
    });
    test("huge pages of a size that there is not", () => {
      expect(guest.of("no-pages").err).toContain("note: this kernel may have no huge pages of that size");
      nothingLeft("no-pages");
    });
    test("a disk that is not there", () => {
      expect(guest.of("partition").status).toBe(125);
      expect(guest.of("partition").err).toContain("note: limits are for a whole disk");
      nothingLeft("partition");
    });
  });

  test.each(["killed", "failing", "named-killed", "leaf-killed"])("nothing is left: %s", nothingLeft);

  describe("resource limits and priorities", () => {
    test("root raises hard limits", () => {
      expect(guest.of("rlimits")).toMatchObject({ status: 0, out: "900000\n1000000\nunlimited", err: "" });
    });
    test("also for a container in a user namespace", () => {
      expect(guest.of("raised")).toMatchObject({ status: 0, out: "5000\n6000", err: "" });
    });
    test("an ordinary user does not", () => {
      expect(guest.of("not-raised")).toMatchObject({
        status: 125,
        err: expect.stringContaining("cannot raise the limit nofile from 4096 to 6000"),
      });
    });
    test("root gives more than others have, into a user namespace too", () => {
      expect(guest.of("priorities")).toMatchObject({
        status: 0,
        out: "-4 2\nrealtime: prio 3\n-700",
        err: "",
      });
    });
    test("an ordinary user does not lower the OOM score", () => {
      expect(guest.of("no-priority")).toMatchObject({
        status: 125,
        err: expect.stringContaining("note: only root may lower it, "),
      });
    });
  });

  describe("--cgroup", () => {
    test("is made where it is not there, and gone afterwards", () => {
      expect(guest.of("named")).toMatchObject({ status: 0, out: "0::/", err: "" });
      expect(guest.of("named").file("cgroup")).toMatch(/^\/a\/b\/ns-\d+-\w+$/);
      nothingLeft("named");
    });
    test("none", () => {
      expect(guest.of("named-none").file("cgroup")).toBe("/");
    });
    test("without limits", () => {
      expect(guest.of("named-only").file("cgroup")).toMatch(/^\/x\/ns-\d+-\w+$/);
      nothingLeft("named-only");
    });
    test("what is there stays, as does what others have in it", () => {
      expect(guest.of("existing").status).toBe(0);
      expect(guest.of("existing").file("cgroup")).toMatch(/^\/there\/ns-\d+-\w+$/);
    });
  });

  describe("from a cgroup below the root", () => {
    test("alone in it: ns makes room, and its limits hold too", () => {
      const { err, file } = guest.of("leaf");
      expect(file("cgroup")).toMatch(/^\/outer\/ns\/\d+-\w+$/);
      expect(err).toContain("can't fork");
      nothingLeft("leaf");
    });
    test("with --cgroup", () => {
      expect(guest.of("leaf-named")).toMatchObject({ status: 5, err: "" });
      expect(guest.of("leaf-named").file("cgroup")).toMatch(/^\/outer\/p\/q\/ns-\d+-\w+$/);
      nothingLeft("leaf-named");
    });
    test("with others in it: the nearest above, or an error for --cgroup", () => {
      expect(guest.of("busy").file("cgroup")).toMatch(/^\/ns\/\d+-\w+$/);
      expect(guest.of("busy").status).toBe(0);
      nothingLeft("busy");
      expect(guest.of("busy-named").status).toBe(125);
      expect(guest.of("busy-named").err).toContain("note: other processes are in /sys/fs/cgroup/outer");
      nothingLeft("busy-named");
    });
  });

  describe("as an ordinary user", () => {
    test("in a delegated cgroup", () => {
      const { err, file } = guest.of("delegated");
      expect(file("cgroup")).toMatch(/^\/own\/ns\/\d+-\w+$/);
      expect(err).toContain("can't fork");
      nothingLeft("delegated");
      nothingLeft("delegated-killed");
    });
    test("without one: refused, with the way to get one", () => {
      expect(guest.of("undelegated").err).toBe(
        [
          "ns: cannot limit processes: cannot make a cgroup in /sys/fs/cgroup/ns: permission denied",
          "note: run it in a cgroup of your own: systemd-run --user --scope -p Delegate=yes ns …",
        ].join("\n"),
      );
    });
    test("one without the controller: refused, with its name", () => {
      expect(guest.of("less").status).toBe(125);
      expect(guest.of("less").err).toContain(
        "note: /sys/fs/cgroup/less has no cpu controller to hand on; let it be given: systemd-run --user --scope -p 'Delegate=cpu pids' ns …",
      );
    });
  });
});
