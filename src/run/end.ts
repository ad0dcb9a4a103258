/**
 * The end of a run: says how it ended, why, and removes its cgroup. ns itself calls it if it has waited itself; otherwise
 * the waiting program becomes ns again for it (plan/wait.ts), with the state as its arguments.
 */
import { type Cgroup, forEnd, hasLeft, removeCgroup, type Self } from "../host/cgroup/cgroup.ts";
import { cgroupCpu, cgroupPeak, childrenCpu } from "../host/usage.ts";
import { TIMED_OUT } from "../plan/supervise.ts";
import { showDuration } from "../spec/duration.ts";
import { EXIT } from "../spec/error.ts";
import { removeWork } from "../host/work.ts";
import type { Work } from "../spec/mounts.ts";
import { showSize } from "../spec/size.ts";
import type { Spec } from "../spec/spec.ts";
import { SIGNALS, signalName } from "../sys/constants.ts";
import { call } from "../sys/kernel.ts";
import { causeOf, type Known } from "./cause.ts";
import type { Begun, Cause, Ended, Progress, Report } from "./outcome.ts";
import { afterPost, isReady, type PostDraft } from "./post.ts";
import { tellExited } from "./status.ts";
import { now } from "./supervise.ts";
import { endingOf, reapNow, statusOf } from "./task.ts";

export type { Ended, Outcome, Progress } from "./outcome.ts";

/** The name (argv[0]) by which ns knows that it is called for an end. */
export const END_NAME = "ns-end";

/** What the end has to know; survives as JSON. */
export interface EndState extends Known, Begun {
  readonly self: Self;
  readonly verbose: boolean;
  readonly post: PostDraft | null;
  /** the directory to remove of an overlay */
  readonly work: Work | null;
}

/** The end has more to say or to do than the waiting program can, whatever it is. */
export const needsNs = ({ verbose, status, cgroup, timeout, post }: EndState): boolean =>
  verbose || status !== null || (cgroup !== null && hasLeft(cgroup)) || timeout !== null || isReady(post);

/** To be called as long as the cgroup is there. */
function reportOf({ cgroup, before, since }: EndState, signal: number, cause: Cause | null): Report {
  const children = childrenCpu();
  const cpu = (cgroup === null ? null : cgroupCpu(cgroup)) ?? {
    user: children.user - (before?.user ?? 0),
    system: children.system - (before?.system ?? 0),
  };
  return {
    signal: signal === 0 ? null : signalName(signal),
    ...{ cause, cpu, memory: { peak: cgroup === null ? null : cgroupPeak(cgroup) } },
    duration: (now() - since) / 1000,
  };
}

/**
 * Ends the run, but for its post script.
 * @param waited init's wait status, and TIMED_OUT
 * @param asked how often ns has been asked to stop
 * @param dismiss ends the watcher: as late as possible, so that a SIGKILL even now leaves nothing
 */
export function endRun(
  state: EndState,
  waited: number,
  asked: number,
  dismiss: () => void,
  progress: Progress | null,
): Ended {
  const ending = endingOf(waited);
  const status = statusOf(ending);
  progress?.(
    "exited" in ending ? `exit: status ${ending.exited}` : `exit: killed by ${signalName(ending.signal)}`,
  );
  const timedOut = (waited & TIMED_OUT) !== 0;
  const cause = status === 0 && !timedOut ? null : causeOf(state, { ending, timedOut, asked }, now());
  const signal = "signal" in ending ? ending.signal : 0;
  const report = state.status === null ? null : reportOf(state, signal, cause);
  clearAway(state, dismiss, progress);
  return {
    status: timedOut ? EXIT.timedOut : status,
    cause: cause?.text ?? null,
    ...{ note: cause?.note, report },
  };
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

/** What is not said in the state as text (waiter.ts). */
const NOTHING = {
  ...{ cgroup: null, memory: null, pids: null, timeout: null, grace: null, post: null, work: null },
  ...{ status: null, before: null },
};

/** The state as text: ASCII, because other bytes would not survive as an argument, and without what is null. */
export const textOf = (state: EndState): string =>
  JSON.stringify(Object.fromEntries(Object.entries(state).filter(([, value]) => value !== null))).replace(
    /[^\0-\x7f]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** The end of a run that the waiting program has waited for. @param words what it gave as arguments */
export function endAfterWaiting(words: readonly string[], progress: Progress): Ended {
  const [json, status, watcher, impatience = ""] = words;
  const state: EndState = { ...NOTHING, ...JSON.parse(json!) };
  let pid = Number(watcher);
  const dismiss = (): void => {
    if (pid === 0) return;
    call("kill", pid, SIGNALS.SIGKILL);
    reapNow(pid);
    pid = 0; // it may be somebody else's from now on
  };
  const told = state.verbose ? progress : null;
  // a number as it lies in memory (waiter.ts): 0 is where the word ends
  const asked = impatience === "" ? 0 : impatience.charCodeAt(0);
  const ended = afterPost(endRun(state, Number(status), asked, dismiss, told), state.post, told);
  tellExited(state.status, ended);
  return ended;
}

/** The state of a run for its end. */
export const endState = (
  self: Self,
  cgroup: Cgroup | null,
  { limits: { memory, pids }, process: { reaper, stop } }: Spec,
  post: PostDraft | null,
  verbose: boolean,
  work: Work | null,
  begun: Begun,
): EndState => ({
  self: { pid: self.pid, uid: self.uid },
  cgroup: cgroup && forEnd(cgroup),
  memory: memory === null ? null : showSize(memory),
  ...{ verbose, reaper, post, work, pids, grace: stop.grace, ...begun },
  timeout: stop.timeout === null ? null : showDuration(stop.timeout),
});
