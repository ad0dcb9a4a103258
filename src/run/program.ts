/** Executables in memory: the child's, until it is init, and the waiting program that ns becomes. */
import { F, MFD } from "../sys/constants.ts";
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
export function draftProgram(room: number, from: Memory = arena()): Draft {
  const address = from.reserve(TASK_WORD + room);
  // what is between its parts must not be what was there before
  from.clear(address, TASK_WORD + room);
  const memory = createMemory(from.buffer, DATA_BASE, from.offsetOf(address), TASK_WORD + room);
  memory.reserve(TASK_WORD);
  return { memory, address };
}

/** Programs that were made before, for the next start of the same: their content is sealed. */
export interface Programs {
  /** a descriptor of one of just this content, or null */
  find(content: Uint8Array): number | null;
  keep(content: Uint8Array, fd: number): void;
  close(): void;
}

/** @param most as many are kept */
export function createPrograms(most: number): Programs {
  const known: { content: Uint8Array; fd: number }[] = [];
  const copy = (fd: number): number => call("fcntl", fd, F.F_DUPFD_CLOEXEC, 0);
  return {
    find(content) {
      const at = known.findIndex((one) => Buffer.compare(one.content, content) === 0);
      if (at < 0) return null;
      const [found] = known.splice(at, 1);
      known.push(found!);
      return copy(found!.fd);
    },
    keep(content, fd) {
      const own = copy(fd);
      if (own < 0) return;
      if (known.length === most) close(known.shift()!.fd);
      known.push({ content: content.slice(), fd: own });
    },
    close() {
      for (const { fd } of known.splice(0)) close(fd);
    },
  };
}

/**
 * Writes the program into a sealed file in memory, close-on-exec.
 * @param task address of the task that it runs
 * @param known programs that may be used again
 * @returns its descriptor, or -errno where executing from memory is forbidden (vm.memfd_noexec) or not known
 */
export function writeProgram({ memory, address }: Draft, task: number, known?: Programs): number {
  memory.putI64(DATA_BASE, task);
  const size = memory.used();
  const content = new Uint8Array(memory.buffer, memory.offsetOf(DATA_BASE), size);
  const before = known?.find(content) ?? null;
  if (before !== null) return before;
  const fd = seal(address, size);
  if (fd >= 0) known?.keep(content, fd);
  return fd;
}

function seal(address: number, size: number): number {
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
