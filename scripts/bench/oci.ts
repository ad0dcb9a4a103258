/** Bundles for the runtimes of the Open Container Initiative, runc and crun: what ns does at a level and no more. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Level, MEMORY_LIMIT, OUTSIDE_ID } from "./levels.ts";

/** Writes config.json for these words as init. @returns the bundle's folder */
export function makeBundle(
  folder: string,
  name: string,
  root: string,
  level: Level,
  words: string[],
): string {
  const path = join(folder, `bundle-${name}`);
  mkdirSync(path, { recursive: true });
  const kinds = ["pid", "ipc", "uts", "mount", "cgroup"];
  if (level.user) kinds.push("user");
  if (level.network) kinds.push("network");
  const mappings = [{ containerID: 0, hostID: Number(OUTSIDE_ID), size: 1 }];
  // device nodes are made in every container; in a user namespace that goes only on a file system of its own
  const devices = { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] };
  const config = {
    ociVersion: "1.0.2",
    process: { user: { uid: 0, gid: 0 }, args: words, env: ["PATH=/bin"], cwd: "/" },
    root: { path: root },
    mounts: [{ destination: "/proc", type: "proc", source: "proc" }, ...(level.user ? [devices] : [])],
    linux: {
      namespaces: kinds.map((type) => ({ type })),
      ...(level.user ? { uidMappings: mappings, gidMappings: mappings } : {}),
      ...(level.memory ? { resources: { memory: { limit: MEMORY_LIMIT, swap: MEMORY_LIMIT } } } : {}),
      readonlyPaths: ["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return path;
}
