/** `ns check`: which limits a run's cgroup can have here, each by making one, and whether systemd makes room for it. */
import { textOf } from "../../host/survey/host.ts";
import { statusField } from "../../host/status.ts";
import { defaultLimits, type Limits } from "../../spec/limits.ts";
import { readHost } from "../../host/survey/host.ts";
import { type Feature, rehearsed } from "./feature.ts";

const GROUP = "limits";
const MEBIBYTE = 1n << 20n;

const limited = (id: string, name: string, option: string, limits: () => Partial<Limits>): Feature =>
  rehearsed(id, GROUP, name, option, (base) => ({ ...base, limits: { ...defaultLimits(), ...limits() } }));

/** The CPUs that this process may use: a set that is surely there. */
const ownCpus = (): string => statusField(textOf("/proc/self/status"), "Cpus_allowed_list") || "0";

/** In the order in which they are tried: the first may have systemd make a scope, which the others are then in. */
export const LIMIT_FEATURES: readonly Feature[] = [
  limited("memory", "memory", "--memory", () => ({ memory: 64n * MEBIBYTE })),
  limited("pids", "processes", "--pids", () => ({ pids: 100 })),
  limited("cpu", "CPU time", "--cpus, --cpu-weight", () => ({ cpuWeight: 100 })),
  limited("cpuset", "CPUs", "--cpuset-cpus", () => ({ cpusetCpus: ownCpus() })),
  limited("io", "disks", "--io-max", () => ({ io: [] })),
  limited("hugetlb", "huge pages", "--hugetlb", () => ({ hugePages: [] })),
  {
    ...limited("systemd", "a scope of systemd's", "--systemd", () => ({ systemd: true, pids: 100 })),
    asked: () => readHost().systemd,
  },
];
