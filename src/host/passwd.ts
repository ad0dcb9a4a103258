/**
 * Parsers for passwd(5) and group(5). The files may be a hostile root's: what is no proper line is no user, numbers are
 * strict, and of two lines for one name the first counts, as for getpwnam(3).
 */
import type { Bytes } from "../sys/bytes.ts";

export interface Account {
  readonly name: Bytes;
  readonly uid: number;
  readonly gid: number;
  readonly home: Bytes;
}

export interface Group {
  readonly name: Bytes;
  readonly gid: number;
  readonly members: readonly Bytes[];
}

const MAX_ID = 4294967294;

function idOf(text: Bytes): number | null {
  if (!/^(0|[1-9]\d{0,9})$/.test(text)) return null;
  const id = Number(text);
  return id <= MAX_ID ? id : null;
}

/** Has it a byte that does not belong in a line of such a file? */
const isStrange = (line: Bytes): boolean => /[\0-\x1f\x7f]/.test(line);

function accountIn(line: Bytes): Account | null {
  const fields = line.split(":");
  if (fields.length !== 7 || fields[0] === "" || isStrange(line)) return null;
  const uid = idOf(fields[2]!);
  const gid = idOf(fields[3]!);
  return uid === null || gid === null ? null : { name: fields[0]!, uid, gid, home: fields[5]! };
}

function groupIn(line: Bytes): Group | null {
  const fields = line.split(":");
  if (fields.length !== 4 || fields[0] === "" || isStrange(line)) return null;
  const gid = idOf(fields[2]!);
  return gid === null ? null : { name: fields[0]!, gid, members: fields[3]!.split(",") };
}

function findLine<T>(text: Bytes, parse: (line: Bytes) => T | null, wanted: (entry: T) => boolean): T | null {
  for (const line of text.split("\n")) {
    const entry = parse(line);
    if (entry !== null && wanted(entry)) return entry;
  }
  return null;
}

export const accountNamed = (passwd: Bytes, name: Bytes): Account | null =>
  findLine(passwd, accountIn, (account) => account.name === name);

export const accountOfId = (passwd: Bytes, uid: number): Account | null =>
  findLine(passwd, accountIn, (account) => account.uid === uid);

export const groupNamed = (group: Bytes, name: Bytes): Group | null =>
  findLine(group, groupIn, (entry) => entry.name === name);

/** The gids of the groups that a user is a member of, each once. */
export function groupsOf(group: Bytes, name: Bytes): number[] {
  const gids = new Set<number>();
  for (const line of group.split("\n")) {
    const entry = groupIn(line);
    if (entry?.members.includes(name)) gids.add(entry.gid);
  }
  return [...gids];
}
