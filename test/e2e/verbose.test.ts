/** -v and --dry-run: what ns says that it does, and would do. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  callers,
  cgroupsLeft,
  folder,
  leavesNothing,
  line,
  ns,
  ordinary,
  root,
  runCommand,
  script,
} from "../harness.ts";

leavesNothing();

const devicesV1 = /^\d+:([^:]*,)?devices(,[^:]*)?:/m.test(readFileSync("/proc/self/cgroup", "utf8"));

describe.each(callers)("-v %s", (_, unprivileged) => {
  const pre = script(`pre-v-${unprivileged}`, "#!/bin/sh\nexit 0\n");
  const options = ["-n", ...(unprivileged ? [] : ["-m", "64M"])];
  // descriptors have other numbers in every run
  const numberless = (text: string): string => text.replace(/^(close|read|write|fcntl)\(\d+/, "$1(N");

  test("says each step, one line each, on standard error, and every op that --dry-run prints", async () => {
    const words = (more: string[]) =>
      line(unprivileged, ["/bin/sh", "-c", "echo out; exit 5"], { options: [...options, ...more], pre });
    const ran = await runCommand(words(["-v"]), { unprivileged });
    expect(ran).toMatchObject({ status: 5, stdout: "out\n" });
    const lines = ran.stderr.trimEnd().split("\n");
    const child = /^ns: child: process (\d+)$/m.exec(ran.stderr)![1];
    const id = `${ordinary.uid}`;
    const steps = lines.filter((text) => !text.startsWith("ns: op: "));
    const expected: (string | RegExp)[] = [
      // on cgroup v2 it is one directory for both
      ...(unprivileged ? [] : [/^ns: cgroup: \/\S+\/ns\/\d+-\w+, memory 64M(, devices)?$/]),
      ...(unprivileged || !devicesV1 ? [] : [/^ns: cgroup: \/\S+\/ns\/\d+-\w+, devices$/]),
      `ns: namespaces: mnt pid uts ipc cgroup net${unprivileged ? " user" : ""}`,
      `ns: child: process ${child}`,
      ...(unprivileged
        ? [
            `ns: map: write '0 ${id} 1' to /proc/${child}/uid_map`,
            `ns: map: write 'deny' to /proc/${child}/setgroups`,
            `ns: map: write '0 ${id} 1' to /proc/${child}/gid_map`,
          ]
        : []),
      `ns: pre script: ${pre} ${child}`,
      "ns: pre script: exited with status 0",
      `ns: init: /bin/sh runs as process ${child}`,
      "ns: exit: status 5",
    ];
    expect(steps.length).toBe(expected.length);
    for (const [i, want] of expected.entries())
      if (typeof want === "string") expect(steps[i]).toBe(want);
      else expect(steps[i]).toMatch(want);

    const ops = lines.filter((text) => text.startsWith("ns: op: ")).map((text) => numberless(text.slice(8)));
    const dry = await runCommand(words(["--dry-run"]), { unprivileged });
    const planned = dry.stdout
      .split("\n")
      .filter((text) => text.startsWith("init "))
      .map((text) => numberless(text.slice(6)));
    expect(ops.length).toBeGreaterThan(20);
    expect(ops).toEqual(planned);
  });

  test("without it ns is silent", async () => {
    const ran = await runCommand(line(unprivileged, ["/bin/true"], { options, pre }), { unprivileged });
    expect(ran).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });
});

describe.each(callers)("--dry-run %s", (_, unprivileged) => {
  const ran = join(folder, `ran-${unprivileged}`);
  const pre = script(`pre-dry-${unprivileged}`, `#!/bin/sh\n: > ${ran}\n`);

  test("prints the plan, one call a line, and runs nothing", async () => {
    const words = [
      ns,
      "-nu",
      "-m",
      "64M",
      pre,
      root,
      "/bin/sh",
      "1000",
      "1000",
      "--dry-run",
      "--",
      "-c",
      "echo started",
    ];
    const traced = Bun.which("strace") === null ? null : join(folder, `trace-${unprivileged}`);
    if (traced !== null) writeFileSync(traced, "");
    if (traced !== null) await runCommand(["chmod", "666", traced]);
    const trace =
      "trace=execve,execveat,clone,clone3,fork,vfork,unshare,mount,umount2,pivot_root,mkdir,mkdirat,setgroups";
    const dry = await runCommand(
      traced === null ? words : ["strace", "-f", "-e", trace, "-o", traced, ...words],
      { unprivileged },
    );
    expect(dry).toMatchObject({ status: 0, stderr: "" });
    const lines = dry.stdout.trimEnd().split("\n");
    for (const text of lines)
      expect(text).toMatch(/^(ns|init|pre|watch) +(\w+ = )?[a-z_0-9]+\(.*\)( = \w+)?$/);
    expect(lines.length).toBeGreaterThan(40);
    expect(lines.at(-1)).toStartWith('init  execve("/bin/sh", ["/bin/sh", "-c", "echo started"], [');
    expect(existsSync(ran)).toBe(false);
    expect(cgroupsLeft()).toEqual([]);
    if (traced === null) return;
    const calls = readFileSync(traced, "utf8")
      .split("\n")
      .filter((text) => /^\d+ +\w+\(/.test(text));
    const threads = /clone3?\(.*CLONE_THREAD/;
    expect(
      calls.filter((text) => !threads.test(text)).map((text) => text.replace(/^\d+ +(\w+)\(.*/, "$1")),
    ).toEqual(["execve"]);
  });
});
