/**
 * The end of a run: says how it ended, why, and removes its cgroup. ns itself calls it if it has waited itself; otherwise
 * the waiting program becomes ns again for it (plan/wait.ts), with the state as its arguments.
 */
import { type Cgroup, removeCgroup, type Self, wasOutOfMemory } from "../host/cgroup/cgroup.ts";
import { showSize } from "../spec/size.ts";
import { SIGNALS, signalName } from "../sys/constants.ts";
import { call } from "../sys/kernel.ts";
import { type Ending, endingOf, reapNow, statusOf } from "./task.ts";

/** The name (argv[0]) by which ns knows that it is called for an end. */
export const END_NAME = "ns-end";

/** What the end has to know; survives as JSON. */
export interface EndState {
  readonly self: Self;
  readonly cgroup: Cgroup | null;
  /** the limit as the user reads it */
  readonly memory: string | null;
  readonly verbose: boolean;
}

export interface Outcome {
  /** init's exit status, or 128 plus the signal that ended it */
  readonly status: number;
  /** why init was killed, when it was the memory limit */
  readonly cause: string | null;
}

/** Told one line a step, for -v. */
export type Progress = (line: string) => void;

/**
 * Ends the run.
 * @param dismiss ends the watcher: as late as possible, so that a SIGKILL even now leaves nothing
 */
export function endRun(
  state: EndState,
  ending: Ending,
  dismiss: () => void,
  progress: Progress | null,
): Outcome {
  const { cgroup, memory } = state;
  progress?.(
    "exited" in ending ? `exit: status ${ending.exited}` : `exit: killed by ${signalName(ending.signal)}`,
  );
  let cause: string | null = null;
  if (cgroup !== null && "signal" in ending && ending.signal === SIGNALS.SIGKILL && wasOutOfMemory(cgroup))
    cause = `init was killed: out of its ${memory} memory limit`;
  clearAway(state, dismiss, progress);
  return { status: statusOf(ending), cause };
}

/** Removes the cgroup and ends the watcher. @param dismiss may be called twice */
export function clearAway(
  { cgroup, self }: Pick<EndState, "cgroup" | "self">,
  dismiss: () => void,
  progress: Progress | null,
): void {
  // in ns's own leaf the watcher would be in the way (host/cgroup/tree.ts)
  if (cgroup?.parent.left != null) dismiss();
  if (cgroup !== null && !removeCgroup(cgroup, self))
    progress?.(`cgroup: ${cgroup.directory} is in use; the next start removes it`);
  dismiss();
}

/** The end of a run that the waiting program has waited for. @param words what it gave as arguments */
export function endAfterWaiting(words: readonly string[], progress: Progress): Outcome {
  const [json, status, watcher] = words;
  const state = JSON.parse(json!) as EndState;
  let pid = Number(watcher);
  const dismiss = (): void => {
    if (pid === 0) return;
    call("kill", pid, SIGNALS.SIGKILL);
    reapNow(pid);
    pid = 0; // it may be somebody else's from now on
  };
  return endRun(state, endingOf(Number(status)), dismiss, state.verbose ? progress : null);
}

/** The state of a run for its end. */
export const endState = (
  self: Self,
  cgroup: Cgroup | null,
  memory: bigint | null,
  verbose: boolean,
): EndState => ({
  self: { pid: self.pid, uid: self.uid },
  cgroup,
  memory: memory === null ? null : showSize(memory),
  verbose,
});
