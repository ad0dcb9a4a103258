/**
 * The directory that holds the runs' cgroups, `ns` unless --cgroup names another: making it where the hierarchy allows,
 * with the controllers switched on, and taking it back.
 */
import type { Bytes } from "../../sys/bytes.ts";
import { O } from "../../sys/constants.ts";
import { errnoNumber } from "../../sys/errno.ts";
import * as file from "../../sys/file.ts";
import {
  BUSY,
  enable,
  fillSet,
  forProcesses,
  LEAF,
  type Left,
  leaveLeaf,
  missingIn,
  moveToLeaf,
} from "./control.ts";
import { ancestors, type Location } from "./locate.ts";

export interface Parent {
  readonly directory: string;
  /** the caller's cgroup, if ns left it for a leaf below it, to be as it was afterwards */
  readonly left: Left | null;
  /** directories that go when the last run in them ends, innermost first; not those that somebody else made to stay */
  readonly goes: readonly string[];
}

/** Why no parent could be had: the directory and the errno of the nearest try, and what the caller's cgroup lacks. */
export interface Refusal {
  readonly directory: string;
  readonly errno: number;
  readonly missing: readonly string[];
}

export interface Self {
  readonly pid: number;
  readonly uid: number;
}

function makeDirectory(directory: string): number {
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

/** Makes ready one directory on the way: controllers on (v2), a set that is not empty (v1). */
function prepare({ version }: Location, controllers: readonly string[], directory: string): number {
  if (version === 2) return enable(controllers, directory);
  return controllers.includes("cpuset") ? fillSet(directory) : 0;
}

/** The directory that --cgroup names, and those on the way to it. */
function prepareNamed(
  location: Location,
  controllers: readonly string[],
  path: Bytes,
  self: Self,
): Parent | Refusal {
  const made: string[] = [];
  const inner: string[] = [];
  let directory = path.startsWith("/") ? location.mount : location.own;
  let moved = false;
  const left = (): Parent["left"] =>
    moved ? { own: location.own, leaf: `${location.own}/ns/${LEAF}`, inner, controllers } : null;
  let result = 0;
  for (const name of ["", ...path.split("/").filter((part) => part !== "")]) {
    if (name !== "") {
      directory += `/${name}`;
      result = file.makeDirectory(directory);
      if (result === 0) made.unshift(directory);
      if (result === -errnoNumber("EEXIST")) result = 0;
    }
    if (result === 0 && (name !== "" || location.version === 2))
      result = prepare(location, controllers, directory);
    if (result === BUSY && directory === location.own && moveToLeaf(directory, self.pid)) {
      moved = true;
      result = enable(controllers, directory);
    }
    if (moved) inner.unshift(directory);
    if (result !== 0) break;
  }
  const goes = moved ? [...made, `${location.own}/ns`] : made;
  if (result === 0) return { directory, left: left(), goes };
  removeParent({ directory, left: left(), goes }, self.pid);
  const missing = location.version === 2 ? missingIn(location.own, controllers) : [];
  return { directory, errno: -result, missing };
}

/**
 * Makes the `ns` directory with the controllers switched on: below the caller's own cgroup, so that an outer limit still
 * holds, or else below the nearest one above it that allows it; or the one that --cgroup names.
 * @param controllers by their names in this hierarchy
 */
export function prepareParent(
  location: Location,
  controllers: readonly string[],
  path: Bytes | null,
  self: Self,
): Parent | Refusal {
  if (path !== null) return prepareNamed(location, controllers, path, self);
  const goes = (directory: string): string[] => (isOurs(directory, self.uid) ? [directory] : []);
  const { own } = location;
  if (location.version === 1) {
    const directory = `${own}/ns`;
    let made = makeDirectory(directory);
    if (made === 0) made = prepare(location, controllers, directory);
    return made < 0
      ? { directory, errno: -made, missing: [] }
      : { directory, left: null, goes: goes(directory) };
  }
  let refusal: Refusal = {
    directory: own,
    errno: errnoNumber("ENOENT"),
    missing: missingIn(own, controllers),
  };
  let nearest = true;
  for (const above of ancestors(location)) {
    const directory = `${above}/ns`;
    let left: Parent["left"] = null;
    let result = missingIn(above, controllers).length === 0 ? 0 : -errnoNumber("ENOENT");
    if (result === 0) result = enable(controllers, above);
    if (result === BUSY && above === own && moveToLeaf(above, self.pid)) {
      left = { own, leaf: `${directory}/${LEAF}`, inner: [directory, own], controllers };
      result = enable(controllers, above);
    }
    if (result === 0) result = makeDirectory(directory);
    if (result === 0)
      result = controllers.length > 0 ? enable(controllers, directory) : forProcesses(directory);
    if (result === 0) return { directory, left, goes: goes(directory) };
    if (left !== null) leaveLeaf(left, self.pid);
    if (nearest || refusal.errno === errnoNumber("ENOENT"))
      refusal = { ...refusal, directory, errno: -result };
    nearest = false;
  }
  return refusal;
}

/** Removes the directory if it goes and no other run needs it. */
export function removeParent({ left, goes }: Parent, pid: number): void {
  if (left !== null) leaveLeaf(left, pid);
  for (const directory of goes) file.removeDirectory(directory);
}
