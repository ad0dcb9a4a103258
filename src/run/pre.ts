/** Runs the pre script in the parent's context while the child waits. */
import type { Op } from "../plan/op.ts";
import { prePlan } from "../plan/pre.ts";
import { NsError } from "../spec/error.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { CLONE, SIGNALS, signalName } from "../sys/constants.ts";
import { call } from "../sys/kernel.ts";
import { scriptError } from "./failure.ts";
import type { Listener } from "./listen.ts";
import { awaitReport, cannotStart, type Ending, startReported } from "./task.ts";

export interface PreRun {
  readonly spec: Spec;
  readonly facts: Facts;
  readonly pre: Bytes;
  /** init's process id */
  readonly child: number;
  readonly inherited: readonly number[];
  readonly listener: Listener;
  /** told the script's process id when it runs, and null when it is over */
  readonly onProcess: (pid: number | null) => void;
}

/**
 * Runs the script to its end. Signals that ns gets meanwhile go to the script's process group.
 * @throws NsError when it cannot be executed or does not exit with status 0
 */
export function runPre(run: PreRun): void {
  const { spec, facts, pre, listener } = run;
  const ops: Op[] = prePlan(spec, facts, pre, run.child, run.inherited, [
    ...listener.signals,
    SIGNALS.SIGCHLD,
  ]);
  const started = startReported(ops, CLONE.CLONE_VM);
  if (typeof started === "number") throw cannotStart(`the pre script ${show(pre)}`, -started);
  run.onProcess(started.pid);
  listener.onSignal = (signal) => call("kill", -started.pid, signal);
  const failure = awaitReport(started, listener.waitForInput);
  // one that came before the script had its process group
  if (listener.stopped() !== null) call("kill", -started.pid, SIGNALS.SIGTERM);
  const ending = listener.waitFor(started.pid);
  listener.onSignal = () => {};
  run.onProcess(null);
  const succeeded = failure === null && "exited" in ending && ending.exited === 0;
  if (succeeded && listener.stopped() === null) return;
  // what it has left in the background would work for a container that will not be
  call("kill", -started.pid, SIGNALS.SIGKILL);
  if (failure !== null) throw scriptError("pre script", pre, ops[failure.op]!, failure.errno);
  if (listener.stopped() !== null) return;
  throw preEnded(pre, ending);
}

/** The script did not exit with status 0. */
export function preEnded(pre: Bytes, ending: Ending): NsError {
  const how =
    "exited" in ending ? `exited with status ${ending.exited}` : `was killed by ${signalName(ending.signal)}`;
  return new NsError(`the pre script ${show(pre)} ${how}: the container was not started`);
}
