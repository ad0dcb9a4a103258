/** The cpu controller: so much CPU time in a period, and the share when all want it (cgroup-v2.rst, sched-bwc.rst). */
import { CPU_PERIOD } from "../../../spec/limits.ts";
import type { Controller, Setting } from "./controller.ts";

const DEFAULT_SHARES = 1024;
const DEFAULT_WEIGHT = 100;
const [MIN_SHARES, MAX_SHARES] = [2, 262144];

/** v1's shares for v2's weight, as systemd converts them: what is everybody's stays everybody's. */
export const sharesOf = (weight: number): number =>
  Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor((weight * DEFAULT_SHARES) / DEFAULT_WEIGHT)));

const tooMuch = "a cgroup above this one allows less";

export const cpu: Controller = {
  name: "cpu",
  v1: "cpu",
  limits: "CPU time",
  needed: ({ cpuQuota, cpuWeight }) => cpuQuota !== null || cpuWeight !== null,
  settings(version, { cpuQuota, cpuWeight }) {
    const out: Setting[] = [];
    if (cpuQuota !== null && version === 2) out.push({ file: "cpu.max", value: `${cpuQuota} ${CPU_PERIOD}` });
    if (cpuQuota !== null && version === 1)
      out.push(
        { file: "cpu.cfs_period_us", value: `${CPU_PERIOD}` },
        { file: "cpu.cfs_quota_us", value: `${cpuQuota}`, note: tooMuch },
      );
    if (cpuWeight !== null)
      out.push(
        version === 2
          ? { file: "cpu.weight", value: `${cpuWeight}` }
          : { file: "cpu.shares", value: `${sharesOf(cpuWeight)}` },
      );
    return out;
  },
};
