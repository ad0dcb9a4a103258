/** The pids controller: how many processes and threads (pids.rst, cgroup-v2.rst). */
import type { Bytes } from "../../../sys/bytes.ts";
import type { Controller } from "./controller.ts";

/** Has the cgroup's own limit kept somebody from starting a process? @param read as in memory.ts */
export function processesRefused(limit: number, read: (file: string) => Bytes): boolean {
  if (Number(/^max (\d+)$/m.exec(read("pids.events"))?.[1] ?? 0) === 0) return false;
  // an outer limit is counted here too, before Linux 6.11; who has never had so many was not kept by this one
  const peak = read("pids.peak"); // Linux 6.6
  return peak === "" || Number(peak) >= limit;
}

export const pids: Controller = {
  name: "pids",
  v1: "pids",
  limits: "processes",
  needed: (limits) => limits.pids !== null,
  settings: (_, limits) => [{ file: "pids.max", value: `${limits.pids}` }],
};
