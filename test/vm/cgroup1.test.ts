/** The memory limit on cgroup v1, on v1 beside v2 (hybrid), and where no cgroups are mounted. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const script = `
cg=/sys/fs/cgroup
waits='echo ready >/ready; read x </go;'

run none ns -m 64M - /box /bin/true
run none-no-limit ns - /box /bin/true

mount -t tmpfs none $cg
mkdir $cg/memory $cg/pids
mount -t cgroup -o pids none $cg/pids
run no-memory ns -m 64M - /box /bin/true
mount -t cgroup -o memory none $cg/memory

cases() {
  launch $1 ns -m 64M /pre/look /box /bin/sh -- -c "sed -n /memory/p /proc/self/cgroup; sleep 1000 & $waits exit 7"
  members >$at/members
  sort -n $cg/memory$(cat $at/cgroup)/cgroup.procs >$at/in-the-cgroup
  ls $cg/memory$(cat $at/cgroup) >$at/files
  release
  run $1-hog ns -m 16M - /box /bin/sh -- -c 'exec tail /dev/zero'
  run $1-failing-pre ns -m 16M /pre/fail /box /bin/true
  launch $1-killed ns -m 64M - /box /bin/sh -- -c 'echo ready >/ready; exec sleep 1000'
  kill -9 $job; finish
  mkdir $cg/memory/outer
  run $1-below in_cgroup $cg/memory/outer ns -m 64M /pre/look /box /bin/sh -- -c 'exit 5'
  rmdir $cg/memory/outer
}
cases v1
mkdir $cg/memory/own $cg/memory/own/ns; chown 1000 $cg/memory/own/ns
run v1-delegated in_cgroup $cg/memory/own as_user ns -u -m 32M /pre/look /box /bin/sh 1000 1000 -- -c 'exit 9'
rmdir $cg/memory/own/ns $cg/memory/own
run v1-undelegated as_user ns -u -m 32M - /box /bin/true 1000 1000

mkdir $cg/unified
mount -t cgroup2 none $cg/unified
cases hybrid
`;

describe.skipIf(await vmMissing("the memory limit on cgroup v1"))("memory limit", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({ script, cgroups: "none" });
  }, 240_000);

  const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");

  const noController = [
    "ns: cannot limit memory: no cgroup hierarchy with the memory controller is mounted",
    "note: mount one (mount -t cgroup2 none /sys/fs/cgroup); some boards need cgroup_enable=memory on the kernel's command line",
  ].join("\n");

  test.each(["none", "no-memory"])("no memory controller mounted: refused (%s)", (name) => {
    expect(guest.of(name)).toMatchObject({ status: 125, out: "", err: noController });
    nothingLeft(name);
  });
  test("no cgroups mounted: without -m nobody needs them", () => {
    expect(guest.of("none-no-limit")).toMatchObject({ status: 0, err: "", left: "" });
  });

  describe.each(["v1", "hybrid"])("%s", (kind) => {
    test("the cgroup is the run's own, in the hierarchy of the memory controller", () => {
      const { status, err, out, file } = guest.of(kind);
      expect({ status, err }).toEqual({ status: 7, err: "" });
      expect(file("cgroup")).toMatch(/^\/ns\/\d+-\w+$/);
      expect(out).toMatch(/^\d+:memory:\/$/);
      nothingLeft(kind);
    });
    test("memory is limited, and memory plus swap to the same", () => {
      const { file } = guest.of(kind);
      expect(file("memory.limit_in_bytes")).toBe("67108864");
      expect(file("files").split("\n")).toContain("memory.memsw.limit_in_bytes");
      expect(file("memory.memsw.limit_in_bytes")).toBe("67108864");
    });
    test("every process of the container is in it, and nobody else", () => {
      const { file } = guest.of(kind);
      expect(file("members").split("\n")).toHaveLength(2);
      expect(file("in-the-cgroup")).toBe(file("members"));
    });
    test("an init that wants more is killed, and ns says why", () => {
      expect(guest.of(`${kind}-hog`)).toMatchObject({
        status: 137,
        err: "ns: init was killed: out of its 16M memory limit",
      });
      nothingLeft(`${kind}-hog`);
    });
    test("from a cgroup of the hierarchy: below that", () => {
      expect(guest.of(`${kind}-below`).status).toBe(5);
      expect(guest.of(`${kind}-below`).file("cgroup")).toMatch(/^\/outer\/ns\/\d+-\w+$/);
      nothingLeft(`${kind}-below`);
    });
    test("nothing is left by a failing pre script, nor by SIGKILL of ns", () => {
      expect(guest.of(`${kind}-failing-pre`).status).toBe(125);
      nothingLeft(`${kind}-failing-pre`);
      expect(guest.of(`${kind}-killed`).status).toBe(137);
      nothingLeft(`${kind}-killed`);
    });
  });

  test("an ordinary user with a folder ns of his own", () => {
    const { status, err, file } = guest.of("v1-delegated");
    expect({ status, err }).toEqual({ status: 9, err: "" });
    expect(file("cgroup")).toMatch(/^\/own\/ns\/\d+-\w+$/);
    expect(file("memory.limit_in_bytes")).toBe("33554432");
  });
  test("an ordinary user without: refused, with the way to get one", () => {
    expect(guest.of("v1-undelegated")).toMatchObject({
      status: 125,
      err: [
        "ns: cannot limit memory: cannot make a cgroup in /sys/fs/cgroup/memory/ns: permission denied",
        "note: let root give you one: mkdir -p /sys/fs/cgroup/memory/ns && chown 1000 /sys/fs/cgroup/memory/ns",
      ].join("\n"),
      left: "",
    });
  });
});
