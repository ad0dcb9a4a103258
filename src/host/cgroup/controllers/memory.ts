/** The memory controller: a limit without swap on top (memory.rst, cgroup-v2.rst in the kernel's documentation). */
import type { Bytes } from "../../../sys/bytes.ts";

export interface Setting {
  readonly file: string;
  readonly value: string;
  /** the file need not be there: without it there is nothing to limit (no swap accounting) */
  readonly optional?: true;
}

/** What to write so that a cgroup may use `limit` bytes of memory and no swap on top. In this order. */
export function memorySettings(version: 1 | 2, limit: bigint): Setting[] {
  if (version === 1)
    return [
      { file: "memory.limit_in_bytes", value: `${limit}` },
      // memory plus swap; never below the memory limit, which the kernel refuses
      { file: "memory.memsw.limit_in_bytes", value: `${limit}`, optional: true },
    ];
  return [
    { file: "memory.max", value: `${limit}` },
    { file: "memory.swap.max", value: "0", optional: true },
    { file: "memory.oom.group", value: "1", optional: true }, // Linux 4.19
  ];
}

/** The file that counts the processes killed for want of memory. */
export const oomFile = (version: 1 | 2): string => (version === 1 ? "memory.oom_control" : "memory.events");

/** How many processes the limit has killed, from that file's content. */
export function oomKills(content: Bytes): number {
  return Number(/^oom_kill (\d+)$/m.exec(content)?.[1] ?? 0);
}

/**
 * Has a cgroup's own limit been reached? An outer limit kills too, and is counted as a kill here.
 * @param read the content of one of its files, "" where it is not there
 */
export function limitReached(version: 1 | 2, read: (file: string) => Bytes): boolean {
  if (version === 1) {
    // recent kernels do not count failures (memory.failcnt stays 0); usage stops somewhat below the limit
    const limit = Number(read("memory.limit_in_bytes"));
    return Number(read("memory.max_usage_in_bytes")) >= 0.75 * limit;
  }
  // memory.events.local: Linux 5.2
  const events = read("memory.events.local") || read("memory.events");
  return Number(/^oom (\d+)$/m.exec(events)?.[1] ?? 0) > 0;
}
