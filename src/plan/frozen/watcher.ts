/** The watcher of a frozen start (plan/watch.ts): it takes down what there is when its parent dies. */
import type { Spec } from "../../spec/spec.ts";
import type { Op } from "../op.ts";
import { endInit, endPre, watchPlan } from "../watch.ts";
import type { FrozenBranch } from "./branch.ts";
import { removeCgroup } from "./cgroup.ts";
import type { Descriptors } from "./descriptors.ts";
import type { Path } from "./place.ts";

/**
 * @param runs the run's cgroups' directories
 * @param nobody whom it kills as long as there is no pre script
 * @returns its ops, and which of them kills the pre script
 */
export function frozenWatcher(
  spec: Spec,
  { root, gate, life, report, told, pidfd, branches: opened }: Descriptors,
  branches: readonly FrozenBranch[],
  runs: readonly Path[],
  nobody: number,
): { ops: Op[]; preKill: number } {
  const closing = [root, ...gate, ...report, ...(told ?? []), ...spec.process.passFds];
  const begin = watchPlan(life, closing);
  return {
    ops: [
      ...begin,
      { ...endPre(-nobody) },
      ...endInit(pidfd),
      ...branches.flatMap((branch, i) => removeCgroup(branch, runs[i]!, opened[i]!, null)),
    ],
    preKill: begin.length,
  };
}
