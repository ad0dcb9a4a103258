/** Golden text of the plans for root and mounts: what is opened before the pivot, and how places inside are reached. */
import { describe, expect, test } from "bun:test";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { assumeSources } from "../../src/host/sources.ts";
import { childPlan } from "../../src/plan/child.ts";
import { showOp } from "../../src/plan/show.ts";
import type { Sources } from "../../src/spec/mounts.ts";
import type { Facts } from "../../src/spec/spec.ts";

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
const withoutSetattr: Facts = { ...facts, kernel: { ...facts.kernel, mountSetattr: false } };
const withoutOpenat2: Facts = { ...withoutSetattr, kernel: { ...withoutSetattr.kernel, openat2: false } };

/** The plan from the private mounts on to the last gate. */
function planOf(words: string, with_ = facts, sources?: Partial<Sources>): string[] {
  const spec = specOf(parseArgv(words.split(" ")), false);
  const place = { gate: [3, 4], life: 6, report: 8, rootPath: "/r", inherited: [] } as const;
  const found: Sources = { ...assumeSources(spec, with_), dev: "left", ...sources };
  const lines = childPlan(spec, with_, { ...place, sources: found }).map(showOp);
  const first = lines.findIndex((line) => line.includes("MS_PRIVATE"));
  return lines.slice(first, lines.indexOf("read(3, gate, 1)", first));
}

describe("golden", () => {
  test.each([
    "--bind /a:/x/y:ro - /r /i",
    "--bind /a:/x:norec,suid,dev - /r /i",
    "--tmpfs /t:size=1M,mode=700 - /r /i",
    "--mount type=overlay,src=/a:/b,dst=/o - /r /i",
    "--mount type=overlay,src=/a:/b,dst=/o,ro - /r /i",
    "--mount type=devpts,dst=/dev/pts -u - /r /i 5 6",
    "--symlink t:/l --dir /d/e --file 7:/f - /r /i",
    "--ephemeral=1M - /r /i",
    "--ephemeral -u - /r /i 5 6",
    "--overlay /u:/w --read-only - /r /i",
    "- /r:/s /i",
    "--read-only - /r /i",
  ])("%s", (words) => {
    expect(planOf(words).join("\n")).toMatchSnapshot();
  });
  const found = { path: "/a", isDirectory: true, descriptor: null, size: 0 };
  const below = [
    { path: "", flags: 4 },
    { path: "b/c", flags: 8 },
  ];
  test("a read-only bind with mounts below it, before Linux 5.12", () => {
    expect(
      planOf("--bind /a:/x:ro - /r /i", withoutSetattr, { mounts: [[{ ...found, below }]] }).join("\n"),
    ).toMatchSnapshot();
  });
  test("a read-only root before Linux 5.12", () => {
    expect(
      planOf("--read-only - /r /i", withoutSetattr, { root: [{ ...found, below }] }).join("\n"),
    ).toMatchSnapshot();
  });
  test("a bind before Linux 5.6", () => {
    expect(planOf("--bind /a:/x/y:dev,suid - /r /i", withoutOpenat2).join("\n")).toMatchSnapshot();
  });
});

describe("order that security rests on", () => {
  const all = "--bind /a:/x:ro --mount type=overlay,src=/b,dst=/o --file 7:/f --tmpfs /t --ephemeral - /r /i";
  const lines = planOf(all);
  const at = (text: string): number => {
    const found = lines.findIndex((line) => line.includes(text));
    expect(found, text).toBeGreaterThanOrEqual(0);
    return found;
  };
  test("the host's paths are looked up before the pivot and never after it", () => {
    expect(at('"/a"')).toBeLessThan(at("pivot_root"));
    expect(at('"/b"')).toBeLessThan(at("pivot_root"));
    const after = lines.slice(at("pivot_root"));
    expect(after.filter((line) => /open_tree|AT_FDCWD, "\/[ab]"/.test(line))).toEqual([]);
  });
  test("a tree is read-only before it is anywhere", () => {
    expect(at("MOUNT_ATTR_RDONLY")).toBeLessThan(
      lines.findIndex((line) => line.startsWith("move_mount(tree0")),
    );
  });
  test("no name inside is looked up while the old root is stacked on the new one", () => {
    const gone = lines.lastIndexOf('umount2(".", MNT_DETACH)');
    expect(gone).toBeGreaterThan(at("pivot_root"));
    expect(lines.findIndex((line) => line.includes("RESOLVE_IN_ROOT"))).toBeGreaterThan(gone);
  });
  test("after /proc every place inside is reached by descriptor: nothing is mounted on a name", () => {
    const after = lines.slice(at('chdir("/")'));
    expect(after.filter((line) => line.startsWith("mount("))).toEqual([]);
    for (const line of after.filter((text) => text.startsWith("move_mount")))
      expect(line).toMatch(
        /^move_mount\(tree\d+, "", target, "", MOVE_MOUNT_F_EMPTY_PATH\|MOVE_MOUNT_T_EMPTY_PATH\)$/,
      );
    for (const line of after.filter((text) => /^(mkdirat|mknodat|unlinkat|symlinkat|readlinkat)/.test(text)))
      expect(line).toContain("parent");
  });
});
