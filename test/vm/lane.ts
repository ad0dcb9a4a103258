/**
 * Decides whether a machine can run the virtual machine tests: called once at the top of every test file that does, as
 * `describe.skipIf(await vmMissing("what is tested"))`. Where they cannot run it says why in one line; under CI=true
 * that is a failure, so that no pipeline turns green by skipping.
 */
import { getKernel } from "./kernel.ts";
import type { MachineName } from "./machine.ts";

const programs = {
  "qemu-system-x86_64": "qemu-system-x86",
  mke2fs: "e2fsprogs",
  busybox: "busybox-static",
  "apt-get": "apt",
  "dpkg-deb": "dpkg",
};

/** True when the lane cannot run here, after having said so; pass further programs and their packages if needed. */
export async function vmMissing(
  what: string,
  more: Record<string, string> = {},
  machine: MachineName = "x64",
): Promise<boolean> {
  const reason = await findReason({ ...programs, ...more }, machine);
  if (reason === undefined) return false;
  if (process.env.CI === "true") throw new Error(`${what} must run under CI but cannot: ${reason}`);
  console.warn(`skipped: ${what}: ${reason}`);
  return true;
}

async function findReason(needed: Record<string, string>, machine: MachineName): Promise<string | undefined> {
  if (process.platform !== "linux" || process.arch !== "x64")
    return "the machine's programs are taken from an x86-64 Linux";
  for (const [program, name] of Object.entries(needed)) {
    if (program === "mmdebstrap" && process.getuid?.() !== 0)
      return "making a Debian root needs root: its files belong to many users";
    if (!Bun.which(program)) return `${program} is missing (Debian package ${name})`;
  }
  try {
    await getKernel("bookworm", machine);
    return undefined;
  } catch (error) {
    return `no kernel to boot: ${error instanceof Error ? error.message : error}`;
  }
}
