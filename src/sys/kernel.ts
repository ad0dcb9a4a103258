/**
 * Raw system calls, and the memory that they read and write. Everything that ns asks of the kernel goes through
 * `call()`, which is the launcher's machine code (csrc/launcher.c) mapped into this process; results are the kernel's
 * own, -errno for a failure, so that no C library's errno is needed. Node's fs is not used while a container is
 * started: it costs a millisecond, and it cannot take names that are not UTF-8.
 */
import { CFunction, dlopen, FFIType, type Pointer, toArrayBuffer } from "bun:ffi";
import { type Call, callNumber, WRITABLE_AT } from "./abi.ts";
import { HEAD_SIZE } from "./elf.ts";
import { LIBC } from "./libc.ts";
import { createMemory, type Memory } from "./memory.ts";

// scripts/build.ts defines these two; without them (run from sources) the launcher is compiled now
declare const NS_LAUNCHER: number[];
declare const NS_LAUNCHER_ENTRY: number;
let launcher: { readonly head: Uint8Array; readonly entry: number };
if (typeof NS_LAUNCHER === "undefined") {
  // by a name that is not known before: else the bundler puts the compiler into builds, which never come here
  const compiler = import.meta.resolve("./compile.ts");
  launcher = ((await import(compiler)) as typeof import("./compile.ts")).compileLauncher();
} else {
  launcher = { head: new Uint8Array(new Int32Array(NS_LAUNCHER).buffer), entry: NS_LAUNCHER_ENTRY };
}

/** behind the code and the descriptor that caught signals are written to */
const DATA_AT = WRITABLE_AT + 16;
// enough for a plan; not more, because JavaScript's collector counts it and would start to collect
let arenaSize = WRITABLE_AT + 376 * 1024;
const START_TASK = -1;
const SUPERVISE = -3;
const CATCH = -6;
const FOREGROUND = -7;
const SETTINGS = -11;

type Enter = (nr: number, a: number, b: number, c: number, d: number, e: number, f: number) => number;
interface Machine {
  readonly enter: Enter;
  readonly memory: Memory;
}
let machine: Machine | undefined;

function boot(): Machine {
  const word = FFIType.i64_fast; // a number where it is exact: addresses and results are
  const args = [word, word, word, word, word, word, word];
  const libc = dlopen(LIBC, {
    syscall: { args, returns: word },
  }).symbols as unknown as {
    syscall: Enter;
  };
  const readWrite = 3;
  const readExecute = 5;
  const privateAnonymousNoReserve = 0x4022;
  const base = Number(
    libc.syscall(callNumber("mmap"), 0, arenaSize, readWrite, privateAnonymousNoReserve, -1, 0),
  );
  if (base === -1) throw new Error("no memory for the launcher");
  const buffer = toArrayBuffer(base as Pointer, 0, arenaSize);
  new Uint8Array(buffer).set(launcher.head);
  if (Number(libc.syscall(callNumber("mprotect"), base, WRITABLE_AT, readExecute, 0, 0, 0)) !== 0)
    throw new Error("this system forbids executable memory");
  const enter = CFunction({ ptr: (base + launcher.entry) as Pointer, args, returns: word });
  machine = { enter: enter as unknown as Enter, memory: createMemory(buffer, base + DATA_AT, DATA_AT) };
  return machine;
}

const invoke: Enter = (nr, a, b, c, d, e, f) => Number((machine ?? boot()).enter(nr, a, b, c, d, e, f));

/** Before the first call: room for so many more bytes, for arguments that take more than is usual. */
export function makeRoom(size: number): void {
  arenaSize += Math.ceil(size / HEAD_SIZE) * HEAD_SIZE;
}

/** The memory of system calls' arguments and results. It is never moved. */
export const arena = (): Memory => (machine ?? boot()).memory;

/** Where the head of a program (elf.ts) is in memory. */
export const headAddress = (): number => arena().base - DATA_AT;

/** One system call; -errno when it fails. Pointers are addresses in the arena. */
export function call(name: Call, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
  return invoke(callNumber(name), a, b, c, d, e, f);
}

/** The same by number, for a call that no plan has. */
export const callByNumber: Enter = (nr, a, b, c, d, e, f) => invoke(nr, a, b, c, d, e, f);

/** Starts the task that plan/encode.ts laid out at this address; its process id, or -errno. */
export const startTask = (address: number): number => invoke(START_TASK, address, 0, 0, 0, 0, 0);

/**
 * Waits for the end of a child by the rules at this address (plan/supervise.ts), with the path of its status file or 0: its
 * wait status, or -EAGAIN when the time for that is up.
 */
export const supervise = (pid: number, rules: number, statusFile: number): number =>
  invoke(SUPERVISE, pid, rules, statusFile, 0, 0, 0);

/**
 * From now on these signals, in whatever thread of this process, are written to the descriptor, a byte each. Unlike with
 * JavaScript's handlers none is lost up to the moment of an exec, and a system call may block meanwhile.
 */
export function catchSignals(signals: readonly number[], descriptor: number): void {
  const { memory } = machine ?? boot();
  memory.putI64(memory.base - DATA_AT + WRITABLE_AT, descriptor);
  for (const signal of signals) invoke(CATCH, signal, 0, 0, 0, 0, 0);
}

/** Runs `use` with the arena, and takes back all memory that was reserved in it. */
export const scratch = <T>(use: (memory: Memory) => T): T => {
  const memory = arena();
  return memory.scratch(() => use(memory));
};

/** Gives the terminal on standard input back to this process group, if the one that has it is dead (csrc/launcher.c). */
export const giveTerminalBack = (group: number): number => invoke(FOREGROUND, group, 0, 0, 0, 0, 0);

/** Gives the terminal on standard input the settings at this address, if this process group is in its foreground. */
export const giveSettings = (group: number, settings: number): number =>
  invoke(SETTINGS, group, settings, 0, 0, 0, 0);
