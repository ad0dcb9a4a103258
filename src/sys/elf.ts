/**
 * The head of the static executables that ns makes of itself (elf(5)): headers, the launcher's code, and an entry that
 * runs a task. It is the same for all of them, so it is made when the launcher is compiled; a file is this head and then
 * the data, whose first word is the address of the task. Code cannot be written, data cannot be executed.
 */
import { type Abi, HEAD_SIZE } from "./abi.ts";

const PAGE = 4096;
const HEADER = 64;
const PROGRAM_HEADER = 56;
const SEGMENTS = 3;
/** Where the launcher's code begins in the head. */
export const CODE_AT = HEADER + SEGMENTS * PROGRAM_HEADER;
/** Where the head tells how far the code goes, with the entry that runs a task behind it (p_filesz). */
export const CODE_SIZE_AT = HEADER + 32;
/** The head's size. */
export { HEAD_SIZE };
/** Where the head is mapped: the lowest address that the kernel allows (vm.mmap_min_addr). */
const HEAD_BASE = 0x10000;
/** Where the data is mapped: in no page of the code's, also where pages have 64 KiB, and as far into one as in the file. */
export const dataBase = (headSize: number): number => 0x20000 + headSize;
export const DATA_BASE = dataBase(HEAD_SIZE);
/** As much data as there may be: the kernel limits a program's arguments to 6 MiB (execve(2)). The file may be shorter. */
const DATA_LIMIT = 16 * 1024 * 1024;

const ELF_MAGIC = 0x464c457f;
const CLASS_64_LITTLE_ENDIAN_1 = 0x010102;
const ET_EXEC = 2;
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const READ_EXECUTE = 5;
const READ_WRITE = 6;

/**
 * @param code the launcher's, that runs at any address
 * @param entry where in it launcher(nr, a..f) begins
 * @param abi of the architecture that the code is for
 * @throws RangeError when the code has grown too large
 */
export function programHead(code: Uint8Array, entry: number, abi: Abi): Uint8Array {
  const stubAt = (CODE_AT + code.length + 3) & ~3;
  const stub = abi.entryStub(dataBase(abi.HEAD_SIZE), CODE_AT + entry - stubAt);
  const codeEnd = stubAt + stub.length;
  if (codeEnd > abi.HEAD_SIZE)
    throw new RangeError(`csrc/launcher.c: ${code.length} bytes of code are too many`);
  const head = new Uint8Array(abi.HEAD_SIZE);
  const words = new Uint32Array(head.buffer);
  const put = (at: number, ...values: number[]): void => words.set(values, at / 4);
  const segment = (
    index: number,
    type: number,
    flags: number,
    at: number,
    address: number,
    size: number,
  ): void =>
    put(
      HEADER + index * PROGRAM_HEADER,
      type,
      flags,
      at,
      0,
      address,
      0,
      address,
      0,
      size,
      0,
      size,
      0,
      PAGE,
      0,
    );
  put(
    0,
    ELF_MAGIC,
    CLASS_64_LITTLE_ENDIAN_1,
    0,
    0,
    ET_EXEC | (abi.MACHINE << 16),
    1,
    HEAD_BASE + stubAt,
    0,
    HEADER,
  );
  put(52, HEADER | (PROGRAM_HEADER << 16), SEGMENTS);
  segment(0, PT_LOAD, READ_EXECUTE, 0, HEAD_BASE, codeEnd);
  segment(1, PT_LOAD, READ_WRITE, abi.HEAD_SIZE, dataBase(abi.HEAD_SIZE), DATA_LIMIT);
  segment(2, PT_GNU_STACK, READ_WRITE, 0, 0, 0);
  head.set(code, CODE_AT);
  head.set(stub, stubAt);
  return head;
}
