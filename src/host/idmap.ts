/** The id maps of a new user namespace (user_namespaces(7)). Used by run/idmap.ts while the child waits. */
import { NsError } from "../spec/error.ts";
import type { Identity, IdRange, User } from "../spec/ids.ts";
import type { Facts } from "../spec/spec.ts";
import { errnoText } from "../sys/errno.ts";
import { access, writeFile } from "../sys/file.ts";
import { isOwn } from "./identity.ts";

/** A file of the kernel's, or a program that writes it for those who may not. */
export type MapStep =
  | { readonly path: string; readonly content: string }
  | { readonly program: string; readonly args: readonly string[] };

const EXECUTE = 1;
/** Where the setuid programs of shadow-utils may lie: never where the caller's PATH says. */
const PLACES = ["/usr/bin", "/bin"];

/** @throws NsError when the host does not have it */
function helper(name: string): string {
  const path = PLACES.map((place) => `${place}/${name}`).find((file) => access(file, EXECUTE) === 0);
  if (path !== undefined) return path;
  throw new NsError(
    `an ordinary user's maps of more than one id need ${name}, which is not in ${PLACES.join(" or ")}`,
    {
      note: "install it: apt install uidmap (Debian, Ubuntu), or the package shadow or shadow-utils",
    },
  );
}

const lineOf = ({ inside, outside, count }: IdRange): string => `${inside} ${outside} ${count}`;

/**
 * What is to be done, in order. setgroups comes before gid_map: an ordinary user could otherwise drop a group that keeps
 * him out of something (CVE-2014-8989).
 * @throws NsError when a program that it needs is not there
 */
export function idMaps(
  pid: number | "PID",
  user: User,
  identity: Identity | null,
  facts: Pick<Facts, "uid" | "gid" | "capabilities">,
): MapStep[] {
  if ("uid" in user)
    return [
      { path: `/proc/${pid}/uid_map`, content: `0 ${user.uid} 1` },
      { path: `/proc/${pid}/setgroups`, content: "deny" },
      { path: `/proc/${pid}/gid_map`, content: `0 ${user.gid} 1` },
    ];
  const { uids, gids, setgroups } = identity!.maps!;
  const step = (kind: "uid" | "gid", ranges: readonly IdRange[], direct: boolean): MapStep =>
    direct
      ? { path: `/proc/${pid}/${kind}_map`, content: ranges.map(lineOf).join("\n") }
      : {
          program: helper(`new${kind}map`),
          args: [`${pid}`, ...ranges.flatMap((range) => lineOf(range).split(" "))],
        };
  const { setUid, setGid } = facts.capabilities;
  return [
    step("uid", uids, setUid || isOwn(uids, facts.uid)),
    ...(setgroups === "deny" ? [{ path: `/proc/${pid}/setgroups`, content: "deny" }] : []),
    step("gid", gids, setGid || isOwn(gids, facts.gid)),
  ];
}

/** @throws NsError when the kernel refuses a map */
export function writeIdMap(path: string, content: string): void {
  const result = writeFile(path, content);
  if (result < 0)
    throw new NsError(`cannot write '${content.replaceAll("\n", ", ")}' to ${path}: ${errnoText(-result)}`, {
      errno: -result,
      note: "an id can be given only if it exists where ns runs: see /proc/self/uid_map and gid_map",
    });
}
