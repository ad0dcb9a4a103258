/**
 * A virtual machine with Debian's 32-bit ARM kernel, for frozen starts: ns itself has no such machine. It has no disk; its
 * init runs a script on a tmpfs and turns it off. Called by frozen-armv7.test.ts; kernel and busybox are fetched once, about
 * 40 MB, and kept in build/vm.
 */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { folder } from "../harness.ts";
import { unpackDependency, unpackPackages } from "../vm/apt.ts";
import { cached, run } from "../vm/cache.ts";
import { machines } from "../vm/machine.ts";

const { qemu, console: serial, arguments: words } = machines.armv7;

const kernel = (): Promise<string> =>
  cached("kernel-bookworm-armv7", async (draft) => {
    await unpackDependency("bookworm", "armv7", "linux-image-armmp", draft);
    await rm(join(draft, "lib"), { recursive: true, force: true }); // what is needed is built in
    await rm(join(draft, "usr"), { recursive: true, force: true });
  });
const userland = (): Promise<string> =>
  cached("userland-armv7", (draft) => unpackPackages("bookworm", "armv7", ["busybox-static"], draft));

/** The first root cannot be pivoted away from (pivot_root(2)): all goes on in another. */
const INIT = `#!/bin/busybox sh
/bin/busybox mount -t tmpfs none /new
/bin/busybox cp -a /bin /box /pre /frozen /script /new/
/bin/busybox mkdir /new/proc /new/sys /new/dev
exec /bin/busybox switch_root /new /script
`;

/** `run CASE COMMAND...`, `begin CASE` and `end STATUS` in a script; what was left is compared. */
const PRELUDE = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev; mount -t cgroup2 none /sys/fs/cgroup
echo +memory +pids >/sys/fs/cgroup/cgroup.subtree_control
world() { find /sys/fs/cgroup -type d; cat /proc/self/mountinfo; ls -l /proc/[0-9]*/exe 2>/dev/null | grep -e /frozen/ -e /box/; }
same() { i=0; until [ "$(world)" = "$before" ]; do i=$((i + 1)); [ $i -lt 100 ] || return 1; usleep 100000; done; }
begin() { before=$(world); echo "== $1"; }
end() { echo "status $1"; same && echo "nothing left" || echo "left behind"; }
run() { begin $1; shift; "$@" 2>&1; end $?; }
ready() { until [ -e /box/ready ]; do usleep 50000; done; rm /box/ready; }
`;

export interface Case {
  readonly status: number;
  readonly out: string;
  readonly left: string;
}

/** @param frozen files by their name below /frozen @param pre what /pre is @returns the cases of the script by their name */
export async function runOnArmv7(
  frozen: Readonly<Record<string, string>>,
  pre: string,
  script: string,
): Promise<Map<string, Case>> {
  const home = mkdtempSync(join(folder, "armv7-"));
  const busybox = join(await userland(), "bin/busybox");
  for (const name of ["bin", "box/bin", "frozen", "new"]) mkdirSync(join(home, name), { recursive: true });
  for (const name of ["bin", "box/bin"]) copyFileSync(busybox, join(home, name, "busybox"));
  for (const name of ["sh", "cat", "ls", "id", "sleep", "readlink", "grep", "tail", "dd"])
    symlinkSync("busybox", join(home, "box/bin", name));
  for (const [name, file] of Object.entries(frozen)) copyFileSync(file, join(home, "frozen", name));
  for (const [name, text] of [
    ["init", INIT],
    ["script", `${PRELUDE}${script}poweroff -f\n`],
    ["pre", pre],
  ] as const) {
    writeFileSync(join(home, name), text);
    chmodSync(join(home, name), 0o755);
  }
  const image = `${home}.cpio`;
  await run(["sh", "-c", 'cd "$1" && find . | busybox cpio -o -H newc >"$2"', "sh", home, image]);
  const boot = join(await kernel(), "boot");
  const vmlinuz = (await readdir(boot)).find((name) => name.startsWith("vmlinuz-"))!;
  const append = `console=${serial} quiet panic=-1`;
  const text = await run([
    ...["timeout", "200", qemu, ...words.split(" ")],
    ...["-kernel", join(boot, vmlinuz), "-initrd", image, "-append", append],
  ]);
  const cases = new Map<string, Case>();
  const lines = text.replaceAll("\r", "");
  for (const [, name, out, status, left] of lines.matchAll(/^== (\S+)\n([\s\S]*?)^status (\d+)\n(.*)\n/gm))
    cases.set(name!, { status: Number(status), out: out!.trimEnd(), left: left! });
  if (cases.size === 0) throw new Error(`nothing ran: ${lines.slice(-2000)}`);
  return cases;
}
