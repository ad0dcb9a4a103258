/** Executables in memory: the child's, until it is init, and the waiting program that ns becomes. */
import { MFD } from "../sys/constants.ts";
import { DATA_BASE, HEAD_SIZE } from "../sys/elf.ts";
import { errnoNumber } from "../sys/errno.ts";
import { close } from "../sys/file.ts";
import { arena, call, headAddress, scratch } from "../sys/kernel.ts";
import { createMemory, type Memory } from "../sys/memory.ts";

const F_ADD_SEALS = 1033;
/** seal, shrink, grow, write */
const ALL_SEALS = 0xf;
const TASK_WORD = 16;

export interface Draft {
  /** where to lay out what the program is to find, at the addresses that it will have there */
  readonly memory: Memory;
  /** where that is in the arena */
  readonly address: number;
}

/** Begins a program with room for so many bytes of data. */
export function draftProgram(room: number): Draft {
  const address = arena().reserve(TASK_WORD + room);
  const memory = createMemory(arena().buffer, DATA_BASE, arena().offsetOf(address), TASK_WORD + room);
  memory.reserve(TASK_WORD);
  return { memory, address };
}

/**
 * Writes the program into a sealed file in memory, close-on-exec.
 * @param task address of the task that it runs
 * @returns its descriptor, or -errno where executing from memory is forbidden (vm.memfd_noexec) or not known
 */
export function writeProgram({ memory, address }: Draft, task: number): number {
  memory.putI64(DATA_BASE, task);
  const size = memory.used();
  return scratch((own) => {
    const name = own.placeString("ns");
    let fd = call("memfd_create", name, MFD.MFD_CLOEXEC | MFD.MFD_ALLOW_SEALING | MFD.MFD_EXEC);
    // before Linux 6.3 there was no such flag, and every such file could be executed
    if (fd === -errnoNumber("EINVAL"))
      fd = call("memfd_create", name, MFD.MFD_CLOEXEC | MFD.MFD_ALLOW_SEALING);
    if (fd < 0) return fd;
    const written = call("write", fd, headAddress(), HEAD_SIZE) + call("write", fd, address, size);
    if (written === HEAD_SIZE + size && call("fcntl", fd, F_ADD_SEALS, ALL_SEALS) === 0) return fd;
    close(fd);
    return -errnoNumber("EIO");
  });
}
