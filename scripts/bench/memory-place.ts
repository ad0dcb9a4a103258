/** Where the C reference makes its cgroup: below this process's own in the memory hierarchy of version 1. */
import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import { MEMORY_LIMIT } from "./levels.ts";
import type { MemoryPlace } from "./peers.ts";

/** null where there is no such hierarchy: in version 2 a cgroup with processes can have no limited children. */
export function findMemoryPlace(): MemoryPlace {
  const line = readFileSync("/proc/self/cgroup", "utf8")
    .split("\n")
    .find((text) => /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:/.test(text));
  if (line === undefined) return null;
  const own = join("/sys/fs/cgroup/memory", line.slice(line.indexOf(":", line.indexOf(":") + 1) + 1));
  try {
    accessSync(join(own, "memory.memsw.limit_in_bytes"), constants.W_OK);
  } catch {
    return null;
  }
  const files = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"];
  const settings = files.map((file) => `${file}=${MEMORY_LIMIT}`).join(",");
  return { directory: join(own, `ns-bench-${process.pid}`), settings };
}
