/**
 * How the child gets into its cgroups. In version 1 a process of one thread may put itself there, which takes microseconds;
 * who moves another process waits 10 to 30 ms for every processor to be done with what it is at (RCU). So the child is
 * given the files for it. What it cannot join by itself (version 2) is left to the parent.
 */
import type { Cgroup } from "../host/cgroup/cgroup.ts";
import type { Join } from "../plan/child.ts";
import { O } from "../sys/constants.ts";
import { open } from "../sys/file.ts";
import { makePipe } from "./task.ts";

export interface Joining {
  /** what the child's plan is to know; without `join` it joins nothing by itself */
  readonly place: { readonly join?: Join };
  /** descriptors for the child */
  readonly tasks: readonly number[];
  /** the pipe by which it tells that it has joined */
  readonly told: { readonly told?: readonly [number, number] };
  /** the branches that are the parent's to join, if any */
  readonly rest: Cgroup | null;
}

/** Opens what the child needs to join by itself. */
export function prepareJoin(cgroup: Cgroup | null): Joining {
  const tasks: number[] = [];
  const rest = (cgroup ?? []).filter(({ directory, location }) => {
    const fd = location.version === 1 ? open(`${directory}/tasks`, O.O_WRONLY) : -1;
    if (fd >= 0) tasks.push(fd);
    return fd < 0;
  });
  if (tasks.length === 0) return { place: {}, tasks, told: {}, rest: cgroup };
  const told = makePipe("from the child");
  return {
    place: { join: { tasks, told: told[1] } },
    tasks,
    told: { told },
    rest: rest.length === 0 ? null : rest,
  };
}
