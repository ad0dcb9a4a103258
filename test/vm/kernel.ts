/**
 * Debian's kernel for virtual machines (linux-image-cloud-amd64, -arm64: NVMe and ext4 are built in, so it boots without an
 * initramfs) and its loadable modules. Called by vm.ts; `getKernel` fetches about 26 MB the first time a suite is asked
 * for and keeps it until build/vm is removed, `moduleFiles` says which files to insert, in which order.
 */
import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { unpackDependency } from "./apt.ts";
import { cached, run } from "./cache.ts";
import { type MachineName, machines } from "./machine.ts";

/** bullseye has 5.10, bookworm 6.1, trixie 6.12. */
export type Suite = "bullseye" | "bookworm" | "trixie";

export interface Kernel {
  release: string;
  vmlinuz: string;
  /** The build configuration, `CONFIG_…=y` lines: tells a test what the kernel cannot have. */
  config: string;
  modulesDir: string;
}

export async function getKernel(suite: Suite = "bookworm", machine: MachineName = "x64"): Promise<Kernel> {
  const name = machine === "x64" ? `kernel-${suite}` : `kernel-${suite}-${machine}`;
  const home = await cached(name, async (draft) => {
    await unpackDependency(suite, machine, `linux-image-cloud-${machines[machine].debian}`, draft);
    await rm(join(draft, "usr/share"), { recursive: true, force: true });
    await run(["find", draft, "-name", "*.ko.xz", "-exec", "xz", "-d", "{}", "+"]); // busybox insmod reads plain ones
  });
  const vmlinuz = (await readdir(join(home, "boot"))).find((name) => name.startsWith("vmlinuz-"));
  if (!vmlinuz) throw new Error(`no vmlinuz in ${home}/boot: remove ${home} and try again`);
  const release = vmlinuz.slice("vmlinuz-".length);
  const folders = ["usr/lib/modules", "lib/modules"].map((folder) => join(home, folder, release));
  return {
    release,
    vmlinuz: join(home, "boot", vmlinuz),
    config: join(home, "boot", `config-${release}`),
    modulesDir: folders.find(existsSync) ?? folders[0]!,
  };
}

/** The files to insert for `names`, each after what it depends on; what is built into the kernel needs none. */
export async function moduleFiles(kernel: Kernel, names: string[]): Promise<string[]> {
  const files = new Map<string, string>();
  for await (const file of new Bun.Glob("kernel/**/*.ko").scan({ cwd: kernel.modulesDir, absolute: true })) {
    files.set(moduleName(file), file);
  }
  const builtin = await Bun.file(join(kernel.modulesDir, "modules.builtin")).text();
  const alreadyIn = new Set(builtin.trim().split("\n").map(moduleName));
  const order = new Set<string>();
  const add = async (name: string): Promise<void> => {
    const file = files.get(name);
    if (alreadyIn.has(name) || (file && order.has(file))) return;
    if (!file) throw new Error(`kernel ${kernel.release} has no module ${name}`);
    for (const needed of dependencies(await readFile(file))) await add(needed);
    order.add(file);
  };
  for (const name of names) await add(moduleName(name));
  return [...order];
}

/** The kernel treats - and _ in module names as the same letter. */
function moduleName(file: string): string {
  return basename(file, ".ko").replaceAll("-", "_");
}

/** A module names what it needs in its .modinfo section: `depends=llc,stp` between NUL bytes (see modinfo(8)). */
function dependencies(module: Buffer): string[] {
  const start = module.indexOf("\0depends=");
  if (start < 0) return [];
  const text = module.toString("latin1", start + "\0depends=".length, module.indexOf(0, start + 1));
  return text.split(",").filter(Boolean).map(moduleName);
}
