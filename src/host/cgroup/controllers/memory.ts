/** The memory controller: memory, and swap on top (memory.rst, cgroup-v2.rst in the kernel's documentation). */
import { NsError } from "../../../spec/error.ts";
import type { Limits } from "../../../spec/limits.ts";
import type { Bytes } from "../../../sys/bytes.ts";
import type { Controller, Setting, Version } from "./controller.ts";

const noSwapAccounting = "this kernel does not count swap: boot it with swapaccount=1";

/** v1 counts memory and swap together, v2 swap alone; a limit of memory alone means no swap. */
function swapSettings(version: Version, { memory, memorySwap }: Limits): Setting[] {
  if (memory === null || memorySwap === "unlimited") return [];
  const total = memorySwap ?? memory;
  const file = version === 1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max";
  const value = `${version === 1 ? total : total - memory}`;
  return [memorySwap === null ? { file, value, optional: true } : { file, value, note: noSwapAccounting }];
}

function settings(version: Version, limits: Limits): Setting[] {
  const { memory, memoryHigh } = limits;
  if (version === 1) {
    if (memoryHigh !== null)
      throw new NsError("--memory-high needs cgroup v2: memory is limited by v1 on this host", {
        note: "use --memory, or boot the kernel with systemd.unified_cgroup_hierarchy=1",
      });
    return [
      ...(memory === null ? [] : [{ file: "memory.limit_in_bytes", value: `${memory}` }]),
      // after the memory limit, below which the kernel refuses it
      ...swapSettings(1, limits),
    ];
  }
  return [
    ...(memory === null ? [] : [{ file: "memory.max", value: `${memory}` }]),
    ...swapSettings(2, limits),
    ...(memoryHigh === null ? [] : [{ file: "memory.high", value: `${memoryHigh}` }]),
    ...(memory === null ? [] : [{ file: "memory.oom.group", value: "1", optional: true } as const]), // Linux 4.19
  ];
}

export const memory: Controller = {
  name: "memory",
  v1: "memory",
  limits: "memory",
  needed: (limits) => limits.memory !== null || limits.memoryHigh !== null,
  settings,
};

/** The file that counts the processes killed for want of memory. */
export const oomFile = (version: Version): string => (version === 1 ? "memory.oom_control" : "memory.events");

/** How many processes the limit has killed, from that file's content. */
export function oomKills(content: Bytes): number {
  return Number(/^oom_kill (\d+)$/m.exec(content)?.[1] ?? 0);
}

/**
 * Has a cgroup's own limit been reached? An outer limit kills too, and is counted as a kill here.
 * @param read the content of one of its files, "" where it is not there
 */
export function limitReached(version: Version, read: (file: string) => Bytes): boolean {
  if (version === 1) {
    // recent kernels do not count failures (memory.failcnt stays 0); usage stops somewhat below the limit
    const limit = Number(read("memory.limit_in_bytes"));
    return Number(read("memory.max_usage_in_bytes")) >= 0.75 * limit;
  }
  // memory.events.local: Linux 5.2
  const events = read("memory.events.local") || read("memory.events");
  return Number(/^oom (\d+)$/m.exec(events)?.[1] ?? 0) > 0;
}
