/**
 * Runs the launcher's code of any architecture in a tiny static executable around it (elf(5)), natively or under
 * qemu-user: the code, two calls of its entry (launcher(OP_CATCH, SIGUSR1), then launcher(OP_RUN, a task)), and data.
 */
import { chmodSync, writeFileSync } from "node:fs";
import type { ClangArchitecture } from "../../scripts/build/clang.ts";
import { ABI } from "../../scripts/build/targets.ts";
import { encodeTask, type TaskOptions } from "../../src/plan/encode.ts";
import type { Op } from "../../src/plan/op.ts";
import type { Call } from "../../src/sys/abi.ts";
import { CODE_AT } from "../../src/sys/elf.ts";
import { createMemory } from "../../src/sys/memory.ts";
import { folder } from "../harness.ts";

const CODE = 0x10000;
const CODE_SIZE = 0x5000;
const DATA = CODE + CODE_SIZE;
const DATA_SIZE = 0x20000;
const SIGUSR1 = 10;
const OP_RUN = -2;
const OP_CATCH = -6;

const low = (value: number, size: number): number[] =>
  Array.from({ length: size }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 255n));
const words = (...values: number[]): number[] => values.flatMap((value) => low(value, 4));

interface Kind {
  machine: number;
  wide: boolean;
  calls: Readonly<Record<string, number>>;
  /** runs its programs where the kernel cannot */
  emulator: string;
  /** one call of the entry; `distance` is from these bytes to it */
  enter(nr: number, argument: number, distance: number): number[];
}

const arm32 = {
  ...{ getpid: 20, write: 4, openat: 322, close: 6, kill: 37, rt_sigprocmask: 175, ppoll: 336 },
};
const half = (value: number, at: number): number => ((value >> at) & 0xffff) << 5;
const split = (value: number): number => ((value & 0xf000) << 4) | (value & 0xfff);

export const kinds: Readonly<Record<ClangArchitecture, Kind>> = {
  x64: {
    machine: 62,
    wide: true,
    calls: ABI.x64.calls,
    emulator: "qemu-x86_64-static",
    // mov $nr, %rdi; mov $argument, %rsi; call
    enter: (nr, argument, distance) => [
      ...[0x48, 0xc7, 0xc7, ...low(nr, 4), 0x48, 0xc7, 0xc6, ...low(argument, 4)],
      ...[0xe8, ...low(distance - 19, 4)],
    ],
  },
  arm64: {
    machine: 183,
    wide: true,
    calls: ABI.arm64.calls,
    emulator: "qemu-aarch64-static",
    // mov x0, #nr; mov x1, #argument, in two; bl
    enter: (nr, argument, distance) =>
      words(
        ...[0x92800000 | (~nr << 5), 0xd2800001 | half(argument, 0), 0xf2a00001 | half(argument, 16)],
        0x94000000 | (((distance - 12) >> 2) & 0x3ffffff),
      ),
  },
  armv7: {
    machine: 40,
    wide: false,
    calls: arm32,
    emulator: "qemu-arm-static",
    // mvn r0, #~nr; mvn r1, #0; movw and movt r2, #argument; mov r3, #0; bl
    enter: (nr, argument, distance) =>
      words(
        ...[0xe3e00000 | ~nr, 0xe3e01000, 0xe3002000 | split(argument & 0xffff)],
        ...[0xe3402000 | split(argument >> 16), 0xe3a03000],
        0xeb000000 | (((distance - 28) >> 2) & 0xffffff),
      ),
  },
  i686: {
    machine: 3,
    wide: false,
    calls: { ...arm32, openat: 295, ppoll: 309 },
    emulator: "qemu-i386-static",
    // push the argument and nr, 64 bits each; call. What lies above on the stack stands for the rest.
    enter: (nr, argument, distance) => [
      ...[0x6a, 0, 0x68, ...low(argument, 4), 0x6a, 0xff, 0x6a, nr & 255],
      ...[0xe8, ...low(distance - 16, 4)],
    ],
  },
};

export interface Ran {
  status: number | null;
  stdout: Buffer;
  stderr: string;
}

/** Lays out a task in the data that the program will have; what `make` returns runs. */
type Make = (
  encode: (ops: Op[], options?: Partial<TaskOptions>) => number,
  reserve: (n: number) => number,
) => number;

/** Writes the program; its path. @param entry of launcher() in the code */
export function makeProgram(
  arch: ClangArchitecture,
  name: string,
  code: Uint8Array,
  entry: number,
  make: Make,
): string {
  const { machine, wide, calls, enter } = kinds[arch];
  const file = new Uint8Array(CODE_SIZE + DATA_SIZE);
  const memory = createMemory(file.buffer, DATA + 16, CODE_SIZE + 16);
  const task = make(
    (ops, options) => {
      const numbers = calls as Readonly<Record<Call, number>>;
      return encodeTask(ops, { flags: 0, report: 1, stack: 16384, calls: numbers, ...options }, memory)
        .address;
    },
    (size) => memory.reserve(size),
  );
  // the descriptor that caught signals are written to, where each architecture looks for it: standard output
  for (const at of [0x3000, 0x10000]) if (at >= CODE_AT + code.length) file[at] = 1;

  const headers = wide ? 64 + 2 * 56 : 52 + 2 * 32;
  const stub: number[] = [];
  for (const [nr, argument] of [
    [OP_CATCH, SIGUSR1],
    [OP_RUN, task],
  ])
    stub.push(...enter(nr!, argument!, CODE_AT + entry - headers - stub.length));
  if (headers + stub.length > CODE_AT) throw new RangeError("no room for the calls");
  const size = wide ? 8 : 4;
  const word = (value: number): number[] => low(value, size);
  const segment = (flags: number, at: number, address: number, length: number): number[] => {
    const rest = [...word(at), ...word(address), ...word(address), ...word(length), ...word(length)];
    const [type, mode, align] = [low(1, 4), low(flags, 4), word(4096)];
    return wide ? [...type, ...mode, ...rest, ...align] : [...type, ...rest, ...mode, ...align];
  };
  file.set([
    ...[0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1, ...Array(9).fill(0)],
    ...[...low(2, 2), ...low(machine, 2), ...low(1, 4)],
    ...[...word(CODE + headers), ...word(wide ? 64 : 52), ...word(0)],
    // EABI version 5
    ...low(machine === 40 ? 0x5000000 : 0, 4),
    ...[wide ? 64 : 52, wide ? 56 : 32, 2, wide ? 64 : 40, 0, 0].flatMap((value) => low(value, 2)),
    ...segment(5, 0, CODE, CODE_SIZE),
    ...segment(6, CODE_SIZE, DATA, DATA_SIZE),
    ...stub,
  ]);
  file.set(code.subarray(0, CODE_SIZE - CODE_AT), CODE_AT);
  const path = `${folder}/${name}`;
  writeFileSync(path, file);
  chmodSync(path, 0o755);
  return path;
}

/** Runs a program of the architecture to its end. */
export function runProgram(arch: ClangArchitecture, path: string): Ran {
  const native = arch === process.arch;
  const ran = Bun.spawnSync(native ? [path] : [kinds[arch].emulator, path], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  return { status: ran.exitCode, stdout: ran.stdout, stderr: `${ran.stderr}` };
}
