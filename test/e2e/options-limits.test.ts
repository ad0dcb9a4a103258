/**
 * The options of the group Limits on this host, whichever cgroups it has: each limit read back and shown to bite, for root
 * and for an ordinary user, and nothing left after each way of ending. --memory alone has memory.test.ts; pure cgroup v2
 * has test/vm.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { chownSync, existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  asOrdinary,
  callers,
  expectNothingLeft,
  inside,
  isRoot,
  launch,
  line,
  ordinary,
  type Running,
  root,
  rootTest,
  run,
  runCommand,
  script,
  until,
} from "../harness.ts";

const held: Running[] = [];
afterEach(async () => {
  for (const running of held.splice(0)) {
    running.kill("SIGKILL");
    await running.ended;
  }
  await expectNothingLeft();
});

/** The hierarchy that has the controller (its name on v1): where it is mounted, and which version it is. */
function hierarchy(controller: string): { mount: string; version: 1 | 2 } | null {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const v1 = mounts.find((text) => new RegExp(` - cgroup \\S+ \\S*\\b${controller}\\b`).test(text));
  if (v1 !== undefined) return { mount: v1.split(" ")[4]!, version: 1 };
  const mount = mounts.find((text) => / - cgroup2 /.test(text))?.split(" ")[4];
  const name = controller === "blkio" ? "io" : controller;
  if (mount === undefined) return null;
  const there = readFileSync(join(mount, "cgroup.controllers"), "utf8").trim().split(" ");
  return there.includes(name) ? { mount, version: 2 } : null;
}

/** A process's cgroup directory in that hierarchy. */
function directoryOf(pid: number | string, controller: string): string {
  const { mount, version } = hierarchy(controller)!;
  const pattern =
    version === 2 ? /^0::(.*)$/m : new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, "m");
  return join(mount, pattern.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))![1]!);
}

/** A test that needs these controllers, and root; skipped with the reason in its name where they are not. */
const limitTest = (
  name: string,
  controllers: readonly string[],
  body: () => void | Promise<void>,
  timeout?: number,
): void => {
  const missing = controllers.filter((controller) => hierarchy(controller) === null);
  const why = !isRoot ? "needs root" : missing.length > 0 ? `no ${missing.join(", ")} controller here` : null;
  test.skipIf(why !== null)(why === null ? name : `${name} [${why}]`, body, timeout);
};

interface Held {
  readonly running: Running;
  readonly pid: number;
  /** what one of its cgroup files says */
  readonly read: (controller: string, v1: string, v2: string) => string;
}

/** A container that waits for SIGTERM after a command. */
async function hold(options: string[], command = "true", user = false): Promise<Held> {
  const loop = `${command}; trap 'exit 9' TERM; echo ready; while :; do sleep 1000 & wait; done`;
  const running = launch(line(user, ["/bin/sh", "-c", loop], { options: ["-v", ...options] }));
  held.push(running);
  await running.line(/^ready/);
  const pid = Number(/child: process (\d+)/.exec(running.stderr())![1]);
  return {
    running,
    pid,
    read: (controller, v1, v2) =>
      readFileSync(
        join(directoryOf(pid, controller), hierarchy(controller)!.version === 1 ? v1 : v2),
        "utf8",
      ).trim(),
  };
}

const release = async ({ running }: Held): Promise<void> => {
  running.kill("SIGTERM");
  expect((await running.ended).status).toBe(9);
  await expectNothingLeft();
};

const disk = readdirSync("/sys/block")
  .filter((name) => existsSync(`/sys/block/${name}/device`))
  .map((name) => readFileSync(`/sys/block/${name}/dev`, "utf8").trim())[0];

describe("each limit is in the run's cgroup, and goes with it", () => {
  limitTest("--memory-swap", ["memory"], async () => {
    const box = await hold(["-m", "32M", "--memory-swap", "96M"]);
    const v1 = hierarchy("memory")!.version === 1;
    expect(box.read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max")).toBe(
      `${(v1 ? 96 : 64) << 20}`,
    );
    await release(box);
  });
  limitTest("--cpus and --cpu-weight", ["cpu"], async () => {
    const box = await hold(["--cpus", "0.5", "--cpu-weight", "50"]);
    const v1 = hierarchy("cpu")!.version === 1;
    expect(box.read("cpu", "cpu.cfs_quota_us", "cpu.max")).toBe(v1 ? "50000" : "50000 100000");
    expect(box.read("cpu", "cpu.shares", "cpu.weight")).toBe(v1 ? "512" : "50");
    await release(box);
  });
  limitTest("--cpuset-cpus and --cpuset-mems", ["cpuset"], async () => {
    const box = await hold(["--cpuset-cpus", "0", "--cpuset-mems", "0"]);
    expect(box.read("cpuset", "cpuset.cpus", "cpuset.cpus")).toBe("0");
    expect(box.read("cpuset", "cpuset.mems", "cpuset.mems")).toBe("0");
    await release(box);
  });
  limitTest("--pids", ["pids"], async () => {
    const box = await hold(["--pids", "7"]);
    expect(box.read("pids", "pids.max", "pids.max")).toBe("7");
    await release(box);
  });
  limitTest("--io-max", ["blkio"], async () => {
    expect(disk).toBeString(); // else this shows nothing
    const box = await hold(["--io-max", `${disk}:rbps=1M,wiops=50`]);
    const read = box.read("blkio", "blkio.throttle.read_bps_device", "io.max");
    const write = box.read("blkio", "blkio.throttle.write_iops_device", "io.max");
    expect(read).toMatch(new RegExp(`^${disk} (1048576$|rbps=1048576 )`));
    expect(write).toMatch(new RegExp(`^${disk} (50$|.* wiops=50$)`));
    await release(box);
  });
  limitTest("--hugetlb", ["hugetlb"], async () => {
    const box = await hold(["--hugetlb", "2M:4M", "--hugetlb", "1G:0"]);
    expect(box.read("hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max")).toBe(`${4 << 20}`);
    expect(box.read("hugetlb", "hugetlb.1GB.limit_in_bytes", "hugetlb.1GB.max")).toBe("0");
    await release(box);
  });
});

const ALL = ["-m", "64M", "--pids", "20", "--cpus", "1", "--cpuset-cpus", "0"];
const CONTROLLERS = ["memory", "pids", "cpu", "cpuset"];

describe("several limits at once", () => {
  limitTest("are one run's, and it sees its cgroups as the roots", CONTROLLERS, async () => {
    const box = await hold(ALL);
    for (const controller of CONTROLLERS) expect(directoryOf(box.pid, controller)).toMatch(/\/ns\/\d+-\w+$/);
    await release(box);
    const seen = (await inside("cat /proc/self/cgroup", ALL)).stdout.trim().split("\n");
    const names = /:(|.*\b(memory|pids|cpu|cpuset)\b.*):/;
    for (const text of seen.filter((one) => names.test(one))) expect(text).toEndWith(":/");
  });
  limitTest("with -u, -n and --read-only", CONTROLLERS, async () => {
    const box = await hold([...ALL, "-n", "--read-only"], "true", true);
    expect(box.read("pids", "pids.max", "pids.max")).toBe("20");
    await release(box);
  });
  limitTest("SIGKILL of ns: nothing is left", CONTROLLERS, async () => {
    const { running } = await hold(ALL);
    running.kill("SIGKILL");
    await running.ended;
    await expectNothingLeft();
  });
  limitTest("SIGKILL of ns while the pre script runs: nothing is left", CONTROLLERS, async () => {
    const pre = script("says", "#!/bin/sh\necho pre runs; exec sleep 1000\n");
    const running = launch(line(false, ["/bin/true"], { options: ALL, pre }));
    held.push(running);
    await running.line(/^pre runs/);
    running.kill("SIGKILL");
    await running.ended;
    await expectNothingLeft();
  });
  limitTest("a failing pre script and an init that is none: nothing is left", CONTROLLERS, async () => {
    const pre = script("fails", "#!/bin/sh\nexit 3\n");
    expect((await runCommand(line(false, ["/bin/true"], { options: ALL, pre }))).status).toBe(125);
    await expectNothingLeft();
    expect((await runCommand(line(false, ["/etc/none"], { options: ALL }))).status).toBe(127);
    await expectNothingLeft();
  });
  limitTest("one that the kernel refuses: those made before it go", CONTROLLERS, async () => {
    const ran = await run(["-m", "64M", "--pids", "9", "--cpuset-cpus", "4000", "-", root, "/bin/true"]);
    expect(ran).toMatchObject({ status: 125, stdout: "" });
    expect(ran.stderr).toMatch(/^ns: cannot write 4000 to .*cpuset\.cpus: .*\nnote: there is 0/);
    await expectNothingLeft();
  });
  limitTest("out of memory is still told, after ns has become the waiting program", CONTROLLERS, async () => {
    const box = await hold(
      ["-m", "16M", "--pids", "20"],
      `trap 'exec awk "BEGIN { s = 1; while (1) s = s s }"' USR1`,
    );
    process.kill(box.pid, "SIGUSR1");
    const ran = await box.running.ended;
    expect(ran.status).toBe(137);
    expect(ran.stderr).toEndWith("ns: init was killed: out of its 16M memory limit\n");
  });
  limitTest("cgroups that init makes in one of its own go with it", ["pids", "cpu"], async () => {
    const { version } = hierarchy("pids")!;
    const type = version === 1 ? "-t cgroup -o pids" : "-t cgroup2";
    const made = await inside(`mount ${type} none /mnt && mkdir -p /mnt/a/b && echo made`, [
      ...["--pids", "9", "--cpus", "1"],
    ]);
    expect(made).toMatchObject({ status: 0, stdout: "made\n" });
  });
});

describe("limits bite", () => {
  const forks = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done";
  for (const user of [false, true])
    limitTest(`--pids stops a fork bomb${user ? ", with -u" : ""}`, ["pids"], async () => {
      const words = line(user, ["/bin/sh", "-c", forks], { options: ["--pids", "5"] });
      const ran = await runCommand(words);
      expect(ran.stderr).toContain("can't fork");
      expect(ran.status).not.toBe(0);
      const free = line(user, ["/bin/sh", "-c", forks], { options: ["--pids", "50"] });
      expect(await runCommand(free)).toMatchObject({ status: 0, stderr: "" });
    });
  limitTest("--cpus holds a busy loop back", ["cpu"], async () => {
    const box = await hold(["--cpus", "0.2"], "(while :; do :; done) & true");
    const throttled = (): number =>
      Number(/^nr_throttled (\d+)$/m.exec(box.read("cpu", "cpu.stat", "cpu.stat"))![1]);
    await until("it was throttled", () => throttled() > 3);
    // in every period but the first and the last it had its fifth, and no more (some slack for a slice)
    const periods = Number(/^nr_periods (\d+)$/m.exec(box.read("cpu", "cpu.stat", "cpu.stat"))![1]);
    expect(throttled() / periods).toBeGreaterThan(0.4);
  });
  limitTest("--cpuset-cpus", ["cpuset"], async () => {
    expect((await inside("nproc", ["--cpuset-cpus", "0"])).stdout).toBe("1\n");
  });
});

describe.each(callers)("resource limits, %s", (_, unprivileged) => {
  const how = { unprivileged };
  test("every one of them, as init sees it", async () => {
    const set = {
      ...{ cpu: 1001, fsize: 1002, data: 1 << 30, stack: 1 << 22, core: 1003, rss: 1004, nproc: 201 },
      ...{
        nofile: 205,
        memlock: 4096,
        as: 1 << 29,
        locks: 1005,
        sigpending: 206,
        msgqueue: 4097,
        rttime: 1006,
      },
    };
    const options = Object.entries(set).flatMap(([name, soft]) => [
      "--rlimit",
      `${name}=${soft}:${soft + 1}`,
    ]);
    const ran = await inside("cat /proc/self/limits", options, how);
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    for (const soft of Object.values(set))
      expect(ran.stdout).toMatch(new RegExp(`^Max .*\\s${soft}\\s+${soft + 1}\\s`, "m"));
  });
  test("they bite: a file may not grow beyond fsize, no more files than nofile", async () => {
    const write = "head -c 100000 /dev/zero >/tmp/big; stat -c %s /tmp/big; rm -f /tmp/big";
    const owned = unprivileged ? [] : ["--rlimit", "fsize=4096"];
    if (!unprivileged) expect((await inside(write, owned, how)).stdout).toBe("4096\n");
    const open = "exec 3</ 4</ 5</ 6</; echo opened";
    expect((await inside(open, ["--rlimit", "nofile=64"], how)).stdout).toBe("opened\n");
    expect((await inside(open, ["--rlimit", "nofile=5"], how)).stdout).toBe("");
  });
  test("the pre script has the caller's", async () => {
    const pre = script("limits", "#!/bin/sh\nulimit -n\n");
    const all = ["/bin/sh", "-c", "ulimit -n; ulimit -Hn"];
    const words = line(unprivileged, all, { options: ["--rlimit", "nofile=77:88"], pre });
    const ran = await runCommand(unprivileged ? asOrdinary(words) : words);
    const [ours, soft, hard] = ran.stdout.trim().split("\n");
    expect([soft, hard]).toEqual(["77", "88"]);
    expect(ours).not.toBe("77");
  });
  test("above the caller's hard limit: an error before anything runs, unless the caller may", async () => {
    const words = line(unprivileged, ["/bin/sh", "-c", "ulimit -Hn"], {
      options: ["--rlimit", "nofile=50:101"],
      pre: script("told", "#!/bin/sh\necho pre ran\n"),
    });
    const lower = ["prlimit", "--nofile=100:100", ...words];
    const ran = await runCommand(unprivileged ? asOrdinary(lower) : lower);
    // root may, if nobody has taken CAP_SYS_RESOURCE from it: in the virtual machine it has it
    if (!unprivileged && ran.status === 0) expect(ran.stdout).toEndWith("101\n");
    else
      expect(ran).toMatchObject({
        status: 125,
        stdout: "",
        stderr:
          "ns: cannot raise the limit nofile from 100 to 101 (--rlimit): operation not permitted\n" +
          "note: only root may raise a hard limit, that of open files up to /proc/sys/fs/nr_open\n",
      });
  });
});

describe.each(callers)("priorities, %s", (_, unprivileged) => {
  const how = { unprivileged };
  const show = "cut -d ' ' -f 19,41 /proc/self/stat; cat /proc/self/oom_score_adj; ionice -p 1";
  test("all of them, and for what init starts", async () => {
    const options = "--nice 7 --sched batch --oom-score-adj 321 --ionice best-effort:6".split(" ");
    expect((await inside(show, options, how)).stdout).toBe("7 3\n321\nbest-effort: prio 6\n");
  });
  test("init's alone: ns and the pre script have the caller's", async () => {
    const options = "--nice 7 --sched idle --oom-score-adj 321".split(" ");
    const what =
      "cut -d ' ' -f 19,41 /proc/$PPID/stat /proc/self/stat; cat /proc/$PPID/oom_score_adj /proc/self/oom_score_adj";
    const pre = script("priorities", `#!/bin/sh\n${what}\n`);
    const words = line(unprivileged, ["/bin/true"], { options, pre });
    const plain = line(unprivileged, ["/bin/true"], { pre });
    const as = (line: string[]) => runCommand(unprivileged ? asOrdinary(line) : line);
    expect((await as(words)).stdout).toBe((await as(plain)).stdout);
  });
  test("more than others have is root's", async () => {
    const raise = [
      ["--nice", "-5"],
      ["--sched", "fifo:3"],
      ["--ionice", "realtime:2"],
    ];
    for (const options of raise) {
      const ran = await inside("echo started", options, how);
      if (!unprivileged && ran.status === 0) continue;
      expect(ran).toMatchObject({ status: 125, stdout: "" });
      expect(ran.stderr).toMatch(
        new RegExp(`^ns: cannot set .* \\(${options[0]}\\): .*\nnote: only root may`),
      );
    }
  });
  test.skipIf(unprivileged)("root may, into a user namespace too", async () => {
    const ran = await inside(show, "-u --nice -3 --sched rr:9 --ionice realtime:1".split(" "));
    expect(ran.stdout).toBe("-3 2\n0\nrealtime: prio 1\n");
  });
});

describe("--cgroup", () => {
  const first = hierarchy("pids");
  const own = first === null || !isRoot ? "" : directoryOf("self", "pids");
  limitTest("relative to the caller's own: made, and gone afterwards", ["pids"], async () => {
    const box = await hold(["--cgroup", "ns-test-a/b", "--pids", "9"]);
    const directory = directoryOf(box.pid, "pids");
    expect(directory).toMatch(new RegExp(`^${join(own, "ns-test-a/b")}/ns-\\d+-\\w+$`));
    expect(box.read("pids", "pids.max", "pids.max")).toBe("9");
    await release(box);
    expect(existsSync(join(own, "ns-test-a"))).toBe(false);
  });
  limitTest("SIGKILL of ns: what was made for it goes too", ["pids"], async () => {
    const { running } = await hold(["--cgroup", "ns-test-a/b", "--pids", "9"]);
    running.kill("SIGKILL");
    await running.ended;
    await until("it is gone", () => !existsSync(join(own, "ns-test-a")));
  });
  limitTest("absolute; what is there stays, and what others have in it", ["pids"], async () => {
    const there = join(first!.mount, "ns-test-b");
    const others = join(there, "job1-other");
    mkdirSync(others, { recursive: true });
    try {
      const box = await hold(["--cgroup", "/ns-test-b", "--pids", "9"]);
      expect(dirname(directoryOf(box.pid, "pids"))).toBe(there);
      await release(box);
      expect(readdirSync(there, { withFileTypes: true }).filter((one) => one.isDirectory())).toMatchObject([
        { name: "job1-other" },
      ]);
      const failing = await run(["--cgroup=/ns-test-b", "--pids=9", "-", root, "/etc/none"]);
      expect(failing.status).toBe(127);
      expect(existsSync(others)).toBe(true);
    } finally {
      rmdirSync(others);
      rmdirSync(there);
    }
  });
  limitTest("without a limit there is a cgroup all the same", ["pids"], async () => {
    const box = await hold(["--cgroup", "ns-test-c"]);
    expect(dirname(directoryOf(box.pid, "pids"))).toBe(join(own, "ns-test-c"));
    await release(box);
    expect(existsSync(join(own, "ns-test-c"))).toBe(false);
  });
  limitTest("an outer limit holds: pids of the one above", ["pids"], async () => {
    const outer = join(own, "ns-test-d");
    mkdirSync(outer);
    try {
      await Bun.write(join(outer, "pids.max"), "3");
      const forks = "for i in 1 2 3 4 5; do sleep 1000 & done";
      const ran = await inside(forks, ["--cgroup", "ns-test-d", "--pids", "100"]);
      expect(ran.stderr).toContain("can't fork");
    } finally {
      rmdirSync(outer);
    }
  });
  rootTest("none: no cgroup, and no limit that needs one", async () => {
    const plain = await inside("true", ["-v", "--cgroup", "none"]);
    expect(plain.stderr).not.toContain("cgroup:");
    const both = await run(["--cgroup", "none", "--pids", "3", "-", root, "/bin/true"]);
    expect(both).toMatchObject({ status: 2, stdout: "" });
    expect(both.stderr).toStartWith("ns: --cgroup none excludes limits that a cgroup has");
  });
});

describe("an ordinary user", () => {
  const start = (options: string[], command = "echo limited"): string[] =>
    asOrdinary(line(true, ["/bin/sh", "-c", command], { options }));
  limitTest("without cgroups of his own is told how to get them", ["pids"], async () => {
    const ran = await runCommand(start(["--pids", "5"]));
    expect(ran).toMatchObject({ status: 125, stdout: "" });
    expect(ran.stderr).toMatch(/^ns: cannot limit processes: cannot make a cgroup in .*\nnote: /);
  });
  const v1 = hierarchy("pids")?.version === 1 && hierarchy("cpu")?.version === 1;
  test.skipIf(!isRoot || !v1)("gets limits in those that root gave him, which stay", async () => {
    const given = ["pids", "cpu"].map((controller) => join(directoryOf("self", controller), "ns"));
    for (const directory of given) {
      mkdirSync(directory);
      chownSync(directory, ordinary.uid, ordinary.gid);
    }
    try {
      const forks = "for i in 1 2 3 4 5 6; do sleep 1000 & done";
      const ran = await runCommand(start(["--pids", "4", "--cpus", "1"], forks));
      expect(ran.stderr).toContain("can't fork");
      // one of the two is not his: the other one's is taken back
      chownSync(given[1]!, 0, 0);
      expect((await runCommand(start(["--pids", "4", "--cpus", "1"]))).status).toBe(125);
      for (const directory of given)
        expect(readdirSync(directory, { withFileTypes: true }).filter((one) => one.isDirectory())).toEqual(
          [],
        );
    } finally {
      for (const directory of given) rmdirSync(directory);
    }
  });
});

describe("what cannot be had is an error", () => {
  limitTest("--memory-high where memory is limited by v1", ["memory"], async () => {
    if (hierarchy("memory")!.version === 2) return;
    expect(await run(["--memory-high", "9M", "-", root, "/bin/true"])).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/^ns: --memory-high needs cgroup v2: .*\nnote: /),
    });
  });
  limitTest("huge pages of a size that there is not", ["hugetlb"], async () => {
    const ran = await run(["--hugetlb", "8M:8M", "-", root, "/bin/true"]);
    expect(ran.status).toBe(125);
    expect(ran.stderr).toMatch(
      /^ns: cannot write 8388608 to .*hugetlb\.8MB\..*\nnote: this kernel may have no/,
    );
  });
  limitTest("a device that is none", ["blkio"], async () => {
    const ran = await run(["--io-max", "/dev/null:rbps=1", "-", root, "/bin/true"]);
    expect(ran).toMatchObject({
      status: 125,
      stderr: "ns: --io-max: /dev/null is not a block device\n",
    });
  });
  limitTest("a hierarchy that is not mounted", ["pids"], async () => {
    const { mount, version } = hierarchy("pids")!;
    if (version === 2) return;
    const hide = `umount ${mount} && umount /sys/fs/cgroup/unified; exec "$@"`;
    const words = [
      "unshare",
      "-m",
      "sh",
      "-c",
      hide,
      "sh",
      ...line(false, ["/bin/true"], { options: ["--pids=4"] }),
    ];
    expect((await runCommand(words)).stderr).toStartWith(
      "ns: cannot limit processes: no cgroup hierarchy with the pids controller is mounted\n",
    );
  });
});
