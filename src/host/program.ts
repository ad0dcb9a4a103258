/**
 * Can this file inside the root be executed? Asked before anything is started, so that a run which cannot work starts
 * nothing, and again when an exec has failed, to tell why. The root is hostile: every look into it is by openat2(2) with
 * RESOLVE_IN_ROOT, which resolves links as the container will and never leaves the root.
 */
import { NsError } from "../spec/error.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { O, RESOLVE_IN_ROOT, S_IFDIR, S_IFMT, S_IFREG } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { close, fileSystemOf, open, openResolved, readAll, readLink, statusOf } from "../sys/file.ts";

export interface Problem {
  /** the file is not there, as opposed to: it is there and cannot be executed */
  readonly missing: boolean;
  /** what is wrong, to be read after the file's name: "is not executable" */
  readonly text: string;
  readonly note?: string;
}

const HEAD = 4096;
const ST_NOEXEC = 8;
const PT_INTERP = 3;

const cannot = (text: string, note?: string): Problem =>
  note === undefined ? { missing: false, text } : { missing: false, text, note };

/**
 * The start of a regular file that is open as a path; null when this process may not read it. The file itself is read, not
 * its name again: that may be a device by now.
 */
function headOf(fd: number): Bytes | null {
  const readable = open(`/proc/self/fd/${fd}`, O.O_RDONLY | O.O_NONBLOCK);
  if (readable < 0) return null;
  const head = readAll(readable, HEAD);
  close(readable);
  return typeof head === "string" ? head : null;
}

/** The interpreter of a script (execve(2), "Interpreter scripts"), or the loader that an ELF program asks for. */
export function interpreterOf(head: Bytes): Bytes | null {
  if (head.startsWith("#!")) return /^#![ \t]*([^ \t\n\0]+)/.exec(head)?.[1] ?? null;
  if (!head.startsWith("\x7fELF\x02\x01")) return null;
  const number = (at: number, size: number): number => {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (head.charCodeAt(at + i) || 0);
    return value;
  };
  const headers = number(32, 8);
  const size = number(54, 2);
  for (let i = 0; i < number(56, 2); i++) {
    const at = headers + i * size;
    if (at + 56 > head.length) break;
    if (number(at, 4) !== PT_INTERP) continue;
    const start = number(at + 8, 8);
    const path = head.slice(start, start + number(at + 32, 8) - 1);
    return path === "" ? null : path;
  }
  return null;
}

/** Does the open file lie in the root's own /proc? There will be a fresh one over it, with other files. */
function isInProc(root: number, fd: number): boolean {
  const top = readLink(`/proc/self/fd/${root}`);
  const path = readLink(`/proc/self/fd/${fd}`);
  if (typeof top !== "string" || typeof path !== "string") return false;
  return path.startsWith(`${top === "/" ? "" : top}/proc/`);
}

const COVERED = "lies in the root's own /proc, which a fresh one will cover";

function findInterpreter(root: number, head: Bytes | null): Problem | null {
  const interpreter = head === null ? null : interpreterOf(head);
  if (head === null || interpreter === null) return null;
  const name = show(interpreter);
  const fd = openResolved(root, interpreter, O.O_PATH, RESOLVE_IN_ROOT);
  if (fd >= 0) {
    const covered = isInProc(root, fd);
    close(fd);
    return covered ? cannot(`needs ${name}, which ${COVERED}`) : null;
  }
  if (!head.startsWith("#!"))
    return cannot(
      `needs the loader ${name}, which is not in the root`,
      "install the C library it was built for",
    );
  const note = interpreter.endsWith("\r")
    ? "the script has DOS line ends: remove the carriage returns"
    : undefined;
  return cannot(`is a script for ${name}, which is not in the root`, note);
}

/**
 * What keeps the file from being executed; null when nothing was found. Without openat2 (before Linux 5.6) nothing is.
 * @throws NsError when this process is out of descriptors
 */
export function inspectProgram(root: number, path: Bytes): Problem | null {
  const fd = openResolved(root, path, O.O_PATH, RESOLVE_IN_ROOT);
  if (fd === -errnoNumber("ENOSYS") || fd === -errnoNumber("EPERM")) return null;
  if (fd < 0) {
    const missing = fd === -errnoNumber("ENOENT") || fd === -errnoNumber("ENOTDIR");
    if (fd === -errnoNumber("EMFILE") || fd === -errnoNumber("ENFILE"))
      throw new NsError(`cannot look at ${show(path)} in the root: ${errnoText(-fd)}`, { errno: -fd });
    if (!missing) return cannot(`cannot be reached: ${errnoText(-fd)}`);
    const link = openResolved(root, path, O.O_PATH | O.O_NOFOLLOW, RESOLVE_IN_ROOT);
    if (link < 0) return { missing, text: "is not there" };
    close(link);
    return { missing, text: "is a link to something that is not in the root" };
  }
  const status = statusOf(fd);
  const fileSystem = fileSystemOf(fd);
  const covered = isInProc(root, fd);
  const regular = typeof status !== "number" && (status.mode & S_IFMT) === S_IFREG;
  const head = regular && !covered ? headOf(fd) : null;
  close(fd);
  if (covered) return cannot(COVERED);
  if (typeof status === "number") return cannot(`cannot be read: ${errnoText(-status)}`);
  if ((status.mode & S_IFMT) === S_IFDIR) return cannot("is a directory");
  if ((status.mode & S_IFMT) !== S_IFREG) return cannot("is not a regular file");
  if ((status.mode & 0o111) === 0) return cannot("is not executable", "chmod +x it");
  if (typeof fileSystem !== "number" && (fileSystem.flags & ST_NOEXEC) !== 0)
    return cannot("is on a file system mounted noexec", "remount that with exec: mount -o remount,exec …");
  return findInterpreter(root, head);
}

/** Why the kernel did not know what to do with the file (ENOEXEC). */
export function explainFormat(root: number, path: Bytes): Problem {
  const fd = openResolved(root, path, O.O_PATH, RESOLVE_IN_ROOT);
  const head = fd < 0 ? null : headOf(fd);
  if (fd >= 0) close(fd);
  if (head === "") return cannot("is empty");
  if (head?.startsWith("\x7fELF")) return cannot("is a program for another kind of machine");
  return cannot("is neither a program nor a script with a #! line", "begin the script with #!/bin/sh");
}
