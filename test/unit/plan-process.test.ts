/** Golden text of what the process options change about the child's plan, and of the scripts' and waiting plans. */
import { describe, expect, test } from "bun:test";
import { type ChildPlace, childPlan } from "../../src/plan/child.ts";
import { sizeOf } from "../../src/plan/encode.ts";
import { postPlan, prePlan } from "../../src/plan/pre.ts";
import { BELOW_REAPER, opBelowReaper } from "../../src/plan/reaper.ts";
import { showOps } from "../../src/plan/show.ts";
import { putRules, RULES_SIZE, rulesArg, takeRules } from "../../src/plan/supervise.ts";
import { defaultSpec, type Facts, type Spec } from "../../src/spec/spec.ts";

const spec: Spec = { ...defaultSpec(), root: "/r", init: "/init", args: ["a"] };
const facts: Facts = {
  pid: 1,
  uid: 0,
  gid: 0,
  capabilities: { mask: "1ffffffffff", sysAdmin: true, setUid: true, setGid: true },
  ignoredSignals: [13],
  cgroupNamespace: true,
  kernel: { mountDescriptors: true, closeRange: true, openat2: true, pidfd: true, mountSetattr: true },
  onRootfs: false,
  openFiles: null,
  terminal: null,
};
const place: ChildPlace = { gate: [3, 4], life: 6, report: 8, rootPath: "/r", inherited: [7, 9] };
const old: Facts = { ...facts, kernel: { ...facts.kernel, closeRange: false } };
const ops = (process: Partial<Spec["process"]>, f = facts) =>
  childPlan({ ...spec, process: { ...spec.process, ...process } }, f, place);
/** What stands behind the last gate. */
const tail = (process: Partial<Spec["process"]>, f = facts): string => {
  const lines = showOps(ops(process, f));
  return lines.slice(lines.lastIndexOf("close(3)") + 1).join("\n");
};

describe("the end of the child's plan", () => {
  test("environment, umask, arg0", () => {
    const env = { clear: false, kept: ["A=1"], fromFiles: ["B=2"], set: ["A=3", "PATH=/bin"] };
    expect(tail({ env, umask: 0o77, arg0: "x" })).toMatchSnapshot();
    expect(tail({ env: { ...env, clear: true } })).toContain('["A=3", "B=2", "PATH=/bin"])');
  });
  test("descriptors", () => {
    expect(tail({ passFds: [7, 12] })).toMatchSnapshot();
    expect(tail({ passFds: [7] }, old)).toMatchSnapshot();
  });
  test("a reaper", () => {
    expect(tail({ reaper: true })).toMatchSnapshot();
  });
  test("a reaper on a terminal leaves init in its process group", () => {
    expect(tail({ reaper: true }, { ...facts, terminal: { type: null, foreground: 1 } })).not.toContain(
      "setsid",
    );
  });
  test("a reaper on an old kernel closes them one by one, those passed on too", () => {
    const lines = tail({ reaper: true, passFds: [40] }, old).split("\n");
    expect(lines).toContain("close(56)");
    expect(lines).not.toContain("close(57)");
    expect(lines.indexOf("close(40)")).toBeGreaterThan(lines.findIndex((text) => text.includes("execve")));
  });
  test("a failing step below the reaper is found again", () => {
    const all = ops({ reaper: true });
    expect(opBelowReaper(all, BELOW_REAPER)?.call).toBe("setsid");
    expect(opBelowReaper(ops({}), BELOW_REAPER)).toBeUndefined();
    expect(sizeOf(all)).toBeGreaterThan(sizeOf(ops({})) + 4096);
  });
});

test("the post script: as PRE, with the status, but it does not die with ns", () => {
  const shown = (list: ReturnType<typeof prePlan>): string => showOps(list).join("\n");
  const env = { ...defaultSpec().process.env, set: ["SECRET=1"] };
  const own = { ...spec, process: { ...spec.process, env, umask: 0o77 } };
  const post = shown(postPlan({ path: "/p", env: ["PATH=/bin"], pid: 42 }, 137, facts, [], [15]));
  expect(post).toMatchSnapshot();
  const pre = shown(prePlan(own, facts, "/p", 42, [], [15]));
  expect(pre).toContain("PR_SET_PDEATHSIG");
  // init's environment and umask are not its own
  expect(pre).not.toContain("SECRET");
  expect(pre).toContain("umask(022)");
});

test("rules are laid out as the launcher reads them, masks of 64 bits too", () => {
  const rules = {
    ...{ who: -1, signals: -1 - 2 ** 8, caught: 3, patience: 3, impatience: 1, stopSignal: 37, grace: -1 },
    ...{ lastGrace: 10_000, deadline: 2 ** 41, stopping: 1, until: 0, other: 7, others: 2 ** 27 },
    ...({ group: 1, stops: 2 ** 14, stopped: 0 } as const),
  };
  const arg = rulesArg(rules);
  if (typeof arg !== "object" || !("memory" in arg)) throw new Error("not memory");
  const view = new DataView(arg.memory.buffer);
  expect(arg.memory.length).toBe(RULES_SIZE);
  expect(view.getBigUint64(8, true)).toBe(0xfffffffffffffeffn);
  expect(takeRules((at) => Number(view.getBigInt64(at, true)))).toEqual(rules);
  const offsets: number[] = [];
  putRules(rules, (offset) => offsets.push(offset));
  expect(offsets).toEqual(Array.from({ length: 16 }, (_, i) => 8 * i));
});
