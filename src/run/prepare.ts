/** Puts together the child's plans and what it is to have open. The last thing that start.ts does before the clone. */
import { inheritedOf } from "../host/sources.ts";
import { childPlan, enterPlan } from "../plan/child.ts";
import type { Payload } from "../plan/reaper.ts";
import { closeDescriptors } from "../plan/process.ts";
import type { Identity } from "../spec/ids.ts";
import type { Sources } from "../spec/mounts.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import type { Pipes, Plans } from "./child.ts";
import { compileFilter } from "./filter.ts";
import type { Joining } from "./join.ts";
import { networkPlace } from "./network.ts";
import { type Promised, promiseTerminal } from "./terminal.ts";

export type { Payload };

/** What was found and opened for this run. */
export interface Ready {
  readonly identity: Identity | null;
  readonly inherited: readonly number[];
  readonly sources: Sources;
  readonly joining: Joining;
  /** NEWROOT's path as it is now, and NEWROOT as a tree of mounts, if it had to be made ready */
  readonly path: Bytes;
  readonly rootTree: number | undefined;
  /** pipes: the gate, the watcher's, the report's */
  readonly gate: readonly [number, number];
  readonly life: readonly [number, number];
  readonly report: readonly [number, number];
  readonly payload: Payload | null;
}

/** The plans, what the child has open for them, and the terminal that it is to make. */
export function preparePlans(
  spec: Spec,
  facts: Facts,
  ready: Ready,
): { plans: Plans; pipes: Pipes; promised: Promised | null } {
  const { identity, sources, joining, path, rootTree, gate, life, report, payload } = ready;
  const own = payload === null ? [] : [payload.program, payload.output];
  const inherited = ready.inherited.filter((fd) => !own.includes(fd));
  const promised = promiseTerminal(spec, facts);
  const place = {
    ...joining.place,
    ...{ gate, inherited, life: life[1], report: report[1], sources },
    filter: compileFilter(spec, facts),
    rootPath: path,
    ...(identity === null ? {} : { identity }),
    ...(rootTree === undefined ? {} : { rootTree }),
    ...networkPlace(spec),
    ...(promised === null ? {} : { terminal: promised.terminal, terminalSocket: promised.childs }),
    payload,
  };
  const kept = [
    ...own,
    ...inheritedOf(sources),
    ...joining.tasks,
    ...(rootTree === undefined ? [] : [rootTree]),
  ];
  if (promised !== null) kept.push(promised.childs);
  return {
    promised,
    plans: {
      enter: enterPlan(spec, place),
      close: closeDescriptors(facts, inherited, spec.process.passFds),
      main: childPlan(spec, facts, place),
    },
    pipes: { gate: gate[0], report, kept, into: joining.into, ...joining.told },
  };
}
