/** The attacks of `ns prove` as data, and how what became of them is told. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { columns } from "../../scripts/containment/columns.ts";
import { allAttacks, attackGroups } from "../../src/plan/attack/all.ts";
import { type Attack, type AttackOp, type Bait, op, resultOf } from "../../src/plan/attack/attack.ts";
import {
  type Attempt,
  encodeAttacks,
  PROGRAM_ROOM,
  type Result,
  readResults,
} from "../../src/plan/attack/program.ts";
import { settingOf, verdicts } from "../../src/plan/attack/verdict.ts";
import { nativeArch } from "../../src/sys/calls/table.ts";
import { errnoNumber } from "../../src/sys/errno.ts";
import { createMemory } from "../../src/sys/memory.ts";
import { project } from "../project.ts";

const bait: Bait = {
  ...{ pid: 4321, commandLine: "ns\0prove\0", root: "0:1 2", executable: "0:1 77", terminal: "0:9 3" },
  ...{ network: "net:[1]", uts: "uts:[2]", environment: ["A=b"], groups: ["27"], dropsGroups: true },
  ...{ keyring: 99, passed: [5], peers: ["3"], segment: 1, queue: "q", socket: "s" },
  ...{ disk: { major: 259, minor: 300 }, nodes: ["/dev/sda", "/dev/mem"], guardsReleaseAgent: true },
  handle: { bytes: new Uint8Array(20), is: "8:1 5" },
  ...{ hierarchy: ["cpu", "cpuacct"], limit: { type: "cgroup2", controllers: [], file: "memory.max" } },
  ...{ capabilities: 0n, userNamespace: false, onRootfs: false },
};

const encode = (attacks: readonly Attack[], machine: "x64" | "arm64" = "x64", given: Bait = bait) => {
  const memory = createMemory(new ArrayBuffer(PROGRAM_ROOM), 0x20000);
  const mark = new Uint8Array(16).fill(7);
  const { calls } = nativeArch(machine);
  return { ...encodeAttacks(attacks, given, () => true, mark, calls, memory), memory };
};

const rows = readFileSync(join(project, "docs/containment.md"), "utf8")
  .split("\n")
  .filter((row) => row.startsWith("| ") && !row.startsWith("| attack |"))
  .map((row) => row.slice(2, -2).split(" | "));

describe("the table", () => {
  const names = allAttacks().map(({ name }) => name);

  test("names are words of their own", () => {
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][a-z-]+$/);
    expect(attackGroups().flatMap(({ attacks }) => attacks).length).toBe(names.length);
  });
  test("each says what it does and what closes it", () => {
    for (const { name, does, closes } of allAttacks()) {
      expect(does.length, name).toBeGreaterThan(5);
      expect(closes, name).not.toMatch(/^[A-Z]|\.$/);
    }
  });
  test("what it promises in a user namespace or as root, it promises with the profiles; app's, strict has too", () => {
    for (const { name, promised } of allAttacks()) {
      if (promised.includes("root")) expect(promised, name).toContain("user");
      if (promised.includes("app")) expect(promised, name).toContain("strict");
    }
  });
  test("docs/containment.md has a row for each", () => {
    expect(rows.map(([name]) => name!)).toEqual(names);
  });
  test("docs/containment.md says nothing against a promise", () => {
    for (const [name, , ...cells] of rows) {
      const { promised } = allAttacks().find((one) => one.name === name)!;
      for (const [i, { setting }] of columns.entries())
        if (setting !== undefined && promised.includes(setting)) expect(cells[i], name).toMatch(/^(held|–)$/);
    }
  });
  test("where there is no bait they say so", () => {
    const nothing: Bait = {
      ...bait,
      ...{
        terminal: null,
        environment: [],
        groups: [],
        keyring: null,
        peers: [],
        segment: null,
        queue: null,
      },
      ...{ socket: null, disk: null, handle: null, hierarchy: null, limit: null },
    };
    const said = encode(allAttacks(), "x64", nothing)
      .attempts.filter(({ ops }) => typeof ops === "string")
      .map(({ attack }) => attack.name);
    expect(said).toEqual([
      ...["environment", "groups", "session-keyring", "terminal", "file-handle", "mounts", "disk"],
      ...["release-agent", "release-agent-nested", "limits", "shared-memory", "message-queues"],
      "abstract-sockets",
    ]);
  });
});

describe("the program", () => {
  test.each(["x64", "arm64"] as const)("has room for all on %s, and knows their calls", (machine) => {
    const { attempts, memory } = encode(allAttacks(), machine);
    expect(memory.used()).toBeLessThan(PROGRAM_ROOM / 2);
    const untried = attempts
      .filter(({ ops }) => typeof ops === "string")
      .map(({ attack, ops }) => [attack.name, ops]);
    expect(untried).toEqual(machine === "x64" ? [] : [["ports", "this architecture has no ioperm"]]);
  });
  test("what a machine lacks is not tried", () => {
    const memory = createMemory(new ArrayBuffer(PROGRAM_ROOM), 0x20000);
    const { calls } = nativeArch("x64");
    const { attempts } = encodeAttacks(allAttacks(), bait, () => false, new Uint8Array(16), calls, memory);
    const one = attempts.find(({ attack }) => attack.name === "kcore")!;
    expect(one.ops).toBe("this machine has no /proc/kcore");
  });
});

const attack = (ops: readonly AttackOp[], judge?: Attack["judge"]): Attempt => ({
  attack: {
    ...{ name: "one", does: "does", closes: "x", promised: [] },
    ops: () => ops,
    ...(judge && { judge }),
  },
  ops,
});

describe("what became of it", () => {
  const tried = attack([{ ...op("kill", 1, 0), held: ["ESRCH"] }, op("setns", 3, 0)]);
  const done: Result = { started: 7, status: 0, output: "", failure: null };
  const told = (attempt: Attempt, result: Partial<Result> | null) => {
    const results = new Map(result === null ? [] : [[0, { ...done, ...result }]]);
    const { verdict, why } = verdicts([attempt], results, bait)[0]!;
    return [verdict, why];
  };
  const failed = (index: number, name: Parameters<typeof errnoNumber>[0]): Partial<Result> => ({
    status: 125 << 8,
    failure: { op: (tried.ops as AttackOp[])[index]!, errno: errnoNumber(name) },
  });

  test.each([
    [done, "open", null],
    [failed(0, "EPERM"), "held", "kill: operation not permitted"],
    [failed(0, "ESRCH"), "held", "kill: no such process"],
    [failed(1, "EACCES"), "held", "setns: permission denied"],
    [failed(0, "EROFS"), "held", "kill: read-only file system"],
    [failed(1, "ESRCH"), "untestable", "setns: no such process"],
    [failed(1, "ENOSYS"), "untestable", "setns: not in this kernel"],
    [{ status: 31 }, "held", "killed by the seccomp filter"],
    [{ status: 14 }, "untestable", "it took too long"],
    [{ status: 11 }, "untestable", "killed by signal 11"],
    [{ status: 1 << 8 }, "untestable", "it could not be tried"],
    [{ status: null, started: 9 }, "untestable", "its end was not seen"],
    [{ status: null, started: -1 }, "held", "clone: operation not permitted"],
    [{ status: null, started: -11 }, "untestable", "clone: resource temporarily unavailable"],
    [null, "untestable", "it was never made"],
  ] as const)("%p: %s", (result, verdict, why) => {
    expect(told(tried, result)).toEqual([verdict, why]);
  });
  test("a judge has the last word", () => {
    const judged = attack([op("getpid")], (output) => (output === "?" ? "unclear" : output === "out"));
    expect(told(judged, { output: "out" })).toEqual(["open", null]);
    expect(told(judged, { output: "in" })).toEqual(["held", null]);
    expect(told(judged, { output: "?" })).toEqual(["untestable", "unclear"]);
  });
  test("and what could not be tried says why", () => {
    expect(told({ ...tried, ops: "no disk" }, null)).toEqual(["untestable", "no disk"]);
  });
});

describe("the record", () => {
  const mark = "0123456789abcdef";
  const word = (value: number): string =>
    String.fromCharCode(value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24);
  const end = (index: number, status: number, started: string): string =>
    mark + word(index) + word(status) + started.padEnd(16, "\0");
  const attempts = [attack([op("a"), op("b")]), attack([op("c")])];

  test("output, failure, status and start of each", () => {
    const record = `said${word(3)}${word(13)}${end(0, 125 << 8, "12")}${end(1, 0xffffffff, "4294967295")}`;
    const results = readResults(record, mark, attempts);
    expect(results.get(0)).toEqual({
      ...{ started: 12, status: 125 << 8, output: "said" },
      failure: { op: op("b"), errno: 13 },
    });
    expect(results.get(1)).toEqual({ started: -1, status: null, output: "", failure: null });
  });
  test("one that is cut short has fewer", () => {
    expect(readResults(`x${end(0, 0, "1").slice(0, -1)}`, mark, attempts).size).toBe(0);
  });
  test("results in decimal", () => {
    expect(["0\0", "17\0\0", "4294967283\0", "2147483647"].map(resultOf)).toEqual([0, 17, -13, 2147483647]);
  });
});

test("whose promises hold: of him who is root outside, those for real root", () => {
  const [real] = allAttacks().filter(({ name }) => name === "real-root");
  const found = (verdict: "open" | "held") => [{ attack: real!, verdict, why: null }];
  expect(settingOf("strict", true, found("open"))).toBe("strict");
  expect(settingOf("init", false, found("held"))).toBe("root");
  expect(settingOf("init", true, found("open"))).toBe("root");
  expect(settingOf("init", true, found("held"))).toBe("user");
});

describe("judges", () => {
  const judge = (name: string, output: string, change: Partial<Bait> = {}) =>
    allAttacks().find((one) => one.name === name)!.judge!(output, { ...bait, ...change });
  const status = (lines: string): string => `Name:\tns\n${lines}\n`;
  const entry = (name: string): string =>
    `${"\0".repeat(16)}${String.fromCharCode(32)}\0\0${name}`.padEnd(32, "\0");

  test("descriptors: one is the listing's own, those handed over are no leak", () => {
    const listing = (...fds: number[]) => [".", "..", ...fds].map((fd) => entry(`${fd}`)).join("");
    expect(judge("descriptors", listing(0, 1, 2, 3))).toBe(false);
    expect(judge("descriptors", listing(0, 1, 2, 3, 5))).toBe(false);
    expect(judge("descriptors", listing(0, 1, 2, 3, 7))).toBe(true);
  });
  test("groups", () => {
    expect(judge("groups", status("Groups:\t4 27 "))).toBe(true);
    expect(judge("groups", status("Groups:\t4 "))).toBe(false);
    expect(judge("groups", status("Groups:\t "))).toBe(false);
    expect(judge("groups", status("Groups:\t65534 "), { userNamespace: true })).toBe(true);
  });
  test("capabilities in any set", () => {
    const none = "CapInh:\t0\nCapPrm:\t0\nCapEff:\t0\nCapBnd:\t0\nCapAmb:\t0";
    expect(judge("capabilities", status(none))).toBe(false);
    expect(judge("capabilities", status(none.replace("Bnd:\t0", "Bnd:\t20")))).toBe(true);
    expect(judge("capabilities", status(none.replace("Bnd:\t0", "Bnd:\t20")), { capabilities: 32n })).toBe(
      false,
    );
  });
  test("real root owns the kernel's own files", () => {
    const uid = (own: number, owner: number, map: string) => {
      const statx = `${"\0".repeat(20)}${String.fromCharCode(owner & 255, owner >> 8)}`.padEnd(256, "\0");
      return judge("real-root", `${statx}${status(`Uid:\t${own}\t0\t0\t0`)}${map}\n`);
    };
    expect(uid(0, 0, "         0          0 4294967295")).toBe(true);
    expect(uid(1000, 0, "         0          0 4294967295")).toBe(false);
    expect(uid(0, 65534, "         0     100000      65536")).toBe(false);
    expect(uid(7, 7, "         7     0      1")).toBe(true);
    expect(uid(65534, 65534, "     65534     65534      1")).toBe(false);
    expect(uid(65534, 65534, "     65534         0      1")).toBe(true);
  });
  test("mounts: a peer of the host's, either way", () => {
    const mount = (tag: string) => `31 23 0:28 / / rw ${tag}- ext4 /dev/a rw\n`;
    expect(judge("mounts", mount(""))).toBe(false);
    expect(judge("mounts", mount("shared:3 "))).toBe(true);
    expect(judge("mounts", mount("master:3 "))).toBe(true);
    expect(judge("mounts", mount("shared:33 "))).toBe(false);
  });
});
