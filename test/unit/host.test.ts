/** Parsers and cgroup code against texts and temporary directories. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory, oomKills } from "../../src/host/cgroup/controllers/memory.ts";
import { ancestors, locate } from "../../src/host/cgroup/locate.ts";
import { prepareParent } from "../../src/host/cgroup/parent.ts";
import { lock, removeTree, sweep } from "../../src/host/cgroup/tree.ts";
import { interpreterOf } from "../../src/host/format.ts";
import { bitsOf, hasBit, openFilesLimit, parseMountinfo, statusField } from "../../src/host/status.ts";
import { userNamespaceProblem } from "../../src/run/check.ts";
import { defaultLimits } from "../../src/spec/limits.ts";
import type { Facts } from "../../src/spec/spec.ts";
import { close } from "../../src/sys/file.ts";

const folder = mkdtempSync(join(tmpdir(), "ns-unit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("fields of /proc/PID/status", () => {
  const status = "Name:\tns\nPPid:\t12\nSigIgn:\t0000000001001000\n";
  expect(statusField(status, "PPid")).toBe("12");
  expect(statusField(status, "SigIgn")).toBe("0000000001001000");
  expect(statusField(status, "Nope")).toBe("");
  expect(bitsOf("0000000001001000", 1)).toEqual([13, 25]);
  expect(bitsOf("8000000000000001", 0)).toEqual([0, 63]);
  expect([0, 1, 62, 63, 64].filter((bit) => hasBit("8000000000000001", bit))).toEqual([0, 63]);
});

test("the limit of open files", () => {
  expect(
    openFilesLimit("Max open files            1024                 unlimited            files\n"),
  ).toEqual({
    soft: 1024,
    hard: -1,
  });
  expect(openFilesLimit("")).toBeNull();
});

const mountinfo = (lines: string[]) => parseMountinfo(lines.join("\n"));
const v1 = "30 20 0:25 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory";
const v2 = "31 20 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate";

describe("where the cgroup is", () => {
  test("hybrid: v1 has the controller", () => {
    expect(locate("memory", "4:memory:/a/b\n0::/\n", mountinfo([v1, v2]))).toEqual({
      version: 1,
      mount: "/sys/fs/cgroup/memory",
      own: "/sys/fs/cgroup/memory/a/b",
      readOnly: false,
    });
  });
  test("v2 alone", () => {
    expect(locate("memory", "0::/user.slice/x.scope\n", mountinfo([v2]))?.own).toBe(
      "/sys/fs/cgroup/unified/user.slice/x.scope",
    );
  });
  test("a mount that shows a part of the tree, with a space in its path", () => {
    const part = "31 20 0:26 /docker/1 /my\\040cg ro - cgroup2 cgroup2 rw";
    expect(locate("memory", "0::/docker/1/sub\n", mountinfo([part]))).toEqual({
      version: 2,
      mount: "/my cg",
      own: "/my cg/sub",
      readOnly: true,
    });
    expect(locate("memory", "0::/elsewhere\n", mountinfo([part]))?.own).toBe("/my cg");
  });
  test("nothing mounted", () => {
    expect(locate("memory", "4:memory:/a\n0::/\n", mountinfo([v2]))).toBeNull();
    expect(locate("memory", "", [])).toBeNull();
  });
  test("the way up", () => {
    expect(ancestors({ version: 2, mount: "/m", own: "/m/a/b", readOnly: false })).toEqual([
      "/m/a/b",
      "/m/a",
      "/m",
    ]);
    expect(ancestors({ version: 2, mount: "/m", own: "/m", readOnly: false })).toEqual(["/m"]);
  });
});

describe("the ns directory of v2", () => {
  const fake = (path: string, files: Record<string, string>): string => {
    mkdirSync(path, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
    return path;
  };
  const own = { readOnly: false, version: 2 } as const;
  const self = { pid: 1, uid: process.getuid!() };
  test("goes up to the nearest cgroup that has the controller and is writable", () => {
    const top = fake(join(folder, "top"), {
      "cgroup.controllers": "cpu memory",
      "cgroup.subtree_control": "memory",
    });
    fake(join(top, "ns"), { "cgroup.subtree_control": "" });
    const below = fake(join(top, "scope"), { "cgroup.controllers": "cpu", "cgroup.subtree_control": "" });
    expect(prepareParent({ ...own, mount: top, own: below }, ["memory"], null, self)).toEqual({
      directory: join(top, "ns"),
      left: null,
      goes: [join(top, "ns")],
    });
    expect(readFileSync(join(top, "ns/cgroup.subtree_control"), "utf8")).toBe("+memory");
  });
  test("says where it was refused", () => {
    const top = fake(join(folder, "none"), { "cgroup.controllers": "cpu", "cgroup.subtree_control": "" });
    expect(prepareParent({ ...own, mount: top, own: top }, ["memory"], null, self)).toEqual({
      directory: join(top, "ns"),
      errno: 2,
      missing: ["memory"],
    });
  });
});

test("a sweep removes what nobody holds, with everything below it, and leaves what is held", () => {
  const parent = join(folder, "sweep");
  mkdirSync(join(parent, "1-dead/init.scope/x"), { recursive: true });
  mkdirSync(join(parent, "2-alive"));
  const held = lock(join(parent, "2-alive"))!;
  expect(held).toBeGreaterThan(2);
  expect(lock(join(parent, "2-alive"))).toBeNull();
  sweep(parent, "");
  expect(readdirSync(parent)).toEqual(["2-alive"]);
  close(held);
  sweep(parent, "");
  expect(readdirSync(parent)).toEqual([]);
  expect(removeTree(join(parent, "gone"))).toBe(0);
});

test("memory settings", () => {
  const limits = { ...defaultLimits(), memory: 5n };
  expect(memory.settings(1, limits).map(({ file, value }) => `${file}=${value}`)).toEqual([
    "memory.limit_in_bytes=5",
    "memory.memsw.limit_in_bytes=5",
  ]);
  expect(memory.settings(2, limits).map(({ file, value }) => `${file}=${value}`)).toEqual([
    "memory.max=5",
    "memory.swap.max=0",
    "memory.oom.group=1",
  ]);
  expect(oomKills("low 0\noom 1\noom_kill 3\n")).toBe(3);
  expect(oomKills("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")).toBe(2);
  expect(oomKills("")).toBe(0);
});

test("interpreters", () => {
  expect(interpreterOf("#!/bin/sh\n")).toBe("/bin/sh");
  expect(interpreterOf("#! \t/bin/sh -e\n")).toBe("/bin/sh");
  expect(interpreterOf("#!\n")).toBeNull();
  expect(interpreterOf("echo\n")).toBeNull();
  expect(interpreterOf("\x7fELF\x02\x01")).toBeNull();
  const program = readFileSync(process.execPath).subarray(0, 4096).toString("latin1");
  expect(interpreterOf(program)).toMatch(/^\/lib.*ld-/);
});

describe("switches against user namespaces", () => {
  const facts = { capabilities: { mask: "1ffffffffff", sysAdmin: false } } as Facts;
  const problem = (values: Record<string, string>, who = facts): string =>
    userNamespaceProblem(who, (path) => values[path] ?? "")?.message ?? "none";
  test.each<[Record<string, string>, string]>([
    [{}, "none"],
    [
      { "/proc/sys/user/max_user_namespaces": "0" },
      "cannot make a user namespace: user.max_user_namespaces is 0",
    ],
    [
      { "/proc/sys/kernel/unprivileged_userns_clone": "0" },
      "cannot make a user namespace: kernel.unprivileged_userns_clone is 0",
    ],
    [
      {
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
        "/proc/self/attr/current": "unconfined",
      },
      "cannot make a user namespace: kernel.apparmor_restrict_unprivileged_userns is 1",
    ],
    [
      {
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
        "/proc/self/attr/current": "ns (enforce)",
      },
      "none",
    ],
  ])("%o", (values, message) => {
    expect(problem(values)).toBe(message);
  });
  test("root is not held by those that are for ordinary users", () => {
    const root = { capabilities: { mask: "1ffffffffff", sysAdmin: true } } as Facts;
    expect(problem({ "/proc/sys/kernel/unprivileged_userns_clone": "0" }, root)).toBe("none");
    expect(problem({ "/proc/sys/user/max_user_namespaces": "0" }, root)).toContain("max_user_namespaces");
  });
});
