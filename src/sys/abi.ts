/**
 * What differs between architectures, for the one that ns runs on: system call numbers, a few open flags, and the first
 * instructions of the programs that ns makes. A file an architecture, in abi/; plans and host calls use only system calls
 * that all of them have. A new architecture is a file there, a line here, and a block of stubs in csrc/machine/.
 */
import * as arm64 from "./abi/arm64.ts";
import * as x64 from "./abi/x64.ts";

export type Call = keyof typeof x64.calls;

export interface Abi {
  /** system call numbers */
  readonly calls: Readonly<Record<Call, number>>;
  /** O_ flags whose values are not the same everywhere */
  readonly openFlags: Readonly<Record<keyof typeof x64.openFlags, number>>;
  /** how far behind its code the launcher finds memory that can be written (MEMORY in csrc/machine/): in other pages */
  readonly WRITABLE_AT: number;
  /** what the code takes at most, with its ELF headers (elf.ts): whole pages of 4 KiB */
  readonly HEAD_SIZE: number;
  /** e_machine (elf(5)) */
  readonly MACHINE: number;
  /**
   * The first instructions of a program that runs a task: launcher(OP_RUN, the task whose address is there).
   * @param there address of the word with the task's address
   * @param distance from the first of these bytes to the launcher's entry
   */
  entryStub(there: number, distance: number): Uint8Array;
}

// scripts/build.ts puts the target's in for process.arch, and the bundler drops the other tables
export const calls: Abi["calls"] = process.arch === "arm64" ? arm64.calls : x64.calls;
export const openFlags: Abi["openFlags"] = process.arch === "arm64" ? arm64.openFlags : x64.openFlags;
export const WRITABLE_AT = process.arch === "arm64" ? arm64.WRITABLE_AT : x64.WRITABLE_AT;
export const HEAD_SIZE = process.arch === "arm64" ? arm64.HEAD_SIZE : x64.HEAD_SIZE;

/** The number of a system call on the architecture that ns runs on. */
export const callNumber = (call: Call): number => calls[call];
