/** Writes the id maps of a new user namespace (user_namespaces(7)). Called by run/start.ts while the child waits. */
import { NsError } from "../spec/error.ts";
import { errnoText } from "../sys/errno.ts";
import { writeFile } from "../sys/file.ts";

export interface MapFile {
  readonly path: string;
  readonly content: string;
}

/**
 * The files to write, in order. setgroups comes before gid_map: an ordinary user could otherwise drop a group that keeps
 * him out of something (CVE-2014-8989).
 */
export function idMaps(pid: number | "PID", uid: number, gid: number): MapFile[] {
  return [
    { path: `/proc/${pid}/uid_map`, content: `0 ${uid} 1` },
    { path: `/proc/${pid}/setgroups`, content: "deny" },
    { path: `/proc/${pid}/gid_map`, content: `0 ${gid} 1` },
  ];
}

/** @throws NsError when the kernel refuses a map */
export function writeIdMaps(files: readonly MapFile[]): void {
  for (const { path, content } of files) {
    const result = writeFile(path, content);
    if (result < 0)
      throw new NsError(`cannot write '${content}' to ${path}: ${errnoText(-result)}`, {
        errno: -result,
        note: "an id can be given only if it exists where ns runs: see /proc/self/uid_map and gid_map",
      });
  }
}
