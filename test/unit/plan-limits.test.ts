/** Golden text of what limits put into plans. */
import { expect, test } from "bun:test";
import { type ChildPlace, childPlan } from "../../src/plan/child.ts";
import { setPriorities } from "../../src/plan/limits.ts";
import { showOp } from "../../src/plan/show.ts";
import { waitPlan } from "../../src/plan/wait.ts";
import { endCgroup } from "../../src/plan/watch.ts";
import { plan } from "../../src/run/plan.ts";
import { defaultLimits } from "../../src/spec/limits.ts";
import { defaultSpec, type Facts, type Spec } from "../../src/spec/spec.ts";

const facts: Facts = {
  ...{ pid: 1, uid: 0, gid: 0, ignoredSignals: [], cgroupNamespace: true, onRootfs: false, terminal: null },
  capabilities: { mask: "1ffffffffff", sysAdmin: true, setUid: true, setGid: true },
  kernel: { mountDescriptors: true, closeRange: true, openat2: true, pidfd: true, mountSetattr: true },
  openFiles: { soft: 1024, hard: 4096 },
};
const place: ChildPlace = { gate: [3, 4], life: 6, report: 8, rootPath: "/r", inherited: [] };
const limits = {
  ...defaultLimits(),
  rlimits: [
    { name: "RLIMIT_NOFILE", soft: 5n, hard: 6n },
    { name: "RLIMIT_AS", soft: -1n, hard: -1n },
  ],
  priority: {
    nice: -5,
    sched: { policy: "SCHED_RR", priority: 7 },
    io: { ioClass: "IOPRIO_CLASS_BE", level: 3 },
    oomScoreAdj: 100,
  },
} as const;
const spec: Spec = { ...defaultSpec(), root: "/r", init: "/init", limits };

test("resource limits are the child's last steps, and replace the caller's limit of open files", () => {
  const texts = childPlan(spec, facts, place).map(showOp);
  expect(texts.slice(texts.findIndex((text) => text.startsWith("prlimit64")))).toMatchSnapshot();
  expect(texts.filter((text) => text.includes("RLIMIT_NOFILE"))).toHaveLength(1);
});

test("priorities", () => {
  expect(setPriorities(limits.priority, 42).map(showOp)).toMatchSnapshot();
});

test("without limits there is nothing of them in a plan", () => {
  const calls = childPlan({ ...spec, limits: defaultLimits() }, { ...facts, openFiles: null }, place).map(
    ({ call }) => call,
  );
  expect(calls).not.toContain("prlimit64");
});

test("--dry-run tells what the parent does to the child, before the gate opens", () => {
  const lines = plan(spec, facts).map(({ who, call }) => `${who} ${call}`);
  const at = lines.indexOf("ns sched_setscheduler(PID, SCHED_RR, {sched_priority=7})");
  expect(lines.slice(at, at + 5)).toMatchSnapshot();
});

const ends = [
  {
    run: "/cg/own/ns/1-a",
    goes: ["/cg/own/ns"],
    left: {
      own: "/cg/own",
      leaf: "/cg/own/ns/init",
      inner: ["/cg/own/ns", "/cg/own"],
      controllers: ["memory", "pids"],
    },
  },
  { run: "/cpu/x/y/ns-1-b", goes: ["/cpu/x/y", "/cpu/x"], left: null },
] as const;

test("the watcher removes every directory of the run, and what was made for it", () => {
  expect(ends.flatMap(endCgroup).map(showOp)).toMatchSnapshot();
});

test("the waiting program becomes ns again where a directory cannot be removed", () => {
  const rules = {
    ...{ who: 5, signals: 0, caught: 6, patience: 3, impatience: 0, stopSignal: 15 },
    ...{ grace: -1, lastGrace: -1, deadline: 0, stopping: 0, until: 0, other: 0, others: 0 },
  };
  const again = { always: false, executable: 9, argv: 1, env: 2, status: 3, watcher: 4 };
  const ops = waitPlan({
    ...{ child: 5, rules, statusFile: false, oldWatcher: 7, foreground: null, watcherTask: 8 },
    ...{ cgroup: ends, work: null, again },
  });
  const removals = ops.flatMap((op, i) =>
    op.skipNext && op.call === "unlinkat" ? [[op.args[1], ops[i + 1]!.call]] : [],
  );
  expect(removals).toEqual([
    ["/cg/own/ns/1-a", "execveat"],
    ["/cpu/x/y/ns-1-b", "execveat"],
  ]);
});
