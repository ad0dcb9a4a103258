/** --systemd on a host that systemd has not started; what it does where it rules is in test/vm/systemd-scope.test.ts. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { callers, leavesNothing, line, runCommand } from "../harness.ts";

leavesNothing();
const why = existsSync("/run/systemd/system") ? " [this host has been started by systemd]" : "";

describe.each(callers)("%s", (_, user) => {
  test.skipIf(why !== "")(`--systemd without systemd is an error, limits or not${why}`, async () => {
    for (const options of [["--systemd", "-m", "64M"], ["--systemd=yes"]]) {
      const { status, stdout, stderr } = await runCommand(line(user, ["/bin/echo", "ran"], { options }));
      expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
      expect(stderr).toMatch(
        /^ns: cannot ask systemd for a scope at \/run\/\S*systemd\/private: this host has not been started by it\n/,
      );
      expect(stderr).toContain("note: --systemd=no makes the cgroup without it\n");
    }
  });
  test("--systemd=no is how it is without it", async () => {
    const { status, stdout, stderr } = await runCommand(
      line(user, ["/bin/echo", "ran"], { options: ["--systemd=no"] }),
    );
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "ran\n", stderr: "" });
  });
  test.each([
    [["--systemd=perhaps"], "'perhaps' is neither yes nor no"],
    [["--systemd", "--cgroup", "x"], "--systemd and --cgroup exclude each other"],
    [["--systemd", "--hugetlb", "2M:0"], "--systemd and --hugetlb exclude each other"],
  ])("%p is a usage error", async (options, text) => {
    const { status, stderr } = await runCommand(line(user, ["/bin/true"], { options }));
    expect(status).toBe(2);
    expect(stderr).toContain(text);
  });
});
