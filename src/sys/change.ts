/** Makes and changes what lies in a directory, by its name there, without going through a link. A result below zero is -errno. */
import type { Bytes } from "./bytes.ts";
import { AT_SYMLINK_NOFOLLOW } from "./constants.ts";
import { call, scratch } from "./kernel.ts";

/** mkdirat(2), with permissions; unlinkat(2), with AT_REMOVEDIR or 0. */
export const makeOrRemove = (
  what: "mkdirat" | "unlinkat",
  directory: number,
  name: Bytes,
  value: number,
): number => scratch((memory) => call(what, directory, memory.placeString(name), value));

/** symlinkat(2). */
export const makeLink = (target: Bytes, directory: number, name: Bytes): number =>
  scratch((memory) => call("symlinkat", memory.placeString(target), directory, memory.placeString(name)));

/** linkat(2): another name for a file. */
export const makeName = (from: number, old: Bytes, directory: number, name: Bytes): number =>
  scratch((memory) => call("linkat", from, memory.placeString(old), directory, memory.placeString(name), 0));

/** mknodat(2). @param mode type and permissions */
export const makeNode = (
  directory: number,
  name: Bytes,
  mode: number,
  major: number,
  minor: number,
): number => {
  // the kernel's 32-bit form (include/linux/kdev_t.h, new_encode_dev)
  const device = (minor & 0xff) + major * 0x100 + (minor >>> 8) * 0x100000;
  return scratch((memory) => call("mknodat", directory, memory.placeString(name), mode, device));
};

/** A new regular file, open for writing. */
export const makeFile = (directory: number, name: Bytes, flags: number, mode: number): number =>
  scratch((memory) => call("openat", directory, memory.placeString(name), flags, mode));

/** Gives a file another name in its directory, in place of what has it (rename(2)). */
export const renameIn = (directory: number, from: Bytes, to: Bytes): number =>
  scratch((memory) =>
    call("renameat2", directory, memory.placeString(from), directory, memory.placeString(to), 0),
  );

/** fchownat(2); -1: as it is. */
export const chownIn = (directory: number, name: Bytes, uid: number, gid: number): number =>
  scratch((memory) => call("fchownat", directory, memory.placeString(name), uid, gid, AT_SYMLINK_NOFOLLOW));

/** Sets when it was read and written to (utimensat(2)): since 1970. */
export const setTime = (directory: number, name: Bytes, seconds: number, nanoseconds: number): number =>
  scratch((memory) => {
    const times = memory.reserve(32);
    for (const at of [times, times + 16]) {
      memory.putI64(at, seconds);
      memory.putI64(at + 8, nanoseconds);
    }
    return call("utimensat", directory, memory.placeString(name), times, AT_SYMLINK_NOFOLLOW);
  });

const byDescriptor = (directory: number, name: Bytes): Bytes => `/proc/self/fd/${directory}/${name}`;

/** Sets an extended attribute, or removes it (null) (xattr(7)). */
export const setAttribute = (directory: number, name: Bytes, key: Bytes, value: Bytes | null): number =>
  scratch((memory) => {
    const path = memory.placeString(byDescriptor(directory, name));
    if (value === null) return call("lremovexattr", path, memory.placeString(key));
    return call("lsetxattr", path, memory.placeString(key), memory.placeString(value), value.length, 0);
  });
