/**
 * The cgroup of one container of the library. The container puts itself under its limits when its memory is its own
 * (plan/child.ts); until then it shares the program's, and a limit that is too small would kill the program. On v2 it is
 * cloned into its cgroup, whose limits of memory it then writes itself; on v1 it joins it (join.ts says why that is fast).
 */
import { canCloneInto } from "../host/cgroup/clone.ts";
import { type Cgroup, endOf, letGo, removeCgroup, tryRemove } from "../host/cgroup/cgroup.ts";
import { createRestricted } from "../host/cgroup/devices/restrict.ts";
import type { OwnLimit } from "../plan/child.ts";
import { endCgroup } from "../plan/watch.ts";
import { NsError } from "../spec/error.ts";
import type { Spec } from "../spec/spec.ts";
import { O } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { open } from "../sys/file.ts";
import type { Keeper } from "./keeper.ts";

export interface Limited {
  readonly cgroup: Cgroup;
  /** descriptor of the directory that the child is to be cloned into, or null */
  readonly into: number | null;
  /** what the child does for its limits */
  readonly own: readonly OwnLimit[];
}

/** Limits that hold for all who share a memory. */
const OF_MEMORY = ["memory.max", "memory.high"];
/** How often a cgroup that is in use is tried again, and after how many milliseconds. */
const TRIES = 100;
const PAUSE = 5;

/** A write for the child. @param opened gets its descriptor */
function ownWrite(directory: string, file: string, content: string, opened: number[]): OwnLimit {
  const path = `${directory}/${file}`;
  const fd = open(path, O.O_WRONLY);
  if (fd < 0) throw new NsError(`cannot open ${path}: ${errnoText(-fd)}`, { errno: -fd });
  opened.push(fd);
  return { fd, content, step: `write ${content} to ${path}` };
}

/**
 * Makes the cgroup; null: there is none.
 * @param opened gets the descriptors that the child alone is to have
 * @throws NsError when it cannot be had; nothing of it is left then
 */
export function limit({ facts }: Keeper, spec: Spec, opened: number[]): Limited | null {
  const own: OwnLimit[] = [];
  const { cgroup } = createRestricted(spec, facts, ({ directory, location }, settings) => {
    if (location.version === 1 || !canCloneInto()) return settings;
    const isLate = ({ file, value }: (typeof settings)[number]): boolean =>
      value !== null && OF_MEMORY.includes(file);
    for (const setting of settings)
      if (isLate(setting)) own.push(ownWrite(directory, setting.file, setting.value!, opened));
    return settings.filter((setting) => !isLate(setting));
  });
  if (cgroup === null) return null;
  try {
    return { cgroup, own, into: openPlaces(cgroup, own, opened) };
  } catch (error) {
    removeCgroup(cgroup, facts);
    throw error;
  }
}

/** Adds the writes by which the child joins; a descriptor of what it is to be cloned into, or null. */
function openPlaces(cgroup: Cgroup, own: OwnLimit[], opened: number[]): number | null {
  let into: number | null = null;
  for (const { inside, location } of cgroup) {
    if (location.version === 1 || !canCloneInto()) {
      own.push(ownWrite(inside, location.version === 1 ? "tasks" : "cgroup.procs", "0", opened));
      continue;
    }
    into = open(inside, O.O_RDONLY | O.O_DIRECTORY);
    if (into < 0) throw new NsError(`cannot open ${inside}: ${errnoText(-into)}`, { errno: -into });
    opened.push(into);
  }
  return into;
}

/** What is to be done with the cgroup when the program is dead. */
export const endOfLimited = ({ cgroup }: Limited) => endOf(cgroup).flatMap(endCgroup);

/** Takes the cgroup away; one that stays in use goes with a later run. */
export async function removeLimited({ facts }: Keeper, { cgroup }: Limited): Promise<void> {
  for (let i = 0; i < TRIES && !tryRemove(cgroup); i++) await Bun.sleep(PAUSE);
  letGo(cgroup, facts);
}
