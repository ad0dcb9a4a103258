/**
 * Files, directories and pipes by raw system calls, for names that are bytes. A result below zero is -errno; nothing
 * here throws. Used by host/ to read what the kernel tells and to write cgroups and id maps.
 */
import type { Bytes } from "./bytes.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, O } from "./constants.ts";
import { call, scratch } from "./kernel.ts";

const CHUNK = 65536;
const POLLIN = 1;

/** openat(2), always close-on-exec. */
export const open = (path: Bytes, flags: number, directory = AT_FDCWD): number =>
  scratch((memory) => call("openat", directory, memory.placeString(path), flags | O.O_CLOEXEC, 0));

/** openat(2) of a file that is made or emptied, for its owner alone; -ELOOP when a link stands in its place. */
export const openNew = (path: Bytes): number =>
  scratch((memory) => {
    const flags = O.O_WRONLY | O.O_CREAT | O.O_TRUNC | O.O_NOFOLLOW | O.O_CLOEXEC;
    return call("openat", AT_FDCWD, memory.placeString(path), flags, 0o600);
  });

const EAGAIN = 11;
/** openat2(2) says EAGAIN when anything at all has been renamed or mounted meanwhile; so often it is asked. */
const TRIES = 1000;

/** openat2(2), close-on-exec, with RESOLVE_ flags. */
export const openResolved = (directory: number, path: Bytes, flags: number, resolve: number): number =>
  scratch((memory) => {
    const how = memory.reserve(24);
    memory.putI64(how, flags | O.O_CLOEXEC);
    memory.putI64(how + 8, 0);
    memory.putI64(how + 16, resolve);
    const name = memory.placeString(path);
    let result = -EAGAIN;
    for (let i = 0; result === -EAGAIN && i < TRIES; i++) result = call("openat2", directory, name, how, 24);
    return result;
  });

export const close = (fd: number): number => call("close", fd);

/** Reads a descriptor to its end, at most `limit` bytes. */
export function readAll(fd: number, limit = 1 << 20): Bytes | number {
  return scratch((memory) => {
    const buffer = memory.reserve(CHUNK);
    let out = "";
    while (out.length < limit) {
      const n = call("read", fd, buffer, Math.min(CHUNK, limit - out.length));
      if (n < 0) return n;
      if (n === 0) break;
      out += memory.takeBytes(buffer, n);
    }
    return out;
  });
}

/** The content of a file, at most `limit` bytes. */
export function readFile(path: Bytes, limit?: number, directory = AT_FDCWD): Bytes | number {
  const fd = open(path, O.O_RDONLY, directory);
  if (fd < 0) return fd;
  const content = readAll(fd, limit);
  close(fd);
  return content;
}

/** Writes an existing file in one write(2), as the kernel's own files want it; 0 or -errno. */
export function writeFile(path: Bytes, content: Bytes): number {
  const fd = open(path, O.O_WRONLY);
  if (fd < 0) return fd;
  const n = write(fd, content);
  close(fd);
  return Math.min(n, 0);
}

export const write = (fd: number, content: Bytes): number =>
  scratch((memory) => call("write", fd, memory.placeString(content), content.length));

/** 0 when the path may be used in this way (1 execute, 2 write, 4 read) by the effective ids. */
export const access = (path: Bytes, mode: number): number =>
  scratch((memory) => {
    const effective = 0x200;
    const address = memory.placeString(path);
    const result = call("faccessat2", AT_FDCWD, address, mode, effective);
    return result === -38 ? call("faccessat", AT_FDCWD, address, mode) : result;
  });

export const makeDirectory = (path: Bytes): number =>
  scratch((memory) => call("mkdirat", AT_FDCWD, memory.placeString(path), 0o755));
export const removeDirectory = (path: Bytes, directory = AT_FDCWD): number =>
  scratch((memory) => call("unlinkat", directory, memory.placeString(path), AT_REMOVEDIR));

/** fchownat(2). */
export const changeOwner = (path: Bytes, uid: number, gid: number): number =>
  scratch((memory) => call("fchownat", AT_FDCWD, memory.placeString(path), uid, gid, 0));

/** What a symbolic link holds. */
export const readLink = (path: Bytes, directory = AT_FDCWD): Bytes | number =>
  scratch((memory) => {
    const buffer = memory.reserve(4096);
    const n = call("readlinkat", directory, memory.placeString(path), buffer, 4096);
    return n < 0 ? n : memory.takeBytes(buffer, n);
  });

/** The current working directory. */
export const workingDirectory = (): Bytes | number =>
  scratch((memory) => {
    const buffer = memory.reserve(4096);
    const n = call("getcwd", buffer, 4096);
    return n < 0 ? n : memory.takeBytes(buffer, n - 1);
  });

export interface Status {
  /** type and permissions */
  readonly mode: number;
  readonly uid: number;
  /** of a device file: its own numbers, as MAJOR:MINOR */
  readonly device: string;
}

/** What statx(2) tells about an open file. */
export const statusOf = (fd: number): Status | number =>
  scratch((memory) => {
    const buffer = memory.reserve(256);
    const basic = 0x7ff;
    const result = call("statx", fd, memory.placeString(""), AT_EMPTY_PATH, basic, buffer);
    if (result < 0) return result;
    return {
      mode: memory.getU16(buffer + 28),
      uid: memory.getU32(buffer + 20),
      device: `${memory.getU32(buffer + 128)}:${memory.getU32(buffer + 132)}`,
    };
  });

export interface Entry {
  readonly name: Bytes;
  readonly isDirectory: boolean;
}

/** What is in a directory, without . and .. (getdents64(2)). */
export function list(path: Bytes): Entry[] | number {
  const fd = open(path, O.O_RDONLY | O.O_DIRECTORY);
  if (fd < 0) return fd;
  const entries = listOpen(fd);
  close(fd);
  return entries;
}

/** The same of an open directory. */
export function listOpen(fd: number): Entry[] | number {
  const entries: Entry[] = [];
  const failed = scratch((memory) => {
    const buffer = memory.reserve(CHUNK);
    for (;;) {
      const n = call("getdents64", fd, buffer, CHUNK);
      if (n <= 0) return n;
      for (let at = buffer; at < buffer + n; at += memory.getU16(at + 16)) {
        const padded = memory.takeBytes(at + 19, memory.getU16(at + 16) - 19);
        const name = padded.slice(0, padded.indexOf("\0"));
        const typeIsDirectory = memory.takeBytes(at + 18, 1) === "\x04";
        if (name !== "." && name !== "..") entries.push({ name, isDirectory: typeIsDirectory });
      }
    }
  });
  return failed < 0 ? failed : entries;
}

/** The ends of a new close-on-exec pipe: read, write. @param flags more O_ flags */
export const pipe = (flags = 0): [number, number] | number =>
  scratch((memory) => {
    const ends = memory.reserve(8);
    const result = call("pipe2", ends, flags | O.O_CLOEXEC);
    return result < 0 ? result : [memory.getI32(ends), memory.getI32(ends + 4)];
  });

/**
 * Waits until one of the descriptors can be read or is at its end (ppoll(2)).
 * @param milliseconds at most; -1: for ever
 * @returns how many are ready, 0 when the time is up, or -errno
 */
export const poll = (descriptors: readonly number[], milliseconds: number): number =>
  scratch((memory) => {
    const list = memory.reserve(8 * descriptors.length);
    descriptors.forEach((fd, i) => {
      memory.putI64(list + 8 * i, fd + POLLIN * 2 ** 32);
    });
    let time = 0;
    if (milliseconds >= 0) {
      time = memory.reserve(16);
      memory.putI64(time, Math.floor(milliseconds / 1000));
      memory.putI64(time + 8, (milliseconds % 1000) * 1e6);
    }
    return call("ppoll", list, descriptors.length, time);
  });

/** The magic number and the ST_ flags of the file system that an open file or a path is on (statfs(2)). */
export const fileSystemOf = (file: number | Bytes): { type: number; flags: number } | number =>
  scratch((memory) => {
    const buffer = memory.reserve(128);
    const result =
      typeof file === "number"
        ? call("fstatfs", file, buffer)
        : call("statfs", memory.placeString(file), buffer);
    return result < 0 ? result : { type: memory.getU32(buffer), flags: memory.getU32(buffer + 80) };
  });
