/**
 * A real distribution for the virtual machine: a minimal Debian with systemd and dbus as an ext4 image, to be given to
 * runInVm as `mounts: { "/debian": await debianImage() }` and booted there by `ns - /debian /sbin/init`. Called by the
 * tests that boot it. Made once by mmdebstrap (needs root and the package mmdebstrap; about a minute) and cached.
 * Only boot it in the virtual machine: as real root its systemd-sysctl changes kernel switches of the whole machine.
 */
import { mkdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { debianMirror } from "./apt.ts";
import { cached, run } from "./cache.ts";
import { writeExt4 } from "./image.ts";

const suite = "bookworm";
const packages = ["systemd-sysv", "dbus", "procps", "iproute2"];
const imageSize = 1024 ** 3;

/**
 * Tells when the boot is over: prints `debian: running` (or degraded, and the failed units) on the console, and writes
 * the state to /up if somebody made a fifo there, which is how a script waits: `mkfifo /debian/up; …& read s </debian/up`.
 */
const reportUnit = `[Unit]
Description=Report the end of the boot
[Service]
ExecStart=/bin/sh -c 'state=$$(systemctl is-system-running --wait); echo "debian: $$state" >/dev/console; \\
  systemctl --failed --no-legend --plain >/dev/console; [ ! -p /up ] || echo "$$state" >/up'
[Install]
WantedBy=multi-user.target
`;

/** A getty hangs up the terminal it opens, and the machine's console is where the test's own output goes. */
const maskedUnits = [
  "console-getty.service",
  "getty@.service",
  "serial-getty@.service",
  "getty-static.service",
];

export async function debianImage(): Promise<string> {
  const recipe = JSON.stringify([
    suite,
    packages,
    reportUnit,
    maskedUnits,
    await readFile(import.meta.path, "utf8"),
  ]);
  const key = new Bun.CryptoHasher("sha256").update(recipe).digest("hex").slice(0, 12);
  return cached(`debian-${key}.img`, async (image) => {
    const root = `${image}.root`;
    try {
      await mmdebstrap(root, packages);
      await setUp(root);
      await writeExt4(root, image, imageSize);
    } finally {
      await run(["rm", "-rf", "--one-file-system", root]);
    }
  });
}

/** What the tests that run on the host have in their Debian root: one for all. */
export const SERVICES = ["nginx-light", "postgresql", "nodejs"];

/** A Debian root with these packages as a folder, for runs on the host. It is shared: run on a throw-away layer of it. */
export async function debianRoot(include: readonly string[]): Promise<string> {
  const recipe = JSON.stringify([suite, include, await readFile(import.meta.path, "utf8")]);
  const key = new Bun.CryptoHasher("sha256").update(recipe).digest("hex").slice(0, 12);
  return cached(`debian-${key}`, (root) => mmdebstrap(root, include));
}

async function mmdebstrap(root: string, include: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error("making the Debian root needs root: its files belong to many users");
  if (!Bun.which("mmdebstrap")) throw new Error("mmdebstrap is missing: install the package mmdebstrap");
  const smaller = ['Apt::Install-Recommends "false"', 'Acquire::Languages "none"'].map(
    (line) => `--aptopt=${line}`,
  );
  const noDocs = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"].map(
    (path) => `--dpkgopt=path-exclude=${path}`,
  );
  const what = ["--variant=minbase", `--include=${include.join(",")}`, suite, root, await debianMirror()];
  await run(["mmdebstrap", "--mode=root", "--quiet", ...smaller, ...noDocs, ...what]);
}

async function setUp(root: string): Promise<void> {
  const units = join(root, "etc/systemd/system");
  await Bun.write(join(root, "etc/hostname"), "debian\n");
  await Bun.write(join(units, "report-boot.service"), reportUnit);
  await mkdir(join(units, "multi-user.target.wants"), { recursive: true });
  await symlink("../report-boot.service", join(units, "multi-user.target.wants/report-boot.service"));
  for (const unit of maskedUnits) await symlink("/dev/null", join(units, unit));
  await symlink("/lib/systemd/system/multi-user.target", join(units, "default.target"));
}
