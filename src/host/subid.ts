/** The ids that the host's administrator lets a user give to containers: /etc/subuid and /etc/subgid (subuid(5)). */
import { NsError } from "../spec/error.ts";
import type { IdRange } from "../spec/ids.ts";
import type { Bytes } from "../sys/bytes.ts";
import { readFile } from "../sys/file.ts";
import { accountOfId } from "./passwd.ts";

/** Ids from `start` on. */
export interface Granted {
  readonly start: number;
  readonly count: number;
}

export type Kind = "uid" | "gid";

const LIMIT = 1 << 20;
const AFTER_LAST_ID = 4294967295;

const textOf = (path: string): Bytes => {
  const content = readFile(path, LIMIT);
  return typeof content === "string" ? content : "";
};

/** The name that the host knows a user by, or his number. */
export const callerName = (uid: number): Bytes => accountOfId(textOf("/etc/passwd"), uid)?.name ?? `${uid}`;

/** The lines for one of these names. Lines that are no NAME:START:COUNT say nothing, as for newuidmap(1). */
export function parseSubids(text: Bytes, names: readonly Bytes[]): Granted[] {
  const granted: Granted[] = [];
  for (const line of text.split("\n")) {
    const match = /^([^:]+):(\d{1,10}):(\d{1,10})$/.exec(line);
    if (match === null || !names.includes(match[1]!)) continue;
    const start = Number(match[2]);
    const count = Number(match[3]);
    if (count > 0 && start + count <= AFTER_LAST_ID) granted.push({ start, count });
  }
  return granted;
}

/** What this caller has been granted. */
export const subidsOf = (kind: Kind, uid: number): Granted[] =>
  parseSubids(textOf(`/etc/sub${kind}`), [callerName(uid), `${uid}`]);

/** An error about ids that the caller may not use, with the line that would let him. */
export function notGranted(kind: Kind, uid: number, why: string): NsError {
  const name = callerName(uid);
  return new NsError(why, {
    note: `let root add a line to /etc/sub${kind}, with ids that nobody else has: ${name}:100000:65536`,
  });
}

/**
 * --map=auto: as podman maps, 0 is the caller himself and the ids granted to him follow. Root would map itself: only those
 * that were granted to it.
 * @param own the caller's own id; null: he is root
 * @throws NsError when he was granted none
 */
export function mapGranted(kind: Kind, uid: number, own: number | null): IdRange[] {
  const granted = subidsOf(kind, uid);
  if (granted.length === 0)
    throw notGranted(kind, uid, `no ${kind}s in /etc/sub${kind} are for ${callerName(uid)}`);
  const map: IdRange[] = own === null ? [] : [{ inside: 0, outside: own, count: 1 }];
  let inside = map.length;
  for (const { start, count } of granted) {
    map.push({ inside, outside: start, count });
    inside += count;
  }
  return map;
}

/** The first range that is neither the caller's own id nor granted to him, as newuidmap(1) sees it. */
export function foreignRange(
  ranges: readonly IdRange[],
  own: number,
  granted: readonly Granted[],
): IdRange | undefined {
  return ranges.find(
    ({ outside, count }) =>
      !(count === 1 && outside === own) &&
      !granted.some((grant) => outside >= grant.start && outside + count <= grant.start + grant.count),
  );
}
