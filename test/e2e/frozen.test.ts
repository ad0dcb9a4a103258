/** `ns freeze`: what the file is, what it says, what it leaves, and what it refuses. frozen-suite.test.ts runs all the rest. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pss } from "../../scripts/bench/waiting.ts";
import { readElf } from "../../scripts/build/readelf.ts";
import {
  asOrdinary,
  callers,
  cgroupsLeft,
  folder,
  isFrozen,
  isRoot,
  launch,
  leavesNothing,
  makeSmallRoot,
  ns,
  processesLeft,
  root,
  rootTest,
  run,
  runCommand,
  script,
  until,
  userIds,
} from "../harness.ts";

leavesNothing();

// every user may run what lies there, and the harness looks for it
const files = join(folder, "frozen");
if (!isFrozen) mkdirSync(files);
chmodSync(files, 0o1777);
let count = 0;

/** Freezes those words into a file of its own. */
async function freeze(words: string[]): Promise<string> {
  const file = join(files, `file-${count++}`);
  expect(await run(["freeze", "-o", file, ...words])).toMatchObject({ status: 0, stdout: "", stderr: "" });
  return file;
}

const u = (unprivileged: boolean): string[] => (unprivileged ? ["-u"] : []);
const ids = (unprivileged: boolean): string[] => (unprivileged ? userIds : []);

describe.skipIf(isFrozen).each(callers)("%s", (_, unprivileged) => {
  const how = { unprivileged };
  const shell = (options: string[] = [], pre = "-", where = root) =>
    freeze([...u(unprivileged), ...options, pre, where, "/bin/sh", ...ids(unprivileged)]);

  test("arguments are appended to INIT's at the start, and its status is passed on", async () => {
    const file = await freeze([
      ...[...u(unprivileged), "-", root, "/bin/sh", ...ids(unprivileged), "--"],
      ...["-c", 'echo "$#:$*"; exit 7', "sh", "frozen"],
    ]);
    expect(await runCommand([file], how)).toMatchObject({ status: 7, stdout: "1:frozen\n", stderr: "" });
    const more = ["--", "two words", "", "--ns-show"];
    expect(await runCommand([file, ...more], how)).toMatchObject({
      status: 7,
      stdout: "4:frozen two words  --ns-show\n",
    });
  });

  test.each([[["more"]], [["--ns-show", "more"]], [["-"]], [["--version"]]])(
    "%j is a usage error: init's arguments go behind --",
    async (words) => {
      const ran = await runCommand([await shell(), ...words], how);
      expect(ran).toMatchObject({ status: 2, stdout: "" });
      expect(ran.stderr).toMatch(/^ns: usage: FILE \[-- ARG\.\.\.\], .*\n$/);
    },
  );

  test("--ns-show prints the plan, as ns freeze --show does; --ns-version what made it; neither starts anything", async () => {
    const file = await shell([], script(`never-${unprivileged}`, "#!/bin/sh\necho started\n"));
    const shown = await runCommand([file, "--ns-show"], how);
    expect(shown).toMatchObject({ status: 0, stderr: "" });
    expect(await run(["freeze", "--show", file])).toMatchObject({ status: 0, stdout: shown.stdout });
    expect(shown.stdout).toContain('init  pivot_root(".", ".")\n');
    expect(shown.stdout).not.toContain("started");
    const version = (await run(["--version"])).stdout.trimEnd();
    const line = `frozen by ${version} for ${process.arch}\n`;
    expect(await runCommand([file, "--ns-version"], how)).toMatchObject({ status: 0, stdout: line });
    expect(shown.stdout).toStartWith(line);
  });

  test("what has changed since is met with the right status and one line", async () => {
    const where = makeSmallRoot(`changing-${unprivileged}`);
    const file = await shell([], "-", where);
    expect((await runCommand([file, "--", "-c", "exit 3"], how)).status).toBe(3);
    renameSync(join(where, "bin/sh"), join(where, "bin/gone"));
    const gone = await runCommand([file], how);
    expect(gone).toMatchObject({
      status: 127,
      stderr: `ns: init /bin/sh in ${where} is not there: no such file or directory\n`,
    });
    writeFileSync(join(where, "bin/sh"), "#!/no/such/shell\n", { mode: 0o755 });
    expect(await runCommand([file], how)).toMatchObject({
      status: 126,
      stderr: `ns: init /bin/sh in ${where} cannot be executed: no such file or directory\n`,
    });
    chmodSync(join(where, "bin/sh"), 0o644);
    expect(await runCommand([file], how)).toMatchObject({
      status: 126,
      stderr: `ns: init /bin/sh in ${where} cannot be executed: permission denied\n`,
    });
    renameSync(where, `${where}-elsewhere`);
    expect(await runCommand([file], how)).toMatchObject({
      status: 125,
      stderr: `ns: cannot use the root ${where}: no such file or directory\n`,
    });
  });

  test("the pre script: its argument, and its failure", async () => {
    const pre = script(
      `pre-${unprivileged}`,
      '#!/bin/sh\nkill -0 $1 && echo alive; echo "$# $CLONE_NEWUSER"; exit 4\n',
    );
    const file = await shell(["-n"], pre);
    const ran = await runCommand([file], how);
    expect(ran).toMatchObject({
      status: 125,
      stdout: `alive\n1 ${unprivileged ? "1" : ""}\n`,
      stderr: `ns: cannot run the pre script ${pre}: exit status 4\n`,
    });
    const missing = await shell([], "/no/such/pre");
    expect(await runCommand([missing], how)).toMatchObject({
      status: 125,
      stderr: "ns: cannot execute the pre script /no/such/pre: no such file or directory\n",
    });
  });

  test("SIGKILL of it, init being deaf to its parent's death: the watcher takes the container down", async () => {
    const file = await shell(["-n"]);
    const running = launch(
      unprivileged
        ? asOrdinary([file, "--", "-c", "echo ready; sleep 1000 & wait"])
        : [file, "--", "-c", "echo ready; sleep 1000 & wait"],
    );
    await running.line(/^ready/);
    running.kill("SIGKILL");
    expect((await running.ended).signal).toBe("SIGKILL");
    await until("nothing runs", () => processesLeft().length === 0);
  });

  test("--timeout stops it, and says so", async () => {
    const file = await shell(["--timeout", "300ms", "--stop-timeout", "10ms"]);
    expect(await runCommand([file, "--", "-c", "trap 'exit 1' TERM; sleep 1000 & wait"], how)).toMatchObject({
      status: 124,
      stderr: "ns: stopped after its timeout of 300 ms\n",
    });
  });

  test("it takes at most 64 kB of memory while it waits, with its watcher", async () => {
    const file = await shell();
    const waiting = launch(
      unprivileged
        ? asOrdinary([file, "--", "-c", "echo ready; exec sleep 1000"])
        : [file, "--", "-c", "echo ready; exec sleep 1000"],
    );
    await waiting.line(/^ready/);
    const own = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && exeOf(pid) === file);
    expect(own.length).toBe(2);
    expect(pss(own.map(Number))).toBeLessThanOrEqual(64);
    waiting.kill("SIGKILL");
    await waiting.ended;
  });
});

function exeOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}

test.skipIf(isFrozen)("the same words give the same bytes, wherever they are given", async () => {
  const words = ["-n", "--hostname", "x", "-", root, "/bin/sh", "--", "-c", "exit 3"];
  const first = readFileSync(await freeze(words));
  const file = join(files, "elsewhere");
  await runCommand([ns, "freeze", ...words.slice(0, 6), "-o", file, ...words.slice(6)], { cwd: "/" });
  expect(Buffer.compare(first, readFileSync(file))).toBe(0);
  expect(statSync(file).mode & 0o777).toBe(0o755);
});

const TARGETS = [
  ...["linux-x64", "linux-arm64", "linux-armv7", "linux-i686"],
  ...["android-arm64", "android-x64", "android-armv7", "android-i686"],
];
const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183, armv7: 40, i686: 3 };

describe.skipIf(isFrozen).each(TARGETS)("for %s", (target) => {
  const [load, stack, readExecute, readWrite] = [1, 0x6474e551, 5, 6];
  test("a bare start takes at most 32 kB, here with the list of devices", async () => {
    const bare = await freeze(["--target", target, "-", root, "/bin/sh"]);
    expect(statSync(bare).size).toBeLessThanOrEqual(32 * 1024);
  });
  test("a static executable: one segment of code, one of data, none that is both", async () => {
    const file = await freeze([
      "--target",
      target,
      "-u",
      "-n",
      script("pre-any", "#!/bin/sh\n"),
      root,
      "/bin/sh",
      "1",
      "1",
    ]);
    const bytes = readFileSync(file);
    expect(bytes.length).toBeLessThanOrEqual(40 * 1024);
    const elf = readElf(bytes);
    expect([elf.type, elf.machine]).toEqual([2, MACHINES[target.split("-")[1]!]!]);
    expect(elf.segments.map(({ type, flags }) => [type, flags])).toEqual([
      [load, readExecute],
      [load, readWrite],
      [stack, readWrite],
    ]);
    const [code, data] = elf.segments.map(({ address, size }) => [address, address + size] as const);
    // in no page of the other's, also where pages have 64 KiB
    expect(Math.floor((code![1] - 1) / 65536)).toBeLessThan(Math.floor(data![0] / 65536));
  });
});

/** Does this kernel run 32-bit programs? */
const runsI686 = isRoot && !isFrozen && process.arch === "x64";

test.skipIf(!runsI686)("a file for linux-i686 starts containers on this kernel", async () => {
  const pre = script("pre-i686", "#!/bin/sh\necho pre\n");
  const file = await freeze(["--target", "linux-i686", "-u", "-n", pre, root, "/bin/sh", ...userIds]);
  const tried = await runCommand([file, "--ns-version"]);
  if (tried.status !== 0) {
    console.log("frozen for i686: this kernel runs no 32-bit programs");
    return;
  }
  const inside = "id -u; cat /proc/self/uid_map; ls /proc/1/fd; exit 6";
  const ran = await runCommand([file, "--", "-c", inside]);
  expect({ ...ran, stdout: ran.stdout.replace(/ +/g, " ") }).toMatchObject({
    status: 6,
    stdout: `pre\n0\n 0 ${userIds[0]} 1\n0\n1\n2\n`,
    stderr: "",
  });
  const running = launch([
    file,
    "--",
    "-c",
    "trap 'exit 9' TERM; echo ready; while :; do sleep 1000 & wait; done",
  ]);
  await running.line(/^ready/);
  running.kill("SIGTERM");
  expect((await running.ended).status).toBe(9);
  const bare = await freeze(["--target", "linux-i686", "-", root, "/bin/nothing"]);
  expect((await runCommand([bare])).status).toBe(127);
});

describe.skipIf(isFrozen)("what cannot be frozen is refused by name", () => {
  test.each([
    [["--reaper"], "--reaper"],
    [["--overlay", "/tmp/changes"], "--overlay"],
    [["--file", "0:/file"], "--file"],
    [["--as", "nobody"], "--as"],
    [["--keep-env", "PATH"], "--keep-env"],
    [["--post", "/bin/true"], "--post"],
    [["--net=pasta"], "--net=pasta"],
    [["--image", "/no.img"], "--image"],
    [["-v"], "--verbose"],
    [["--dry-run"], "--dry-run"],
    [["--map=auto"], "--map"],
    [["--memory", "64M", "--systemd"], "--systemd"],
  ])("%j", async (options, name) => {
    const ran = await run(["freeze", "-o", join(files, "none"), ...options, "-", root, "/bin/true"]);
    expect(ran.status).toBe(2);
    expect(ran.stderr).toMatch(new RegExp(`^ns: .*${name}.* cannot be frozen: .*\n`));
  });
  test("a root that is not there: --dev=keep is refused, else it gets a fresh /dev", async () => {
    const words = ["freeze", "-o", join(files, "later"), "-", join(folder, "later"), "/bin/sh"];
    const kept = await run([...words.slice(0, 3), "--dev=keep", ...words.slice(3)]);
    expect(kept).toMatchObject({ status: 2 });
    expect(kept.stderr).toMatch(/^ns: --dev=keep cannot be frozen: .*later is not there/);
    expect((await run(words)).status).toBe(0);
    const shown = await run(["freeze", "--show", join(files, "later")]);
    expect(shown.stdout).toContain('init  mknodat(AT_FDCWD, "urandom"');
  });
  test("no FILE, no such target, a FILE that is none, one that cannot be written", async () => {
    const words = ["-", root, "/bin/true"];
    expect((await run(["freeze", ...words])).stderr).toStartWith("ns: -o FILE is missing");
    const other = await run(["freeze", "--target=linux-mips", "-o", join(files, "none"), ...words]);
    expect(other).toMatchObject({ status: 2 });
    expect(other.stderr).toStartWith("ns: --target: there is no linux-mips; there are linux-x64, ");
    expect(await run(["freeze", "--show", "/bin/busybox"])).toMatchObject({
      status: 125,
      stderr: "ns: /bin/busybox is no file that ns has frozen\n",
    });
    expect(await run(["freeze", "-o", "/no/dir/file", ...words])).toMatchObject({
      status: 125,
      stderr: "ns: cannot write /no/dir/file: no such file or directory\n",
    });
  });
});

const v1 = ((): boolean => {
  try {
    return statSync("/sys/fs/cgroup/memory/memory.limit_in_bytes").isFile();
  } catch {
    return false;
  }
})();

const hasDevices =
  existsSync("/sys/fs/cgroup/devices/devices.list") || existsSync("/sys/fs/cgroup/devices/tasks");

describe.skipIf(isFrozen || !isRoot || !v1)(
  `limits${v1 ? "" : " [needs a version 1 hierarchy of memory]"}`,
  () => {
    test("a memory limit and one of processes hold, PRE finds the child under them, and nothing is left", async () => {
      const pre = script("pre-limits", "#!/bin/sh\ngrep -E 'memory|pids' /proc/$1/cgroup | grep -c frozen\n");
      const file = await freeze(["-m", "32M", "--pids", "7", pre, root, "/bin/sh"]);
      const ran = await runCommand([file, "--", "-c", "exec tail /dev/zero"]);
      expect(ran).toMatchObject({ status: 137, stdout: "2\n" });
      expect(cgroupsLeft()).toEqual([]);
      const forks = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done 2>/dev/null; echo never";
      expect((await runCommand([file, "--", "-c", forks])).stdout).toBe("2\n");
    });
    test("the place is found at the start, in each hierarchy, and nothing is left there", async () => {
      const others = ["memory", "pids"].map(
        (name) => `/sys/fs/cgroup/${name}/ns-frozen-limits-${process.pid}`,
      );
      for (const other of others) mkdirSync(other);
      try {
        const pre = script(
          "pre-place",
          "#!/bin/sh\nsed -n 's/^[0-9]*:\\(memory\\|pids\\):/:/p' /proc/$1/cgroup\n",
        );
        const file = await freeze(["-m", "32M", "--pids", "7", pre, root, "/bin/true"]);
        const line = `for d in ${others.join(" ")}; do echo $$ >$d/tasks; done; exec "$@"`;
        const ran = await runCommand(["sh", "-c", line, "sh", file]);
        expect(ran).toMatchObject({ status: 0, stderr: "" });
        expect(ran.stdout).toMatch(new RegExp(`^(:/ns-frozen-limits-${process.pid}/ns/\\d+-frozen\n){2}$`));
        for (const other of others)
          await until("nothing is in it", () =>
            readdirSync(other, { withFileTypes: true }).every((one) => one.isFile()),
          );
      } finally {
        for (const other of others) rmdirSync(other);
      }
    });
    test("SIGKILL of it leaves no cgroup", async () => {
      const file = await freeze(["-m", "32M", "-", root, "/bin/sh"]);
      const running = launch([file, "--", "-c", "echo ready; exec sleep 1000"]);
      await running.line(/^ready/);
      running.kill("SIGKILL");
      await running.ended;
      await until("no cgroup is left", () => cgroupsLeft().length === 0);
    });
    test("a controller that is not there any more is an error before init runs", async () => {
      const file = await freeze(["-m", "32M", "-", root, "/bin/sh"]);
      const line = 'umount -l /sys/fs/cgroup/memory; exec "$@"';
      const ran = await runCommand(["unshare", "-m", "sh", "-c", line, "sh", file, "--", "-c", "echo never"]);
      expect(ran).toMatchObject({ status: 125, stdout: "" });
      expect(ran.stderr).toMatch(/^ns: cannot find this process's cgroup in \/sys\/fs\/cgroup\/memory.*\n$/);
    });
  },
);

rootTest("many at once, each its own", async () => {
  if (isFrozen) return;
  const file = await freeze(["-m", "32M", "-", root, "/bin/sh"]);
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, i) => runCommand([file, "--", "-c", `exit ${i}`])),
  );
  expect(all.map(({ status, stderr }) => [status, stderr])).toEqual(all.map((_, i) => [i, ""]));
});

/** Whether the host's loop devices' control file opens, by a node of the container's making, and null. */
const OPENS =
  "mknod /tmp/own c 10 237 2>/dev/null; (true </tmp/own) 2>/dev/null && echo own; rm -f /tmp/own; echo >/dev/null && echo null";

describe.skipIf(isFrozen || !isRoot || !hasDevices)(
  `devices${hasDevices ? "" : " [needs a version 1 hierarchy of devices]"}`,
  () => {
    const small = join(folder, "frozen-devices");
    mkdirSync(small);
    makeSmallRoot("frozen-devices/root", ["sh", "true", "mknod", "rm", "cat", "sleep"]);
    const opens = async (options: string[], words: string[] = [], user_: string[] = []): Promise<string> => {
      const file = await freeze([...options, "-", join(small, "root"), "/bin/sh", ...user_]);
      const ran = await runCommand([...words, file, "--", "-c", OPENS]);
      expect(ran).toMatchObject({ status: 0, stderr: "" });
      return ran.stdout.trim().split("\n").join(" ");
    };
    test("only the usual ones open, and what --allow-device names; with all, as with --cgroup none, any", async () => {
      expect(await opens([])).toBe("null");
      expect(await opens(["--allow-device", "c:10:237:r"])).toBe("own null");
      expect(await opens(["--allow-device", "/dev/loop-control:r"])).toBe("own null");
      expect(await opens(["--allow-device=all"])).toBe("own null");
      expect(await opens(["--cgroup=none"])).toBe("own null");
    });
    test("also with limits, and in a cgroup with a name", async () => {
      expect(await opens(["-m", "32M", "--pids", "20"])).toBe("null");
      expect(await opens(["--cgroup", "ns-frozen-test"])).toBe("null");
      expect(await opens(["--cgroup", "ns-frozen-test", "-m", "32M"])).toBe("null");
    });
    test("the place is found at the start, for PRE too, and nothing is left there", async () => {
      const other = `/sys/fs/cgroup/devices/ns-frozen-${process.pid}`;
      mkdirSync(other);
      try {
        const pre = script("pre-devices", "#!/bin/sh\ngrep :devices: /proc/$1/cgroup\n");
        const file = await freeze([pre, join(small, "root"), "/bin/true"]);
        const line = `echo $$ >${other}/tasks; exec "$@"`;
        const ran = await runCommand(["sh", "-c", line, "sh", file]);
        expect(ran).toMatchObject({ status: 0, stderr: "" });
        expect(ran.stdout).toMatch(new RegExp(`:devices:/ns-frozen-${process.pid}/ns/\\d+-frozen/inside\n$`));
        await until("nothing is in it", () =>
          readdirSync(other, { withFileTypes: true }).every((one) => one.isFile()),
        );
      } finally {
        rmdirSync(other);
      }
    });
    test("with --user, by root: restricted; by an ordinary user: without a cgroup, as he may open no more anyhow", async () => {
      const node = join(small, "root/loops");
      Bun.spawnSync(["mknod", "-m", "666", node, "c", "10", "237"]);
      const file = await freeze(["-u", "-", join(small, "root"), "/bin/sh", ...userIds]);
      const words = [file, "--", "-c", "(true </loops) 2>&1; cat /proc/self/cgroup"];
      expect((await runCommand(words)).stdout).toContain("Operation not permitted");
      const control = await freeze([
        "-u",
        "--allow-device=all",
        "-",
        join(small, "root"),
        "/bin/sh",
        ...userIds,
      ]);
      expect((await runCommand([control, ...words.slice(1)])).stdout).not.toContain("not permitted");
      const ordinary = await runCommand(words, { unprivileged: true });
      expect(ordinary).toMatchObject({ status: 0, stderr: "" });
      // asked for, it is an error
      const asked = await freeze([
        "-u",
        "--allow-device=c:10:200",
        "-",
        join(small, "root"),
        "/bin/sh",
        ...userIds,
      ]);
      const refused = await runCommand([asked, "--", "-c", "echo never"], { unprivileged: true });
      expect(refused).toMatchObject({ status: 125, stdout: "" });
      expect(refused.stderr).toMatch(/^ns: cannot make a cgroup in .*\(for devices: .*permission denied\n$/);
      rmSync(node);
    });
    test("the hierarchy is not there at the start: an error, and init does not run", async () => {
      const file = await freeze(["-", join(small, "root"), "/bin/sh"]);
      const line = 'umount -l /sys/fs/cgroup/devices; exec "$@"';
      const ran = await runCommand(["unshare", "-m", "sh", "-c", line, "sh", file, "--", "-c", "echo never"]);
      expect(ran).toMatchObject({ status: 125, stdout: "" });
      expect(ran.stderr).toMatch(/^ns: cannot .*devices.*\n$/);
    });
    test("SIGKILL of it leaves no cgroup", async () => {
      const file = await freeze(["-", join(small, "root"), "/bin/sh"]);
      const running = launch([file, "--", "-c", "echo ready; exec sleep 1000"]);
      await running.line(/^ready/);
      expect(cgroupsLeft()).not.toEqual([]);
      running.kill("SIGKILL");
      await running.ended;
      await until("no cgroup is left", () => cgroupsLeft().length === 0);
    });
    test("for another machine a list that is asked for is version 2's, and the usual one left out", async () => {
      const words = ["freeze", "--target=linux-arm64", "-o", join(files, "none")];
      const ran = await run([...words, "--allow-device=c:10:200", "-", root, "/bin/true"]);
      expect(ran).toMatchObject({ status: 0, stderr: "" });
      const shown = (await run(["freeze", "--show", join(files, "none")])).stdout;
      expect(shown).toMatch(/ns .*bpf\(5, \{BPF_PROG_TYPE_CGROUP_DEVICE, allow .*, c 10:200 rw\}, 64\)\n/);
      expect((await run([...words, "-", root, "/bin/true"])).status).toBe(0);
      expect((await run(["freeze", "--show", join(files, "none")])).stdout).not.toMatch(/devices\.|bpf/);
    });
  },
);
