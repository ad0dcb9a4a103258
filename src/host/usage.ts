/** What a run has used: from its cgroup's files where it has one that counts, else from what the kernel adds up of children. */
import { readFile } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";
import type { Cgroup } from "./cgroup/cgroup.ts";

/** Seconds of processor time. */
export interface Cpu {
  readonly user: number;
  readonly system: number;
}

const RUSAGE_CHILDREN = -1;
const NANOSECONDS = 1e9;
const MICROSECONDS = 1e6;

/** Of all children that have been waited for so far, and of theirs (getrusage(2)). An exec does not lose it. */
export const childrenCpu = (): Cpu =>
  scratch((memory) => {
    const usage = memory.reserve(144);
    memory.clear(usage, 144);
    call("getrusage", RUSAGE_CHILDREN, usage);
    const seconds = (at: number): number => memory.getI64(at) + memory.getI64(at + 8) / MICROSECONDS;
    return { user: seconds(usage), system: seconds(usage + 16) };
  });

const numberIn = (path: string, pattern: RegExp): number | null => {
  const content = readFile(path);
  const match = typeof content === "string" ? pattern.exec(content) : null;
  return match === null ? null : Number(match[1]);
};
const ALL = /^(\d+)$/m;

/** Of all that has ever been in the cgroup; null where it does not count that. */
export function cgroupCpu(cgroup: Cgroup): Cpu | null {
  for (const { directory, location } of cgroup) {
    const [files, unit] =
      location.version === 2
        ? ([["cpu.stat", /^user_usec (\d+)$/m, "cpu.stat", /^system_usec (\d+)$/m], MICROSECONDS] as const)
        : ([["cpuacct.usage_user", ALL, "cpuacct.usage_sys", ALL], NANOSECONDS] as const);
    const user = numberIn(`${directory}/${files[0]}`, files[1]);
    const system = numberIn(`${directory}/${files[2]}`, files[3]);
    if (user !== null && system !== null) return { user: user / unit, system: system / unit };
  }
  return null;
}

/** The most memory that the cgroup has had, in bytes; null where it does not count that (before Linux 5.19 on v2). */
export function cgroupPeak(cgroup: Cgroup): number | null {
  for (const { directory, location, controllers } of cgroup)
    if (controllers.includes("memory"))
      return numberIn(
        `${directory}/${location.version === 2 ? "memory.peak" : "memory.max_usage_in_bytes"}`,
        ALL,
      );
  return null;
}
