/** Limits: what is typed, and what is written into cgroups for it. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { CONTROLLERS } from "../../src/host/cgroup/controllers/all.ts";
import { sharesOf } from "../../src/host/cgroup/controllers/cpu.ts";
import { numbersOf } from "../../src/host/cgroup/controllers/cpuset.ts";
import { checkLimits } from "../../src/run/limits.ts";
import { defaultLimits, hasCgroupLimits, type Limits, wantsCgroup } from "../../src/spec/limits.ts";
import { isAbove } from "../../src/spec/rlimit.ts";

const limitsOf = (words: string[]): Limits => specOf(parseArgv([...words, "-", "/r", "/i"]), false).limits;
const M = 1n << 20n;

describe("what is taken", () => {
  test.each<[string, Partial<Limits>]>([
    ["--memory-high 1M", { memoryHigh: M }],
    ["-m 1M --memory-swap 3M", { memory: M, memorySwap: 3n * M }],
    ["-m 1M --memory-swap -1", { memory: M, memorySwap: "unlimited" }],
    ["-m 1M --memory-swap unlimited", { memory: M, memorySwap: "unlimited" }],
    ["--cpus 1.5", { cpuQuota: 150_000 }],
    ["--cpus 2", { cpuQuota: 200_000 }],
    ["--cpus 0.01", { cpuQuota: 1000 }],
    ["--cpus 10000", { cpuQuota: 1_000_000_000 }],
    ["--cpu-weight 1", { cpuWeight: 1 }],
    ["--cpu-weight 10000", { cpuWeight: 10_000 }],
    ["--cpuset-cpus 0-2,5", { cpusetCpus: "0-2,5" }],
    ["--cpuset-mems 0", { cpusetMems: "0" }],
    ["--pids 1", { pids: 1 }],
    ["--pids 4194304", { pids: 4194304 }],
    ["--io-max /dev/a:b:rbps=1M,wiops=5", { io: [{ device: "/dev/a:b", max: { rbps: M, wiops: 5n } }] }],
    [
      "--io-max 8:0:wbps=1 --io-max 8:16:riops=2",
      {
        io: [
          { device: "8:0", max: { wbps: 1n } },
          { device: "8:16", max: { riops: 2n } },
        ],
      },
    ],
    ["--hugetlb 2M:4M", { hugePages: [{ size: "2MB", limit: 4n * M }] }],
    ["--hugetlb 1GiB:0", { hugePages: [{ size: "1GB", limit: 0n }] }],
    ["--hugetlb 64k:1M", { hugePages: [{ size: "64KB", limit: M }] }],
    ["--cgroup none", { cgroup: "none" }],
    ["--cgroup a/b", { cgroup: "a/b" }],
    ["--cgroup //a///b/", { cgroup: "/a/b" }],
    ["--rlimit nofile=5", { rlimits: [{ name: "RLIMIT_NOFILE", soft: 5n, hard: 5n }] }],
    ["--rlimit core=0:unlimited", { rlimits: [{ name: "RLIMIT_CORE", soft: 0n, hard: -1n }] }],
    ["--rlimit as=-1", { rlimits: [{ name: "RLIMIT_AS", soft: -1n, hard: -1n }] }],
    [
      "--rlimit cpu=9223372036854775807 --rlimit rttime=1:2",
      {
        rlimits: [
          { name: "RLIMIT_CPU", soft: 9223372036854775807n, hard: 9223372036854775807n },
          { name: "RLIMIT_RTTIME", soft: 1n, hard: 2n },
        ],
      },
    ],
    ["--nice -20", { priority: { nice: -20, sched: null, io: null, oomScoreAdj: null } }],
    [
      "--nice=19 --oom-score-adj -1000",
      { priority: { nice: 19, sched: null, io: null, oomScoreAdj: -1000 } },
    ],
    [
      "--sched fifo:99 --ionice best-effort:7",
      {
        priority: {
          nice: null,
          sched: { policy: "SCHED_FIFO", priority: 99 },
          io: { ioClass: "IOPRIO_CLASS_BE", level: 7 },
          oomScoreAdj: null,
        },
      },
    ],
    [
      "--sched other --ionice idle",
      {
        priority: {
          nice: null,
          sched: { policy: "SCHED_OTHER", priority: 0 },
          io: { ioClass: "IOPRIO_CLASS_IDLE", level: 0 },
          oomScoreAdj: null,
        },
      },
    ],
  ])("%s", (line, limits) => {
    expect(limitsOf(line.split(" "))).toEqual({ ...defaultLimits(), ...limits });
  });
});

describe("what is refused", () => {
  const bad: Record<string, string[]> = {
    memory: ["0", "-1", "1.5G", "x"],
    "memory-high": ["0", "max"],
    cpus: ["0", "0.009", "-1", "10001", "1e3", "1.", ".5", "1,5", "NaN", " 1", "0x1"],
    "cpu-weight": ["0", "10001", "1.5", "-5", "01", ""],
    "cpuset-cpus": ["", ",", "1,", "2-1", "a", "-1", "0--1", "1-2-3", " 1", "0\n"],
    "cpuset-mems": ["x", "1-"],
    pids: ["0", "-1", "max", "4194305", "1k"],
    "io-max": [
      ...["sda:rbps=1", "/dev/sda", "/dev/sda:", "/dev/sda:rbps", "/dev/sda:rbps=", "/dev/sda:rbps=0"],
      ...["/dev/sda:bps=1", "/dev/sda:rbps=1,", "/dev/sda:rbps=1,rbps=2", "/dev/sda:riops=1M", "8:rbps=1"],
      ...["/dev/sda:riops=0", ":rbps=1", "/dev/sda:toString=1"],
    ],
    hugetlb: ["2M", "2M:", ":2M", "2M:1M:1M", "3M:6M", "2k:4k", "2M:-1", "2M:max"],
    cgroup: ["/", "a/../b", "..", "./a", "a/.", "a\nb", "x".repeat(256)],
    rlimit: [
      ...["nofile", "nofile=", "nofile=x", "nofile=5:", "nofile=:5", "nofile=5:4", "nofile=1:2:3", "x=1"],
      ...["=1", "NOFILE=1", "nofile=-2", "nofile=01", "nofile=1k", "nofile=unlimited:5", "constructor=1"],
      ...["nofile=9223372036854775808", "RLIMIT_NOFILE=1"],
    ],
    "oom-score-adj": ["-1001", "1001", "x", "1.0"],
    nice: ["-21", "20", "+1", "x"],
    sched: ["fifo", "fifo:0", "fifo:100", "rr:", "rr:x", "other:1", "deadline", "", "batch:", "FIFO:1"],
    ionice: ["idle:1", "best-effort", "best-effort:8", "realtime:-1", "none", "", "1"],
  };
  const rows = Object.entries(bad).flatMap(([name, values]) => values.map((value) => [name, value] as const));
  test.each(rows)("--%s=%j", (name, value) => {
    expect(() => limitsOf([`--${name}=${value}`])).toThrow(
      expect.objectContaining({ status: 2, message: expect.stringMatching(new RegExp(`^--${name}\\b`)) }),
    );
  });
  test("what belongs together", () => {
    expect(() => limitsOf(["--memory-swap", "1M"])).toThrow("--memory-swap needs --memory");
    expect(() => limitsOf(["--rlimit", "as=1", "--rlimit", "as=2"])).toThrow(
      "--rlimit: as is given more than once",
    );
    const check =
      (...words: string[]) =>
      () =>
        checkLimits(limitsOf(words));
    expect(check("-m2M", "--memory-swap", "1M")).toThrow("cannot be less than --memory");
    expect(check("-m2M", "--memory-swap", "2M")).not.toThrow();
    expect(check("-m2M", "--memory-swap", "unlimited")).not.toThrow();
    for (const limit of ["--memory=1M", "--cpus=1", "--pids=1", "--cpuset-cpus=0", "--hugetlb=2M:0"])
      expect(check("--cgroup=none", limit)).toThrow("--cgroup none excludes limits");
    expect(check("--cgroup=none", "--rlimit=core=0", "--nice=1")).not.toThrow();
  });
});

test("any text is taken or is a usage error", () => {
  const names = ["cpus", "cpuset-cpus", "io-max", "hugetlb", "rlimit", "sched", "ionice", "cgroup", "nice"];
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.string({ unit: "binary-ascii" }), (name, value) => {
      try {
        limitsOf([`--${name}=${value}`]);
      } catch (error) {
        expect(error).toMatchObject({ name: "NsError", status: 2 });
      }
    }),
  );
});

test("which limits need a cgroup", () => {
  const limits = (words: string) => limitsOf(words.split(" "));
  expect(wantsCgroup(defaultLimits())).toBe(false);
  expect(wantsCgroup(limits("--cgroup none"))).toBe(false);
  expect(wantsCgroup(limits("--cgroup a"))).toBe(true);
  expect(wantsCgroup(limits("--rlimit core=0 --nice 1"))).toBe(false);
  const each =
    "-m1M --memory-high=1M --cpus=1 --cpu-weight=1 --cpuset-cpus=0 --cpuset-mems=0 --pids=1 --io-max=8:0:rbps=1 --hugetlb=2M:0";
  for (const word of each.split(" ")) expect(hasCgroupLimits(limits(word)), word).toBe(true);
});

describe("what is written", () => {
  const written = (version: 1 | 2, line: string): string[] => {
    const limits = limitsOf(line.split(" "));
    return CONTROLLERS.filter((controller) => controller.needed(limits)).flatMap((controller) =>
      controller
        .settings(version, limits)
        .map(({ file, value, optional }) => `${file}${optional ? "?" : ""}=${value}`),
    );
  };
  test.each<[string, string[] | string, string[]]>([
    [
      "-m 1M",
      ["memory.limit_in_bytes=1048576", "memory.memsw.limit_in_bytes?=1048576"],
      ["memory.max=1048576", "memory.swap.max?=0", "memory.oom.group?=1"],
    ],
    [
      "-m 1M --memory-swap 3M",
      ["memory.limit_in_bytes=1048576", "memory.memsw.limit_in_bytes=3145728"],
      ["memory.max=1048576", "memory.swap.max=2097152", "memory.oom.group?=1"],
    ],
    [
      "-m 1M --memory-swap -1",
      ["memory.limit_in_bytes=1048576"],
      ["memory.max=1048576", "memory.oom.group?=1"],
    ],
    ["--memory-high 1M", "--memory-high needs cgroup v2", ["memory.high=1048576"]],
    ["--cpus 1.5", ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=150000"], ["cpu.max=150000 100000"]],
    ["--cpu-weight 200", ["cpu.shares=2048"], ["cpu.weight=200"]],
    ["--cpuset-cpus 0-1", ["cpuset.cpus=0-1", "cpuset.mems=null"], ["cpuset.cpus=0-1"]],
    ["--cpuset-mems 0", ["cpuset.cpus=null", "cpuset.mems=0"], ["cpuset.mems=0"]],
    ["--pids 5", ["pids.max=5"], ["pids.max=5"]],
    [
      "--io-max 8:0:rbps=1k,wbps=2,riops=3,wiops=4 --io-max 8:16:rbps=5",
      [
        "blkio.throttle.read_bps_device=8:0 1024",
        "blkio.throttle.write_bps_device=8:0 2",
        "blkio.throttle.read_iops_device=8:0 3",
        "blkio.throttle.write_iops_device=8:0 4",
        "blkio.throttle.read_bps_device=8:16 5",
      ],
      ["io.max=8:0 rbps=1024 wbps=2 riops=3 wiops=4", "io.max=8:16 rbps=5"],
    ],
    [
      "--hugetlb 2M:4M",
      ["hugetlb.2MB.limit_in_bytes=4194304", "hugetlb.2MB.rsvd.limit_in_bytes?=4194304"],
      ["hugetlb.2MB.max=4194304", "hugetlb.2MB.rsvd.max?=4194304"],
    ],
  ])("%s", (line, v1, v2) => {
    if (typeof v1 === "string") expect(() => written(1, line)).toThrow(v1);
    else expect(written(1, line)).toEqual(v1);
    expect(written(2, line)).toEqual(v2);
  });
  test("a device that is none", () => {
    expect(() => written(2, "--io-max /dev/null:rbps=1")).toThrow(
      "--io-max: /dev/null is not a block device",
    );
    expect(() => written(2, "--io-max /none:rbps=1")).toThrow(
      "--io-max: /none cannot be used: no such file or directory",
    );
  });
  test("weights and shares", () => {
    expect([1, 100, 10_000].map(sharesOf)).toEqual([10, 1024, 102_400]);
  });
  test("sets", () => {
    expect([...numbersOf("0-2,5\n")]).toEqual([0, 1, 2, 5]);
    expect([...numbersOf("\n")]).toEqual([]);
  });
});

test("which limit is above another", () => {
  expect(isAbove(2n, 1n)).toBe(true);
  expect(isAbove(1n, 1n)).toBe(false);
  expect(isAbove(-1n, 1n)).toBe(true);
  expect(isAbove(1n, -1n)).toBe(false);
  expect(isAbove(-1n, -1n)).toBe(false);
});
