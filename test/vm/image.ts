/**
 * The system that the lane boots: a small root on busybox with what a glibc program needs to start, as an ext4 disk or
 * as an initramfs, both cached by their content. Called by vm.ts; debian.ts uses `writeExt4`. The disk carries a
 * partition table only for its signature: `root=PARTUUID=` finds it whatever name the kernel gives the device.
 */
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, open, symlink, truncate } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cached, run } from "./cache.ts";
import { unpackPackages } from "./apt.ts";
import { type MachineName, machines } from "./machine.ts";
import { muslLibraries } from "./musl.ts";
import { vmexitProgram } from "./vmexit.ts";

export const rootDevice = "PARTUUID=6e730001-01";
const diskSignature = 0x6e730001;
const partitionStart = 1024 ** 2;
/** Room for payloads; the file is sparse. */
const rootSize = 2 * 1024 ** 3;

/** Which C library a machine has; not both. */
export type Libc = "glibc" | "musl";

/** Where the files of a machine come from: this one, or Debian's packages of its architecture. */
interface Source {
  busybox: string;
  /** loader and C library as [path here, path there] */
  libraries: [string, string][];
}

/** busybox and the C library, which compiled Bun executables are linked to, for a machine. */
async function sourceFor(machine: MachineName, libc: Libc): Promise<Source> {
  if (libc === "musl") {
    const { busybox } = await sourceFor(machine, "glibc");
    return { busybox, libraries: await muslLibraries(machine) };
  }
  const { libraries } = machines[machine];
  if (machine === "x64")
    return { busybox: busybox(), libraries: libraries.filter(existsSync).map((path) => [path, path]) };
  const home = await cached(`userland-${machine}`, (draft) =>
    unpackPackages("bookworm", machine, ["busybox-static", "libc6"], draft),
  );
  return {
    busybox: join(home, "bin/busybox"),
    libraries: libraries.map((path) => [join(home, path), path]),
  };
}

const directories =
  "proc sys dev tmp run results root etc home/user bin sbin usr/bin usr/sbin var/tmp mnt".split(" ");
const etc = {
  passwd: "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n",
  group: "root:x:0:\ntty:x:5:\nuser:x:1000:\n",
  hosts: "127.0.0.1 localhost\n",
};

/** The root as an ext4 disk image with a partition table. Machines must not write to it: attach a snapshot. */
export async function baseDisk(machine: MachineName = "x64", libc: Libc = "glibc"): Promise<string> {
  return cached(`base-${await contentKey(machine, libc)}.img`, (image) =>
    withRoot(machine, libc, image, async (root) => {
      await writeExt4(root, image, rootSize, partitionStart);
      await writePartitionTable(image);
    }),
  );
}

/** The same root as a compressed cpio archive for qemu's -initrd. */
export async function initramfs(): Promise<string> {
  return cached(`initramfs-${await contentKey("x64", "glibc")}.gz`, (image) =>
    withRoot("x64", "glibc", image, async (root) => {
      const pack = 'cd "$1" && find . | busybox cpio -o -H newc -R 0:0 | gzip -1 >"$2"';
      await run(["sh", "-c", pack, "sh", root, image]);
    }),
  );
}

/** A file system image of `size` bytes holding `root`, beginning `offset` bytes into the file. */
export async function writeExt4(root: string, image: string, size: number, offset = 0): Promise<void> {
  await Bun.write(image, "");
  await truncate(image, offset + size);
  // No journal: a snapshot is thrown away, never recovered.
  const format = "-q -F -t ext4 -b 4096 -O ^has_journal".split(" ");
  const extended = `offset=${offset},root_owner=0:0,lazy_itable_init=1,nodiscard`;
  await run(["mke2fs", ...format, "-E", extended, "-d", root, image, `${Math.floor(size / 4096)}`]);
}

async function contentKey(machine: MachineName, libc: Libc): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  const source = await sourceFor(machine, libc);
  const libraries = source.libraries.map(([from]) => from);
  for (const file of [import.meta.path, initScript(), source.busybox, ...libraries]) {
    hash.update(file).update(await Bun.file(file).bytes());
  }
  return hash.update(vmexitProgram(machine)).digest("hex").slice(0, 12);
}

async function withRoot(
  machine: MachineName,
  libc: Libc,
  image: string,
  use: (root: string) => Promise<void>,
): Promise<void> {
  const root = `${image}.root`;
  try {
    await fillRoot(machine, libc, root);
    await use(root);
  } finally {
    await run(["rm", "-rf", root]);
  }
}

async function fillRoot(machine: MachineName, libc: Libc, root: string): Promise<void> {
  const source = await sourceFor(machine, libc);
  for (const name of directories) await mkdir(join(root, name), { recursive: true });
  await chmod(root, 0o755);
  for (const [from, to] of source.libraries) {
    await mkdir(join(root, dirname(to)), { recursive: true });
    await copyFile(from, join(root, to));
  }
  for (const [name, text] of Object.entries(etc)) await Bun.write(join(root, "etc", name), text);
  await copyFile(source.busybox, join(root, "bin/busybox"));
  const applets = (await run([busybox(), "--list-full"])).trim().split("\n");
  for (const applet of applets) {
    if (applet === "bin/busybox") continue;
    await mkdir(join(root, dirname(applet)), { recursive: true });
    await symlink("/bin/busybox", join(root, applet));
  }
  await Bun.write(join(root, "sbin/vmexit"), vmexitProgram(machine));
  await Bun.write(join(root, "init"), Bun.file(initScript()));
  for (const program of ["bin/busybox", "sbin/vmexit", "init"]) await chmod(join(root, program), 0o755);
}

/** One Linux partition from `partitionStart` to the end, in the layout of the classic master boot record. */
async function writePartitionTable(image: string): Promise<void> {
  const sector = Buffer.alloc(512);
  sector.writeUInt32LE(diskSignature, 0x1b8);
  sector[0x1be + 4] = 0x83;
  sector.writeUInt32LE(partitionStart / 512, 0x1be + 8);
  sector.writeUInt32LE(rootSize / 512, 0x1be + 12);
  sector.writeUInt16LE(0xaa55, 0x1fe);
  const file = await open(image, "r+");
  try {
    await file.write(sector, 0, sector.length, 0);
  } finally {
    await file.close();
  }
}

function initScript(): string {
  return join(import.meta.dir, "init.sh");
}

/** The machine's busybox, a static program. */
export const busyboxFor = async (machine: MachineName): Promise<string> =>
  (await sourceFor(machine, "glibc")).busybox;

function busybox(): string {
  const path = Bun.which("busybox");
  if (!path) throw new Error("busybox is missing: install the package busybox-static");
  return path;
}
