/** Prepares the child of a container that the library starts, and has the keeper start it. Called by container.ts. */
import { joinError, openNetwork } from "../host/netns.ts";
import { inheritedOf } from "../host/sources.ts";
import { checkCapabilities } from "./check-security.ts";
import { compileFilter } from "./filter.ts";
import { type ChildPlace, childPlan, enterPlan, waitsFor } from "../plan/child.ts";
import { encodeTask, sizeOf } from "../plan/encode.ts";
import { cloneFlags } from "../plan/namespaces.ts";
import { closeDescriptors } from "../plan/process.ts";
import { launchPlan } from "../plan/keeper.ts";
import type { Op } from "../plan/op.ts";
import { endWork } from "../plan/watch.ts";
import { NsError } from "../spec/error.ts";
import type { Identity } from "../spec/ids.ts";
import type { Sources } from "../spec/mounts.ts";
import type { Spec } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { O } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { open, readLink } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";
import { ENTERING, inheritedDescriptors, prepareChild } from "./child.ts";
import { cloneError } from "./failure.ts";
import type { Failure, Job } from "./job.ts";
import type { Keeper, LaunchOptions } from "./keeper.ts";
import { idmappedRoot } from "./idmap.ts";
import { networkPlace } from "./network.ts";
import { endOfLimited, type Limited } from "./own-cgroup.ts";
import type { Standards } from "./standard.ts";
import { makePipe } from "./task.ts";

/** What a start has opened, to be closed or given on. */
export interface Opened {
  /** for the child alone */
  readonly child: number[];
  /** the program's own */
  readonly ours: number[];
}

export interface Launched {
  readonly job: Job;
  readonly pidfd: () => number;
  /** the gate's end to write to, or null */
  readonly gate: number | null;
  /** the op that was reported as failing */
  readonly failed: (index: number) => Op;
  /** the keeper could not start it */
  readonly notStarted: (failure: Failure) => NsError;
  /** gives the memory of its first ops back */
  readonly free: () => void;
}

/** The network namespace to join, and the one to come back to. */
function openNetworks(network: Bytes, opened: Opened): [number, number] {
  const theirs = openNetwork(network);
  opened.child.push(theirs);
  const own = open("/proc/thread-self/ns/net", O.O_RDONLY);
  if (own < 0) throw joinError(network, -own);
  opened.child.push(own);
  return [theirs, own];
}

/** Starts the child; it waits at the gate if `waitsFor()` says so. */
export function launch(
  spec: Spec,
  keeper: Keeper,
  identity: Identity | null,
  root: number,
  limited: Limited | null,
  sources: Sources,
  { child }: Standards,
  opened: Opened,
): Launched {
  const facts = child[0] === null ? keeper.facts : { ...keeper.facts, terminal: null };
  const inherited = inheritedDescriptors(facts);
  checkCapabilities(spec, facts, identity);
  const report = makePipe("from the child");
  opened.child.push(report[1]);
  const gate = waitsFor(spec) ? makePipe("to the child") : null;
  if (gate !== null) {
    opened.child.push(gate[0]);
    opened.ours.push(gate[1]);
  }
  const link = readLink(`/proc/self/fd/${root}`);
  const path = typeof link === "string" ? link : spec.root;
  const rootTree = scratch(() =>
    idmappedRoot({ spec, facts, identity, inherited, listener: null }, root, path),
  );
  if (rootTree !== undefined) opened.child.push(rootTree);
  const network = spec.namespaces.joinNet === null ? null : openNetworks(spec.namespaces.joinNet, opened);
  const limits = limited?.own ?? [];
  const place: ChildPlace = {
    ...{ gate, life: null, report: report[1], inherited, limits, standard: child, sources },
    ...networkPlace(spec),
    ...{ rootPath: path, identity, filter: compileFilter(spec, facts) },
  };
  // its program uses fixed numbers, so that it is the same program the next time
  const [reportAs, gateAs, treeAs, ...limitsAs] = keeper.reserved as [number, number, number, ...number[]];
  const kept: [number, number][] = [[reportAs, report[1]]];
  if (gate !== null) kept.push([gateAs, gate[0]]);
  if (rootTree !== undefined) kept.push([treeAs, rootTree]);
  for (const fd of inheritedOf(sources)) kept.push([fd, fd]);
  for (const [i, { fd }] of limits.entries()) kept.push([limitsAs[i]!, fd]);
  const plans = {
    enter: enterPlan(spec, place),
    close: closeDescriptors(facts, inherited, spec.process.passFds),
    main: childPlan(spec, facts, {
      ...place,
      gate: gate === null ? null : [gateAs, -1],
      report: reportAs,
      ...(rootTree === undefined ? {} : { rootTree: treeAs }),
      limits: limits.map((one, i) => ({ ...one, fd: limitsAs[i]! })),
    }),
  };
  const prepared = keeper.draft(
    (memory) => prepareChild(plans, reportAs, kept, memory, keeper.programs),
    sizeOf(plans.main),
  );
  if (prepared.program >= 0) opened.child.push(prepared.program);
  const block = keeper.tasks.take(sizeOf(prepared.ops));
  const task = encodeTask(
    prepared.ops,
    {
      ...{ flags: cloneFlags(spec, facts), report: report[1], base: ENTERING },
      ...(limited?.into == null ? {} : { cgroup: limited.into }),
    },
    block.memory,
  );
  let used = true;
  const what: LaunchOptions = {
    ...{ task: task.address, directory: root, closing: opened.child, report: report[0], leadsGroup: false },
    network,
    // a program on a terminal shares its place in the foreground
    group: facts.terminal === null ? null : call("getpgid", 0),
    end: [
      ...(sources.changes === null ? [] : endWork(sources.changes.work)),
      ...(limited === null ? [] : endOfLimited(limited)),
    ],
  };
  const job = keeper.launch(what);
  let pidfd = -1;
  job.started.then(() => {
    if (job.pid() > 0 && facts.kernel.pidfd) pidfd = task.pidfd();
  });
  return {
    ...{ job, gate: gate?.[1] ?? null, failed: prepared.failed, pidfd: () => pidfd },
    notStarted({ op, errno }) {
      const step = launchPlan(what)[op]!;
      if (step.call === "start") return cloneError(spec, facts, errno);
      return new NsError(`cannot ${step.step}: ${errnoText(errno)}`, { errno });
    },
    free() {
      if (used) block.free();
      used = false;
    },
  };
}
