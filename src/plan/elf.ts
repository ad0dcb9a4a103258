/**
 * Makes a static executable of the launcher's code and the memory that holds a task (elf(5)): two segments, code that
 * cannot be written and data that cannot be executed, a stack that cannot be executed, nothing else.
 */
import { placeEntry } from "../sys/abi.ts";

const PAGE = 4096;
const HEADER = 64;
const PROGRAM_HEADER = 56;
const SEGMENTS = 3;
/** Where the code is mapped: above the lowest address that the kernel allows (vm.mmap_min_addr). */
const CODE_BASE = 0x10000;
/** Where the data is mapped, known before it is laid out. */
export const DATA_BASE = 0x20000;

const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const READ_EXECUTE = 5;
const READ_WRITE = 6;

const roundUp = (size: number): number => Math.ceil(size / PAGE) * PAGE;

export interface Program {
  /** the launcher's code and where in it the entry is */
  readonly launcher: { readonly code: Uint8Array; readonly entry: number };
  /** what is to be at DATA_BASE */
  readonly data: Uint8Array;
  /** address of the task that the program runs */
  readonly task: number;
  /** e_machine of the architecture */
  readonly machine: number;
}

/** The bytes of the executable file. */
export function elf({ launcher, data, task, machine }: Program): Uint8Array {
  const codeAt = HEADER + SEGMENTS * PROGRAM_HEADER;
  const stubAt = codeAt + launcher.code.length;
  const stub = placeEntry(task, codeAt + launcher.entry - stubAt);
  const codeSize = stubAt + stub.length;
  const dataAt = roundUp(codeSize);
  if (CODE_BASE + dataAt > DATA_BASE) throw new RangeError("the launcher is too large");
  const file = new Uint8Array(dataAt + data.length);
  const view = new DataView(file.buffer);
  const word = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);

  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little-endian
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, machine, true);
  view.setUint32(20, 1, true);
  word(24, CODE_BASE + stubAt);
  word(32, HEADER);
  view.setUint16(52, HEADER, true);
  view.setUint16(54, PROGRAM_HEADER, true);
  view.setUint16(56, SEGMENTS, true);

  const segment = (
    index: number,
    type: number,
    flags: number,
    offset: number,
    address: number,
    size: number,
  ): void => {
    const at = HEADER + index * PROGRAM_HEADER;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, flags, true);
    word(at + 8, offset);
    word(at + 16, address);
    word(at + 24, address);
    word(at + 32, size);
    word(at + 40, size);
    word(at + 48, PAGE);
  };
  segment(0, PT_LOAD, READ_EXECUTE, 0, CODE_BASE, codeSize);
  segment(1, PT_LOAD, READ_WRITE, dataAt, DATA_BASE, data.length);
  segment(2, PT_GNU_STACK, READ_WRITE, 0, 0, 0);

  file.set(launcher.code, codeAt);
  file.set(stub, stubAt);
  file.set(data, dataAt);
  return file;
}
