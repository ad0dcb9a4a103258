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
import { explainHead, interpreterOf } from "./format.ts";

export interface Problem {
  /** the file is not there, as opposed to: it is there and cannot be executed */
  readonly missing: boolean;
  /** what is wrong, to be read after the file's name: "is not executable" */
  readonly text: string;
  readonly note?: string;
}

const HEAD = 4096;
const ST_NOEXEC = 8;
/** As many interpreters of interpreters the kernel follows (execve(2), ELOOP). */
const DEEPEST = 4;

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

/** Does the open file lie in the root's own /proc? There will be a fresh one over it, with other files. */
function isInProc(root: number, fd: number): boolean {
  const top = readLink(`/proc/self/fd/${root}`);
  const path = readLink(`/proc/self/fd/${fd}`);
  if (typeof top !== "string" || typeof path !== "string") return false;
  return path.startsWith(`${top === "/" ? "" : top}/proc/`);
}

const COVERED = "lies in the root's own /proc, which a fresh one will cover";

/** What keeps an open file from being executed, apart from its interpreter. */
function inspectFile(root: number, fd: number): Problem | null {
  const status = statusOf(fd);
  const fileSystem = fileSystemOf(fd);
  if (isInProc(root, fd)) return cannot(COVERED);
  if (typeof status === "number") return cannot(`cannot be read: ${errnoText(-status)}`);
  if ((status.mode & S_IFMT) === S_IFDIR) return cannot("is a directory");
  if ((status.mode & S_IFMT) !== S_IFREG) return cannot("is not a regular file");
  if ((status.mode & 0o111) === 0) return cannot("is not executable", "chmod +x it");
  if (typeof fileSystem !== "number" && (fileSystem.flags & ST_NOEXEC) !== 0)
    return cannot("is on a file system mounted noexec", "remount that with exec: mount -o remount,exec …");
  return null;
}

/**
 * What is wrong with the interpreter of a file that begins so.
 * @param depth how many interpreters to look into; 0: only whether the first is there
 */
function inspectInterpreter(root: number, head: Bytes | null, depth: number): Problem | null {
  const interpreter = head === null ? null : interpreterOf(head);
  if (head === null || interpreter === null) return null;
  const isScript = head.startsWith("#!");
  const what = `${isScript ? "is a script for" : "needs the loader"} ${show(interpreter)}`;
  const fd = openResolved(root, interpreter, O.O_PATH, RESOLVE_IN_ROOT);
  if (fd < 0) {
    let note = isScript ? undefined : "install the C library it was built for";
    if (interpreter.endsWith("\r")) note = "the script has DOS line ends: remove the carriage returns";
    return cannot(`${what}, which is not in the root`, note);
  }
  let problem = depth === 0 ? null : inspectFile(root, fd);
  if (depth === 0 && isInProc(root, fd)) problem = cannot(COVERED);
  // which loader a loader asks for the kernel does not care
  if (depth > 0 && problem === null && isScript) problem = inspectInterpreter(root, headOf(fd), depth - 1);
  close(fd);
  return problem && cannot(`${what}, which ${problem.text}`, problem.note);
}

/**
 * What keeps the file from being executed; null when nothing was found. Without openat2 (before Linux 5.6) nothing is.
 * @param thoroughly look at its interpreter too, which a start has no time for: the kernel will
 * @throws NsError when this process is out of descriptors
 */
export function inspectProgram(root: number, path: Bytes, thoroughly = false): Problem | null {
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
  const problem = inspectFile(root, fd);
  const head = problem === null ? headOf(fd) : null;
  close(fd);
  return problem ?? inspectInterpreter(root, head, thoroughly ? DEEPEST : 0);
}

/** Why the kernel did not know what to do with the file (ENOEXEC): with it, or with what it is a script for. */
function explainFormat(root: number, path: Bytes, depth = 0): Problem {
  const fd = openResolved(root, path, O.O_PATH, RESOLVE_IN_ROOT);
  const head = fd < 0 ? null : headOf(fd);
  if (fd >= 0) close(fd);
  const interpreter = head?.startsWith("#!") && depth < DEEPEST ? interpreterOf(head) : null;
  if (interpreter !== null) {
    const { text, note } = explainFormat(root, interpreter, depth + 1);
    return cannot(`is a script for ${show(interpreter)}, which ${text}`, note);
  }
  const { text, note } = explainHead(head);
  return cannot(text, note);
}

/** Why an exec has failed with this error; null when nothing was found. */
export const explainExec = (root: number, path: Bytes, errno: number): Problem | null =>
  errno === errnoNumber("ENOEXEC") ? explainFormat(root, path) : inspectProgram(root, path, true);
