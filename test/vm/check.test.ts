/** ns check where features are missing: an old kernel, no user namespaces, a read-only cgroup tree, pure cgroup v2. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import type { Finding, Survey } from "../../src/index.ts";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const script = `
cg=/sys/fs/cgroup
for name in $(cat $cg/cgroup.controllers); do echo +$name >$cg/cgroup.subtree_control; done # as systemd leaves it
run root ns check --json
run user as_user ns check --json
run table ns check
mkdir $cg/own; chown 1000 $cg/own $cg/own/cgroup.procs $cg/own/cgroup.subtree_control
run delegated in_cgroup $cg/own as_user ns check --json
run read-only unshare -m sh -c "mount -o remount,bind,ro $cg && exec ns check --json"
rmdir $cg/own
sysctl -w kernel.unprivileged_userns_clone=0
run switched-off as_user ns check --json
run switched-off-root ns check --json
sysctl -w kernel.unprivileged_userns_clone=1
sysctl -w user.max_user_namespaces=0
run none as_user ns check --json
run none-root ns check --json
`;

const MACHINES = [
  ["Linux 5.10", { kernel: "bullseye", cmdline: "swapaccount=0" }, /^5\.10\./],
  ["Linux 6.1", {}, /^6\.1\./],
] as const;

describe.skipIf(await vmMissing("ns check")).each(MACHINES)("ns check on %s", (name, options, release) => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({ ...options, script, timeoutMs: 200_000 });
  }, 240_000);

  const survey = (of: string): Survey => JSON.parse(guest.of(of).out);
  const feature = (of: string, id: string): Finding => survey(of).features.find((one) => one.id === id)!;
  const missing = (of: string): string[] =>
    survey(of)
      .features.filter(({ works }) => !works)
      .map(({ id }) => id);
  const nothingLeft = (of: string): void => expect(guest.of(of).left).toBe("");
  const old = name === "Linux 5.10";

  test("that is the machine", () => {
    expect(survey("root").host.kernel).toMatch(release);
    expect(survey("root").host.cgroups).toBe("v2");
  });
  test("root can do what the kernel can", () => {
    const { status, err } = guest.of("root");
    expect({ status, err }).toEqual({ status: 0, err: "" });
    expect(survey("root")).toMatchObject({ works: true, caller: { uid: 0, root: true } });
    const without = missing("root");
    for (const id of ["kernel-mountSetattr", "kernel-closeRange", "idmap-root"])
      expect(`${id} ${without.includes(id)}`).toBe(`${id} ${old}`);
    for (const id of [
      "job",
      "job-user",
      "namespace-time",
      "network",
      "memory",
      "pids",
      "seccomp",
      "profile-app",
    ])
      expect(without).not.toContain(id);
    nothingLeft("root");
  });
  test("an ordinary user has no cgroup to divide, unless one is his", () => {
    expect(survey("user")).toMatchObject({ works: true, caller: { uid: 1000, root: false } });
    expect(feature("user", "memory")).toMatchObject({
      works: false,
      problem: expect.stringContaining("cannot limit memory"),
    });
    expect(feature("delegated", "memory").works).toBe(true);
    nothingLeft("user");
    nothingLeft("delegated");
  });
  test("what is missing is told with what to do", () => {
    expect(guest.of("table").out).toContain("\n  yes  the plain job");
    if (old) expect(feature("root", "kernel-mountSetattr").note).toBe("it is there from Linux 5.12 on");
  });
  test("a read-only cgroup tree takes the limits, and nothing else", () => {
    expect(guest.of("read-only").status).toBe(0);
    const { works, problem, note } = feature("read-only", "memory");
    expect({ works, note }).toEqual({ works: false, note: "/sys/fs/cgroup is mounted read-only here" });
    expect(problem).toEndWith("read-only file system");
    expect(missing("read-only")).not.toContain("network");
    nothingLeft("read-only");
  });
  test("user namespaces switched off for everybody but root", () => {
    expect(guest.of("switched-off").status).toBe(1);
    const job = feature("switched-off", "job");
    expect(job).toMatchObject({ works: false, needed: true });
    expect(job.problem).toBe("cannot make a user namespace: kernel.unprivileged_userns_clone is 0");
    expect(job.note).toBe("allow them for everybody: sysctl -w kernel.unprivileged_userns_clone=1");
    expect(guest.of("switched-off-root").status).toBe(0);
    expect(feature("switched-off-root", "everybody").problem).toBe(job.problem);
    nothingLeft("switched-off");
  });
  test("no user namespaces at all", () => {
    expect(guest.of("none").status).toBe(1);
    expect(feature("none", "job").problem).toBe(
      "cannot make a user namespace: user.max_user_namespaces is 0",
    );
    expect(guest.of("none-root").status).toBe(0);
    expect(feature("none-root", "job-user").note).toBe(
      "allow them: sysctl -w user.max_user_namespaces=10000",
    );
    expect(feature("none-root", "namespace-user").works).toBe(false);
    nothingLeft("none-root");
  });
});
