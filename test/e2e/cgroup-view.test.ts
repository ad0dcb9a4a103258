/** What a container sees of cgroups: its own as the root, read-only where it has not been asked for otherwise. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { callers, inside, isRoot, leavesNothing } from "../harness.ts";

leavesNothing();

/** cgroup2 has to be there, with a file that tells nothing of the host's to be written. */
const v2 = /^nodev\tcgroup2$/m.test(readFileSync("/proc/filesystems", "utf8"));
const why = v2 ? "" : " [this kernel has no cgroup2]";
const MOUNT = "type=cgroup,dst=/mnt";

describe.each(callers)("%s", (_, unprivileged) => {
  const how = { unprivileged };

  test("/proc/self/cgroup says / in every hierarchy, and no name of the host's", async () => {
    const { stdout, status } = await inside("cat /proc/self/cgroup", [], how);
    expect(status).toBe(0);
    const paths = stdout
      .trim()
      .split("\n")
      .map((text) => text.replace(/^\d+:[^:]*:/, ""));
    expect(paths.length).toBeGreaterThan(0);
    expect([...new Set(paths)]).toEqual(["/"]);
  });
  test("with --share=cgroup it is the host's, so that this test could fail", async () => {
    const own = readFileSync("/proc/self/cgroup", "utf8");
    if (!/:\/./.test(own))
      return console.log("skipped: the tests themselves are at the top of every hierarchy");
    const { stdout } = await inside("cat /proc/self/cgroup", ["--share=cgroup"], how);
    expect(stdout).toMatch(/:\/./);
  });
  test.skipIf(!v2)(`a mount of it is read-only, and stays so for whom is inside${why}`, async () => {
    const script = `grep -c ' /mnt ro,nosuid,nodev,noexec' /proc/self/mountinfo; mkdir /mnt/x 2>&1
      sh -c 'echo 1 > /mnt/cgroup.procs' 2>&1; true`;
    const { stdout } = await inside(script, ["--mount", MOUNT], how);
    expect(stdout).toMatch(/^1\n/);
    expect(stdout.match(/read-only file system/gi)).toHaveLength(2); // mkdir's and the write's
  });
  test.skipIf(!v2)(`no cgroup of the host's is in it: what is at its top is init's own${why}`, async () => {
    const { stdout } = await inside("cat /mnt/cgroup.procs", ["--mount", MOUNT], how);
    const seen = stdout.trim().split("\n");
    expect(seen).toContain("1");
  });
  test("release_agent of no hierarchy can be written to, by way of a user namespace made inside", async () => {
    // CVE-2022-0492: unshare -UrmC, then a mount of a cgroup v1 hierarchy
    const script = `unshare -U -r -m -C sh -c 'for h in memory cpu freezer pids devices rdma; do
        mount -t cgroup -o $h none /mnt || continue; echo mounted
        ( exec 5<>/mnt/release_agent ) && echo opened; umount /mnt; done' 2>&1; echo over`;
    const { stdout } = await inside(script, [], how);
    expect(stdout).not.toContain("opened");
    expect(stdout).toContain("over");
  });
});

test.skipIf(!v2 || !isRoot)(
  `with rw it is the machine's to write, so that the read-only mount is what held${isRoot ? why : " [needs root]"}`,
  async () => {
    const { stdout, stderr } = await inside("mkdir /mnt/inner && rmdir /mnt/inner && echo made", [
      "--mount",
      `${MOUNT},rw`,
    ]);
    expect({ stdout, stderr }).toMatchObject({ stdout: "made\n" });
  },
);
