/**
 * A static executable that needs nothing but the kernel (elf(5)): the launcher's code, an entry that runs a task, and data.
 * As in elf.ts code cannot be written and data cannot be executed; here the file ends with its data, and empty memory
 * follows, for stacks and lists.
 */
import { CODE_AT } from "./elf.ts";

/** What such a file is made for. */
export interface Machine {
  /** e_machine (elf(5)) */
  readonly number: number;
  /** bytes of an address */
  readonly word: 4 | 8;
  /** e_flags (elf(5)) */
  readonly flags: number;
  /**
   * The first instructions: launcher(OP_BEGIN, the task whose address is there, the first stack).
   * @param there address of the word with the task's address
   * @param distance from the first of these bytes to the launcher's entry
   */
  beginStub(there: number, distance: number): Uint8Array;
}

export const OP_BEGIN = -30;

const HEAD_BASE = 0x10000;
/** Data lies in no page of the code's, also where pages have 64 KiB, and as far into one as in the file. */
const DATA_AFTER = 0x20000;
/** Where the empty memory begins, and how much there is. */
const EMPTY_BASE = 0x80000;
const EMPTY_SIZE = 0x110000;

const PAGE = 4096;
/** room for an entry's instructions */
const STUB_SIZE = 64;

export interface AlonePlaces {
  /** address and offset in the file of the data, which begins with the task's address */
  readonly address: number;
  readonly offset: number;
  /** empty memory behind it */
  readonly empty: number;
  readonly emptySize: number;
}

/** Where the data of a file with so many bytes of code will be. */
export function alonePlaces(codeSize: number): AlonePlaces {
  const offset = (CODE_AT + codeSize + STUB_SIZE + 15) & ~15;
  return { address: DATA_AFTER + offset, offset, empty: EMPTY_BASE, emptySize: EMPTY_SIZE };
}

const low = (value: number, size: number): number[] =>
  Array.from({ length: size }, (_, i) => (i < 4 ? (value >>> (8 * i)) & 255 : 0));

/**
 * The whole file.
 * @param code the launcher's @param entry where in it launcher(nr, a..f) begins
 */
export function aloneFile(code: Uint8Array, entry: number, machine: Machine, data: Uint8Array): Uint8Array {
  const { word, number, flags } = machine;
  const { address, offset, empty, emptySize } = alonePlaces(code.length);
  const stubAt = (CODE_AT + code.length + 3) & ~3;
  const stub = machine.beginStub(address, CODE_AT + entry - stubAt);
  const codeEnd = stubAt + stub.length;
  if (codeEnd > offset || address + data.length > empty) throw new RangeError("too much for one file");
  const file = new Uint8Array(offset + data.length);
  const wide = word === 8;
  const header = wide ? 64 : 52;
  const segment = (
    type: number,
    mode: number,
    at: number,
    place: number,
    size: number,
    memory: number,
  ): number[] => {
    const rest = [at, place, place, size, memory].flatMap((value) => low(value, word));
    const [kind, access, align] = [low(type, 4), low(mode, 4), low(type === 1 ? PAGE : 16, word)];
    return wide ? [...kind, ...access, ...rest, ...align] : [...kind, ...rest, ...access, ...align];
  };
  const [executable, load, gnuStack] = [2, 1, 0x6474e551];
  const [readExecute, readWrite] = [5, 6];
  file.set([
    ...[0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ...[...low(executable, 2), ...low(number, 2), ...low(1, 4)],
    ...[...low(HEAD_BASE + stubAt, word), ...low(header, word), ...low(0, word), ...low(flags, 4)],
    ...[header, wide ? 56 : 32, 3, wide ? 64 : 40, 0, 0].flatMap((value) => low(value, 2)),
    ...segment(load, readExecute, 0, HEAD_BASE, codeEnd, codeEnd),
    ...segment(load, readWrite, offset, address, data.length, empty + emptySize - address),
    ...segment(gnuStack, readWrite, 0, 0, 0, 0),
  ]);
  file.set(code, CODE_AT);
  file.set(stub, stubAt);
  file.set(data, offset);
  return file;
}
