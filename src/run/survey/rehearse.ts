/**
 * Tries whether a run would work, without one: everything that start.ts does for it, over an empty root in memory and up to
 * the exec of init. What fails here fails there, in the same words. Nothing is left.
 */
import { type Cgroup, joinCgroup, removeCgroup } from "../../host/cgroup/cgroup.ts";
import { asksForDevices } from "../../host/cgroup/devices/rules.ts";
import { findIdentity } from "../../host/identity.ts";
import { closeSources, findSources } from "../../host/sources.ts";
import { childPlan, enterPlan } from "../../plan/child.ts";
import { cloneFlags } from "../../plan/namespaces.ts";
import type { Op } from "../../plan/op.ts";
import { rehearsalPlan } from "../../plan/rehearsal.ts";
import { NsError } from "../../spec/error.ts";
import { wantsCgroup } from "../../spec/limits.ts";
import { NO_SOURCES } from "../../spec/mounts.ts";
import { type Facts, makesUser, type Spec } from "../../spec/spec.ts";
import { CLONE, O, SIGNALS } from "../../sys/constants.ts";
import { errnoText } from "../../sys/errno.ts";
import { access, close, open, write } from "../../sys/file.ts";
import { call, scratch } from "../../sys/kernel.ts";
import { checkHost } from "../check.ts";
import { childError, cloneError } from "../failure.ts";
import { compileFilter } from "../filter.ts";
import { giveMaps } from "../idmap.ts";
import type { Listener } from "../listen.ts";
import { endNetwork, networkPlace, startNetwork } from "../network.ts";
import { makeCgroup } from "../systemd.ts";
import { awaitReport, makePipe, reapNow, type Started, startReported } from "../task.ts";
import { startWatcher, type Watcher } from "../watcher.ts";

/** One of these is there on any host; it is covered where nobody else sees it. */
const PLACES = ["/mnt", "/tmp", "/run", "/usr", "/dev"];

export interface Stage {
  readonly facts: Facts;
  readonly listener: Listener;
}

/** Rehearses the run. @throws NsError with what would keep it from starting */
export const rehearse = (spec: Spec, stage: Stage): void => scratch(() => play(spec, stage));

function play(spec: Spec, { facts, listener }: Stage): void {
  checkHost(spec, facts);
  const place = PLACES.find((path) => access(path, 1) === 0) ?? "/proc";
  const root = open(place, O.O_PATH | O.O_DIRECTORY);
  let cgroup: Cgroup | null = null;
  let started: Started | null = null;
  let watcher: Watcher | null = null;
  let helper: number | null = null;
  let life: readonly [number, number] | null = null;
  let sources = NO_SOURCES;
  const opened: number[] = [root];
  const pipe = (purpose: string): [number, number] => {
    const ends = makePipe(purpose);
    opened.push(...ends);
    return ends;
  };
  try {
    const identity = findIdentity(spec, facts, root);
    const say = (): void => {};
    if (wantsCgroup(spec.limits) || asksForDevices(spec))
      cgroup = makeCgroup({ spec, facts, listener, say, becomes: true }).cgroup;
    sources = findSources(spec, facts, root, identity);
    const gate = pipe("to the child");
    life = makePipe("to the watcher");
    // not the one by which it reports: this one is for the plan to close at an exec
    const report = pipe("from the child");
    const at = { gate, life: life[1], report: report[1], rootPath: place, inherited: [], identity, sources };
    const filter = compileFilter(spec, facts);
    const main = childPlan(spec, facts, { ...at, filter, ...networkPlace(spec) });
    const ops = rehearsalPlan(enterPlan(spec, at), main, place);
    // in a copy of ns's memory: what the child does to its own, like refusing to be traced, is not done to ns's
    const result = startReported(ops, cloneFlags(spec, facts) & ~(CLONE.CLONE_VM | CLONE.CLONE_PIDFD));
    if (typeof result === "number") throw cloneError(spec, facts, -result);
    started = result;
    const child = result.pid;
    if (makesUser(spec)) giveMaps({ spec, facts, identity, inherited: [], listener }, child, null);
    write(gate[1], "g");
    if (cgroup !== null) joinCgroup(cgroup, child, facts.uid);
    const watch = (): Watcher => {
      watcher ??= startWatcher({ life: life!, pidfd: -1, cgroup: null, work: null, closing: opened });
      return watcher;
    };
    helper = startNetwork({ spec, facts, child, inherited: [], listener, say, watch });
    write(gate[1], "g");
    write(gate[1], "g");
    throwReported(spec, ops, result, listener);
  } finally {
    if (helper !== null) endNetwork(helper);
    if (started !== null) {
      call("kill", started.pid, SIGNALS.SIGKILL);
      reapNow(started.pid);
    }
    closeSources(sources);
    const watching = watcher as Watcher | null;
    if (watching !== null) watching.dismiss();
    else life?.forEach(close);
    for (const fd of opened) close(fd);
    if (cgroup !== null) removeCgroup(cgroup, facts);
  }
}

function throwReported(spec: Spec, ops: readonly Op[], started: Started, listener: Listener): void {
  const failure = awaitReport(started, listener.waitForInput);
  if (failure !== null) throw childError(spec, ops[failure.op]!, failure.errno, -1);
}

/**
 * Runs a few ops in a process of its own with these CLONE_ flags.
 * @returns null when all worked, or what did not; -errno of the clone itself
 */
export function attempt(ops: readonly Op[], flags: number, listener: Listener): NsError | number | null {
  return scratch(() => {
    const started = startReported(ops, flags);
    if (typeof started === "number") return started;
    const failure = awaitReport(started, listener.waitForInput);
    reapNow(started.pid);
    if (failure === null) return null;
    const { step } = ops[failure.op]!;
    return new NsError(`cannot ${step}: ${errnoText(failure.errno)}`, { errno: failure.errno });
  });
}
