/**
 * The end of a run: says how it ended, why, and removes its cgroup. ns itself calls it if it has waited itself; otherwise
 * the waiting program becomes ns again for it (plan/wait.ts), with the state as its arguments.
 */
import { type Cgroup, hasLeft, removeCgroup, type Self, wasOutOfMemory } from "../host/cgroup/cgroup.ts";
import { TIMED_OUT } from "../plan/supervise.ts";
import { showDuration } from "../spec/duration.ts";
import { EXIT } from "../spec/error.ts";
import { removeWork } from "../host/work.ts";
import type { Work } from "../spec/mounts.ts";
import { showSize } from "../spec/size.ts";
import type { Spec } from "../spec/spec.ts";
import { SIGNALS, signalName } from "../sys/constants.ts";
import { call } from "../sys/kernel.ts";
import type { Outcome, Progress } from "./outcome.ts";
import { afterPost, isReady, type PostDraft } from "./post.ts";
import { endingOf, reapNow, statusOf } from "./task.ts";

export type { Outcome, Progress } from "./outcome.ts";

/** The name (argv[0]) by which ns knows that it is called for an end. */
export const END_NAME = "ns-end";

/** What the end has to know; survives as JSON. */
export interface EndState {
  readonly self: Self;
  readonly cgroup: Cgroup | null;
  /** the limit as the user reads it */
  readonly memory: string | null;
  readonly verbose: boolean;
  /** as long as init might run, as the user reads it */
  readonly timeout: string | null;
  /** process 1 was ns's own, which tells by its exit status of the signal that ended init */
  readonly reaper: boolean;
  readonly post: PostDraft | null;
  /** the directory to remove of an overlay */
  readonly work: Work | null;
}

/** The end has more to say or to do than the waiting program can, whatever it is. */
export const needsNs = ({ verbose, cgroup, timeout, post }: EndState): boolean =>
  verbose || (cgroup !== null && hasLeft(cgroup)) || timeout !== null || isReady(post);

/**
 * Ends the run, but for its post script.
 * @param waited init's wait status, and TIMED_OUT
 * @param dismiss ends the watcher: as late as possible, so that a SIGKILL even now leaves nothing
 */
export function endRun(
  state: EndState,
  waited: number,
  dismiss: () => void,
  progress: Progress | null,
): Outcome {
  const { cgroup, memory, timeout } = state;
  const ending = endingOf(waited);
  const status = statusOf(ending);
  progress?.(
    "exited" in ending ? `exit: status ${ending.exited}` : `exit: killed by ${signalName(ending.signal)}`,
  );
  let cause: string | null = null;
  const killed = status === 128 + SIGNALS.SIGKILL && ("signal" in ending || state.reaper);
  if (memory !== null && cgroup !== null && killed && wasOutOfMemory(cgroup))
    cause = `init was killed: out of its ${memory} memory limit`;
  clearAway(state, dismiss, progress);
  if ((waited & TIMED_OUT) === 0) return { status, cause };
  return { status: EXIT.timedOut, cause: `stopped after its timeout of ${timeout}` };
}

/** Removes the cgroup and ends the watcher. @param dismiss may be called twice */
export function clearAway(
  { cgroup, self, work }: Pick<EndState, "cgroup" | "self" | "work">,
  dismiss: () => void,
  progress: Progress | null,
): void {
  if (work !== null) removeWork(work);
  // in ns's own leaf the watcher would be in the way (host/cgroup/parent.ts)
  if (cgroup !== null && hasLeft(cgroup)) dismiss();
  const inUse = cgroup === null ? [] : removeCgroup(cgroup, self);
  for (const directory of inUse) progress?.(`cgroup: ${directory} is in use; the next start removes it`);
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
  const told = state.verbose ? progress : null;
  return afterPost(endRun(state, Number(status), dismiss, told), state.post, told);
}

/** The state of a run for its end. */
export const endState = (
  self: Self,
  cgroup: Cgroup | null,
  { limits: { memory }, process: { reaper, stop } }: Spec,
  post: PostDraft | null,
  verbose: boolean,
  work: Work | null,
): EndState => ({
  self: { pid: self.pid, uid: self.uid },
  cgroup,
  memory: memory === null ? null : showSize(memory),
  ...{ verbose, reaper, post, work },
  timeout: stop.timeout === null ? null : showDuration(stop.timeout),
});
