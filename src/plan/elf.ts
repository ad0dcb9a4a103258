/**
 * A static executable made of the launcher's code and of memory that holds a task (elf(5)): code that cannot be written,
 * data that cannot be executed, a stack that cannot be executed, nothing else. It is laid out in the arena and written to
 * a memory file by run/program.ts.
 */
import { entryStub, MACHINE, STUB_SIZE } from "../sys/abi.ts";
import { arena, launcher } from "../sys/kernel.ts";
import { createMemory, type Memory } from "../sys/memory.ts";

const PAGE = 4096;
const HEADER = 64;
const PROGRAM_HEADER = 56;
const SEGMENTS = 3;
const CODE_AT = HEADER + SEGMENTS * PROGRAM_HEADER;
/** Where the code is mapped: the lowest address that the kernel allows (vm.mmap_min_addr). */
const CODE_BASE = 0x10000;
const DATA_BASE = 0x20000;

const ELF_MAGIC = 0x464c457f;
const CLASS_64_LITTLE_ENDIAN_1 = 0x010102;
const ET_EXEC = 2;
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const READ_EXECUTE = 5;
const READ_WRITE = 6;

export interface Draft {
  /** where to lay out what the program is to find, at the addresses that it will have there */
  readonly memory: Memory;
  /**
   * Closes the draft.
   * @param task address of the task that the program runs
   * @returns where in the arena the file is, and its size in bytes
   */
  finish(task: number): { readonly address: number; readonly size: number };
}

/** Begins an executable with room for so many bytes of data. */
export function draftProgram(room: number): Draft {
  const codeSize = CODE_AT + launcher.code.length + STUB_SIZE;
  const dataAt = Math.ceil(codeSize / PAGE) * PAGE;
  const file = arena().reserve(dataAt + room);
  const data = createMemory(arena().buffer, DATA_BASE, arena().offsetOf(file + dataAt), room);
  return {
    memory: data,
    finish(task) {
      const memory = arena();
      const size = data.used();
      const words = (at: number, ...values: number[]): void =>
        values.forEach((value, i) => {
          memory.putU32(file + at + 4 * i, value);
        });
      const segment = (
        index: number,
        type: number,
        flags: number,
        at: number,
        address: number,
        length: number,
      ): void =>
        words(
          HEADER + index * PROGRAM_HEADER,
          ...[type, flags, at, 0, address, 0, address, 0, length, 0, length, 0, PAGE, 0],
        );
      const entry = CODE_BASE + codeSize - STUB_SIZE;
      words(0, ELF_MAGIC, CLASS_64_LITTLE_ENDIAN_1, 0, 0, ET_EXEC | (MACHINE << 16), 1, entry, 0, HEADER);
      words(36, 0, 0, 0, 0, HEADER | (PROGRAM_HEADER << 16), SEGMENTS, 0);
      segment(0, PT_LOAD, READ_EXECUTE, 0, CODE_BASE, codeSize);
      segment(1, PT_LOAD, READ_WRITE, dataAt, DATA_BASE, size);
      segment(2, PT_GNU_STACK, READ_WRITE, 0, 0, 0);
      memory.putBytes(file + CODE_AT, launcher.code);
      const stubAt = CODE_AT + launcher.code.length;
      memory.putBytes(file + stubAt, entryStub(task, CODE_AT + launcher.entry - stubAt));
      return { address: file, size: dataAt + size };
    },
  };
}
