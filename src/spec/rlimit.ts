/** Resource limits of processes (getrlimit(2)) as the user types them: nofile=1024:4096. */
import { RLIMIT } from "../sys/constants.ts";
import { usageError } from "./error.ts";

export type RlimitName = keyof typeof RLIMIT;

/** Numbers are in getrlimit's units: bytes, seconds, processes…; -1 stands for no limit. */
export interface Rlimit {
  readonly name: RlimitName;
  readonly soft: bigint;
  readonly hard: bigint;
}

export const UNLIMITED = -1n;
const MAX = 2n ** 63n - 1n;

/** The name as it is typed: nofile for RLIMIT_NOFILE. */
export const shortName = (name: RlimitName): string => name.slice("RLIMIT_".length).toLowerCase();

const NAMES = (Object.keys(RLIMIT) as RlimitName[]).map(shortName);

function parseLimit(text: string, option: string): bigint {
  if (text === "unlimited" || text === "-1") return UNLIMITED;
  const limit = /^(0|[1-9]\d{0,18})$/.test(text) ? BigInt(text) : MAX + 1n;
  if (limit > MAX) throw usageError(`${option}: '${text}' is not a whole number or 'unlimited'`);
  return limit;
}

/** Is a limit higher than another one? */
export const isAbove = (limit: bigint, other: bigint): boolean =>
  other !== UNLIMITED && (limit === UNLIMITED || limit > other);

/** `nofile=1024:4096`, or with one number for both. @throws NsError (usage) */
export function parseRlimit(text: string, option: string): Rlimit {
  const equals = text.indexOf("=");
  if (equals < 0) throw usageError(`${option}: '${text}' is not NAME=SOFT[:HARD], like nofile=1024:4096`);
  const name = text.slice(0, equals);
  if (!NAMES.includes(name))
    throw usageError(`${option}: '${name}' is no resource limit; there are ${NAMES.join(", ")}`);
  const values = text.slice(equals + 1).split(":");
  if (values.length > 2) throw usageError(`${option}: '${text}' has more than a soft and a hard limit`);
  const soft = parseLimit(values[0]!, option);
  const hard = values[1] === undefined ? soft : parseLimit(values[1], option);
  if (isAbove(soft, hard)) throw usageError(`${option}: the soft limit is above the hard one in '${text}'`);
  return { name: `RLIMIT_${name.toUpperCase()}` as RlimitName, soft, hard };
}
