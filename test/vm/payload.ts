/**
 * What goes into a virtual machine and what comes back, as raw tar files on disks of their own (the kernel needs no
 * driver for shared folders that way). Called by vm.ts; init.sh is the other end: it unpacks the payload at /, reads
 * /.vm (the script, the modules in their order, the mounts) and packs /results.
 */
import { chmod, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "./cache.ts";

/** A path on this machine (a folder is taken whole, with its modes, owners and device nodes), or the file's text. */
export type Content = string | { text: string; mode?: number };

/** A serial number and the folder at which the disk that carries it is mounted. */
export type Mount = [serial: string, target: string];

/** Writes the payload archive to `archive`, using `staging` as scratch space; both belong to the caller. */
export async function writePayload(
  archive: string,
  staging: string,
  payload: { files: Record<string, Content>; script: string; modules: string[]; mounts: Mount[] },
): Promise<void> {
  const files: Record<string, Content> = {
    ...payload.files,
    "/.vm/run": { text: `#!/bin/sh\n${payload.script}\n`, mode: 0o755 },
    "/.vm/mounts": { text: payload.mounts.map((mount) => `${mount.join(" ")}\n`).join("") },
  };
  payload.modules.forEach((file, index) => {
    files[`/.vm/modules/${`${index}`.padStart(3, "0")}.ko`] = file;
  });
  for (const [path, content] of Object.entries(files)) {
    if (!path.startsWith("/")) throw new Error(`the path in the machine must be absolute: ${path}`);
    await stage(content, join(staging, path));
  }
  // Named one by one: an entry for a folder that exists in the machine (/, /tmp) would change its mode there.
  const names = Object.keys(files).map((path) => `./${path.replace(/^\/+/, "")}`);
  await run(["tar", "-C", staging, "--numeric-owner", "-cf", archive, ...names]);
}

async function stage(content: Content, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  if (typeof content === "string") {
    await run(["cp", "-aH", "--reflink=auto", "-T", content, target]);
  } else {
    await Bun.write(target, content.text);
    await chmod(target, content.mode ?? 0o644);
  }
}

/** The regular files that the machine left in /results, by their path below it; `status` is the script's. */
export async function readResults(
  archive: string,
): Promise<{ status: number; results: Map<string, Buffer> }> {
  const results = new Map<string, Buffer>();
  for (const [path, file] of await new Bun.Archive(await Bun.file(archive).bytes()).files()) {
    results.set(path.replace(/^\.\//, ""), Buffer.from(await file.arrayBuffer()));
  }
  const status = Number.parseInt(`${results.get(".status")}`, 10);
  if (!Number.isInteger(status)) throw new Error("the machine left no status among its results");
  results.delete(".status");
  return { status, results };
}
