/** Options that limit what the container may use: its cgroup, then (priority.ts) its processes. */
import { parseHugePages, parseIoMax } from "../../spec/io.ts";
import {
  parseCgroup,
  parseCpus,
  parseMemorySwap,
  parseNumber,
  parseSet,
  parseSystemd,
} from "../../spec/limits.ts";
import { parseSize } from "../../spec/size.ts";
import type { Flag } from "./flag.ts";
import { priorityFlags } from "./priority.ts";

/** As many processes as Linux can count (PID_MAX_LIMIT). */
const MAX_PIDS = 4194304;

export const limitFlags: readonly Flag[] = [
  {
    name: "memory",
    short: "m",
    kind: "value",
    hint: "SIZE",
    help: "limit memory, without swap on top: bytes, or with k, M, G, T (powers of 1024)",
    apply: ({ spec }, value, option) => {
      spec.limits.memory = parseSize(value, option);
    },
  },
  {
    name: "memory-swap",
    kind: "value",
    hint: "SIZE",
    needs: ["memory"],
    help: "limit memory and swap together to SIZE; unlimited: as much swap as there is",
    apply: ({ spec }, value, option) => {
      spec.limits.memorySwap = parseMemorySwap(value, option);
    },
  },
  {
    name: "memory-high",
    kind: "value",
    hint: "SIZE",
    help: "slow the container down and reclaim memory above SIZE (cgroup v2)",
    apply: ({ spec }, value, option) => {
      spec.limits.memoryHigh = parseSize(value, option);
    },
  },
  {
    name: "cpus",
    kind: "value",
    hint: "NUMBER",
    help: "limit CPU time to that of so many CPUs, like 1.5",
    apply: ({ spec }, value, option) => {
      spec.limits.cpuQuota = parseCpus(value, option);
    },
  },
  {
    name: "cpu-weight",
    kind: "value",
    hint: "WEIGHT",
    help: "share of CPU time when all want it, 1 to 10000; 100 is everybody's",
    apply: ({ spec }, value, option) => {
      spec.limits.cpuWeight = parseNumber(value, option, 1, 10_000);
    },
  },
  {
    name: "cpuset-cpus",
    kind: "value",
    hint: "LIST",
    help: "run on these CPUs only, like 0-2,5",
    apply: ({ spec }, value, option) => {
      spec.limits.cpusetCpus = parseSet(value, option);
    },
  },
  {
    name: "cpuset-mems",
    kind: "value",
    hint: "LIST",
    help: "take memory from these nodes only, like 0-1",
    apply: ({ spec }, value, option) => {
      spec.limits.cpusetMems = parseSet(value, option);
    },
  },
  {
    name: "pids",
    kind: "value",
    hint: "NUMBER",
    help: "limit the number of processes and threads",
    apply: ({ spec }, value, option) => {
      spec.limits.pids = parseNumber(value, option, 1, MAX_PIDS);
    },
  },
  {
    name: "io-max",
    kind: "list",
    hint: "DEV:LIMITS",
    help: "limit a disk's bytes and operations a second: rbps=, wbps=, riops=, wiops=, with commas between",
    apply: ({ spec }, value, option) => {
      spec.limits.io ??= [];
      spec.limits.io.push(parseIoMax(value, option));
    },
  },
  {
    name: "hugetlb",
    kind: "list",
    hint: "SIZE:LIMIT",
    help: "limit memory in huge pages of SIZE, like 2M:64M; a LIMIT of 0 forbids them",
    apply: ({ spec }, value, option) => {
      spec.limits.hugePages ??= [];
      spec.limits.hugePages.push(parseHugePages(value, option));
    },
  },
  {
    name: "cgroup",
    kind: "value",
    hint: "PATH|none",
    help: "make the run's cgroup in PATH, relative to the caller's own or absolute; none: make none",
    apply: ({ spec }, value, option) => {
      spec.limits.cgroup = parseCgroup(value, option);
    },
  },
  {
    name: "systemd",
    kind: "optional",
    hint: "yes|no",
    help: "have systemd make a scope for the run's cgroup; without it: in a login session",
    excludes: ["cgroup"],
    apply: ({ spec }, value, option) => {
      spec.limits.systemd = parseSystemd(value, option);
    },
  },
  ...priorityFlags,
];
