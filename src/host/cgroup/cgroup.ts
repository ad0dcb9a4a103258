/**
 * The cgroup of one run, from its making before the clone to its removal after the end: one directory in every hierarchy
 * that its limits need. Used by run/.
 */
import { NsError } from "../../spec/error.ts";
import type { Limits } from "../../spec/limits.ts";
import type { Bytes } from "../../sys/bytes.ts";
import { errnoNumber, errnoText } from "../../sys/errno.ts";
import * as file from "../../sys/file.ts";
import { limitReached, oomFile, oomKills } from "./controllers/memory.ts";
import { processesRefused } from "./controllers/pids.ts";
import type { Setting } from "./controllers/controller.ts";
import { type Hierarchy, hierarchiesOf, refusal } from "./hierarchies.ts";
import type { Location } from "./locate.ts";
import { missingIn } from "./control.ts";
import { type Parent, prepareParent, type Refusal, removeParent, type Self } from "./parent.ts";
import { writeSettings } from "./settings.ts";
import { makeRun, removeTree, sweep } from "./tree.ts";

export type { Self } from "./parent.ts";

/** The run's directory in one hierarchy. */
export interface Branch {
  readonly location: Location;
  /** by their names there */
  readonly controllers: readonly string[];
  readonly directory: string;
  /** where the processes are: there, or below, from where its restrictions cannot be lifted (devices/restrict.ts) */
  readonly inside: string;
  readonly parent: Parent;
  /** descriptor that holds the lock on the directory */
  readonly lock: number;
}

/** At least one; survives as JSON. */
export type Cgroup = readonly Branch[];

const TRIES = 20;
const OWN_CGROUP = "run it in a cgroup of your own: systemd-run --user --scope -p Delegate=yes ns …";

function howToDelegate(location: Location, uid: number, errno: number): string | undefined {
  if (errno === errnoNumber("EBUSY"))
    return `other processes are in ${location.own}; ${uid === 0 ? "run it in one of its own" : OWN_CGROUP}`;
  if (uid === 0) return location.readOnly ? `${location.mount} is mounted read-only here` : undefined;
  return location.version === 2
    ? OWN_CGROUP
    : `let root give you one: mkdir -p ${location.own}/ns && chown ${uid} ${location.own}/ns`;
}

/** Why there is no place for the run's directory, in words. @param what cannot be done without it */
function refused(what: string, { location, controllers }: Hierarchy, why: Refusal, uid: number): NsError {
  const { directory, errno, missing } = why;
  const nowhere = location.version === 2 ? missingIn(location.mount, controllers) : [];
  if (nowhere.length > 0)
    return new NsError(`${what}: there is no ${nowhere.join(", ")} controller in ${location.mount}`, {
      note: `see ${location.mount}/cgroup.controllers; some kernels need cgroup_enable=${nowhere[0]} on their command line`,
    });
  const delegate = `systemd-run --user --scope -p 'Delegate=${controllers.join(" ")}' ns …`;
  return new NsError(`${what}: cannot make a cgroup in ${directory}: ${errnoText(errno)}`, {
    errno,
    note:
      missing.length > 0 && uid !== 0
        ? `${location.own} has no ${missing.join(", ")} controller to hand on; let it be given: ${delegate}`
        : howToDelegate(location, uid, errno),
  });
}

/** Which settings are to be written at once: the others are left to who asked for this. */
export type WriteNow = (branch: Branch, settings: readonly Setting[]) => readonly Setting[];

/**
 * Makes the run's directory in one hierarchy.
 * @param what cannot be done without it, for a message
 * @param path of --cgroup, or null
 * @throws NsError when it cannot be had; nothing of it is left then
 */
export function createBranch(
  what: string,
  path: Bytes | null,
  hierarchy: Hierarchy,
  self: Self,
  now: WriteNow = (_, settings) => settings,
): Branch {
  const { location, controllers, settings } = hierarchy;
  const prefix = path === null ? "" : "ns-";
  let branch: Branch | null = null;
  for (let i = 0; branch === null; i++) {
    const parent = prepareParent(location, controllers, path, self);
    if ("errno" in parent) throw refused(what, hierarchy, parent, self.uid);
    sweep(parent.directory, prefix);
    const made = makeRun(parent.directory, prefix, self.pid);
    if (typeof made !== "number") {
      branch = { location, controllers, parent, ...made, inside: made.directory };
      break;
    }
    removeParent(parent, self.pid);
    // another run may have ended and taken the parent with it
    if (made !== -errnoNumber("ENOENT") || i === TRIES)
      throw refused(what, hierarchy, { directory: parent.directory, errno: -made, missing: [] }, self.uid);
  }
  try {
    writeSettings(branch.directory, now(branch, settings));
    return branch;
  } catch (error) {
    removeCgroup([branch], self);
    throw error;
  }
}

/**
 * Makes a cgroup with these limits, and removes those that killed runs have left.
 * @throws NsError when a controller is missing, there is no place for this user, or the kernel refuses a limit; nothing is
 * left then
 */
export function createCgroup(limits: Limits, self: Self, now: WriteNow = (_, settings) => settings): Cgroup {
  const branches: Branch[] = [];
  try {
    for (const hierarchy of hierarchiesOf(limits))
      branches.push(createBranch(refusal(limits), limits.cgroup, hierarchy, self, now));
  } catch (error) {
    removeCgroup(branches, self);
    throw error;
  }
  return branches;
}

/** @throws NsError when the kernel does not let this process be moved there */
export function joinCgroup(cgroup: Cgroup, pid: number, uid: number): void {
  for (const { inside, location } of cgroup) {
    const result = file.writeFile(`${inside}/cgroup.procs`, `${pid}`);
    if (result < 0)
      throw new NsError(`cannot put process ${pid} into ${inside}: ${errnoText(-result)}`, {
        errno: -result,
        note: howToDelegate(location, uid, -result),
      });
  }
}

/** Reads a directory's files; "" where one is not there. */
const reader =
  (directory: string) =>
  (name: string): string => {
    const content = file.readFile(`${directory}/${name}`);
    return typeof content === "string" ? content : "";
  };

/** Has this run's own memory limit (and not one above it) been reached, and something been killed? */
export function wasOutOfMemory(cgroup: Cgroup): boolean {
  const branch = cgroup.find(({ controllers }) => controllers.includes("memory"));
  if (branch === undefined) return false;
  const { version } = branch.location;
  const read = reader(branch.directory);
  return oomKills(read(oomFile(version))) > 0 && limitReached(version, read);
}

/** Has this run's own limit of processes kept somebody from starting one? */
export function wasOutOfProcesses(cgroup: Cgroup, limit: number): boolean {
  const branch = cgroup.find(({ controllers }) => controllers.includes("pids"));
  if (branch === undefined) return false;
  // before Linux 6.11 that is counted where the processes are, and not where the limit is
  return [branch.directory, branch.inside].some((directory) => processesRefused(limit, reader(directory)));
}

/** As much of it as its end takes: the waiting program keeps it, and is to be small. */
export const forEnd = (cgroup: Cgroup): Cgroup =>
  cgroup.map(({ location: { version }, parent: { left, goes }, ...rest }) => ({
    ...rest,
    location: { version } as Location,
    parent: { left, goes } as Parent,
  }));

/** What goes with the run: for those who cannot call `removeCgroup()`. */
export const endOf = (cgroup: Cgroup) =>
  cgroup.map(({ directory, inside, parent: { left, goes } }) => ({
    run: directory,
    inside: inside === directory ? null : inside,
    ...{ left, goes },
  }));

/** Does the end of the run have to bring ns itself back to where it was? */
export const hasLeft = (cgroup: Cgroup): boolean => cgroup.some(({ parent }) => parent.left !== null);

/** 0, or -errno. */
function removeDirectories({ directory, inside }: Branch): number {
  if (inside !== directory) file.removeDirectory(inside);
  return removeTree(directory);
}

/** Takes the run's directories away once; false: one is in use, perhaps until the kernel has let go of its last process. */
export const tryRemove = (cgroup: Cgroup): boolean =>
  cgroup.every((branch) => removeDirectories(branch) !== -errnoNumber("EBUSY"));

/** What is to be done when the directories are gone, or not to be had away. */
export function letGo(cgroup: Cgroup, self: Self): void {
  for (const { lock: held, parent } of cgroup) {
    file.close(held);
    removeParent(parent, self.pid);
  }
}

/** Removes the run's cgroup; the directories in which something still is (the next start tries again). */
export function removeCgroup(cgroup: Cgroup, self: Self): string[] {
  const inUse: string[] = [];
  for (const branch of cgroup) {
    const { directory, lock: held, parent } = branch;
    let result = removeDirectories(branch);
    // the last process is reaped, but the kernel may still be letting go of it
    for (let i = 0; result === -errnoNumber("EBUSY") && i < 50; i++) {
      file.poll([], 10);
      result = removeDirectories(branch);
    }
    file.close(held);
    removeParent(parent, self.pid);
    if (result !== 0) inUse.push(directory);
  }
  return inUse;
}
