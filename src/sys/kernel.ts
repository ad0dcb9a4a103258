/**
 * Raw system calls, and the memory that they read and write. Everything that ns asks of the kernel goes through
 * `call()`, which is the launcher's machine code (csrc/launcher.c) mapped into this process; results are the kernel's
 * own, -errno for a failure, so that no C library's errno is needed. Node's fs is not used while a container is
 * started: it costs a millisecond, and it cannot take names that are not UTF-8.
 */
import { CFunction, dlopen, FFIType, type Pointer, toArrayBuffer } from "bun:ffi";
import { type Call, callNumber } from "./abi.ts";
import type { Bytes } from "./bytes.ts";

// scripts/build.ts defines these two; without them (run from sources) the launcher is compiled now
declare const NS_LAUNCHER: number[];
declare const NS_LAUNCHER_ENTRY: number;
let code: ArrayLike<number>;
let entry: number;
if (typeof NS_LAUNCHER === "undefined") {
  ({ code, entry } = (await import("./compile.ts")).compileLauncher());
} else {
  code = NS_LAUNCHER;
  entry = NS_LAUNCHER_ENTRY;
}

const CODE_SIZE = 8192;
// untouched pages cost nothing; the kernel limits a program's arguments to 6 MiB at most (execve(2))
const ARENA_SIZE = 16 * 1024 * 1024;

let enter: ((nr: number, ...args: number[]) => number) | undefined;
let base = 0;
let bytes: Uint8Array;
let view: DataView;
let top = CODE_SIZE;

function boot(): (nr: number, ...args: number[]) => number {
  const word = FFIType.i64_fast; // a number where it is exact: addresses and results are
  const libc = dlopen("libc.so.6", {
    syscall: { args: [word, word, word, word, word, word, word], returns: word },
  }).symbols;
  const readWrite = 3;
  const readExecute = 5;
  const privateAnonymousNoReserve = 0x4022;
  base = Number(libc.syscall(callNumber("mmap"), 0, ARENA_SIZE, readWrite, privateAnonymousNoReserve, -1, 0));
  if (base === -1) throw new Error("no memory for the launcher");
  const memory = toArrayBuffer(base as Pointer, 0, ARENA_SIZE);
  bytes = new Uint8Array(memory);
  view = new DataView(memory);
  bytes.set(code);
  if (Number(libc.syscall(callNumber("mprotect"), base, CODE_SIZE, readExecute, 0, 0, 0)) !== 0)
    throw new Error("this system forbids executable memory");
  return CFunction({
    ptr: (base + entry) as Pointer,
    args: [word, word, word, word, word, word, word],
    returns: word,
  }) as unknown as (nr: number, ...args: number[]) => number;
}

const invoke = (nr: number, a: number, b: number, c: number, d: number, e: number, f: number): number => {
  enter ??= boot();
  return Number(enter(nr, a, b, c, d, e, f));
};

/** One system call; -errno when it fails. Pointers are addresses from `place()` and its friends. */
export function call(name: Call, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
  return invoke(callNumber(name), a, b, c, d, e, f);
}

/** Starts the task that plan/encode.ts laid out at this address; its process id, or -errno. */
export const startTask = (address: number): number => invoke(-1, address, 0, 0, 0, 0, 0);

/** Reserves memory that C may read and write; its address, a multiple of 16. It is never moved. */
export function reserve(size: number): number {
  enter ??= boot();
  const at = (top + 15) & ~15;
  if (at + size > ARENA_SIZE) throw new RangeError("arguments too long");
  top = at + size;
  return base + at;
}

/** Runs `use` and takes back all memory that was reserved in it. */
export function scratch<T>(use: () => T): T {
  enter ??= boot();
  const before = top;
  try {
    return use();
  } finally {
    top = before;
  }
}

/** Writes the bytes and a closing 0; their address. */
export function placeString(value: Bytes): number {
  const address = reserve(value.length + 1);
  const at = address - base;
  for (let i = 0; i < value.length; i++) bytes[at + i] = value.charCodeAt(i);
  bytes[at + value.length] = 0;
  return address;
}

/** Writes a buffer; its address. */
export function placeBuffer(value: Uint8Array): number {
  const address = reserve(value.length);
  bytes.set(value, address - base);
  return address;
}

export const putByte = (address: number, value: number): void => view.setUint8(address - base, value);
export const putU32 = (address: number, value: number): void => view.setUint32(address - base, value, true);
export const getU16 = (address: number): number => view.getUint16(address - base, true);
export const getU32 = (address: number): number => view.getUint32(address - base, true);
export const getI32 = (address: number): number => view.getInt32(address - base, true);

/** Writes a 64-bit number, negative or not, that is a safe integer. */
export function putI64(address: number, value: number): void {
  view.setInt32(address - base, value | 0, true);
  view.setInt32(address - base + 4, Math.floor(value / 2 ** 32), true);
}

/** Reads a 64-bit number as a safe integer; what is larger (RLIM_INFINITY) loses its low bits. */
export const getI64 = (address: number): number =>
  view.getUint32(address - base, true) + view.getInt32(address - base + 4, true) * 2 ** 32;

/** A copy of memory as bytes. */
export function takeBytes(address: number, size: number): Bytes {
  let out = "";
  const end = address - base + size;
  // in pieces: every byte becomes an argument
  for (let at = address - base; at < end; at += 8192)
    out += String.fromCharCode.apply(
      null,
      bytes.subarray(at, Math.min(end, at + 8192)) as unknown as number[],
    );
  return out;
}
