/**
 * What a cgroup hands on to its children: switching controllers on and off (v2), filling a new cpuset (v1), and moving ns
 * itself out of a cgroup that is to have children. Used by parent.ts.
 */
import { errnoNumber } from "../../sys/errno.ts";
import * as file from "../../sys/file.ts";

/** Where ns itself moves when its own cgroup has to become an inner one: v2 keeps processes out of those. */
export const LEAF = "init";

/** The caller's cgroup that ns has left for a leaf below it. */
export interface Left {
  readonly own: string;
  readonly leaf: string;
  /** directories in which the controllers are to be switched off, innermost first */
  readonly inner: readonly string[];
  readonly controllers: readonly string[];
}

export const BUSY = -errnoNumber("EBUSY");

const words = (path: string): string[] => {
  const content = file.readFile(path);
  const text = typeof content === "string" ? content.trim() : "";
  return text === "" ? [] : text.split(/\s+/);
};

/** Those that a v2 cgroup cannot hand on, because it has not got them. */
export const missingIn = (directory: string, controllers: readonly string[]): string[] => {
  const there = words(`${directory}/cgroup.controllers`);
  return controllers.filter((name) => !there.includes(name));
};

const control = (directory: string): string => `${directory}/cgroup.subtree_control`;

/** Controllers for which a cgroup with processes of its own may have children: but those can be threads only. */
const THREADED: readonly string[] = ["cpu", "cpuset", "pids"];

/** 0 when children of the directory have the controllers, or -errno. */
export function enable(controllers: readonly string[], directory: string): number {
  const on = words(control(directory));
  const off = controllers.filter((name) => !on.includes(name));
  if (off.length === 0) return 0;
  const threads = off.every((name) => THREADED.includes(name));
  // the root has no type, and may have both
  if (
    threads &&
    file.access(`${directory}/cgroup.type`, 0) === 0 &&
    words(`${directory}/cgroup.procs`).length > 0
  )
    return BUSY;
  return file.writeFile(control(directory), off.map((name) => `+${name}`).join(" "));
}

/** 0 when a new directory may have processes, or -errno, and it is gone: below a cgroup of threads there are none. */
export function forProcesses(directory: string): number {
  if (!words(`${directory}/cgroup.type`).includes("invalid")) return 0;
  file.removeDirectory(directory);
  return -errnoNumber("EOPNOTSUPP");
}

/** Moves ns, if it is alone in its cgroup, one level down, so that the cgroup can hand controllers on. */
export function moveToLeaf(own: string, pid: number): boolean {
  if (words(`${own}/cgroup.procs`).join() !== `${pid}`) return false;
  file.makeDirectory(`${own}/ns`);
  file.makeDirectory(`${own}/ns/${LEAF}`);
  if (file.writeFile(`${own}/ns/${LEAF}/cgroup.procs`, `${pid}`) === 0) return true;
  file.removeDirectory(`${own}/ns/${LEAF}`);
  file.removeDirectory(`${own}/ns`);
  return false;
}

/** On v1 a new cpuset is empty: give it what the directory above has. */
export function inherit(directory: string, name: string): number {
  if (words(`${directory}/${name}`).length > 0) return 0;
  const above = words(`${directory.slice(0, directory.lastIndexOf("/"))}/${name}`).join();
  return file.writeFile(`${directory}/${name}`, above);
}

/** 0 when the directory has CPUs and memory nodes, or -errno. */
export const fillSet = (directory: string): number =>
  Math.min(inherit(directory, "cpuset.cpus"), inherit(directory, "cpuset.mems"));

/** Takes ns back out of the leaf, and the leaf away. */
export function leaveLeaf({ own, leaf, inner, controllers }: Left, pid: number): void {
  const off = controllers.map((name) => `-${name}`).join(" ");
  for (const directory of inner) file.writeFile(control(directory), off);
  file.writeFile(`${own}/cgroup.procs`, `${pid}`);
  file.removeDirectory(leaf);
}
