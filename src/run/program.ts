/** Executables in memory: the child's, until it is init, and the waiting program that ns becomes. */
import type { Draft } from "../plan/elf.ts";
import { MFD } from "../sys/constants.ts";
import { errnoNumber } from "../sys/errno.ts";
import { close } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";

const F_ADD_SEALS = 1033;
/** seal, shrink, grow, write */
const ALL_SEALS = 0xf;

/**
 * Writes a program into a sealed file in memory, close-on-exec.
 * @returns its descriptor, or -errno where executing from memory is forbidden (vm.memfd_noexec) or not known
 */
export function writeProgram(draft: Draft, task: number): number {
  const { address, size } = draft.finish(task);
  return scratch((memory) => {
    const name = memory.placeString("ns");
    let fd = call("memfd_create", name, MFD.MFD_CLOEXEC | MFD.MFD_ALLOW_SEALING | MFD.MFD_EXEC);
    // before Linux 6.3 there was no such flag, and every such file could be executed
    if (fd === -errnoNumber("EINVAL"))
      fd = call("memfd_create", name, MFD.MFD_CLOEXEC | MFD.MFD_ALLOW_SEALING);
    if (fd < 0) return fd;
    if (call("write", fd, address, size) === size && call("fcntl", fd, F_ADD_SEALS, ALL_SEALS) === 0)
      return fd;
    close(fd);
    return -errnoNumber("EIO");
  });
}
