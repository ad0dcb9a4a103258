/** The machines that a file which stands alone can be made for: entries, call numbers, open flags. Not loaded by a start. */
import * as arm64 from "./abi/arm64.ts";
import * as x64 from "./abi/x64.ts";
import type { Abi, Call } from "./abi.ts";
import { type CallTable, tableNamed } from "./calls/table.ts";
import { type Machine, OP_BEGIN } from "./elf-alone.ts";

export type MachineName = "x64" | "arm64" | "armv7" | "i686";

export interface MachineAbi extends Machine {
  readonly calls: Readonly<Record<Call, number>>;
  readonly openFlags: Abi["openFlags"];
}

const low = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >> shift) & 255);
const words = (...values: number[]): Uint8Array => new Uint8Array(new Uint32Array(values).buffer);
const half = (value: number, at: number): number => ((value >>> at) & 0xffff) << 5;
/** the 16 bits of arm's movw and movt */
const split = (value: number): number => ((value & 0xf000) << 4) | (value & 0xfff);

/** On 32 bits some calls were made again for wide ids and offsets; the first ones take 16 bits. */
const WIDE: Partial<Record<Call, string>> = {
  setgroups: "setgroups32",
  setresuid: "setresuid32",
  setresgid: "setresgid32",
  fcntl: "fcntl64",
  mmap: "mmap2",
  fstatfs: "fstatfs64",
  statfs: "statfs64",
};

/** What `Call` names, by the names of a machine of 32 bits. */
function narrowCalls(table: CallTable): MachineAbi["calls"] {
  const calls: Partial<Record<Call, number>> = {};
  for (const call of Object.keys(x64.calls) as Call[]) {
    const wide = WIDE[call];
    const number = table.get(wide ?? call) ?? table.get(call);
    if (number !== undefined) calls[call] = number;
  }
  return calls as MachineAbi["calls"];
}

const ARM_EABI5 = 0x5000000;
const asmGenericFlags = { O_DIRECTORY: 0x4000, O_NOFOLLOW: 0x8000 } as const;

const make: Readonly<Record<MachineName, () => MachineAbi>> = {
  x64: () => ({
    ...{ number: x64.MACHINE, word: 8, flags: 0, calls: x64.calls, openFlags: x64.openFlags },
    beginStub: (there, distance) =>
      Uint8Array.of(
        ...[0x48, 0x89, 0xe2], // mov %rsp, %rdx
        ...[0x48, 0x83, 0xe4, 0xf0], // and $-16, %rsp
        ...[0x48, 0xc7, 0xc7, ...low(OP_BEGIN)], // mov $OP_BEGIN, %rdi
        ...[0x48, 0x8b, 0x34, 0x25, ...low(there)], // mov there, %rsi
        ...[0xe8, ...low(distance - 27)], // call launcher
        ...[0x0f, 0x0b], // ud2
      ),
  }),
  arm64: () => ({
    ...{ number: arm64.MACHINE, word: 8, flags: 0, calls: arm64.calls, openFlags: arm64.openFlags },
    beginStub: (there, distance) =>
      words(
        0x910003e2, // mov x2, sp
        0x92800000 | (~OP_BEGIN << 5), // mov x0, #OP_BEGIN
        0xd2800001 | half(there, 0), // mov x1, #(the lower half of there)
        0xf2a00001 | half(there, 16), // movk x1, #(the upper half), lsl #16
        0xf9400021, // ldr x1, [x1]
        0x94000000 | (((distance - 20) >> 2) & 0x3ffffff), // bl launcher
        0, // udf
      ),
  }),
  armv7: () => ({
    ...{ number: 40, word: 4, flags: ARM_EABI5, openFlags: asmGenericFlags },
    calls: narrowCalls(tableNamed("arm")),
    // launcher(nr in r0 and r1, a in r2 and r3, b on the stack, 8-byte aligned)
    beginStub: (there, distance) =>
      words(
        0xe1a0400d, // mov r4, sp
        0xe3cdd007, // bic sp, sp, #7
        0xe3a05000, // mov r5, #0
        0xe92d0030, // push {r4, r5}
        0xe3e00000 | ~OP_BEGIN, // mvn r0, #~OP_BEGIN
        0xe3e01000, // mvn r1, #0
        0xe3002000 | split(there & 0xffff), // movw r2, #(the lower half of there)
        0xe3402000 | split(there >>> 16), // movt r2, #(the upper half)
        0xe5922000, // ldr r2, [r2]
        0xe3a03000, // mov r3, #0
        0xeb000000 | (((distance - 48) >> 2) & 0xffffff), // bl launcher
        0xe7f000f0, // udf
      ),
  }),
  i686: () => ({
    ...{ number: 3, word: 4, flags: 0, openFlags: x64.openFlags },
    calls: narrowCalls(tableNamed("i386")),
    // launcher(nr, a, b) on the stack, 64 bits each
    beginStub: (there, distance) =>
      Uint8Array.of(
        ...[0x89, 0xe0], // mov %esp, %eax
        ...[0x83, 0xe4, 0xf0], // and $-16, %esp
        ...[0x83, 0xec, 0x08], // sub $8, %esp
        ...[0x6a, 0, 0x50], // push $0; push %eax
        ...[0x6a, 0, 0xff, 0x35, ...low(there)], // push $0; push there
        ...[0x6a, 0xff, 0x6a, OP_BEGIN & 255], // push $-1; push $OP_BEGIN
        ...[0xe8, ...low(distance - 28)], // call launcher
        ...[0x0f, 0x0b], // ud2
      ),
  }),
};

export const machineNamed = (name: MachineName): MachineAbi => make[name]();
