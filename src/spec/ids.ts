/** Whose ids the container's are: maps of a user namespace, and what init runs as. Parsers for what the user types. */
import type { Bytes } from "../sys/bytes.ts";
import { show } from "../sys/bytes.ts";
import { usageError } from "./error.ts";

const MAX_ID = 4294967294; // 4294967295 is (uid_t)-1, "no id" (setresuid(2))
/** COUNT of a map of all ids */
const ALL = `${MAX_ID + 1}`;
/** as many lines as the kernel takes (user_namespaces(7)) */
const MAX_RANGES = 340;

/** `count` ids from `inside` on are those from `outside` on. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

export interface IdMaps {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

/** Which ids a user namespace has: 0 alone, made of what the caller has, as said, or those of one that is there already. */
export type User =
  | { readonly uid: number; readonly gid: number }
  | { readonly map: "auto" | "keep" }
  /** a path or a process id */
  | { readonly join: Bytes }
  | IdMaps;

/** What a user namespace has. */
export interface UserMaps extends IdMaps {
  readonly setgroups: "allow" | "deny";
}

/** PATH or PID of a user namespace. @throws NsError (usage) */
export function parseUserns(text: Bytes, option: string): Bytes {
  if (/^[1-9]\d{0,9}$/.test(text) || (text.includes("/") && text.length < 4096)) return text;
  throw usageError(`${option}: '${show(text.slice(0, 40))}' is no PATH or PID of a user namespace`);
}

/** What init runs as, in the user's words: numbers, or names in the root's own files. */
export interface As {
  readonly user: Bytes;
  readonly group: Bytes | null;
  readonly groups: readonly Bytes[];
}

export interface Ids {
  readonly as: As | null;
  /** the root's files belong inside to whom they belong on the disk */
  readonly idmapRoot: boolean;
}

export const defaultIds = (): Ids => ({ as: null, idmapRoot: false });

/** What init runs as, as ids inside. */
export interface InitIds {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** the home directory that the root's /etc/passwd names for the user */
  readonly home: Bytes | null;
}

/** The ids of one run on this host: host/identity.ts finds them. */
export interface Identity {
  /** null: no user namespace */
  readonly maps: UserMaps | null;
  /** null: 0 and 0 */
  readonly init: InitIds | null;
}

/**
 * A strict decimal id from 0 to 4294967294.
 * @throws NsError (usage) for anything else: a runtime that read "-u 1x" as 0 would run it as root
 */
export function parseId(text: string, name: string): number {
  const id = /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : Number.NaN;
  if (!(id <= MAX_ID)) throw usageError(`${name} '${text}' is not a whole number from 0 to ${MAX_ID}`);
  return id;
}

export const showRange = ({ inside, outside, count }: IdRange): string => `${inside}:${outside}:${count}`;

const overlap = (a: number, b: number, { count }: IdRange, other: IdRange): boolean =>
  a < b + other.count && b < a + count;

/**
 * IN:OUT:COUNT, one more range of a map; without COUNT it is 1.
 * @param earlier the ranges that the map has already
 * @throws NsError (usage) also when it says something of an id that an earlier one has said something of
 */
export function parseIdRange(text: Bytes, option: string, earlier: readonly IdRange[]): IdRange {
  const bad = (why: string) => usageError(`${option}: '${show(text)}' ${why}`);
  const match = /^([^:]*):([^:]*)(?::([^:]*))?$/.exec(text);
  if (match === null) throw bad("is not a map like 0:100000:65536, IN:OUT:COUNT");
  const id = (digits: string, name: string): number => parseId(show(digits), `${option}: ${name}`);
  const range = {
    inside: id(match[1]!, "IN"),
    outside: id(match[2]!, "OUT"),
    count: match[3] === ALL ? MAX_ID + 1 : id(match[3] ?? "1", "COUNT"),
  };
  if (range.count === 0) throw bad("maps no id: COUNT is 0");
  if (Math.max(range.inside, range.outside) + range.count - 1 > MAX_ID) throw bad("goes beyond the last id");
  for (const other of earlier) {
    if (overlap(range.inside, other.inside, range, other))
      throw bad(`and ${showRange(other)} map the same id inside`);
    if (overlap(range.outside, other.outside, range, other))
      throw bad(`and ${showRange(other)} map to the same id outside`);
  }
  if (earlier.length === MAX_RANGES) throw bad(`is one too many: the kernel takes ${MAX_RANGES}`);
  return range;
}

/** Has the id inside an id outside? */
export const isMapped = (ranges: readonly IdRange[], id: number): boolean =>
  ranges.some(({ inside, count }) => id >= inside && id < inside + count);

const NUMBER = /^\d+$/;
// names in /etc/passwd end at a colon, in /etc/group at a comma
const NAME = /^[^\0-\x20\x7f:,]{1,256}$/;

/** USER[:GROUP[,GROUP...]], each a number or a name. @throws NsError (usage) */
export function parseAs(text: Bytes, option: string): As {
  const colon = text.indexOf(":");
  const user = colon < 0 ? text : text.slice(0, colon);
  const groups = colon < 0 ? [] : text.slice(colon + 1).split(",");
  const check = (word: Bytes, what: string): Bytes => {
    if (NUMBER.test(word)) return `${parseId(word, `${option}: ${what}`)}`;
    if (NAME.test(word) && !/^[-+]/.test(word)) return word;
    throw usageError(
      `${option}: '${show(text)}' is not USER[:GROUP[,GROUP...]]: ${what} is no number or name`,
    );
  };
  const [group, ...more] = groups.map((word) => check(word, "GROUP"));
  return { user: check(user, "USER"), group: group ?? null, groups: more };
}

/** The id that a word of an As is, if it is a number. */
export const numberOf = (word: Bytes): number | null => (NUMBER.test(word) ? Number(word) : null);

/**
 * Completes maps: what is said of one kind only holds for both, as with podman.
 * @param as given with --as
 * @throws NsError (usage) when nothing says what init is to be
 */
export function completeMaps({ uids, gids }: IdMaps, as: As | null): IdMaps {
  const maps = { uids: uids.length === 0 ? gids : uids, gids: gids.length === 0 ? uids : gids };
  if (as === null && !(isMapped(maps.uids, 0) && isMapped(maps.gids, 0)))
    throw usageError(
      `--map-${isMapped(maps.uids, 0) ? "gid" : "uid"} gives the container no id 0: map one, or say with --as what init is to be`,
    );
  return maps;
}
