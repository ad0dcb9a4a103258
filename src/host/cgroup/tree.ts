/**
 * Locking, sweeping and removing runs' cgroups. A run's cgroup is locked with flock(2) for as long as its ns or the
 * watcher lives, so that "nobody holds the lock" means "left behind", whatever has become of process ids.
 */
import { LOCK, O } from "../../sys/constants.ts";
import { errnoNumber } from "../../sys/errno.ts";
import * as file from "../../sys/file.ts";
import { call } from "../../sys/kernel.ts";

/** What a run's directory is called, after the prefix: ns's process id and a few letters. */
const RUN = /^\d+-[a-z0-9]+$/;
const TRIES = 20;
/** As many directories a sweep looks at, where thousands of containers run. */
const LOOKS = 100;

/** Opens a directory and locks it; null when somebody else holds the lock or it is gone. */
export function lock(directory: string): number | null {
  const fd = file.open(directory, O.O_RDONLY | O.O_DIRECTORY);
  if (fd < 0) return null;
  if (call("flock", fd, LOCK.LOCK_EX | LOCK.LOCK_NB) === 0 && file.access(directory, 0) === 0) return fd;
  file.close(fd);
  return null;
}

/** Makes and locks a directory for this run below the parent; or -errno, ENOENT when the parent is gone. */
export function makeRun(
  parent: string,
  prefix: string,
  pid: number,
): { directory: string; lock: number } | number {
  let result = -errnoNumber("EEXIST");
  for (let i = 0; i < TRIES; i++) {
    const directory = `${parent}/${prefix}${pid}-${Math.random().toString(36).slice(2, 8)}`;
    result = file.makeDirectory(directory);
    if (result === -errnoNumber("ENOENT")) return result;
    if (result < 0) continue;
    const held = lock(directory); // or a sweep was faster: then once more
    if (held !== null) return { directory, lock: held };
    file.removeDirectory(directory);
    result = -errnoNumber("EAGAIN");
  }
  return result;
}

/** Removes a cgroup and all below it; 0 or the last -errno. */
export function removeTree(directory: string): number {
  const result = file.removeDirectory(directory);
  if (result === 0 || result === -errnoNumber("ENOENT")) return 0;
  const entries = file.list(directory);
  if (typeof entries !== "number")
    for (const { name, isDirectory } of entries) if (isDirectory) removeTree(`${directory}/${name}`);
  const removed = file.removeDirectory(directory);
  return removed === -errnoNumber("ENOENT") ? 0 : removed;
}

/**
 * Removes the cgroups of runs whose ns and watcher are dead: all of them, or where there are many some by chance.
 * @param prefix with which runs' names begin here
 */
export function sweep(parent: string, prefix: string): void {
  const entries = file.list(parent);
  if (typeof entries === "number") return;
  const first = entries.length <= LOOKS ? 0 : Math.floor(Math.random() * entries.length);
  for (let i = 0; i < entries.length && i < LOOKS; i++) {
    const { name, isDirectory } = entries[(first + i) % entries.length]!;
    if (!isDirectory || !name.startsWith(prefix) || !RUN.test(name.slice(prefix.length))) continue;
    const held = lock(`${parent}/${name}`);
    if (held === null) continue;
    removeTree(`${parent}/${name}`);
    file.close(held);
  }
}
