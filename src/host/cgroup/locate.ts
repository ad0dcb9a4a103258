/**
 * Where this process stands in the cgroup tree, for one controller: v1, v2 or a hybrid of both (cgroups(7)). Pure
 * functions over the texts of /proc/self/cgroup and /proc/self/mountinfo.
 */
import type { Mount } from "../status.ts";

export interface Location {
  readonly version: 1 | 2;
  /** where the hierarchy is mounted */
  readonly mount: string;
  /** the caller's own cgroup below it, as a directory */
  readonly own: string;
  readonly readOnly: boolean;
}

/** A cgroup's path as seen through a mount that may show only a part of the hierarchy. */
function directoryOf(path: string, mount: Mount): string {
  const root = mount.root === "/" ? "" : mount.root;
  const below = path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : "";
  return (mount.point + below).replace(/\/+$/, "");
}

/**
 * The caller's cgroup in the hierarchy that has the controller: a v1 hierarchy if one has taken it, else v2.
 * @param controller its name on v1
 * @returns null when no hierarchy with that controller is mounted
 */
export function locate(controller: string, cgroups: string, mounts: readonly Mount[]): Location | null {
  let v2: string | undefined;
  for (const line of cgroups.split("\n")) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    const [, controllers, path] = match as unknown as [string, string, string];
    if (controllers === "") v2 = path;
    if (!controllers.split(",").includes(controller)) continue;
    const mount = mounts.find((m) => m.type === "cgroup" && m.options.includes(controller));
    return mount === undefined
      ? null
      : { version: 1, mount: mount.point, own: directoryOf(path, mount), readOnly: mount.readOnly };
  }
  const mount = mounts.find((m) => m.type === "cgroup2");
  if (mount === undefined || v2 === undefined) return null;
  return { version: 2, mount: mount.point, own: directoryOf(v2, mount), readOnly: mount.readOnly };
}

/** The path in the hierarchy in which systemd keeps its units: one of its own on v1. */
export const systemdPath = (cgroups: string): string | null =>
  (/^\d+:name=systemd:(.*)$/m.exec(cgroups) ?? /^0::(.*)$/m.exec(cgroups))?.[1] ?? null;

/** The directory, and those above it up to the mount, nearest first. */
export function ancestors(location: Location): string[] {
  const out: string[] = [];
  for (let path = location.own; path.length >= location.mount.length; ) {
    out.push(path);
    if (path === location.mount) break;
    path = path.slice(0, path.lastIndexOf("/"));
  }
  return out;
}
