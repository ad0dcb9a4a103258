/**
 * Runs a script in a throw-away virtual machine with its own Linux kernel, for what the kernel of the machine under
 * the tests cannot show (cgroup v2 with every controller, an initramfs as root, module-provided networks, a booting
 * distribution). Called by the tests in test/vm and by any end-to-end test that needs such a kernel. Always emulated
 * (TCG): a boot takes 4 to 7 seconds and works the same where there is no usable KVM.
 *
 * Debian packages it needs: qemu-system-x86 e2fsprogs busybox-static xz-utils; debian.ts also mmdebstrap.
 */
import { mkdir, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { cacheDir, sweepCache } from "./cache.ts";
import { baseDisk, initramfs, type Libc, rootDevice } from "./image.ts";
import { getKernel, moduleFiles, type Suite } from "./kernel.ts";
import { type MachineName, machines } from "./machine.ts";
import { type Content, type Mount, readResults, writePayload } from "./payload.ts";

export interface VmOptions {
  /** What to put into the machine, by absolute path there. /tmp, /run and /results are tmpfs: large files elsewhere. */
  files?: Record<string, Content>;
  /** Shell text, run by busybox sh as root in /root; what it leaves in /results (a tmpfs) comes back. */
  script: string;
  /** Kernel modules to insert before the script, dependencies included: ["veth", "overlay"]. */
  modules?: string[];
  /** ext4 images of this machine, by the folder where the virtual one mounts them; writes are thrown away. */
  mounts?: Record<string, string>;
  /** MiB; 768 unless told. */
  memory?: number;
  /** More words for the kernel's command line. */
  cmdline?: string;
  /**
   * How /sys/fs/cgroup looks: v2 unless told; hybrid is v1 controllers with an empty v2 in `unified`. The kernels 5.10
   * and 6.1 have the v1 memory controller, trixie's 6.12 is built without it (CONFIG_MEMCG_V1).
   */
  cgroups?: "v2" | "v1" | "hybrid" | "none";
  /** Stay on the initramfs: / is then rootfs, which cannot be pivoted away from. Payload files take memory. */
  initramfs?: boolean;
  /** Which kind of machine: x64 unless told; arm64 has no initramfs mode. */
  machine?: MachineName;
  /** Which C library it has: glibc unless told. */
  libc?: Libc;
  /** Which Debian release's kernel: bookworm (6.1) unless told. */
  kernel?: Suite;
  /** The machine is killed and the call fails after this time; 60 seconds unless told. */
  timeoutMs?: number;
}

export interface VmResult {
  /** The script's exit status, 0 to 255. */
  status: number;
  /** Everything the kernel and the script printed, with plain newlines. */
  console: string;
  /** The regular files below /results, by relative path. */
  results: Map<string, Buffer>;
}

/** Room for the archive of /results, sparse. */
const resultsSize = 64 * 1024 ** 2;
let runs = 0;

export async function runInVm(options: VmOptions): Promise<VmResult> {
  await sweepCache();
  const scratch = join(cacheDir, `run-${process.pid}-${++runs}`);
  await mkdir(scratch, { recursive: true });
  try {
    const machineName = options.machine ?? "x64";
    const kernel = await getKernel(options.kernel, machineName);
    const disks: Disk[] = [];
    const mounts: Mount[] = [];
    for (const [target, file] of Object.entries(options.mounts ?? {})) {
      const serial = `mount${mounts.length}`;
      disks.push({ serial, file, snapshot: true });
      mounts.push([serial, target]);
    }
    const payload = join(scratch, "payload.tar");
    await writePayload(payload, join(scratch, "staging"), {
      files: options.files ?? {},
      script: options.script,
      modules: await moduleFiles(kernel, options.modules ?? []),
      mounts,
    });
    disks.push({ serial: "payload", file: payload, snapshot: true });
    const resultsDisk = join(scratch, "results.tar");
    await Bun.write(resultsDisk, "");
    await truncate(resultsDisk, resultsSize);
    disks.push({ serial: "results", file: resultsDisk, snapshot: false });

    const boot = [
      `console=${machines[machineName].console}`,
      "quiet",
      "panic=-1",
      `vm.cgroups=${options.cgroups ?? "v2"}`,
    ];
    if (options.initramfs) {
      boot.push("rdinit=/init");
    } else {
      boot.push(`root=${rootDevice}`, "rw", "rootfstype=ext4", "init=/init");
      disks.unshift({ serial: "root", file: await baseDisk(machineName, options.libc), snapshot: true });
    }
    if (options.cmdline) boot.push(options.cmdline);
    const machine = ["-m", `${options.memory ?? 768}`, "-kernel", kernel.vmlinuz, "-append", boot.join(" ")];
    if (options.initramfs) machine.push("-initrd", await initramfs());

    const console = await runQemu(
      machineName,
      [...machine, ...disks.flatMap(diskArguments)],
      scratch,
      options.timeoutMs ?? 60_000,
    );
    return { console, ...(await readResults(resultsDisk)) };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

interface Disk {
  serial: string;
  file: string;
  /** Writes go to an unnamed temporary file instead of `file`. */
  snapshot: boolean;
}

function diskArguments({ serial, file, snapshot }: Disk): string[] {
  const drive = `if=none,id=${serial},format=raw,cache=unsafe,file=${file.replaceAll(",", ",,")}`;
  return [
    ...["-drive", `${drive},snapshot=${snapshot ? "on" : "off"}`],
    ...["-device", `nvme,drive=${serial},serial=${serial}`],
  ];
}

/** Runs qemu until the machine ends itself through vmexit and returns its console. */
async function runQemu(
  name: MachineName,
  machine: string[],
  scratch: string,
  timeoutMs: number,
): Promise<string> {
  const { qemu: program, arguments: fixed } = machines[name];
  const argv = [
    // Whatever ends this process, SIGKILL included, ends the machine.
    ...["setpriv", "--pdeathsig", "KILL", program, ...fixed.split(" ")],
    ...machine,
  ];
  const qemu = Bun.spawn(argv, {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, TMPDIR: scratch },
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const [console, complaints] = await Promise.all([qemu.stdout.text(), qemu.stderr.text(), qemu.exited]);
  const text = console.replaceAll("\r\n", "\n");
  if (qemu.exitCode === 3) return text; // `finish 1` in init.sh
  const tail = [...complaints.trim().split("\n"), ...text.trimEnd().split("\n").slice(-80)].join("\n  ");
  throw new Error(`the virtual machine ${ending(qemu, timeoutMs)}; its last words:\n  ${tail}`);
}

/** What qemu's exit status means: below 3 its own, from there 2n+1 for `finish n` in init.sh. */
const endings: Record<number, string> = {
  0: "stopped by itself (a panic, a reboot) before the script had ended",
  1: "could not start",
  5: "could not unpack the payload",
  7: "could not insert a module",
  9: "could not mount a disk",
  11: `could not save /results (more than ${resultsSize} bytes?)`,
};

function ending(qemu: { exitCode: number | null; signalCode: unknown }, timeoutMs: number): string {
  if (qemu.signalCode) return `was killed (${qemu.signalCode}), its time limit being ${timeoutMs / 1000} s`;
  return endings[qemu.exitCode ?? -1] ?? `ended with status ${qemu.exitCode}`;
}
