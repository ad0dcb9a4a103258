/** What a container is like from the inside, as root and as an ordinary user. */
import { describe, expect, test } from "bun:test";
import { readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  expectNothingLeft,
  folder,
  type How,
  inside,
  isRoot,
  leavesNothing,
  ns,
  ordinary,
  root,
  rootTest,
  project,
  run,
  runCommand,
  userIds,
} from "../harness.ts";

leavesNothing();

const modes: [string, boolean][] = isRoot
  ? [
      ["as root", false],
      ["as an ordinary user", true],
    ]
  : [["as an ordinary user", true]];

describe.each(modes)("%s", (_, unprivileged) => {
  const how = { unprivileged };
  const say = async (text: string, options: string[] = []): Promise<string> => {
    const ran = await inside(text, options, how);
    expect(ran.stderr).toBe("");
    expect(ran.status).toBe(0);
    return ran.stdout.trim();
  };

  /** INIT with its arguments, without a shell between. */
  const words = ([init, ...args]: string[], options: string[] = []): string[] => {
    const ids = unprivileged || options.includes("-u") ? [`${ordinary.uid}`, `${ordinary.gid}`] : [];
    return [...(unprivileged ? ["-u"] : []), ...options, "-", root, init!, ...ids, "--", ...args];
  };
  const start = (init: string[], options: string[] = [], more: How = {}) =>
    run(words(init, options), { ...how, ...more });

  test("init is process 1 and alone", async () => {
    expect(await say("echo $$ /proc/[0-9]*")).toBe("1 /proc/1");
  });

  test("namespaces are its own: mnt pid uts ipc cgroup, not net", async () => {
    const own = (
      await say("for n in mnt pid uts ipc cgroup net user; do readlink /proc/1/ns/$n; done")
    ).split("\n");
    const host = ["mnt", "pid", "uts", "ipc", "cgroup", "net", "user"].map((n) =>
      readlinkSync(`/proc/self/ns/${n}`),
    );
    expect(own.map((name, i) => name !== host[i])).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
      unprivileged,
    ]);
  });

  test("with -n the network is its own: a loopback that is up and nothing else", async () => {
    expect(await say("readlink /proc/1/ns/net", ["-n"])).not.toBe(readlinkSync("/proc/self/ns/net"));
    expect(await say("ip -o link | grep -c .; ip link show lo", ["-n"])).toMatch(/^1\n.*LOOPBACK,UP/);
    expect(await say("ping -c 1 -W 2 127.0.0.1 >/dev/null && echo alive", ["--network"])).toBe("alive");
  });

  test("uid 0, gid 0, and what the caller's groups allow is not kept as root", async () => {
    expect(await say("id -u; id -g")).toBe("0\n0");
    if (!unprivileged) expect(await say("grep Groups /proc/self/status")).toBe("Groups:");
  });

  test("signals: nothing blocked, nothing ignored", async () => {
    const ran = await start(["/bin/grep", "-E", "SigBlk|SigIgn", "/proc/self/status"]);
    expect(ran.stdout.replaceAll("\t", "")).toBe("SigBlk:0000000000000000\nSigIgn:0000000000000000\n");
  });

  test("descriptors 0, 1 and 2 and no other, whatever the caller had open", async () => {
    const ran = await runCommand(
      [
        "sh",
        "-c",
        'exec 3</etc/passwd 7</ 9>/dev/null; exec "$@"',
        "sh",
        ns,
        ...words(["/bin/sh", "-c", "ls /proc/1/fd; true"]),
      ],
      how,
    );
    expect(ran.stdout.trim()).toBe("0\n1\n2");
  });

  test("the environment is the documented one", async () => {
    const options = unprivileged ? ["-n"] : ["-n", "-u"];
    const ran = await start(["/usr/bin/env"], options, { env: { LEAK: "1", TERM: "xterm" } });
    expect(ran.stdout.trim().split("\n").sort()).toEqual(
      [
        "CLONE_NEWNET=1",
        "CLONE_NEWUSER=1",
        "CLONE_NETNS=1",
        "CLONE_USERNS=1",
        "PATH=/sbin:/bin:/usr/sbin:/usr/bin",
        "container=ns",
      ].sort(),
    );
  });

  test("umask 022, working directory /", async () => {
    expect(await say("umask; pwd")).toBe("0022\n/");
  });

  test("the caller's own limits, Bun's raised one undone", async () => {
    // the shell stays the parent of ns, as a person's shell does
    const limits = 'ulimit -n 4000; ulimit -Sn 321; ulimit -c 0; "$@"; true';
    const show = words(["/bin/sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c"]);
    const ran = await runCommand(["sh", "-c", limits, "sh", ns, ...show], how);
    expect(ran.stdout.trim()).toBe("321\n4000\n0");
  });

  // without a user namespace the root's own /dev is a mount point (plan/mounts/dev.ts)
  test("mounts: the root and a fresh /proc with the machine's switches read-only, and nothing of the host", async () => {
    const ownDev = !unprivileged;
    const lines = (await say("cat /proc/self/mounts")).split("\n").map((line) => line.split(" "));
    expect(lines.map((fields) => fields[1])).toEqual(
      [
        "/",
        ...(ownDev ? ["/dev"] : []),
        "/proc",
        "/proc/sys",
        "/proc/sysrq-trigger",
        "/proc/irq",
        "/proc/bus",
      ].filter((path) => !path.startsWith("/proc/") || exists(path)),
    );
    const proc = lines.slice(lines.findIndex((fields) => fields[1] === "/proc"));
    expect(proc[0]![3]).toMatch(/^rw,nosuid,nodev,noexec/);
    for (const fields of proc.slice(1)) expect(fields[3]).toMatch(/^ro,nosuid,nodev,noexec/);
  });

  test.each(
    ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches"].filter(exists),
  )("%s cannot be opened for writing", async (path) => {
    expect((await inside(`: >> ${path}`, [], how)).stderr).toMatch(/Read-only file system|Permission denied/);
    expect((await inside(`exec 5<> ${path}`, [], how)).stderr).toMatch(
      /Read-only file system|Permission denied/,
    );
  });

  test("/proc/sys/net can be written in a network of its own and not otherwise", async () => {
    const write = "echo 1 > /proc/sys/net/ipv4/ip_forward";
    expect((await inside(write, ["-n"], how)).status).toBe(0);
    expect((await inside(write, [], how)).stderr).toContain("Read-only file system");
    expect((await inside("echo x > /proc/sys/kernel/hostname", ["-n"], how)).stderr).toContain("Read-only");
  });

  test("a mount inside is not seen outside, nor the hostname", async () => {
    const before = (await runCommand(["hostname"])).stdout;
    await say("mount -t tmpfs none /tmp && hostname inside && mount | grep -c /tmp");
    expect((await runCommand(["hostname"])).stdout).toBe(before);
    await expectNothingLeft();
  });

  test("no trace in the root: no directory of the old root", async () => {
    expect(await say("ls -A /tmp; ls -Ad /.pivot* /.old* /oldroot 2>/dev/null; true")).toBe("");
  });

  test("a NEWROOT relative to the working directory, with a slash or dots", async () => {
    for (const name of ["root", "root/", "./root/../root", `../${folder.split("/").at(-1)}/root`]) {
      const line = words(["/bin/echo", "hi"]).map((word) => (word === root ? name : word));
      const ran = await run(line, { unprivileged, cwd: folder });
      expect(ran).toMatchObject({ status: 0, stdout: "hi\n", stderr: "" });
    }
  });

  test("the host's own / can be NEWROOT", async () => {
    const line = words(["/bin/sh", "-c", "echo $$ /proc/[0-9]*"]).map((word) => (word === root ? "/" : word));
    const ran = await run(line, how);
    expect(ran).toMatchObject({ stderr: "", stdout: "1 /proc/1\n" });
  });

  test("standard input reaches init", async () => {
    const ran = await inside("cat", [], { unprivileged, stdin: "from outside" });
    expect(ran.stdout).toBe("from outside");
  });
});

rootTest("ids outside: what the container writes belongs to UID and GID", async () => {
  const ran = await run([
    "-u",
    "-",
    root,
    "/bin/sh",
    "1234",
    "2345",
    "--",
    "-c",
    "cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups; touch /tmp/mine",
  ]);
  expect(ran.stdout.replace(/ +/g, " ")).toBe(" 0 1234 1\n 0 2345 1\ndeny\n");
  const { uid, gid } = statSync(join(root, "tmp/mine"));
  expect([uid, gid]).toEqual([1234, 2345]);
});

rootTest("with -u as root, root's supplementary groups do not reach the container", async () => {
  const words = [ns, "-u", "-", root, "/bin/sh", "1234", "2345", "--", "-c", "grep Groups /proc/1/status"];
  const ran = await runCommand(["setpriv", "--groups", "5,6,7", ...words]);
  expect(ran.stdout.trim()).toBe("Groups:");
});

test("a debug build tells init so by DEBUG=1", async () => {
  const debug = join(project, "build/linux-x64-dbg/ns");
  const ran = isRoot
    ? await runCommand([debug, "-", root, "/usr/bin/env"])
    : await runCommand([debug, "-u", "-", root, "/usr/bin/env", ...userIds]);
  expect(ran.stdout).toContain("DEBUG=1\n");
});

function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch {
    return false;
  }
}
