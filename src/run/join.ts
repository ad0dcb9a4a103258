/**
 * How the child gets into its cgroups. In version 1 a process of one thread may put itself there, which takes microseconds;
 * who moves another process waits 10 to 30 ms for every processor to be done with what it is at (RCU). So the child is
 * given the files for it. In version 2 it begins in one that limits nothing (only devices are restricted); for the others it
 * has to have left ns's memory first, which is left to the parent.
 */
import type { Cgroup } from "../host/cgroup/cgroup.ts";
import { canCloneInto } from "../host/cgroup/clone.ts";
import type { Join } from "../plan/child.ts";
import { O } from "../sys/constants.ts";
import { open } from "../sys/file.ts";
import { makePipe } from "./task.ts";

export interface Joining {
  /** what the child's plan is to know; without `join` it joins nothing by itself */
  readonly place: { readonly join?: Join };
  /** descriptors for the child */
  readonly tasks: readonly number[];
  /** descriptor of the cgroup that it begins in, or null */
  readonly into: number | null;
  /** the pipe by which it tells that it has joined */
  readonly told: { readonly told?: readonly [number, number] };
  /** the branches that are the parent's to join, if any */
  readonly rest: Cgroup | null;
}

/**
 * Opens what the child needs to join by itself.
 * @param asks the parent waits until it has
 * @param cloned it is the parent itself that clones it
 */
export function prepareJoin(cgroup: Cgroup | null, asks: boolean, cloned: boolean): Joining {
  const tasks: number[] = [];
  let into: number | null = null;
  const rest = (cgroup ?? []).filter(({ inside, location, controllers }) => {
    const begins = location.version === 2 && controllers.length === 0 && cloned && canCloneInto();
    if (location.version === 2 && !begins) return true;
    const fd = begins ? open(inside, O.O_PATH | O.O_DIRECTORY) : open(`${inside}/tasks`, O.O_WRONLY);
    if (fd >= 0 && begins) into = fd;
    else if (fd >= 0) tasks.push(fd);
    return fd < 0;
  });
  const left = rest.length === 0 ? null : rest;
  if (tasks.length === 0) return { place: {}, tasks, into, told: {}, rest: left };
  const told = asks ? makePipe("from the child") : null;
  return {
    place: { join: { tasks, told: told?.[1] ?? null } },
    ...{ tasks, into, rest: left },
    told: told === null ? {} : { told },
  };
}
