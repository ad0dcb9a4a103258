/** Joins an existing user namespace (--userns): looks at its ids, and starts the child in it. Called by start.ts and child.ts. */
import { joinError, mapsOf, openUser } from "../host/userns.ts";
import { encodeTask, type Task } from "../plan/encode.ts";
import type { Op } from "../plan/op.ts";
import { doorPlan, guestPlan } from "../plan/userns.ts";
import { NsError } from "../spec/error.ts";
import { isMapped, type UserMaps } from "../spec/ids.ts";
import { joinedUser, type Spec } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { CLONE, SIGNALS } from "../sys/constants.ts";
import { errnoNumber } from "../sys/errno.ts";
import { close } from "../sys/file.ts";
import { call, scratch, startTask } from "../sys/kernel.ts";
import { cannotStart, makePipe, reapNow } from "./task.ts";

/** how a task ends that has reported a failure (csrc/launcher.c) */
const SETUP_FAILED = 125;

export interface Joined {
  readonly namespace: number;
  readonly maps: UserMaps;
  /** closes the namespace; again does nothing */
  leave(): void;
}

/** What has come through a pipe: null for a byte, the errno of the op that failed, or ESRCH for a process that was killed. */
const failureIn = (pipe: number): number | null =>
  scratch((memory) => {
    const failure = memory.reserve(8);
    const n = call("read", pipe, failure, 8);
    return n === 1 ? null : n === 8 ? memory.getU32(failure + 4) : errnoNumber("ESRCH");
  });

/** Looks at the namespace from without, through a process that has joined it for that. @throws NsError */
function lookInside(user: Bytes, namespace: number): UserMaps {
  const pipe = makePipe("to a process in the user namespace");
  const told = makePipe("from a process in the user namespace");
  const task = encodeTask(guestPlan(namespace, pipe, told[1]), { flags: CLONE.CLONE_VM, report: told[1] });
  const pid = startTask(task.address);
  close(told[1]);
  try {
    if (pid < 0) throw cannotStart("a process", -pid);
    const failure = failureIn(told[0]);
    if (failure !== null) throw joinError(user, namespace, failure);
    const maps = mapsOf(pid);
    if (maps === null) throw new NsError("cannot read from /proc which ids a user namespace has");
    return maps;
  } finally {
    if (pid > 0) {
      call("kill", pid, SIGNALS.SIGKILL);
      reapNow(pid);
    }
    for (const end of [...pipe, told[0]]) close(end);
  }
}

/** Opens the user namespace that the container is to join; null: none. @throws NsError when it cannot be joined */
export function joinUser(spec: Spec): Joined | null {
  const user = joinedUser(spec);
  if (user === null) return null;
  let namespace = openUser(user);
  const leave = (): void => {
    if (namespace >= 0) close(namespace);
    namespace = -1;
  };
  try {
    const maps = lookInside(user, namespace);
    const lacks = isMapped(maps.uids, 0) ? (isMapped(maps.gids, 0) ? null : "gid") : "uid";
    if (lacks !== null && spec.ids.as === null)
      throw new NsError(`the user namespace has no ${lacks} 0 for init to be`, {
        note: "say with --as what it is to be: --as UID:GID",
      });
    return { namespace, maps, leave };
  } catch (error) {
    leave();
    throw error;
  }
}

/**
 * Starts a task as a child of ns's in the namespace, and leaves that.
 * @param report the pipe that failures are reported through, which nothing has come through yet
 * @param base as in TaskOptions
 * @returns its process id, or -errno, and its task, which has the pidfd if the flags have CLONE_PIDFD
 */
export function startInside(
  { namespace, leave }: Joined,
  ops: readonly Op[],
  flags: number,
  report: readonly [number, number],
  base: number,
): { readonly pid: number; readonly task: Task } {
  const task = encodeTask(doorPlan(namespace, ops, flags, base), {
    ...{ flags: CLONE.CLONE_VM, report: report[1], base: 0 },
  });
  const door = startTask(task.address);
  leave(); // the watcher, and what else ns starts, need not have it
  if (door < 0) return { pid: door, task };
  const status = scratch((memory) => {
    const raw = memory.reserve(4);
    return call("wait4", door, raw, 0, 0) === door ? memory.getI32(raw) : -1;
  });
  if (status === SETUP_FAILED << 8) return { pid: -failureIn(report[0])!, task };
  if (status !== 0) return { pid: -errnoNumber("ESRCH"), task };
  const pid = task.saved("child");
  if ((flags & CLONE.CLONE_PIDFD) === 0) return { pid, task };
  const pidfd = call("pidfd_open", pid, 0);
  if (pidfd >= 0) return { pid, task: { ...task, pidfd: () => pidfd } };
  call("kill", pid, SIGNALS.SIGKILL);
  reapNow(pid);
  return { pid: pidfd, task };
}
