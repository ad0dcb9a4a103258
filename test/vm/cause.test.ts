/** Why runs end on pure cgroup v2, as root and as an ordinary user, and what is told of it to machines. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { exit, syscall, writeProgram } from "../elf.ts";
import { folder, project } from "../harness.ts";
import { violations } from "../schema.ts";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const schema = JSON.parse(readFileSync(join(project, "docs/status.schema.json"), "utf8"));
const FORKS = "for i in 1 2 3 4 5 6; do sleep 1000 & done";

const script = `
cg=/sys/fs/cgroup
echo +memory +cpu +pids >$cg/cgroup.subtree_control
cp /tools/mkdir-call /box/mkdir-call; chmod 755 /box/mkdir-call
echo 0 >/proc/sys/kernel/printk_ratelimit # every record is printed
ns9() { ns --status-fd 9 "$@" 9>$at/status.json; }
waits='echo ready >/ready; read x </go;'

echo 1 >/proc/sys/kernel/dmesg_restrict
run seccomp ns9 --seccomp /tools/kill.json - /box /mkdir-call
launch seccomp-later ns9 --seccomp /tools/kill.json - /box /bin/sh -- -c "$waits exec /mkdir-call"
release
run seccomp-user-restricted as_user ns -u --seccomp /tools/kill.json - /box /mkdir-call 1000 1000
echo 0 >/proc/sys/kernel/dmesg_restrict
run seccomp-user as_user ns -u --seccomp /tools/kill.json - /box /mkdir-call 1000 1000
run seccomp-nested unshare -pf --mount-proc ns --seccomp /tools/kill.json - /box /mkdir-call

run processes ns9 --pids 4 - /box /bin/sh -- -c '${FORKS}'
launch processes-later ns9 --pids 4 - /box /bin/sh -- -c "$waits ${FORKS}"
release
run enough ns9 --pids 4 - /box /bin/sh -- -c 'exit 2'
mkdir $cg/few; echo 6 >$cg/few/pids.max
run processes-above in_cgroup $cg/few ns --pids 100 - /box /bin/sh -- -c '${FORKS}'
rmdir $cg/few
run memory ns9 -m 16M - /box /bin/sh -- -c 'exec tail /dev/zero'
mkdir $cg/small; echo 100M >$cg/small/memory.max; echo 0 >$cg/small/memory.swap.max
run memory-above in_cgroup $cg/small ns --cgroup none - /box /bin/sh -- -c 'exec tail /dev/zero'
rmdir $cg/small
# what the kernel does when nothing is left, to the process that it can spare most
launch memory-host ns --oom-score-adj 1000 - /box /bin/sh -- -c "$waits"
echo f >/proc/sysrq-trigger; finish
run used ns9 --cpus 1 -m 64M - /box /bin/sh -- -c '(i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done) & wait; exit 0'

launch outside ns9 -m 64M - /box /bin/sh -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $(members | tail -n 1 | cut -d ' ' -f 1); finish

mkdir $cg/own; chown 1000 $cg/own $cg/own/cgroup.procs $cg/own/cgroup.subtree_control
run processes-user in_cgroup $cg/own as_user ns -u --pids 4 - /box /bin/sh 1000 1000 -- -c '${FORKS}'
run memory-user in_cgroup $cg/own as_user ns -u -m 16M - /box /bin/sh 1000 1000 -- -c 'exec tail /dev/zero'
rmdir $cg/own/ns 2>/dev/null; rmdir $cg/own
`;

describe.skipIf(await vmMissing("causes on cgroup v2"))("causes on cgroup v2", () => {
  let guest: Guest;
  beforeAll(async () => {
    writeProgram(join(folder, "mkdir-call"), [...syscall(83), ...exit]);
    const kill = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_KILL_PROCESS" }],
    };
    guest = await runGuest({
      script,
      timeoutMs: 200_000,
      files: {
        "/tools/mkdir-call": join(folder, "mkdir-call"),
        "/tools/kill.json": { text: JSON.stringify(kill), mode: 0o644 },
      },
    });
  }, 240_000);

  const said = (name: string): { status: number; err: string } => {
    const { status, err, left } = guest.of(name);
    expect(left).toBe("");
    return { status, err };
  };
  const told = (name: string) => {
    const lines = guest
      .of(name)
      .file("status.json")
      .split("\n")
      .map((text) => JSON.parse(text));
    for (const line of lines) expect(violations(schema, line)).toEqual([]);
    expect(lines.map(({ event }) => event)).toEqual(["started", "exited"]);
    return lines[1];
  };

  test("a call that a seccomp filter refused, by its name", () => {
    const err = "ns: init was killed by a seccomp filter: it called mkdir";
    for (const name of ["seccomp", "seccomp-later", "seccomp-user"])
      expect(said(name), name).toEqual({ status: 159, err });
    expect(told("seccomp")).toMatchObject({ signal: "SIGSYS", cause: { kind: "seccomp" } });
    expect(told("seccomp-later")).toMatchObject({ signal: "SIGSYS", cause: { kind: "seccomp" } });
  });

  test("not by its name where the log cannot be read, or has other process ids", () => {
    for (const name of ["seccomp-user-restricted", "seccomp-nested"]) {
      const { status, err } = said(name);
      expect(status).toBe(159);
      expect(err).toMatch(/^ns: init was killed by a seccomp filter \(SIGSYS\)\nnote: .*type=1326/);
    }
  });

  test("the limit of processes, and only this run's", () => {
    for (const name of ["processes", "processes-later", "processes-user"]) {
      const { status, err } = said(name);
      expect(status).toBe(2);
      expect(err, name).toEndWith(
        "ns: init exited with status 2 after it had reached its limit of 4 processes",
      );
    }
    expect(told("processes")).toMatchObject({ status: 2, signal: null, cause: { kind: "processes-limit" } });
    expect(said("enough")).toEqual({ status: 2, err: "" });
    expect(told("enough")).toMatchObject({ status: 2, cause: null });
  });

  test("want of memory: of the run's own, of a cgroup's above, of the host's", () => {
    const own = { status: 137, err: "ns: init was killed: out of its 16M memory limit" };
    expect(said("memory")).toEqual(own);
    expect(said("memory-user")).toEqual(own);
    const { cause, memory } = told("memory");
    expect(cause.kind).toBe("memory-limit");
    expect(memory.peak).toBeGreaterThan(8 << 20);
    expect(memory.peak).toBeLessThanOrEqual(16 << 20);
    const above = "ns: init was killed by the kernel: the cgroup /small was out of memory";
    expect(said("memory-above")).toEqual({ status: 137, err: above });
    const host = "ns: init was killed by the kernel: the host was out of memory";
    expect(said("memory-host")).toEqual({ status: 137, err: host });
  });

  test("SIGKILL from outside, with a memory limit that was not reached", () => {
    const { status, err } = said("outside");
    expect(status).toBe(137);
    expect(err).toStartWith("ns: init was killed by SIGKILL, not by ns\nnote: ");
    expect(told("outside")).toMatchObject({ signal: "SIGKILL", cause: { kind: "signal" } });
  });

  test("what was used is the cgroup's: processes that init did not wait for too", () => {
    const { cpu, memory, duration } = told("used");
    expect(cpu.user + cpu.system).toBeGreaterThan(0);
    expect(cpu.user + cpu.system).toBeLessThan(duration * 2);
    expect(memory.peak).toBeGreaterThan(0);
  });
});
