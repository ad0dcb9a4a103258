/**
 * The watcher: a helper process that sees ns die, whatever the cause, and takes the container down with it. The child's
 * own parent-death signal is the first line, but an init can switch that off (prctl(2)); the watcher is out of its
 * reach. It shares ns's memory and executes these ops from it, so what ns changes while it waits is done too.
 */
import { type Bytes, show } from "../sys/bytes.ts";
import type { Work } from "../spec/mounts.ts";
import { AT_FDCWD, AT_REMOVEDIR, O, SIGNALS } from "../sys/constants.ts";
import type { ErrnoName } from "../sys/errno.ts";
import { type Arg, type Op, slot } from "./op.ts";

const POLLIN = 1;

/** Waits until the pipe's other end, which ns alone holds, is gone. */
export function watchPlan(life: readonly [number, number], closing: readonly number[]): Op[] {
  const step = "wait for the death of ns";
  return [
    // its own process group: what is sent to ns's whole group must not end the watcher first
    { call: "setpgid", args: [0, 0], step },
    ...[life[1], ...closing].map((fd): Op => ({ call: "close", args: [fd], step, fine: ["EBADF"] })),
    { call: "read", args: [life[0], { memory: new Uint8Array(1), means: "" }, 1], step },
  ];
}

/** Kills the container's init, and with it every process of its pid namespace, and waits until it is gone. */
export function endInit(pidfd: number): Op[] {
  const step = "kill the container";
  const poll = new Uint8Array(8);
  const view = new DataView(poll.buffer);
  view.setInt32(0, pidfd, true);
  view.setInt16(4, POLLIN, true);
  return [
    { call: "pidfd_send_signal", args: [pidfd, SIGNALS.SIGKILL, 0, 0], step, fine: ["ESRCH"] },
    { call: "ppoll", args: [{ memory: poll, means: "[{init, POLLIN}]" }, 1, 0, 0], step },
  ];
}

/** Kills the pre script and what it started, if that is still in its process group. */
export const endPre = (pid: number): Op => ({
  call: "kill",
  args: [-pid, SIGNALS.SIGKILL],
  step: "kill the pre script",
  fine: ["ESRCH"],
});

/** Kills a program that works beside the container, the leader of a session of its own. */
export const endHelper = (pid: number): Op => ({
  call: "kill",
  args: [-pid, SIGNALS.SIGKILL],
  step: "kill the network's helper",
  fine: ["ESRCH"],
});

/** What is to be taken away of a run's cgroup, in one hierarchy. */
export interface CgroupEnd {
  /** the run's own directory */
  readonly run: Bytes;
  /** the one below it that the processes are in; null: they are in the run's own */
  readonly inside?: Bytes | null;
  /** those that it is in, if they go too, innermost first */
  readonly goes: readonly Bytes[];
  /** the cgroup that ns left for a leaf below it (host/cgroup/parent.ts), to be as it was */
  readonly left: {
    readonly own: Bytes;
    readonly leaf: Bytes;
    readonly inner: readonly Bytes[];
    readonly controllers: readonly string[];
  } | null;
}

export const GONE_OR_IN_USE: readonly ErrnoName[] = [
  "ENOENT",
  "EBUSY",
  "ENOTEMPTY",
  "EACCES",
  "EPERM",
  "EROFS",
];

/** @param place where the path is in memory, if it is there already */
export const removeDirectory = (path: Bytes, place: Arg = path): Op => ({
  call: "unlinkat",
  args: [AT_FDCWD, place, AT_REMOVEDIR],
  step: `remove the cgroup ${path}`,
  fine: GONE_OR_IN_USE,
});

/** Removes the directory of an overlay, as far as it is empty. */
export function endWork({ path, isOwn }: Work): Op[] {
  const remove = (name: Bytes): Op => ({ ...removeDirectory(name), step: `remove ${show(name)}` });
  return [remove(`${path}/work`), ...(isOwn ? [remove(path)] : [])];
}

function writeTo(path: Bytes, content: string): Op[] {
  const step = `write ${content} to ${path}`;
  const fine: readonly ErrnoName[] = [
    "ENOENT",
    "EBUSY",
    "EACCES",
    "EPERM",
    "EROFS",
    "EBADF",
    "EINVAL",
    "ENODEV",
  ];
  return [
    { call: "openat", args: [AT_FDCWD, path, O.O_WRONLY | O.O_CLOEXEC, 0], step, save: "file", fine },
    { call: "write", args: [slot("file"), content, content.length], step, fine },
    { call: "close", args: [slot("file")], step, fine },
  ];
}

/** Removes the one that the processes were in, if it is not the run's own. */
export const endInside = ({ inside = null }: CgroupEnd): Op[] =>
  inside === null ? [] : [removeDirectory(inside)];

/**
 * Leaves the leaf that ns has moved to, and removes it.
 * @param others by which others leave it
 */
export function leaveLeaf(left: NonNullable<CgroupEnd["left"]>, others: readonly Op[] = []): Op[] {
  const off = left.controllers.map((name) => `-${name}`).join(" ");
  const leave: Op[] = [];
  for (const directory of left.inner) leave.push(...writeTo(`${directory}/cgroup.subtree_control`, off));
  return [...leave, ...writeTo(`${left.own}/cgroup.procs`, "0"), ...others, removeDirectory(left.leaf)];
}

/** Removes the run's cgroup in one hierarchy; what is in use goes with the next start. */
export function endCgroup(end: CgroupEnd): Op[] {
  const { goes, left } = end;
  return [
    ...endInside(end),
    removeDirectory(end.run),
    ...(left === null ? [] : leaveLeaf(left)),
    ...goes.map((directory) => removeDirectory(directory)),
  ];
}
