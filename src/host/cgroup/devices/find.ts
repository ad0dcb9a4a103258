/** Finds the hierarchy in which devices can be restricted. Every start of root's comes here. */
import { parseMountinfo } from "../../status.ts";
import { fileSystemOf, readFile } from "../../../sys/file.ts";
import { type Location, locate } from "../locate.ts";

/** Magic numbers of cgroup file systems (statfs(2)). */
const CGROUP = 0x27e0eb;
const CGROUP2 = 0x63677270;
const USUAL_MOUNT = "/sys/fs/cgroup";

/** The path behind this in /proc/self/cgroup; null: there is no such line. @param word may begin with a newline */
export function pathAfter(cgroups: string, word: string): string | null {
  const start = cgroups.indexOf(word);
  if (start < 0) return null;
  const begin = start + word.length;
  const end = cgroups.indexOf("\n", begin);
  return cgroups.slice(begin, end < 0 ? undefined : end);
}

/** Where nearly every system has it, without reading what is mounted; null: not there. */
function atUsualPlace(cgroups: string): Location | null {
  const v1 = pathAfter(cgroups, ":devices:");
  // in a hierarchy together with others it is found by its mount
  if (v1 === null && cgroups.includes("devices")) return null;
  const v2 = pathAfter(`\n${cgroups}`, "\n0::");
  const path = v1 ?? v2;
  if (path === null) return null;
  const mount = v1 === null ? USUAL_MOUNT : `${USUAL_MOUNT}/devices`;
  const own = path === "/" ? mount : mount + path;
  const found = fileSystemOf(own);
  if (typeof found === "number" || found.type !== (v1 === null ? CGROUP2 : CGROUP)) return null;
  const ST_RDONLY = 1;
  return { version: v1 === null ? 2 : 1, mount, own, readOnly: (found.flags & ST_RDONLY) !== 0 };
}

/**
 * This process's cgroup in the hierarchy for devices; null: none is mounted.
 * @param exact as limits are placed (locate.ts), because the place has to be compared with theirs
 */
export function findDevices(exact: boolean): Location | null {
  const cgroups = readFile("/proc/self/cgroup");
  if (typeof cgroups === "number") return null;
  const usual = exact ? null : atUsualPlace(cgroups);
  if (usual !== null) return usual;
  const mounts = readFile("/proc/self/mountinfo");
  return typeof mounts === "number" ? null : locate("devices", cgroups, parseMountinfo(mounts));
}
