/** Golden text of plans: the order is the security, so a change of it must be seen in a diff. */
import { describe, expect, test } from "bun:test";
import { type ChildPlace, childPlan, enterPlan } from "../../src/plan/child.ts";
import { cloneFlags, namespacesOf } from "../../src/plan/namespaces.ts";
import { prePlan } from "../../src/plan/pre.ts";
import { showClone, showOp } from "../../src/plan/show.ts";
import { NO_SOURCES } from "../../src/spec/mounts.ts";
import { defaultSpec, type Facts, NAMESPACES, type Spec } from "../../src/spec/spec.ts";

const spec: Spec = { ...defaultSpec(), root: "/r", init: "/init", args: ["a b"] };
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
const old: Facts["kernel"] = {
  mountDescriptors: false,
  closeRange: false,
  openat2: false,
  pidfd: false,
  mountSetattr: false,
};
const place: ChildPlace = {
  gate: [3, 4],
  life: 6,
  report: 8,
  rootPath: "/r",
  inherited: [7, 9],
  sources: NO_SOURCES,
};
const whole = (s: Spec, f: Facts) => [...enterPlan(s, place), ...childPlan(s, f, place)];
const shown = (s: Spec, f: Facts): string => whole(s, f).map(showOp).join("\n");

describe("the child's plan", () => {
  test("as root", () => {
    expect(shown(spec, facts)).toMatchSnapshot();
  });
  test("with a user namespace and a network", () => {
    expect(
      shown(
        { ...spec, user: { uid: 5, gid: 6 }, network: { mode: "new" } },
        { ...facts, terminal: { type: "xterm", foreground: 1 } },
      ),
    ).toMatchSnapshot();
  });
  test("on an old kernel", () => {
    expect(shown(spec, { ...facts, kernel: old, cgroupNamespace: false })).toMatchSnapshot();
  });
  test("on an initramfs", () => {
    expect(shown(spec, { ...facts, onRootfs: true })).toMatchSnapshot();
  });
  test("in a debug build, with the caller's limit of open files", () => {
    const openFiles = { soft: 1024, hard: 4096 };
    expect(shown({ ...spec, debug: true }, { ...facts, openFiles })).toMatchSnapshot();
  });
});

test("the pre script's plan", () => {
  const ops = prePlan(
    { ...spec, pre: "/p", user: { uid: 5, gid: 6 }, network: { mode: "new" } },
    facts,
    "/p",
    42,
    [],
    [15],
  );
  expect(ops.map(showOp).join("\n")).toMatchSnapshot();
});

describe("order that security rests on", () => {
  const ops = whole({ ...spec, network: { mode: "new" } }, facts);
  const at = (call: string, first = ""): number => {
    const found = ops.findIndex((op) => showOp(op).includes(`${call}(${first}`));
    expect(found, call).toBeGreaterThanOrEqual(0);
    return found;
  };
  test.each([
    ["the gate before every mount", () => at("read") < at("unshare") && at("read") < at("mount", "NULL")],
    ["groups before ids", () => at("setgroups") < at("setresgid") && at("setresgid") < at("setresuid")],
    ["mounts private before any mount", () => at("mount", "NULL") < at("open_tree")],
    ["proc before the old root is let go", () => at("fsmount") < at("umount2")],
    ["descriptors, then signals, then exec", () => at("close_range") < at("rt_sigprocmask")],
    ["exec last", () => at("execve") === ops.length - 1],
  ])("%s", (_, holds) => {
    expect(holds()).toBe(true);
  });
  test("a child that joins its cgroup by itself does so before it is told to go on, and keeps no way to it", () => {
    const texts = childPlan(spec, facts, { ...place, join: { tasks: [20], told: 21 } }).map(showOp);
    const at = (text: string): number => texts.findIndex((shownOp) => shownOp.startsWith(text));
    expect(at('write(20, "0", 1)')).toBeGreaterThan(-1);
    expect(at('write(21, "j", 1)')).toBe(at('write(20, "0", 1)') + 1);
    expect([at("close(20)"), at("close(21)")]).toEqual([at("write(21") + 1, at("write(21") + 2]);
    expect(at("read(3")).toBeGreaterThan(at("close(21)"));
    expect(shown(spec, facts)).not.toContain("write(20");
  });
  test("the parent-death signal is set again after the change of ids, which takes it back", () => {
    const texts = ops.map(showOp);
    expect(texts.lastIndexOf("prctl(PR_SET_PDEATHSIG, 9)")).toBeGreaterThan(at("setresuid"));
  });
});

test("namespaces", () => {
  expect(namespacesOf(spec, facts)).toEqual(["mnt", "pid", "uts", "ipc", "cgroup"]);
  expect(namespacesOf({ ...spec, network: { mode: "new" }, user: { uid: 0, gid: 0 } }, facts)).toEqual([
    ...NAMESPACES.filter((name) => name !== "time"),
  ]);
  expect(showClone(cloneFlags(spec, facts))).toBe(
    "clone(CLONE_VM|CLONE_PIDFD|CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWPID|SIGCHLD)",
  );
});
