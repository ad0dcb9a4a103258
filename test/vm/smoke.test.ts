/**
 * Proves the virtual machine lane itself, without ns: that what the other tests in it build on (cgroup v2, statuses,
 * results, modules, the initramfs mode, a bootable Debian) is really there. Run by `bun test`.
 */
import { describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDir, run } from "./cache.ts";
import { debianImage } from "./debian.ts";
import { getKernel } from "./kernel.ts";
import { vmMissing } from "./lane.ts";
import { runInVm } from "./vm.ts";

const minutes = 60_000;

describe.skipIf(await vmMissing("virtual machine lane"))("virtual machine lane", () => {
  test(
    "boots Debian's kernel with cgroup v2, inserts modules, runs a compiled Bun program, returns status and results",
    async () => {
      await using hello = await compileHello();
      const { status, console, results } = await runInVm({
        files: { "/usr/bin/hello": hello.path, "/etc/greeting": { text: "good day\n" } },
        modules: ["veth", "overlay"],
        script: `
          uname -r
          cat /etc/greeting
          hello inside
          su user -c "hello inside"
          mkdir -p /results/cgroup
          grep -o ' /sys/fs/cgroup cgroup2 ' /proc/mounts >/results/cgroup/mount
          cp /sys/fs/cgroup/cgroup.controllers /results/cgroup/controllers
          ip link add left type veth peer name right && ip link show left >/results/veth
          grep overlay /proc/filesystems
          head -c 1000000 /dev/zero >/results/large
          exit 7`,
      });
      expect(console).toContain(
        `${(await getKernel()).release}\ngood day\nhello from inside 0\nhello from inside 1000\n`,
      );
      expect(console).toContain("nodev\toverlay\n");
      expect(status).toBe(7);
      expect([...results.keys()].sort()).toEqual(["cgroup/controllers", "cgroup/mount", "large", "veth"]);
      expect(`${results.get("cgroup/mount")}`).toBe(" /sys/fs/cgroup cgroup2 \n");
      expect(`${results.get("cgroup/controllers")}`.trim().split(" ")).toContain("memory");
      expect(`${results.get("veth")}`).toContain("left@");
      expect(results.get("large")?.length).toBe(1_000_000);
    },
    2 * minutes,
  );

  test(
    "stays on the initramfs when asked, where pivot_root is refused",
    async () => {
      const { status, console } = await runInVm({
        initramfs: true,
        script: `
          grep ' / ' /proc/mounts
          mkdir /new && mount -t tmpfs new /new && mkdir /new/old
          pivot_root /new /new/old && exit 1
          exit 0`,
      });
      expect(console).toContain("rootfs / rootfs ");
      expect(console).toContain("Invalid argument");
      expect(status).toBe(0);
    },
    2 * minutes,
  );

  test(
    "mounts cgroup v1 when asked, and returns statuses above 127",
    async () => {
      const { status, console } = await runInVm({
        cgroups: "hybrid",
        script: "grep cgroup /proc/mounts; ls /sys/fs/cgroup/memory/memory.limit_in_bytes; exit 143",
      });
      expect(console).toMatch(/^cgroup \/sys\/fs\/cgroup\/memory cgroup /m);
      expect(console).toMatch(/^cgroup2 \/sys\/fs\/cgroup\/unified cgroup2 /m);
      expect(console).toMatch(/^\/sys\/fs\/cgroup\/memory\/memory.limit_in_bytes$/m);
      expect(status).toBe(143);
    },
    2 * minutes,
  );

  test(
    "fails with the console's tail when the machine panics, the time is over, or results do not fit",
    async () => {
      const panic = runInVm({ script: "echo before the end; echo c >/proc/sysrq-trigger" });
      const panicked = await panic.then(() => "no error", String);
      expect(panicked).toContain("stopped by itself");
      expect(panicked).toContain("before the end\n");
      expect(panicked).toContain("Kernel panic");
      const endless = runInVm({ script: "read -r nothing </dev/ttyS0", timeoutMs: 4_000 });
      expect(await endless.then(() => "no error", String)).toContain(
        "was killed (SIGKILL), its time limit being 4 s",
      );
      const tooMuch = runInVm({ script: "head -c 70000000 /dev/zero >/results/x" });
      expect(await tooMuch.then(() => "no error", String)).toContain("could not save /results");
      expect((await readdir(cacheDir)).filter((name) => name.startsWith(`run-${process.pid}-`))).toEqual([]);
    },
    2 * minutes,
  );
});

const debianNeeds = { mmdebstrap: "mmdebstrap", unshare: "util-linux" };
describe.skipIf(await vmMissing("Debian in the virtual machine", debianNeeds))(
  "Debian in the virtual machine",
  () => {
    test(
      "boots systemd in plain namespaces, reports the end of the boot, halts on SIGRTMIN+3",
      async () => {
        const { status, console } = await runInVm({
          files: { "/opt/unshare": "/usr/bin/unshare" }, // busybox has no --cgroup
          mounts: { "/debian": await debianImage() },
          memory: 1024,
          timeoutMs: 2 * minutes,
          script: `
          mkfifo /debian/up
          mkdir /sys/fs/cgroup/debian
          sh -c 'echo $$ >/sys/fs/cgroup/debian/cgroup.procs
            exec env container=ns /opt/unshare -mpuiCf --mount-proc=/debian/proc chroot /debian /sbin/init' &
          read -r state </debian/up || exit 99
          kill -37 $(cat /proc/$!/task/$!/children)
          wait $!
          echo "ended with $?, was $state"`,
        });
        expect(console).toContain("debian: running\n");
        expect(console).toMatch(/^ended with \d+, was running$/m);
        expect(status).toBe(0);
      },
      5 * minutes,
    );
  },
);

async function compileHello() {
  const scratch = await mkdtemp(join(tmpdir(), "ns-vm-smoke-"));
  const source = join(scratch, "hello.ts");
  const path = join(scratch, "hello");
  await Bun.write(source, "console.log(['hello from', process.argv[2], process.getuid?.()].join(' '));\n");
  const noAutoload = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
  await run([process.execPath, "build", "--compile", ...noAutoload, source, "--outfile", path]);
  return { path, [Symbol.asyncDispose]: () => rm(scratch, { recursive: true, force: true }) };
}
