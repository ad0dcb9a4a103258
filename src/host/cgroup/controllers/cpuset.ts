/**
 * The cpuset controller: which CPUs and memory nodes (cpusets.rst, cgroup-v2.rst). On v1 a new directory has none and
 * takes no process until it has some; on v2 numbers that are not there are taken in silence.
 */
import type { Controller } from "./controller.ts";

export const cpuset: Controller = {
  name: "cpuset",
  v1: "cpuset",
  limits: "CPUs and memory nodes",
  needed: ({ cpusetCpus, cpusetMems }) => cpusetCpus !== null || cpusetMems !== null,
  settings(version, { cpusetCpus, cpusetMems }) {
    const both = [
      { file: "cpuset.cpus", value: cpusetCpus },
      { file: "cpuset.mems", value: cpusetMems },
    ];
    if (version === 1) return both;
    return both
      .filter(({ value }) => value !== null)
      .map((setting) => ({ ...setting, effective: `${setting.file}.effective` }));
  },
};

/** The numbers of a list like "0-2,5". */
export function numbersOf(list: string): Set<number> {
  const out = new Set<number>();
  for (const part of list.trim().split(",")) {
    const [first, last = first] = part.split("-");
    if (first === "") continue;
    for (let number = Number(first); number <= Number(last); number++) out.add(number);
  }
  return out;
}
