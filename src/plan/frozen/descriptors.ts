/**
 * The descriptors of a frozen start. It closes all that it was started with, but for those that init is to keep, and the
 * kernel gives the lowest number that is free: so the numbers are known when it is planned, in the order of opening.
 */
import type { Spec } from "../../spec/spec.ts";
import type { BranchPlace, FrozenBranch } from "./branch.ts";

type Pipe = readonly [number, number];

export interface Descriptors {
  readonly root: number;
  /** for each of the run's cgroups */
  readonly branches: readonly BranchPlace[];
  /** network namespaces: the one to join, and the own; null: it joins none */
  readonly networks: Pipe | null;
  readonly gate: Pipe;
  readonly life: Pipe;
  readonly report: Pipe;
  /** by which the child tells that it has joined its cgroups; null: it joins none by itself */
  readonly told: Pipe | null;
  /** of init, from the clone on */
  readonly pidfd: number;
}

/** Has the child to be in its cgroups before the parent goes on? */
const asksForJoin = ({ pre, limits }: Spec, branches: readonly FrozenBranch[]): boolean =>
  pre !== null || limits.priority !== null || branches.some(({ isLimited }) => isLimited);

/** In the order in which parent.ts opens them. */
export function descriptorsOf(spec: Spec, branches: readonly FrozenBranch[]): Descriptors {
  let last = 2;
  const next = (): number => {
    do last++;
    while (spec.process.passFds.includes(last));
    return last;
  };
  const pipe = (): Pipe => [next(), next()];
  const root = next();
  const opened = branches.map((branch): BranchPlace => {
    const own = branch.own === null ? null : next();
    const left = branch.isSearched ? next() : null;
    const [lock, last] = [next(), next()];
    // the program is closed before that is opened
    const program = last;
    return branch.version === 1
      ? { own, left, lock, program, tasks: last, into: null }
      : { own, left, lock, program, tasks: null, into: last };
  });
  const asks = asksForJoin(spec, branches) && opened.some(({ tasks }) => tasks !== null);
  return {
    ...{ root, branches: opened, networks: spec.namespaces.joinNet === null ? null : pipe() },
    ...{ gate: pipe(), life: pipe(), report: pipe(), told: asks ? pipe() : null },
    pidfd: next(),
  };
}
