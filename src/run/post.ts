/**
 * The script that runs in the parent's context when the container is gone (--post), to tear down what PRE has made. It runs
 * at every end after PRE was started. When ns is killed the watcher starts it (watcher.ts).
 */
import { probe } from "../host/facts.ts";
import { type Post, postPlan } from "../plan/pre.ts";
import { preEnvironment } from "../plan/process.ts";
import { EXIT, NsError } from "../spec/error.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { show } from "../sys/bytes.ts";
import { CLONE, SIGNALS, signalName } from "../sys/constants.ts";
import { close } from "../sys/file.ts";
import { call } from "../sys/kernel.ts";
import type { Ended, Progress } from "./outcome.ts";
import { inheritedDescriptors } from "./child.ts";
import { scriptError } from "./failure.ts";
import { type Listener, listen } from "./listen.ts";
import { awaitReport, cannotStart, startReported } from "./task.ts";
import type { Watcher } from "./watcher.ts";

/** What will run once `pid` is known. */
export interface PostDraft extends Omit<Post, "pid"> {
  /** init's process id, when it is PRE's turn; null before: then there is nothing to tear down */
  pid: number | null;
}

export const draftPost = (spec: Spec): PostDraft | null =>
  spec.process.post === null ? null : { path: spec.process.post, env: preEnvironment(spec), pid: null };

export const isReady = (post: PostDraft | null): post is PostDraft & Post =>
  post !== null && post.pid !== null;

/** What it is told when ns was killed: what ns's own status is then. */
export const KILLED = 137;

/** From now on the script is to be run, whatever happens. */
export function armPost(
  post: PostDraft,
  pid: number,
  watcher: Watcher,
  facts: Facts,
  inherited: readonly number[],
  listener: Listener,
): void {
  post.pid = pid;
  watcher.watchPost(
    postPlan({ ...post, pid }, KILLED, facts, inherited, [...listener.signals, SIGNALS.SIGCHLD]),
  );
}

/** Runs it to its end. @returns what went wrong, or null: init's status is what counts by now */
function runPost(post: Post, status: number, progress: Progress | null): string | null {
  try {
    return runScript(post, status, progress);
  } catch (error) {
    if (!(error instanceof NsError)) throw error;
    return `cannot start the post script ${show(post.path)}: ${error.message}`;
  }
}

function runScript(post: Post, status: number, progress: Progress | null): string | null {
  const path = show(post.path);
  progress?.(`post script: ${path} ${post.pid} ${status}`);
  const facts = probe();
  const listener = listen(facts.ignoredSignals);
  const ops = postPlan(post, status, facts, inheritedDescriptors(facts), [
    ...listener.signals,
    SIGNALS.SIGCHLD,
  ]);
  const started = startReported(ops, CLONE.CLONE_VM);
  try {
    if (typeof started === "number") return cannotStart(`the post script ${path}`, -started).message;
    // being asked to stop is what it is there for: only the third time ends it
    listener.onSignal = (signal) => {
      if (signal === SIGNALS.SIGKILL) call("kill", -started.pid, signal);
    };
    const failure = awaitReport(started, listener.waitForInput);
    const ending = listener.waitFor(started.pid);
    if (failure !== null)
      return scriptError("post script", post.path, ops[failure.op]!, failure.errno).message;
    if ("signal" in ending) return `the post script ${path} was killed by ${signalName(ending.signal)}`;
    progress?.(`post script: exited with status ${ending.exited}`);
    return ending.exited === 0 ? null : `the post script ${path} exited with status ${ending.exited}`;
  } finally {
    close(listener.caught);
  }
}

const together = (first: string | null, second: string): string =>
  first === null ? second : `${first}; ${second}`;

/** The end of a run, after its post script: its failure is ns's own only where everything else went well. */
export function afterPost(outcome: Ended, post: PostDraft | null, progress: Progress | null): Ended {
  if (!isReady(post)) return outcome;
  const problem = runPost(post, outcome.status, progress);
  if (problem === null) return outcome;
  const { report } = outcome;
  return {
    ...outcome,
    status: outcome.status === 0 ? EXIT.failed : outcome.status,
    cause: together(outcome.cause, problem),
    report: report && { ...report, cause: report.cause ?? { kind: "post-script", text: problem } },
  };
}

/** Runs a container and then its post script, however the run has ended. */
export function withPost(post: PostDraft, progress: Progress | null, run: () => Ended): Ended {
  let outcome: Ended;
  try {
    outcome = run();
  } catch (error) {
    if (!isReady(post) || !(error instanceof NsError)) throw error;
    const problem = runPost(post, error.status, progress);
    if (problem === null) throw error;
    const { message, note, status, errno } = error;
    throw new NsError(together(message, problem), {
      note,
      status,
      ...(errno === undefined ? {} : { errno }),
    });
  }
  return afterPost(outcome, post, progress);
}
