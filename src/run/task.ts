/** Starts tasks of ops as processes and learns how they fare. The bridge from plans to the launcher. */
import { encodeTask, type Task } from "../plan/encode.ts";
import type { Op } from "../plan/op.ts";
import { NsError } from "../spec/error.ts";
import { WNOHANG } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { close, pipe, poll } from "../sys/file.ts";
import { call, scratch, startTask } from "../sys/kernel.ts";

/** How a process ended. */
export type Ending = { readonly exited: number } | { readonly signal: number };

/** The exit status that ns passes on: the process's own, or 128 plus the signal. */
export const statusOf = (ending: Ending): number =>
  "exited" in ending ? ending.exited : 128 + ending.signal;

export interface Started {
  readonly pid: number;
  readonly task: Task;
  /** the pipe's end on which a failing op is reported; end of file means that the exec has happened */
  readonly report: number;
}

/** A pipe, or an NsError that says which. @param flags more O_ flags */
export function makePipe(purpose: string, flags = 0): [number, number] {
  const ends = pipe(flags);
  if (typeof ends === "number")
    throw new NsError(`cannot make a pipe ${purpose}: ${errnoText(-ends)}`, { errno: -ends });
  return ends;
}

const TOO_MANY = "the limit of processes is reached (ulimit -u, the cgroup's pids.max)";

/** A process could not be started. @param what it was to be, as in "the watcher" */
export const cannotStart = (what: string, errno: number): NsError =>
  new NsError(`cannot start ${what}: ${errnoText(errno)}`, {
    errno,
    note: errno === errnoNumber("EAGAIN") ? TOO_MANY : undefined,
  });

/**
 * Starts a process that runs the ops and whose first failure is reported.
 * @returns what was started, or -errno of clone(2)
 */
export function startReported(ops: readonly Op[], flags: number): Started | number {
  const [report, reportChild] = makePipe("from the child");
  const task = encodeTask(ops, { flags, report: reportChild });
  const pid = startTask(task.address);
  close(reportChild);
  if (pid > 0) return { pid, task, report };
  close(report);
  return pid;
}

/**
 * Waits until the started process has executed its program or has failed.
 * @param wait returns when the descriptor may have something to read
 * @returns null for success, else the index of the failing op and its errno
 */
export function awaitReport(
  started: Started,
  wait: (descriptor: number) => void,
): { op: number; errno: number } | null {
  while (poll([started.report], 0) === 0) wait(started.report);
  const result = scratch((memory) => {
    const failure = memory.reserve(8);
    const n = call("read", started.report, failure, 8);
    return n === 8 ? { op: memory.getU32(failure), errno: memory.getU32(failure + 4) } : null;
  });
  close(started.report);
  return result;
}

/** Reaps the process if it has ended; null while it runs. */
export function reap(pid: number): Ending | null {
  return scratch((memory) => {
    const status = memory.reserve(4);
    const reaped = call("wait4", pid, status, WNOHANG, 0);
    if (reaped === -errnoNumber("ECHILD")) return { exited: 125 };
    if (reaped !== pid) return null;
    return endingOf(memory.getI32(status));
  });
}

/** A wait status in words (wait(2)). */
export function endingOf(raw: number): Ending {
  const signal = raw & 127;
  return signal === 0 ? { exited: (raw >> 8) & 255 } : { signal };
}

/** Reaps a process that is as good as dead. */
export function reapNow(pid: number): void {
  scratch((memory) => call("wait4", pid, memory.reserve(4), 0, 0));
}
