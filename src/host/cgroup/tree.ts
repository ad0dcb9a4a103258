/**
 * The `ns` directory that holds the runs' cgroups: making it where the hierarchy allows, sweeping what a killed ns left
 * in it, removing it. A run's cgroup is locked with flock(2) for as long as its ns or the watcher lives, so that
 * "nobody holds the lock" means "left behind", whatever has become of process ids.
 */
import { errnoNumber } from "../../sys/errno.ts";
import { LOCK, O } from "../../sys/constants.ts";
import * as file from "../../sys/file.ts";
import { call } from "../../sys/kernel.ts";
import { ancestors, type Location } from "./locate.ts";

/** What a run's directory is called: ns's process id and a few letters. */
const RUN = /^\d+-[a-z0-9]+$/;

/** Where ns itself moves when its own cgroup has to become an inner one: v2 keeps processes out of those. */
export const LEAF = "init";

export interface Parent {
  /** the `ns` directory */
  readonly directory: string;
  /** the caller's cgroup, if ns left it for the leaf below it */
  readonly left: string | null;
  /** it belongs to this user: an administrator may have made and delegated it to stay */
  readonly ours: boolean;
}

/** Why no parent could be had: the directory and the errno of the nearest try. */
export interface Refusal {
  readonly directory: string;
  readonly errno: number;
}

const words = (path: string): string[] => {
  const content = file.readFile(path);
  return typeof content === "string" ? content.trim().split(/\s+/) : [];
};

/** Moves ns, if it is alone in its cgroup, one level down, so that the cgroup can hand controllers on. */
function moveToLeaf(own: string, pid: number): boolean {
  if (words(`${own}/cgroup.procs`).join() !== `${pid}`) return false;
  file.makeDirectory(`${own}/ns`);
  file.makeDirectory(`${own}/ns/${LEAF}`);
  if (file.writeFile(`${own}/ns/${LEAF}/cgroup.procs`, `${pid}`) === 0) return true;
  file.removeDirectory(`${own}/ns/${LEAF}`);
  file.removeDirectory(`${own}/ns`);
  return false;
}

/** 0 when children of the directory have the controller, or -errno. */
function enable(controller: string, directory: string): number {
  if (words(`${directory}/cgroup.subtree_control`).includes(controller)) return 0;
  return file.writeFile(`${directory}/cgroup.subtree_control`, `+${controller}`);
}

function makeParent(directory: string): number {
  const made = file.makeDirectory(directory);
  return made === -errnoNumber("EEXIST") ? 0 : made;
}

function isOurs(directory: string, uid: number): boolean {
  const fd = file.open(directory, O.O_RDONLY | O.O_DIRECTORY);
  if (fd < 0) return false;
  const status = file.statusOf(fd);
  file.close(fd);
  return typeof status !== "number" && status.uid === uid;
}

/**
 * Makes the `ns` directory with the controller switched on: below the caller's own cgroup, so that an outer limit still
 * holds, or else below the nearest one above it that allows it.
 */
export function prepareParent(
  location: Location,
  controller: string,
  self: { readonly pid: number; readonly uid: number },
): Parent | Refusal {
  if (location.version === 1) {
    const directory = `${location.own}/ns`;
    const made = makeParent(directory);
    return made < 0
      ? { directory, errno: -made }
      : { directory, left: null, ours: isOurs(directory, self.uid) };
  }
  let refusal: Refusal = { directory: location.own, errno: errnoNumber("ENOENT") };
  let nearest = true;
  for (const above of ancestors(location)) {
    const directory = `${above}/ns`;
    let left: string | null = null;
    let result = words(`${above}/cgroup.controllers`).includes(controller) ? 0 : -errnoNumber("ENOENT");
    if (result === 0) result = enable(controller, above);
    if (result === -errnoNumber("EBUSY") && above === location.own && moveToLeaf(above, self.pid)) {
      left = above;
      result = enable(controller, above);
    }
    if (result === 0) result = makeParent(directory);
    if (result === 0) result = enable(controller, directory);
    if (result === 0) return { directory, left, ours: isOurs(directory, self.uid) };
    if (left !== null) leaveLeaf(left, controller, self.pid);
    if (nearest || refusal.errno === errnoNumber("ENOENT")) refusal = { directory, errno: -result };
    nearest = false;
  }
  return refusal;
}

/** Takes ns back out of the leaf, and the leaf away. */
function leaveLeaf(own: string, controller: string, pid: number): void {
  file.writeFile(`${own}/ns/cgroup.subtree_control`, `-${controller}`);
  file.writeFile(`${own}/cgroup.subtree_control`, `-${controller}`);
  file.writeFile(`${own}/cgroup.procs`, `${pid}`);
  file.removeDirectory(`${own}/ns/${LEAF}`);
}

/** Opens a directory and locks it; null when somebody else holds the lock or it is gone. */
export function lock(directory: string): number | null {
  const fd = file.open(directory, O.O_RDONLY | O.O_DIRECTORY);
  if (fd < 0) return null;
  if (call("flock", fd, LOCK.LOCK_EX | LOCK.LOCK_NB) === 0 && file.access(directory, 0) === 0) return fd;
  file.close(fd);
  return null;
}

/** Removes a cgroup and all below it; 0 or the last -errno. */
export function removeTree(directory: string): number {
  const entries = file.list(directory);
  if (typeof entries !== "number")
    for (const { name, isDirectory } of entries) if (isDirectory) removeTree(`${directory}/${name}`);
  const removed = file.removeDirectory(directory);
  return removed === -errnoNumber("ENOENT") ? 0 : removed;
}

/** Removes the cgroups of runs whose ns and watcher are dead. */
export function sweep(parent: string): void {
  const entries = file.list(parent);
  if (typeof entries === "number") return;
  for (const { name, isDirectory } of entries) {
    if (!isDirectory || !RUN.test(name)) continue;
    const held = lock(`${parent}/${name}`);
    if (held === null) continue;
    removeTree(`${parent}/${name}`);
    file.close(held);
  }
}

/** Removes the `ns` directory if it is ours and no other run needs it. */
export function removeParent(parent: Parent, controller: string, pid: number): void {
  if (parent.left !== null) leaveLeaf(parent.left, controller, pid);
  if (parent.ours) file.removeDirectory(parent.directory);
}
