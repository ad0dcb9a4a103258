/** Frozen starts on pure cgroup v2: limits and devices, and where their cgroups are made. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { folder, run } from "../harness.ts";
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
freeze f-i686 --target linux-i686 --allow-device b:$numbers:r -m 32M /pre/look /box /bin/sh
freeze f-named --cgroup /a/b -m 64M /pre/look /box /bin/sh
freeze f-limits -m 32M --pids 7 --cpus 1 /pre/look /box /bin/sh
freeze f-pids --pids 7 /pre/look /box /bin/sh
freeze f-user -u - /box /bin/sh 1000 1000
freeze f-user-limits -u --pids 5 -m 64M /pre/look /box /bin/sh 1000 1000
freeze f-user-asked -u --allow-device c:1:11:r - /box /bin/true 1000 1000
freeze f-fail -m 32M /pre/fail /box /bin/true

run open /f-open -- -c "$probe"
run root /f-root -- -c "$probe"
run allowed /f-allowed -- -c "$probe; (: >>/dev/disk) || echo not for writing"
run i686 /f-i686 -- -c "$probe; (: >>/dev/disk) || echo not for writing"
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
# what a cgroup above hands on stays on, as with ns itself; alone in one that has not got it, it comes back from the leaf
mkdir -p $cg/outer/more/deep; echo +pids >$cg/outer/cgroup.subtree_control
in_cgroup $cg/outer/more sleep 1000 & other=$!
eventually has_process $cg/outer/more
run deep in_cgroup $cg/outer/more/deep /f-pids -- -c "exit 8"
kill $(cat $cg/outer/more/cgroup.procs); wait $other
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
for i in $(seq 8); do /f-limits -- -c "exit 3" >/dev/null 2>>$at/err & all="$all $!"; done
for one in $all; do wait $one; echo $?; done >$at/out
end 0

# no cgroups at all, none that can be made, and those of the machine that froze it
umount $cg
run nowhere /f-root -- -c 'echo never'
run nowhere-limits /f-limits -- -c 'echo never'
mount -t cgroup2 none $cg
mount -o remount,ro $cg
run read-only /f-limits -- -c 'echo never'
mount -o remount,rw $cg
for file in limits devices; do [ ! -e /elsewhere-$file ] || run elsewhere-$file /elsewhere-$file -- -c 'echo never'; done
`;

/** Has the machine that runs the tests version 1 for both, so that what it freezes cannot start on version 2? */
const isV1 = ["memory/memory.limit_in_bytes", "devices/tasks"].every((name) =>
  existsSync(join("/sys/fs/cgroup", name)),
);

async function freezeElsewhere(): Promise<Record<string, string>> {
  if (!isV1) return {};
  const files: Record<string, string> = {};
  for (const [name, options] of [
    ["limits", ["-m", "32M", "--allow-device=all"]],
    ["devices", []],
  ] as const) {
    const file = join(folder, `elsewhere-${name}`);
    expect(await run(["freeze", "-o", file, ...options, "-", "/box", "/bin/sh"])).toMatchObject({
      status: 0,
    });
    files[`/elsewhere-${name}`] = file;
  }
  return files;
}

describe.skipIf(await vmMissing("frozen starts on cgroup v2"))("frozen starts on cgroup v2", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({ script, files: await freezeElsewhere(), timeoutMs: 150_000 });
  }, 200_000);
  const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");
  const REFUSED = "0\n0\n0::/";
  const READ = "1024\n1024\n0::/";

  describe("devices", () => {
    test("without the restriction the disk can be read, so that this could fail", () => {
      expect(guest.of("open")).toMatchObject({ status: 0, out: READ, left: "" });
    });
    test.each(["root", "limits", "user", "beside"])(
      "neither an own node nor the root's can be opened: %s",
      (name) => {
        const { status, out, err, left } = guest.of(name);
        expect({ status, out, left }).toEqual({ status: 0, out: REFUSED, left: "" });
        expect(err).toContain("head: /dev/disk: Operation not permitted");
      },
    );
    test("what is allowed can be opened, in that way", () => {
      expect(guest.of("allowed").out).toBe(`${READ}\nnot for writing`);
      nothingLeft("allowed");
    });
    test("so it is with 32 bits", () => {
      expect(guest.of("i686").out).toBe(`${READ}\nnot for writing`);
      expect(guest.of("i686").file("cgroup")).toMatch(/^\/ns\/\d+-frozen$/);
      nothingLeft("i686");
    });
    test("an ordinary user starts it without that, but not when it was asked for", () => {
      expect(guest.of("as-user")).toMatchObject({ status: 0, out: "1\n0::/", err: "", left: "" });
      const { status, out, err } = guest.of("user-asked");
      expect({ status, out }).toEqual({ status: 125, out: "" });
      expect(err).toMatch(/^ns: cannot make a cgroup in .*for devices: .*: permission denied$/);
      nothingLeft("user-asked");
    });
  });

  describe("limits", () => {
    test("bite: of memory, of processes, for a user in a delegated cgroup too", () => {
      expect(guest.of("oom")).toMatchObject({ status: 137, out: "", err: "" });
      for (const name of ["pids", "leaf", "delegated"]) expect(guest.of(name).err).toContain("can't fork");
    });
    test("are in the starter's cgroup: in the topmost", () => {
      for (const name of ["limits", "oom", "pids"])
        expect(guest.of(name).file("cgroup")).toMatch(/^\/ns\/\d+-frozen$/);
    });
    test("which it leaves for one below it if it is alone there", () => {
      for (const [name, status] of [
        ["leaf", 2],
        ["leaf-pids", 5],
      ] as const) {
        expect(guest.of(name).status).toBe(status);
        expect(guest.of(name).file("cgroup")).toMatch(/^\/outer\/ns\/\d+-frozen$/);
      }
      expect(guest.of("leaf-fail")).toMatchObject({
        status: 125,
        err: "ns: cannot run the pre script /pre/fail: exit status 3",
      });
      expect(guest.of("delegated").file("cgroup")).toMatch(/^\/own\/ns\/\d+-frozen$/);
    });
    test("with others in it: in the nearest above", () => {
      for (const [name, status] of [
        ["busy", 6],
        ["busy-pids", 7],
      ] as const) {
        expect(guest.of(name)).toMatchObject({ status, err: "" });
        expect(guest.of(name).file("cgroup")).toMatch(/^\/ns\/\d+-frozen$/);
      }
      expect(guest.of("deep")).toMatchObject({ status: 8, err: "" });
      expect(guest.of("deep").file("cgroup")).toMatch(/^\/outer\/ns\/\d+-frozen$/);
    });
    test("in one with a name, made on the way", () => {
      expect(guest.of("named")).toMatchObject({ status: 0, out: "0::/", err: "" });
      expect(guest.of("named").file("cgroup")).toMatch(/^\/a\/b\/\d+-frozen$/);
    });
    test("many at once", () => {
      expect(guest.of("many")).toMatchObject({ out: Array(8).fill("3").join("\n"), err: "", left: "" });
    });
  });

  test.each([
    ...[
      "killed",
      "killed-limits",
      "left",
      "oom",
      "pids",
      "named",
      "leaf",
      "leaf-pids",
      "leaf-fail",
      "leaf-killed",
    ],
    ...[
      "busy",
      "busy-pids",
      "deep",
      "delegated",
      "delegated-killed",
      "undelegated",
      "nowhere",
      "nowhere-limits",
    ],
    "read-only",
  ])("nothing is left: %s", nothingLeft);

  const HANDS_ON = "ns: cannot find a cgroup in /sys/fs/cgroup that hands on memory and";
  test.each([
    ["undelegated", `${HANDS_ON} pids: permission denied`],
    ["nowhere-limits", `${HANDS_ON} cpu and pids: no such file or directory`],
    ["read-only", `${HANDS_ON} cpu and pids: read-only file system`],
    [
      "nowhere",
      expect.stringMatching(/^ns: cannot make a cgroup in .*for devices: .*: no such file or directory$/),
    ],
  ])("what cannot be had is an error before init runs: %s", (name, err) => {
    expect(guest.of(name)).toMatchObject({ status: 125, out: "", err });
  });
  test.skipIf(!isV1).each([
    ["limits", "memory"],
    ["devices", "devices"],
  ])(
    `so are those of version 1, from the machine that froze it${isV1 ? "" : " [needs one with version 1]"}: %s`,
    (name, word) => {
      const { status, out, err, left } = guest.of(`elsewhere-${name}`);
      expect({ status, out, left }).toEqual({ status: 125, out: "", left: "" });
      expect(err).toMatch(
        new RegExp(
          `^ns: cannot find this process's cgroup in /sys/fs/cgroup/${word}.*: no such file or directory$`,
        ),
      );
    },
  );
});
