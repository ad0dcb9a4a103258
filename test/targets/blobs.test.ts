/**
 * The launcher's code of every architecture and compiler does the same: TinyCC's and clang's, on 64 and on 32 bits. Under
 * qemu-user where this machine cannot run it; that knows no namespaces, which the virtual machines are for.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  type ClangArchitecture,
  type Code,
  compileWithClang,
  launcherSource,
} from "../../scripts/build/clang.ts";
import { launcherFor } from "../../scripts/build/launcher.ts";
import { findClang, findProgram } from "../../scripts/build/tools.ts";
import { type Op, slot } from "../../src/plan/op.ts";
import { type Rules, rulesArg } from "../../src/plan/supervise.ts";
import { AT_FDCWD, O, SIG_BLOCK, SIGNALS } from "../../src/sys/constants.ts";
import { compileAlone } from "../../src/sys/compile.ts";
import { CODE_AT } from "../../src/sys/elf.ts";
import { script } from "../harness.ts";
import { kinds, makeProgram, type Ran, runProgram } from "./blob.ts";

const tinycc = (arch: "x64" | "arm64"): Code => {
  const { head, entry } = launcherFor(arch, "tinycc");
  return { code: head.slice(CODE_AT), entry: entry - CODE_AT };
};
const clang = (arch: ClangArchitecture, ...defines: string[]): Code =>
  compileWithClang(arch, findClang("this test"), undefined, defines);

const blobs: [string, ClangArchitecture, () => Code][] = [
  ["x64 by TinyCC", "x64", () => tinycc("x64")],
  ["x64 by clang", "x64", () => clang("x64")],
  ["arm64 by TinyCC", "arm64", () => tinycc("arm64")],
  ["arm64 by clang", "arm64", () => clang("arm64")],
  ["x64 by TinyCC, frozen", "x64", compileAlone],
  ["x64 by clang, frozen", "x64", () => clang("x64", "-DALONE")],
  ["arm64 by clang, frozen", "arm64", () => clang("arm64", "-DALONE")],
  // there is no Bun for 32 bits: only what is frozen
  ["armv7 by clang, frozen", "armv7", () => clang("armv7", "-DALONE")],
  ["i686 by clang, frozen", "i686", () => clang("i686", "-DALONE")],
];

const RULES: Rules = {
  ...{ who: -1, signals: 0, caught: -1, patience: 3, impatience: 0, stopSignal: SIGNALS.SIGTERM },
  ...{ grace: -1, lastGrace: -1, deadline: 0, stopping: 0, until: 0, other: 0, others: 0 },
};

const say = (text: string): Op => ({ call: "write", args: [1, text, text.length], step: "say" });
const exit = (status: number): Op => ({ call: "exit", args: [status << 8], step: "exit" });
const open = (path: string, more: Partial<Op>): Op => ({
  ...{ call: "openat", args: [AT_FDCWD, path, O.O_WRONLY, 0], step: "open" },
  ...more,
});

describe.each(blobs)("%s", (name, arch, compile) => {
  const { code, entry } = compile();
  if (arch !== process.arch) findProgram(kinds[arch].emulator, "qemu-user-static", "this test");
  const run = (make: Parameters<typeof makeProgram>[4]): Ran =>
    runProgram(arch, makeProgram(arch, name.replaceAll(" ", "-"), code, entry, make));
  const outcome = ({ status, stdout, stderr }: Ran) => ({ status, out: `${stdout}`, err: stderr });

  test("runs system calls in order, and exits with 0", () => {
    expect(outcome(run((encode) => encode([say("one "), say("two")])))).toEqual({
      status: 0,
      out: "one two",
      err: "",
    });
  });
  test("keeps a result for a later call; an errno that is fine is no failure; skips the next op on success", () => {
    const file = script(`${name}.out`, "");
    const ops: Op[] = [
      open("/there/is/nothing", { fine: ["ENOENT"] }),
      open(file, { save: "file" }),
      { call: "write", args: [slot("file"), "by a slot", 9], step: "write", skipNext: true },
      say(" not this"),
      { call: "close", args: [slot("file")], step: "close" },
      { call: "close", args: [slot("file")], step: "close", fine: ["EBADF"] },
    ];
    expect(outcome(run((encode) => encode(ops)))).toEqual({ status: 0, out: "", err: "" });
    expect(readFileSync(file, "utf8")).toBe("by a slot");
  });
  test("reports the first failure by its index and errno, and exits with 125", () => {
    const ops = [say(""), open("/there/is/nothing", {}), say("not this")];
    const { status, stdout } = run((encode) => encode(ops, { base: 100 }));
    expect(status).toBe(125);
    expect([...new Uint32Array(new Uint8Array(stdout).buffer)]).toEqual([101, 2]);
  });
  test("ends quietly at a zero that was asked for", () => {
    const ops: Op[] = [{ ...say(""), stopAtZero: true }, say("not this")];
    expect(outcome(run((encode) => encode(ops)))).toEqual({ status: 0, out: "", err: "" });
  });
  // a frozen one has no use for that
  if (!name.endsWith("frozen"))
    test("catches a signal as a byte", () => {
      const ops: Op[] = [
        { call: "getpid", args: [], step: "getpid", save: "watcher" },
        { call: "kill", args: [slot("watcher"), SIGNALS.SIGUSR1], step: "kill" },
        say("and goes on"),
      ];
      expect(outcome(run((encode) => encode(ops)))).toEqual({ status: 0, out: "\nand goes on", err: "" });
    });

  /** starts a child with those ops, waits for it, writes its wait status in decimal, exits as it did */
  const parent = (ops: Op[], rules: Partial<Rules> = {}): Ran =>
    run((encode, reserve) => {
      const signals = (1 << (SIGNALS.SIGCHLD - 1)) | (1 << (SIGNALS.SIGTERM - 1));
      const mask = new Uint8Array(8);
      new DataView(mask.buffer).setUint32(0, signals, true);
      const child = encode(ops);
      const digits = reserve(16);
      const waits = { call: "supervise", save: "ending", step: "wait" } as const;
      return encode([
        { call: "rt_sigprocmask", args: [SIG_BLOCK, { memory: mask, means: "" }, 0, 8], step: "block" },
        { call: "start", args: [child], step: "start", save: "watcher" },
        { ...waits, args: [slot("watcher"), rulesArg({ ...RULES, signals, ...rules }), 0] },
        { call: "decimal", args: [slot("ending"), digits], step: "decimal" },
        { call: "write", args: [1, digits, 4], step: "say" },
        { ...say(" killed"), onlyIfKilled: "ending" },
        { call: "exit", args: [slot("ending")], step: "exit" },
      ]);
    });
  test("starts a task as a process on a stack of its own, waits for it, exits as it did", () => {
    const { status, stdout } = parent([say("child "), exit(7)]);
    expect({ status, out: `${stdout}` }).toEqual({ status: 7, out: "child 1792" });
  });
  test("stops one whose time is up, and kills it when it does not end", () => {
    const wait: Op = { call: "ppoll", args: [0, 0, 0, 0], step: "wait for ever" };
    const { status, stdout } = parent([wait], { deadline: 1, lastGrace: 20 });
    expect({ status, out: `${stdout}` }).toEqual({ status: 124, out: "6554" }); // 65536 + 9
  });
  test("an op for the case that it was killed", () => {
    const { status, stdout } = parent([
      { call: "getpid", args: [], step: "getpid", save: "watcher" },
      { call: "kill", args: [slot("watcher"), SIGNALS.SIGKILL], step: "kill" },
    ]);
    expect(status).toBe(137);
    expect(`${stdout}`.replaceAll("\0", "")).toBe("9 killed");
  });
});

describe("a launcher that is more than code is refused", () => {
  test.each([
    ["a variable", "i64 calls; i64 count(void) { return ++calls; }", "csrc/launcher.c has data, in .bss"],
    ["a string", 'const u8 *name(void) { return (const u8 *)"ns"; }', "csrc/launcher.c has data, in .rodata"],
    [
      "an address in data",
      "i64 (*const table[])(void) = {launcherBegin};",
      "csrc/launcher.c has data, in .data.rel.ro",
    ],
    [
      "a function of another file",
      "void abort(void); void stop(void) { abort(); }",
      "undefined symbol: abort",
    ],
  ])("%s", (name, more, message) => {
    const file = script(`${name.replaceAll(" ", "-")}.c`, `#include "${launcherSource}"\n${more}\n`);
    for (const arch of ["x64", "arm64"] as const)
      expect(() => compileWithClang(arch, findClang("this test"), file)).toThrow(message);
  });
});
