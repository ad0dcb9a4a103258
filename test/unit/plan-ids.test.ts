/** Golden text of the plans with options about ids and namespaces. */
import { describe, expect, test } from "bun:test";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { type ChildPlace, childPlan, enterPlan } from "../../src/plan/child.ts";
import { cloneFlags } from "../../src/plan/namespaces.ts";
import { showClone, showOp } from "../../src/plan/show.ts";
import { doorPlan, flagsInside, guestPlan } from "../../src/plan/userns.ts";
import type { Identity } from "../../src/spec/ids.ts";
import type { Facts, Spec } from "../../src/spec/spec.ts";

const facts: Facts = {
  pid: 1,
  uid: 0,
  gid: 0,
  capabilities: { mask: "1ffffffffff", sysAdmin: true, setUid: true, setGid: true },
  ignoredSignals: [],
  cgroupNamespace: true,
  kernel: { mountDescriptors: true, closeRange: true, openat2: true, pidfd: true, mountSetattr: true },
  onRootfs: false,
  openFiles: null,
  terminal: null,
};
const place: ChildPlace = { gate: [3, 4], life: 6, report: 8, rootPath: "/r", inherited: [] };
const parse = (words: string): Spec => specOf(parseArgv(`${words} - /r /init`.split(" ")), false);
const ops = (words: string, more: Partial<ChildPlace> = {}) => {
  const spec = parse(words);
  return [...enterPlan(spec, { ...place, ...more }), ...childPlan(spec, facts, { ...place, ...more })];
};
const shown = (words: string, more?: Partial<ChildPlace>): string => ops(words, more).map(showOp).join("\n");
const init = { uid: 5, gid: 6, groups: [7, 8], home: "/home" };
const one = (inside: number, outside: number) => [{ inside, outside, count: 10 }];
const withRoot: Identity = { maps: { uids: one(0, 100), gids: one(0, 100), setgroups: "allow" }, init };
const withoutRoot: Identity = { maps: { uids: one(5, 100), gids: one(5, 100), setgroups: "deny" }, init };

test("--as: init's ids are the last thing before the exec", () => {
  expect(shown("--as 5:6,7,8", { identity: { maps: null, init } })).toMatchSnapshot();
});
test("maps with root: the groups are dropped where that is allowed", () => {
  expect(shown("--map-uid 0:100:10 --as 5:6,7,8", { identity: withRoot })).toMatchSnapshot();
});
test("maps without root: capabilities are kept for the mounts, and given up", () => {
  expect(shown("--map-uid 5:100:10 --as 5:6", { identity: withoutRoot })).toMatchSnapshot();
});
test("--idmap-root: the tree is the parent's", () => {
  expect(
    shown("--idmap-root --map-uid 0:100:10", { identity: { ...withRoot, init: null }, rootTree: 9 }),
  ).toMatchSnapshot();
});
test("--time, --share, names", () => {
  const words = "--time --boottime-offset 5 --share=cgroup,ipc --hostname h --domainname d";
  expect(`${showClone(cloneFlags(parse(words), facts))}\n${shown(words)}`).toMatchSnapshot();
});

describe("order that security rests on", () => {
  test.each<[string, string, Identity]>([
    ["with root", "--map-uid 0:100:10 --as 5:6,7", withRoot],
    ["without root", "--map-uid 5:100:10 --as 5:6", withoutRoot],
  ])("%s: nothing that needs a capability comes behind the change of ids", (_, words, identity) => {
    const texts = ops(words, { identity }).map(showOp);
    const at = texts.lastIndexOf("setresuid(5, 5, 5)");
    const after = texts.slice(at + 1).map((text) => text.split("(")[0]);
    expect(after.filter((call) => call !== "capset")).toEqual(["prctl", "execve"]);
    expect(texts.slice(0, at).some((text) => text.startsWith("rt_sigprocmask"))).toBe(true);
  });
  test("offsets are written while the file is still the process's own", () => {
    const texts = ops("--time").map(showOp);
    const at = (start: string) => texts.findIndex((text) => text.startsWith(start));
    expect(at("unshare(CLONE_NEWTIME)")).toBeLessThan(at("write("));
    expect(at("write(")).toBeLessThan(at("setresgid"));
  });
});

describe("an existing user namespace", () => {
  const spec = parse("--userns=7 -n");

  test("is joined by a task that starts the child for ns, with no pidfd of its own", () => {
    const flags = cloneFlags(spec, facts);
    const child = enterPlan(spec, { ...place, identity: { ...withRoot, init: null } });
    const texts = doorPlan(9, child, flags, 1000).map(showOp);
    expect([...texts, showClone(flagsInside(flags)), ...child.map(showOp)].join("\n")).toMatchSnapshot();
  });
  test("those who are in it cannot look into ns's memory", () => {
    for (const ops of [doorPlan(9, [], 0, 0), guestPlan(9, [3, 4], 5)]) {
      const texts = ops.map(showOp);
      const closed = texts.indexOf("prctl(PR_SET_DUMPABLE, 0)");
      expect(closed).toBeGreaterThanOrEqual(0);
      expect(closed).toBeLessThan(texts.indexOf("setns(9, CLONE_NEWUSER)"));
    }
  });
});
