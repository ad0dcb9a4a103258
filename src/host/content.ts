/** What --file makes a file of: the content of a descriptor of the caller's. Called by sources.ts. */
import { NsError } from "../spec/error.ts";
import type { Found } from "../spec/mounts.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { MFD } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { close, poll } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";

const CHUNK = 65536;

/** Waits until a descriptor can be read; throws when ns is asked to stop meanwhile. */
export type Wait = (descriptor: number) => void;

/** Reads a descriptor of the caller's to its end, into memory that the child inherits. @throws NsError */
export function contentOf(descriptor: number, target: Bytes, wait: Wait): Found {
  const fail = (errno: number): never => {
    throw new NsError(`cannot read descriptor ${descriptor} for ${show(target)}: ${errnoText(errno)}`, {
      errno,
    });
  };
  const fd = scratch((memory) => call("memfd_create", memory.placeString("file"), MFD.MFD_CLOEXEC));
  if (fd < 0) fail(-fd);
  let size = 0;
  const copy = (): number =>
    scratch((memory) => {
      const buffer = memory.reserve(CHUNK);
      const n = call("read", descriptor, buffer, CHUNK);
      if (n <= 0) return n;
      const written = call("write", fd, buffer, n);
      return written < 0 || written === n ? written : -errnoNumber("ENOSPC");
    });
  let result = 1;
  try {
    while (result > 0) {
      while (poll([descriptor], 0) === 0) wait(descriptor);
      result = copy();
      size += Math.max(result, 0);
    }
  } catch (error) {
    close(fd);
    throw error;
  }
  if (result === 0 && call("lseek", fd, 0, 0) === 0)
    return { path: target, isDirectory: false, descriptor: fd, size, below: [] };
  close(fd);
  return fail(-result);
}
