/**
 * What the container may use at most, and with what priority it runs: the limits of its cgroup and where that is. Limits
 * of single processes are in rlimit.ts and priority.ts, those of block devices and huge pages in io.ts.
 */
import type { Bytes } from "../sys/bytes.ts";
import { usageError } from "./error.ts";
import type { HugePages, IoLimit } from "./io.ts";
import type { Priority } from "./priority.ts";
import type { Rlimit } from "./rlimit.ts";
import { parseSize } from "./size.ts";

export interface Limits {
  /** bytes; without swap on top, unless memorySwap says more; null: no limit */
  readonly memory: bigint | null;
  /** bytes of memory and swap together; "unlimited": as much swap as there is */
  readonly memorySwap: bigint | "unlimited" | null;
  /** bytes above which the container is slowed down and its memory reclaimed (cgroup v2) */
  readonly memoryHigh: bigint | null;
  /** microseconds of CPU time in each period of 100 ms */
  readonly cpuQuota: number | null;
  /** share of CPU time when there is not enough, 1 to 10000; 100 is everybody's */
  readonly cpuWeight: number | null;
  /** CPUs and memory nodes, as "0-2,5" */
  readonly cpusetCpus: string | null;
  readonly cpusetMems: string | null;
  /** processes and threads */
  readonly pids: number | null;
  readonly io: readonly IoLimit[] | null;
  readonly hugePages: readonly HugePages[] | null;
  /** the cgroup in which the run's own is made, relative to the caller's or absolute; "none": no cgroup at all */
  readonly cgroup: Bytes | null;
  /** the run's cgroup is in a scope of systemd's; null: where that is right (run/systemd.ts) */
  readonly systemd: boolean | null;
  readonly rlimits: readonly Rlimit[] | null;
  readonly priority: Priority | null;
}

export const defaultLimits = (): Limits => ({
  memory: null,
  memorySwap: null,
  memoryHigh: null,
  cpuQuota: null,
  cpuWeight: null,
  cpusetCpus: null,
  cpusetMems: null,
  pids: null,
  io: null,
  hugePages: null,
  cgroup: null,
  systemd: null,
  rlimits: null,
  priority: null,
});

/** Is there something that only a cgroup can limit? */
export const hasCgroupLimits = (limits: Limits): boolean =>
  limits.memory !== null ||
  limits.memoryHigh !== null ||
  limits.cpuQuota !== null ||
  limits.cpuWeight !== null ||
  limits.cpusetCpus !== null ||
  limits.cpusetMems !== null ||
  limits.pids !== null ||
  limits.io !== null ||
  limits.hugePages !== null;

/** Does the run have a cgroup of its own? */
export const wantsCgroup = (limits: Limits): boolean =>
  hasCgroupLimits(limits) || (limits.cgroup !== null && limits.cgroup !== "none") || limits.systemd === true;

/** The length of a period of CPU time, in microseconds. */
export const CPU_PERIOD = 100_000;
const MAX_CPUS = 10_000;

/** A number of CPUs as microseconds in a period: 1.5 is 150000. @throws NsError (usage) */
export function parseCpus(text: string, option: string): number {
  // less than a millisecond of each period the kernel refuses
  const cpus = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(cpus >= 0.01 && cpus <= MAX_CPUS))
    throw usageError(`${option}: '${text}' is not a number of CPUs from 0.01 to ${MAX_CPUS}, like 1.5`);
  return Math.round(cpus * CPU_PERIOD);
}

/** A whole number. @throws NsError (usage) */
export function parseNumber(text: string, option: string, least: number, most: number): number {
  const number = /^(-?[1-9]\d{0,14}|0)$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number <= most))
    throw usageError(`${option}: '${text}' is not a whole number from ${least} to ${most}`);
  return number;
}

/** A list of CPUs or memory nodes: "0-2,5". @throws NsError (usage) */
export function parseSet(text: string, option: string): string {
  const bad = (): never => {
    throw usageError(`${option}: '${text}' is not a list of numbers and ranges like 0-2,5`);
  };
  for (const part of text.split(",")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? bad();
    if (match[2] !== undefined && Number(match[2]) < Number(match[1])) bad();
  }
  return text;
}

/** Memory and swap together; -1 for no limit of swap. @throws NsError (usage) */
export const parseMemorySwap = (text: string, option: string): bigint | "unlimited" =>
  text === "-1" || text === "unlimited" ? "unlimited" : parseSize(text, option);

/** A cgroup's path, or "none". @throws NsError (usage) */
export function parseCgroup(text: Bytes, option: string): Bytes {
  const names = text.split("/").filter((name) => name !== "");
  if (names.length === 0) throw usageError(`${option}: '${text}' names no cgroup below the root`);
  if (names.some((name) => name === "." || name === ".."))
    throw usageError(`${option}: '${text}' may not have . or .. in it`);
  if (names.some((name) => name.length > 255 || /[\0\n]/.test(name)))
    throw usageError(`${option}: a name in the path is too long or has a newline in it`);
  return (text.startsWith("/") ? "/" : "") + names.join("/");
}

/** Whether systemd is to make the scope; nothing said means yes. @throws NsError (usage) */
export function parseSystemd(text: string | null, option: string): boolean {
  if (text === null || text === "yes") return true;
  if (text === "no") return false;
  throw usageError(`${option}: '${text}' is neither yes nor no`);
}
