/**
 * Which devices may be opened in a frozen start: the starter's own cgroup, found when it starts, and the list of version 1
 * that is written to the run's. Used by cgroup.ts; run/frozen/branches.ts decides.
 */
import { type Bytes, show } from "../../sys/bytes.ts";
import { AT_FDCWD, O } from "../../sys/constants.ts";
import { type Op, type Place, slot } from "../op.ts";
import type { FrozenBranch } from "./branch.ts";

/** Where the processes are whose devices are restricted: root inside could lift that in the one that it sees as its own. */
export const INSIDE = "inside";

/** Writes a file that is named below a directory. @param directory descriptor, or AT_FDCWD */
export function writeTo(directory: number, path: Bytes | Place, content: string, step: string): Op[] {
  return [
    {
      call: "openat",
      args: [directory, path, O.O_WRONLY | O.O_CLOEXEC, 0],
      step,
      save: "file",
    },
    { call: "write", args: [slot("file"), content, content.length], step },
    { call: "close", args: [slot("file")], step },
  ];
}

/**
 * Opens a directory or file under a number that is known; if that is not the starter's to do, something in its place.
 * @param instead what is opened then
 */
export function openAs(branch: FrozenBranch, open: Op, instead: Bytes): Op[] {
  if (!branch.isRoots) return [open];
  const [, , flags] = open.args;
  return [
    { ...open, onlyIf: "privileged", skipNext: true },
    { ...open, args: [AT_FDCWD, instead, flags!, 0] },
  ];
}

/** Is the starter one who may mount? A context of a file system is given to nobody else. */
export const askPrivilege = (): Op[] => {
  const step = "find what this process may do";
  const CLOEXEC = 1;
  return [
    { call: "fsopen", args: ["tmpfs", CLOEXEC], step, save: "privileged", fine: ["EPERM"] },
    { call: "close", args: [slot("privileged")], step, onlyIf: "privileged" },
  ];
};

/** Opens the starter's own cgroup. @param text empty memory for /proc/self/cgroup */
export function openOwn(branch: FrozenBranch, text: Place, size: number): Op[] {
  if (branch.own === null) return [];
  const step = `find this process's cgroup in ${show(branch.own.mount)} (for devices: --cgroup none freezes without it)`;
  const flags = O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC;
  const find: Op[] = [
    {
      call: "openat",
      args: [AT_FDCWD, "/proc/self/cgroup", O.O_RDONLY | O.O_CLOEXEC, 0],
      step,
      save: "file",
    },
    { call: "read", args: [slot("file"), text, size - 1], step },
    { call: "close", args: [slot("file")], step },
    { call: "behind", args: [text, branch.own.word], step, save: "place" },
    { call: "chdir", args: [branch.own.mount], step },
  ];
  return [
    ...find.map((op): Op => (branch.isRoots ? { ...op, onlyIf: "privileged" } : op)),
    ...openAs(branch, { call: "openat", args: [AT_FDCWD, slot("place"), flags, 0], step }, "/proc"),
  ];
}

/** The list of version 1: all is denied first. */
export function restrict({ devices }: FrozenBranch, lock: number): Op[] {
  if (devices === null) return [];
  const step = "restrict devices (--cgroup none freezes without that)";
  const allow: Op[] = devices.map(({ words, isUsual }) => ({
    call: "write",
    args: [slot("file"), words, words.length],
    step,
    ...(isUsual ? { fine: ["EPERM"] } : {}),
  }));
  const [open, , close] = writeTo(lock, "devices.allow", "", step);
  return [
    ...writeTo(lock, "devices.deny", "a", step),
    ...[open!, ...allow, close!],
    { call: "mkdirat", args: [lock, INSIDE, 0o755], step },
  ];
}
