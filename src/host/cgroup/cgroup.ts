/** The cgroup of one run, from its making before the clone to its removal after the end. Used by run/start.ts. */
import { NsError } from "../../spec/error.ts";
import { errnoNumber, errnoText } from "../../sys/errno.ts";
import * as file from "../../sys/file.ts";
import { parseMountinfo } from "../status.ts";
import { limitReached, memorySettings, oomFile, oomKills, type Setting } from "./controllers/memory.ts";
import { type Location, locate } from "./locate.ts";
import { LEAF, lock, type Parent, prepareParent, removeParent, removeTree, sweep } from "./tree.ts";

const CONTROLLER = "memory";
const TRIES = 20;

export interface Cgroup {
  readonly location: Location;
  readonly directory: string;
  readonly parent: Parent;
  /** descriptor that holds the lock on the directory */
  readonly lock: number;
}

/** The ns that makes the cgroup. */
export interface Self {
  readonly pid: number;
  readonly uid: number;
}

const EMPTY = "";
const textOf = (path: string): string => {
  const content = file.readFile(path);
  return typeof content === "string" ? content : EMPTY;
};

/** What /proc says of this process. @throws NsError when it cannot be read: that is not "no cgroups" */
function procText(name: string): string {
  const content = file.readFile(`/proc/self/${name}`);
  if (typeof content === "string") return content;
  if (content === -errnoNumber("ENOENT")) return "";
  throw new NsError(`cannot read /proc/self/${name}: ${errnoText(-content)}`, { errno: -content });
}

/** Where this process is in the hierarchy that limits memory; null when there is none. */
export const memoryLocation = (): Location | null =>
  locate(CONTROLLER, procText("cgroup"), parseMountinfo(procText("mountinfo")));

const OWN_CGROUP = "run it in a cgroup of your own: systemd-run --user --scope -p Delegate=yes ns …";

function howToDelegate(location: Location, uid: number, errno: number): string | undefined {
  if (errno === errnoNumber("EBUSY"))
    return `other processes are in ${location.own}; ${uid === 0 ? "run it in one of its own" : OWN_CGROUP}`;
  if (uid === 0) return location.readOnly ? `${location.mount} is mounted read-only here` : undefined;
  return location.version === 2
    ? OWN_CGROUP
    : `let root give you one: mkdir -p ${location.own}/ns && chown ${uid} ${location.own}/ns`;
}

/** Makes and locks a directory for this run below the parent. */
function makeDirectory(parent: Parent, pid: number): { directory: string; lock: number } | number {
  let result = -errnoNumber("EEXIST");
  for (let i = 0; i < TRIES; i++) {
    const directory = `${parent.directory}/${pid}-${Math.random().toString(36).slice(2, 8)}`;
    // another run may have ended and taken the parent with it
    file.makeDirectory(parent.directory);
    result = file.makeDirectory(directory);
    if (result < 0) continue;
    const held = lock(directory); // or a sweep was faster: then once more
    if (held !== null) return { directory, lock: held };
    file.removeDirectory(directory);
    result = -errnoNumber("EAGAIN");
  }
  return result;
}

function write(directory: string, settings: readonly Setting[]): void {
  for (const { file: name, value, optional } of settings) {
    const result = file.writeFile(`${directory}/${name}`, value);
    if (result === 0 || (optional === true && result === -errnoNumber("ENOENT"))) continue;
    throw new NsError(`cannot write ${value} to ${directory}/${name}: ${errnoText(-result)}`, {
      errno: -result,
    });
  }
}

/**
 * Makes a cgroup with this memory limit (bytes), and removes those that killed runs have left.
 * @throws NsError when there is no memory controller, no place for this user, or the kernel refuses the limit
 */
export function createCgroup(limit: bigint, self: Self): Cgroup {
  const location = memoryLocation();
  if (location === null)
    throw new NsError("cannot limit memory: no cgroup hierarchy with the memory controller is mounted", {
      note: "mount one (mount -t cgroup2 none /sys/fs/cgroup); some boards need cgroup_enable=memory on the kernel's command line",
    });
  const refuse = (directory: string, errno: number): NsError =>
    new NsError(`cannot limit memory: cannot make a cgroup in ${directory}: ${errnoText(errno)}`, {
      errno,
      note: howToDelegate(location, self.uid, errno),
    });
  const parent = prepareParent(location, CONTROLLER, self);
  if ("errno" in parent) throw refuse(parent.directory, parent.errno);
  sweep(parent.directory);
  const made = makeDirectory(parent, self.pid);
  if (typeof made === "number") {
    removeParent(parent, CONTROLLER, self.pid);
    throw refuse(parent.directory, -made);
  }
  const cgroup: Cgroup = { location, parent, ...made };
  try {
    write(cgroup.directory, memorySettings(location.version, limit));
  } catch (error) {
    removeCgroup(cgroup, self);
    throw error;
  }
  return cgroup;
}

/** @throws NsError when the kernel does not let this process be moved there */
export function joinCgroup(cgroup: Cgroup, pid: number, uid: number): void {
  const result = file.writeFile(`${cgroup.directory}/cgroup.procs`, `${pid}`);
  if (result < 0)
    throw new NsError(`cannot put process ${pid} into ${cgroup.directory}: ${errnoText(-result)}`, {
      errno: -result,
      note: howToDelegate(cgroup.location, uid, -result),
    });
}

/** Has this run's own limit (and not one above it) been reached, and something been killed? */
export function wasOutOfMemory({ directory, location: { version } }: Cgroup): boolean {
  const read = (name: string): string => textOf(`${directory}/${name}`);
  return oomKills(read(oomFile(version))) > 0 && limitReached(version, read);
}

/** What goes with the run: for those who cannot call `removeCgroup()`. */
export const endOf = ({ directory, parent }: Cgroup) => ({
  run: directory,
  parent: parent.ours ? parent.directory : null,
  left:
    parent.left === null
      ? null
      : { own: parent.left, leaf: `${parent.directory}/${LEAF}`, controller: CONTROLLER },
});

/** Removes the run's cgroup; false when something is still in it (the next start tries again). */
export function removeCgroup(cgroup: Cgroup, self: Self): boolean {
  let result = removeTree(cgroup.directory);
  // the last process is reaped, but the kernel may still be letting go of it
  for (let i = 0; result === -errnoNumber("EBUSY") && i < 50; i++) {
    file.poll([], 10);
    result = removeTree(cgroup.directory);
  }
  file.close(cgroup.lock);
  removeParent(cgroup.parent, CONTROLLER, self.pid);
  return result === 0;
}
