/**
 * What a file is, by the directory that it lies in and its name, without going through a link: for trees that somebody
 * else has made. A result below zero is -errno; nothing here throws.
 */
import type { Bytes } from "./bytes.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, O, S_IFCHR, S_IFDIR, S_IFMT } from "./constants.ts";
import { errnoNumber } from "./errno.ts";
import { close, open } from "./file.ts";
import { call, scratch } from "./kernel.ts";

export interface Inode {
  /** type and permissions */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  /** bytes */
  readonly size: number;
  /** of a device file: its own numbers */
  readonly major: number;
  readonly minor: number;
  /** when it was written to: seconds since 1970, and nanoseconds */
  readonly seconds: number;
  readonly nanoseconds: number;
  /** the same for all names of a file, and for no other file */
  readonly id: string;
}

const AT_NO_AUTOMOUNT = 0x800;
const BASIC = 0x7ff;

/** statx(2). @param name "": the open file itself */
export const inodeOf = (directory: number, name: Bytes): Inode | number =>
  scratch((memory) => {
    const at = memory.reserve(256);
    const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name === "" ? AT_EMPTY_PATH : 0);
    const result = call("statx", directory, memory.placeString(name), flags, BASIC, at);
    if (result < 0) return result;
    return {
      mode: memory.getU16(at + 28),
      uid: memory.getU32(at + 20),
      gid: memory.getU32(at + 24),
      links: memory.getU32(at + 16),
      size: memory.getI64(at + 40),
      major: memory.getU32(at + 128),
      minor: memory.getU32(at + 132),
      seconds: memory.getI64(at + 112),
      nanoseconds: memory.getU32(at + 120),
      // words: the numbers of some file systems take all 64 bits
      id: [136, 140, 32, 36].map((field) => memory.getU32(at + field)).join(),
    };
  });

export const isDirectory = ({ mode }: Inode): boolean => (mode & S_IFMT) === S_IFDIR;

/** How overlayfs notes in a directory for changes that a file is gone (overlayfs.rst). */
export const isWhiteout = ({ mode, major, minor }: Inode): boolean =>
  (mode & S_IFMT) === S_IFCHR && major === 0 && minor === 0;

/** A path to the very file that is open. */
const byDescriptor = (fd: number): Bytes => `/proc/self/fd/${fd}`;

/** Sets the permissions of an open file, one of O_PATH too (open(2)); 0 or -errno. */
export const chmodOpen = (fd: number, mode: number): number =>
  scratch((memory) => call("fchmodat", AT_FDCWD, memory.placeString(byDescriptor(fd)), mode));

/** Sets the owners of an open file; 0 or -errno. */
export const chownOpen = (fd: number, uid: number, gid: number): number =>
  scratch((memory) => call("fchownat", fd, memory.placeString(""), uid, gid, AT_EMPTY_PATH));

/** A file that was opened, and the permissions to set again in the end (null: they are as they were). */
export interface Opened {
  readonly fd: number;
  readonly before: number | null;
}

/**
 * Opens a file without going through a link. An ordinary user's own, where its permissions keep him out, is given others.
 * @param needed permissions that the caller has to have; root has them anyway
 * @returns -errno when it cannot be opened
 */
export function openOwn(directory: number, name: Bytes, flags: number, needed: number): Opened | number {
  const path = open(name, O.O_PATH | O.O_NOFOLLOW | (flags & O.O_DIRECTORY), directory);
  if (path < 0) return path;
  const inode = inodeOf(path, "");
  let before: number | null = null;
  if (typeof inode !== "number" && process.geteuid?.() !== 0 && (inode.mode & needed) !== needed) {
    const mode = inode.mode & 0o7777;
    if (inode.uid === process.geteuid?.() && chmodOpen(path, mode | needed) === 0) before = mode;
  }
  const fd = open(name, flags | O.O_NOFOLLOW, directory);
  if (fd < 0 && before !== null) chmodOpen(path, before);
  close(path);
  return fd < 0 ? fd : { fd, before };
}

/** The same of a directory, to look at what is in it. */
export const openDirectory = (directory: number, name: Bytes, needed = 0o500): Opened | number =>
  openOwn(directory, name, O.O_RDONLY | O.O_DIRECTORY, needed);

const LARGEST = 65536;

/** The names of an open directory's, or of a file's in it, extended attributes that the caller may see (xattr(7)). */
export function attributesOf(directory: number, name: Bytes): Bytes[] | number {
  return scratch((memory) => {
    const path = memory.placeString(`${byDescriptor(directory)}/${name}`);
    const buffer = memory.reserve(LARGEST);
    const n = call("llistxattr", path, buffer, LARGEST);
    if (n === -errnoNumber("EOPNOTSUPP")) return [];
    return n < 0 ? n : memory.takeBytes(buffer, n).split("\0").slice(0, -1);
  });
}

/** What an extended attribute holds; null when there is none of the name. */
export const attributeOf = (directory: number, name: Bytes, key: Bytes): Bytes | null | number =>
  scratch((memory) => {
    const path = memory.placeString(`${byDescriptor(directory)}/${name}`);
    const buffer = memory.reserve(LARGEST);
    const n = call("lgetxattr", path, memory.placeString(key), buffer, LARGEST);
    if (n === -errnoNumber("ENODATA") || n === -errnoNumber("EOPNOTSUPP")) return null;
    return n < 0 ? n : memory.takeBytes(buffer, n);
  });
