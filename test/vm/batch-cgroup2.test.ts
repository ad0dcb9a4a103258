/**
 * Many containers on pure cgroup v2: each begins in its cgroup by clone3(2), nobody moves it there, and its limit holds.
 * The library is in the executable as `ns batch`. The kernel's own trace tells of moves. Run by `bun test`.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const shell = (command: string): string =>
  JSON.stringify({ root: "/box", init: "/bin/sh", args: ["-c", command], memory: "16M", capture: true });

const script = `
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mount -t tracefs none /sys/kernel/tracing || mount -t debugfs none /sys/kernel/debug
trace=/sys/kernel/tracing; [ -d $trace/events ] || trace=/sys/kernel/debug/tracing
echo 1 >$trace/events/cgroup/cgroup_attach_task/enable
moves() { grep -o 'dst_path=.*/ns/.*' $trace/trace >$at/moves; echo >$trace/trace; }

run one ns -m 16M - /box /bin/true; moves
cat >/own <<'X'
${shell("cat /proc/self/cgroup")}
X
run own ns batch /own; moves
cat >/waiting <<'X'
${shell("echo ready >/ready; read x </go")}
X
launch limit ns batch /waiting
cat /sys/fs/cgroup/ns/*/memory.max /sys/fs/cgroup/ns/*/memory.swap.max >$at/limits
cat /sys/fs/cgroup/ns/*/inside/cgroup.procs | wc -l >$at/processes
release
cat >/hog <<'X'
${shell("exec tail /dev/zero")}
X
run hog ns batch /hog; moves
(for i in 0 1 2 3 4 5 6 7 8 9; do cat /own; done) >/ten
run ten ns batch -j10 /ten; moves
# a limit that is too small for anything: the container dies of it, the program does not
sed s/16M/4k/ /own >/tiny; cat /own >>/tiny
run tiny ns batch -j1 /tiny; moves
`;

describe.skipIf(await vmMissing("many containers on cgroup v2"))("many containers on cgroup v2", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({ script });
  }, 120_000);

  const lines = (name: string): Record<string, unknown>[] =>
    guest
      .of(name)
      .out.trim()
      .split("\n")
      .map((line) => JSON.parse(line));

  test("the command moves its child, which the trace shows", () => {
    expect(guest.of("one").status).toBe(0);
    expect(guest.of("one").file("moves")).toMatch(/dst_path=.*\/ns\//);
  });
  test("batch starts it there: no move", () => {
    const [result] = lines("own");
    expect(result).toMatchObject({ status: 0, stdout: "0::/\n" });
    expect(guest.of("own").file("moves")).toBe("");
  });
  test("the limit is there, without swap, and holds", () => {
    expect(guest.of("limit").file("limits")).toBe("16777216\n0");
    expect(guest.of("limit").file("processes")).toBe("1");
    expect(lines("hog")[0]).toMatchObject({
      status: 137,
      cause: "init was killed: out of its 16M memory limit",
    });
  });
  test("ten at once", () => {
    expect(lines("ten").map(({ status }) => status)).toEqual(Array(10).fill(0));
    expect(guest.of("ten").file("moves")).toBe("");
  });
  test("a limit too small for anything ends the container and not the program", () => {
    const [tiny, next] = lines("tiny");
    expect(tiny!.status).not.toBe(0);
    expect(next).toMatchObject({ line: 2, status: 0 });
  });
  test.each(["one", "own", "limit", "hog", "ten", "tiny"])("%s leaves nothing", (name) => {
    expect(guest.of(name).left).toBe("");
  });
});
