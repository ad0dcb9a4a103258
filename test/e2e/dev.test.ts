/**
 * /dev and /sys inside (--dev, --sys), the host's switches, and roots that would lead ns astray there. Which call makes
 * what is in test/unit/plan-dev.test.ts.
 */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  callers,
  folder,
  isRoot,
  launch,
  leavesNothing,
  line,
  makeSmallRoot,
  rootTest,
  runCommand,
} from "../harness.ts";

leavesNothing();

const NAMES = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split(" ");

/** A folder of the host's that everybody may write to. */
const host = join(folder, "dev-host");
mkdirSync(host);
chmodSync(host, 0o777);
writeFileSync(join(host, "secret"), "the host's\n");
const expectHostUntouched = (): void => {
  expect(readdirSync(host)).toEqual(["secret"]);
  expect(readFileSync(join(host, "secret"), "utf8")).toBe("the host's\n");
};

let roots = 0;
const APPLETS = "sh true cat ls grep stat head chmod chown mknod mount touch readlink id".split(" ");
/** A root whose /dev is an empty directory. */
const emptyDev = (): string => makeSmallRoot(`dev-${roots++}`, APPLETS);
function withoutDev(): string {
  const path = emptyDev();
  rmdirSync(join(path, "dev"));
  return path;
}
/** A root with a /dev that can be used: null, and a file by which it is known. */
function ownDev(): string {
  const path = emptyDev();
  Bun.spawnSync(["mknod", "-m", "666", join(path, "dev/null"), "c", "1", "3"]);
  writeFileSync(join(path, "dev/mine"), "the root's\n");
  return path;
}

describe.each(callers)("%s", (_, unprivileged) => {
  const start = (where: string, script: string, ...options: string[]) =>
    runCommand(line(unprivileged, ["/bin/sh", "-c", script], { root: where, options }), { unprivileged });
  const list = async (where: string, ...options: string[]): Promise<string[]> => {
    const ran = await start(where, "ls /dev", ...options);
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    return ran.stdout.split("\n").slice(0, -1);
  };

  describe("--dev=minimal", () => {
    const where = emptyDev();
    test("has these names and no others, and leaves none in the root", async () => {
      expect(await list(where, "--dev=minimal")).toEqual(NAMES);
      expect(readdirSync(join(where, "dev"))).toEqual([]);
    });
    test("the nodes are what they should be, and work", async () => {
      const ran = await start(
        where,
        [
          'for n in null zero full random urandom tty; do stat -c "%n %F %t:%T %a" /dev/$n; done',
          "echo x > /dev/null && cat /dev/null && echo null",
          "head -c 2 /dev/zero | cat -v; echo",
          "for n in random urandom; do head -c 5 /dev/$n | wc -c; done",
          "echo x > /dev/full",
        ].join("\n"),
        "--dev=minimal",
      );
      expect(ran.stdout).toBe(
        [
          ...["null 1:3", "zero 1:5", "full 1:7", "random 1:8", "urandom 1:9", "tty 5:0"].map((text) => {
            const [name, numbers] = text.split(" ");
            return `/dev/${name} character special file ${numbers} 666`;
          }),
          ...["null", "^@^@", "5", "5", ""],
        ].join("\n"),
      );
      expect(ran.stderr).toContain("No space left on device");
    });
    test("links, shared memory, and terminals of its own", async () => {
      const ran = await start(
        where,
        [
          "for n in fd stdin stdout stderr ptmx; do readlink /dev/$n; done",
          "stat -c %a /dev /dev/shm /dev/mqueue; echo > /dev/shm/x && echo shared",
          "exec 3<>/dev/ptmx && ls /dev/pts",
          "grep -c ' /dev/pts devpts .*ptmxmode=666' /proc/mounts",
        ].join("\n"),
        "--dev=minimal",
      );
      expect(ran).toMatchObject({ status: 0, stderr: "" });
      expect(ran.stdout.split("\n").slice(0, -1)).toEqual([
        ...["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"],
        ...["755", "1777", "1777", "shared", "0", "ptmx", "1"],
      ]);
    });
    test("nothing in it runs, no set-user-ID program counts, and the machine's devtmpfs is not there", async () => {
      const ran = await start(
        where,
        "grep ' /dev ' /proc/mounts; grep -c devtmpfs.*/dev' ' /proc/mounts",
        "--dev=minimal",
      );
      expect(ran.stdout).toMatch(/^tmpfs \/dev tmpfs rw,nosuid,noexec,[^\n]*size=4096k[^\n]*\n0\n$/);
    });
    test("an init may make its sockets and links there; in profile strict nobody makes anything", async () => {
      const make = "echo > /dev/log && echo made";
      expect((await start(where, make, "--dev=minimal")).stdout).toBe("made\n");
      expect((await start(where, make, "--profile=app")).stdout).toBe("made\n");
      const strict = await start(where, `${make}; echo > /dev/pts/x; true`, "--profile=strict");
      expect(strict.stdout).toBe("");
      expect(strict.stderr).toContain("Read-only file system");
    });
    test("the user's own mounts come on top", async () => {
      const bind = ["--bind", `${host}/secret:/dev/secret`, "--tmpfs", "/dev/shm:size=1M,mode=700"];
      const ran = await start(where, "ls /dev | grep secret; stat -c %a /dev/shm", "--dev=minimal", ...bind);
      expect(ran).toMatchObject({ status: 0, stdout: "secret\n700\n", stderr: "" });
      expect(readdirSync(join(where, "dev"))).toEqual([]);
      for (const profile of ["init", "strict"]) {
        const over = await list(where, "--tmpfs", "/dev", `--profile=${profile}`);
        expect(over).toEqual([]);
      }
    });
  });

  describe("--dev=auto", () => {
    test("profile init keeps a /dev that can be used; app and strict never do", async () => {
      const where = ownDev();
      if (isRoot) expect(await list(where)).toEqual(["mine", "null"]);
      for (const profile of ["app", "strict"])
        expect(await list(where, `--profile=${profile}`)).toEqual(NAMES);
      expect(await list(where, "--dev=keep", "--profile=app")).toContain("mine");
      expect(await list(where, "--dev=minimal")).toEqual(NAMES);
    });
    rootTest("with /dev as a mount point, on which a systemd mounts nothing", async () => {
      const ran = await start(ownDev(), "grep -c ' /dev ' /proc/mounts; cat /dev/mine; echo > /dev/null");
      expect(ran).toMatchObject({ status: 0, stdout: unprivileged ? "0\nthe root's\n" : "1\nthe root's\n" });
    });
    test.each<[string, (dev: string) => void]>([
      ["a file", (dev) => writeFileSync(join(dev, "null"), "")],
      [
        "a link to a switch of the machine's",
        (dev) => symlinkSync("/proc/sys/kernel/core_pattern", join(dev, "null")),
      ],
      ["a link to the host's", (dev) => symlinkSync(`${"../".repeat(12)}dev/null`, join(dev, "null"))],
      ["a folder", (dev) => mkdirSync(join(dev, "null"))],
      [
        "another device",
        (dev) => void (isRoot && Bun.spawnSync(["mknod", join(dev, "null"), "c", "1", "5"])),
      ],
    ])("a root whose null is %s gets a fresh one", async (_, make) => {
      const where = emptyDev();
      make(join(where, "dev"));
      expect(await list(where)).toEqual(NAMES);
      const ran = await start(where, "stat -c %t:%T /dev/null; cat /dev/null");
      expect(ran).toMatchObject({ status: 0, stdout: "1:3\n", stderr: "" });
    });
    test("a root without /dev gets the directory, unless nothing can be made there", async () => {
      const where = withoutDev();
      if (unprivileged) chmodSync(where, 0o777);
      const ran = await start(where, "ls /dev | head -n 1", "--read-only");
      expect(ran).toMatchObject({ stdout: "", stderr: "ls: /dev: No such file or directory\n" });
      expect(await list(where)).toEqual(NAMES);
      expect(readdirSync(join(where, "dev"))).toEqual([]);
    });
    test("where it is asked for and cannot be made, that is an error", async () => {
      const where = withoutDev();
      expect(await start(where, "echo started", "--read-only", "--dev=minimal")).toMatchObject({
        status: 125,
        stdout: "",
        stderr: expect.stringMatching(
          /^ns: cannot make the directory \/dev: read-only file system\nnote: .*--dev=keep/,
        ),
      });
    });
  });

  describe("a hostile root", () => {
    test.each([
      ["to a folder of the host", host],
      ["up and out", `${"../".repeat(12)}${host.slice(1)}`],
      ["to another folder in the root", "/tmp"],
      ["to nothing", "/none"],
      ["to itself", "dev"],
    ])("/dev is a link %s: refused, and nothing is made behind it", async (_, target) => {
      for (const options of [["--dev=minimal"], ["--profile=app"], []]) {
        const where = withoutDev();
        symlinkSync(target, join(where, "dev"));
        const ran = await start(where, "echo started", ...options);
        expect(ran).toMatchObject({ status: 125, stdout: "" });
        expect(ran.stderr).toStartWith(
          "ns: cannot make /dev: in the root it is not a directory (not a directory)\nnote: ",
        );
        expect(readdirSync(join(where, "tmp"))).toEqual([]);
        expectHostUntouched();
        const kept = await start(where, "echo started", "--dev=keep");
        expect(kept).toMatchObject({ status: 0, stdout: "started\n", stderr: "" });
      }
      expectHostUntouched();
    });
    test("/dev is a file: refused", async () => {
      const where = withoutDev();
      writeFileSync(join(where, "dev"), "");
      const ran = await start(where, "echo started");
      expect(ran).toMatchObject({ status: 125, stdout: "" });
      expect(readFileSync(join(where, "dev"), "utf8")).toBe("");
    });
    test("links in place of all that ns makes there, and nodes of disks, are covered", async () => {
      const where = emptyDev();
      const dev = join(where, "dev");
      for (const name of [...NAMES, "console", "log"]) symlinkSync(`${host}/${name}`, join(dev, name));
      if (isRoot) Bun.spawnSync(["mknod", "-m", "666", join(dev, "sda"), "b", "8", "0"]);
      for (const options of [["--dev=minimal"], ["--profile=app"], ["--profile=strict"], []]) {
        expect(await list(where, ...options)).toEqual(NAMES);
        const ran = await start(where, "echo x > /dev/null; exec 3<>/dev/ptmx && ls /dev/pts", ...options);
        expect(ran).toMatchObject({ status: 0, stdout: "0\nptmx\n", stderr: "" });
        expectHostUntouched();
      }
    });
    test.each([
      ["to a folder of the host", host],
      ["to another folder in the root", "/tmp"],
    ])("/sys is a link %s: nothing is mounted", async (_, target) => {
      const where = emptyDev();
      symlinkSync(target, join(where, "sys"));
      const left = await start(
        where,
        "ls /sys/kernel /tmp/kernel 2>&- | head -n 1; echo started",
        "-n",
        "--profile=app",
      );
      expect(left).toMatchObject({ status: 0, stdout: "started\n" });
      const asked = await start(where, "echo started", "-n", "--sys=ro");
      expect(asked).toMatchObject({
        status: 125,
        stdout: "",
        stderr: "ns: cannot open the directory /sys: not a directory\n",
      });
      expectHostUntouched();
    });
  });

  describe("--sys", () => {
    const where = emptyDev();
    mkdirSync(join(where, "sys"));
    const look = "ls /sys/class 2>&- | grep -x net; (: > /sys/kernel/uevent_helper) 2>&- || echo held";
    test.each<[string[], string]>([
      [[], "held\n"],
      [["--sys=none", "--profile=app"], "held\n"],
      [["--profile=strict"], "held\n"],
      [["--profile=app"], "net\nheld\n"],
      [["--sys=ro"], "net\nheld\n"],
    ])("-n %j", async (options, stdout) => {
      expect(await start(where, look, "-n", ...options)).toMatchObject({ status: 0, stdout });
      expect(readdirSync(join(where, "sys"))).toEqual([]);
    });
    test("it shows the container's network, and rw may be written to", async () => {
      const ran = await start(where, "ls /sys/class/net; grep ' /sys ' /proc/mounts", "-n", "--sys=rw");
      expect(ran.stdout).toMatch(/^lo\nsysfs \/sys sysfs rw,nosuid,nodev,noexec/);
    });
    test("profile app covers the firmware's tables, and --unmask uncovers them", async () => {
      const count = "ls /sys/firmware | grep -c .; ls /sys/devices/virtual/powercap 2>&- | grep -c .";
      const masked = await start(where, count, "-n", "--profile=app");
      expect(masked.stdout).toBe("0\n0\n");
      const bare = await start(where, count, "-n", "--profile=app", "--unmask=/sys/firmware");
      expect(bare.stdout).not.toStartWith("0\n");
    });
    test("with the host's network: as root it is the host's; in a user namespace it cannot be had", async () => {
      const app = await start(where, look, "--profile=app");
      expect(app).toMatchObject({ status: 0, stdout: unprivileged ? "held\n" : "net\nheld\n" });
      const asked = await start(where, "echo started", "--sys=ro");
      expect(asked).toMatchObject(
        unprivileged
          ? {
              ...{ status: 125, stdout: "" },
              stderr:
                "ns: --sys: with --user sysfs cannot be mounted while the network is the host's\n" +
                "note: give the container a network of its own: --network\n",
            }
          : { status: 0, stdout: "started\n" },
      );
    });
  });

  test.each([[[]], [["-n", "--sys=ro"]], [["--profile=app"]], [["--profile=strict"]]])(
    "the host's switches cannot be opened for writing: %j",
    async (options) => {
      const switches = [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/sysrq",
        "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/proc/sys/fs/binfmt_misc/register",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/fs/cgroup/release_agent",
      ];
      // a redirection opens the file for reading and writing, and writes nothing
      const script = `for f in ${switches.join(" ")}; do (exec 3<>$f) 2>&- && echo $f; done; true`;
      const where = emptyDev();
      mkdirSync(join(where, "sys"));
      const ran = await start(where, script, ...options);
      expect(ran).toMatchObject({ status: 0, stdout: "" });
    },
  );
});

rootTest("the same for a container whose root is the host's uid 0", async () => {
  const script = `for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/kernel/modprobe; do
    (exec 3<>$f) 2>&- && echo $f; done; chmod 600 /dev/null 2>&- || echo held`;
  const before = statSync("/dev/null").mode;
  for (const profile of ["init", "app"]) {
    const words = line(false, [], { root: emptyDev(), options: ["-u", `--profile=${profile}`] });
    const init = ["/bin/sh", "0", "0", "--", "-c", script];
    const ran = await runCommand([...words.slice(0, words.indexOf("-") + 2), ...init]);
    expect(ran).toMatchObject({ status: 0, stdout: "held\n", stderr: "" });
  }
  expect(statSync("/dev/null").mode).toBe(before);
});

rootTest(
  "nodes that real root makes are its own: what is done to them does not reach the host's",
  async () => {
    const before = statSync("/dev/null");
    const words = line(false, ["/bin/sh", "-c", "chmod 600 /dev/null && chown 5 /dev/null && echo done"], {
      root: emptyDev(),
    });
    expect(await runCommand(words)).toMatchObject({ status: 0, stdout: "done\n", stderr: "" });
    const { mode, uid } = statSync("/dev/null");
    expect([mode, uid]).toEqual([before.mode, before.uid]);
  },
);

rootTest("a host whose own null is something else: an ordinary user's container does not start", async () => {
  const where = emptyDev();
  const words = line(true, ["/bin/sh", "-c", "echo started"], { root: where, options: ["--dev=minimal"] });
  const ran = await runCommand([
    ...[
      "unshare",
      "-m",
      "--propagation=private",
      "sh",
      "-c",
      `mount --bind ${host}/secret /dev/null && exec "$@"`,
      "sh",
    ],
    ...words,
  ]);
  expect(ran).toMatchObject({ status: 125, stdout: "" });
  expect(ran.stderr).toStartWith(
    "ns: cannot take /dev/null from the host: it is not the character device 1:3",
  );
});

rootTest(
  "/dev is exchanged with a link to the host all the time: 200 starts",
  async () => {
    const where = emptyDev();
    symlinkSync(host, join(where, "swap"));
    const swapper = launch([
      process.execPath,
      "-e",
      `const { dlopen } = require("bun:ffi");
       const [, root] = process.argv; const c = (text) => Buffer.from(text + "\\0");
       const { renameat2 } = dlopen("libc.so.6", { renameat2: { args: ["int", "ptr", "int", "ptr", "u32"], returns: "int" } }).symbols;
       const a = c(root + "/dev"), b = c(root + "/swap"); console.log("up");
       for (;;) renameat2(-100, a, -100, b, 2);`,
      where,
    ]);
    await swapper.line(/up/);
    const statuses = new Set<number | null>();
    try {
      for (let i = 0; i < 200; i++) {
        const words = line(false, ["/bin/true"], { root: where, options: ["--dev=minimal"] });
        statuses.add((await runCommand(words)).status);
      }
    } finally {
      swapper.kill("SIGKILL");
      await swapper.ended;
    }
    expectHostUntouched();
    expect([...statuses].sort()).toEqual([0, 125]); // both were met
  },
  120_000,
);
