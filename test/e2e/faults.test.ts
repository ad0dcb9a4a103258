/** What cannot work: each case has its exit status and one clear message, and leaves nothing. */
import { describe, expect, test } from "bun:test";
import { chmodSync, cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  expectSaid,
  asOrdinary,
  folder,
  ids,
  isRoot,
  launch,
  leavesNothing,
  makeRoot,
  ns,
  ordinary,
  root,
  rootTest,
  run,
  runCommand,
  script,
  user,
} from "../harness.ts";

leavesNothing();

const start = (pre: string, where: string, init: string, options: string[] = []) =>
  run([...user, ...options, pre, where, init, ...ids]);

describe("pre script", () => {
  const refused = async (pre: string, message: string, status = 125): Promise<void> => {
    const ran = await start(pre, root, "/bin/true");
    if (status !== 2) expectSaid(ran.stderr, `ns: ${message}`);
    else expect(ran.stderr).toStartWith(`ns: ${message}`);
    expect(ran.status).toBe(status);
    expect(ran.stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
  };
  test("missing", () =>
    refused("/no/pre", "the pre script /no/pre cannot be used: no such file or directory"));
  test("a directory", () => refused(folder, `the pre script ${folder} is a directory`));
  test("not executable", () => {
    const path = script("plain", "#!/bin/sh\n", 0o644);
    return refused(path, `the pre script ${path} is not executable\nnote: chmod +x ${path}`);
  });
  test("a device", () => refused("/dev/null", "the pre script /dev/null is not a regular file"));
  test("not absolute", () => refused("pre.sh", "PRE 'pre.sh' is not an absolute path", 2));
  test("its interpreter is missing", () => {
    const path = script("strange", "#!/no/such/interpreter\n");
    return refused(path, `cannot execute the pre script ${path}: its interpreter is missing`);
  });
  test("exits 3", () => {
    const path = script("three", "#!/bin/sh\nexit 3\n");
    return refused(path, `the pre script ${path} exited with status 3: the container was not started`);
  });
  test("is killed", () => {
    const path = script("killed", "#!/bin/sh\nkill -KILL $$\n");
    return refused(path, `the pre script ${path} was killed by SIGKILL: the container was not started`);
  });
  test("a link to one is fine, one without a #! line too", async () => {
    const path = script("bare", "echo bare $#\n");
    symlinkSync(path, join(folder, "link"));
    const ran = await start(join(folder, "link"), root, "/bin/true");
    expect(ran).toMatchObject({ status: 0, stdout: "bare 1\n", stderr: "" });
  });
  test.each<[NodeJS.Signals, number]>([
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGHUP", 129],
  ])("hangs, and ns gets %s", async (signal, status) => {
    const path = script("hangs", "#!/bin/sh\nsleep 1000 &\necho waiting\nwait\n");
    const running = launch([ns, ...user, path, root, "/bin/true", ...ids]);
    await running.line(/waiting/);
    running.kill(signal);
    const ran = await running.ended;
    expect(ran.status).toBe(status);
    expectSaid(ran.stderr, `ns: stopped by ${signal} before init was started\n`);
  });
  test("hangs and ignores SIGTERM: the third one kills it", async () => {
    const deaf =
      "#!/bin/sh\nn=0\ntrap 'n=$((n+1)); echo heard $n' TERM\necho waiting\nwhile :; do sleep 1000 & wait; done\n";
    const running = launch([ns, ...user, script("deaf", deaf), root, "/bin/true", ...ids]);
    await running.line(/waiting/);
    running.kill("SIGTERM");
    await running.line(/heard 1/);
    running.kill("SIGTERM");
    await running.line(/heard 2/);
    running.kill("SIGTERM");
    expect((await running.ended).status).toBe(143);
  });
});

describe("NEWROOT", () => {
  const refused = async (where: string, message: string): Promise<void> => {
    const ran = await start("-", where, "/bin/true");
    expectSaid(ran.stderr, `ns: ${message}`);
    expect(ran.status).toBe(125);
  };
  test("missing", () => refused("/no/root", "cannot use the root /no/root: no such file or directory"));
  test("a file", () => refused(ns, `cannot use the root ${ns}: not a directory`));
  rootTest("that an ordinary user may not enter", async () => {
    const path = makeRoot("closed");
    chmodSync(path, 0o700);
    const words = [ns, "-u", "-", path, "/bin/true", `${ordinary.uid}`, `${ordinary.gid}`];
    const ran = await runCommand(asOrdinary(words));
    expect(ran.stderr).toBe(`ns: cannot enter the root ${path}: permission denied\n`);
    expect(ran.status).toBe(125);
    rmSync(path, { recursive: true });
  });
  test("without /proc: it is made", async () => {
    const path = makeRoot("procless");
    rmSync(join(path, "proc"), { recursive: true });
    expect(await start("-", path, "/bin/true")).toMatchObject({ status: 0, stderr: "" });
  });
  test("with a /proc that is a file", async () => {
    const path = makeRoot("procfile");
    rmSync(join(path, "proc"), { recursive: true });
    writeFileSync(join(path, "proc"), "");
    await refused(
      path,
      "cannot open the directory /proc: not a directory\nnote: /proc in the root is not a directory",
    );
  });
  rootTest("read-only: works; read-only without /proc: says so", async () => {
    const path = makeRoot("readonly");
    const mounted = `mount --bind ${path} ${path} && mount -o remount,ro,bind ${path} && exec "$@"`;
    const words = ["unshare", "-m", "sh", "-c", mounted, "sh", ns, "-", path, "/bin/true"];
    expect(await runCommand(words)).toMatchObject({ status: 0, stderr: "" });
    rmSync(join(path, "proc"), { recursive: true });
    expect(await runCommand(words)).toMatchObject({
      status: 125,
      stderr:
        "ns: cannot make the directory /proc: read-only file system\n" +
        "note: the root has no directory /proc and cannot be written: make one in it\n",
    });
  });
  rootTest("without /dev on a full disk", async () => {
    const path = join(folder, "full");
    mkdirSync(path);
    const filled = `mount -t tmpfs -o size=2M,nr_inodes=5 none ${path} && mkdir ${path}/bin && cp /bin/busybox ${path}/bin/true && : > ${path}/a && : > ${path}/b && exec "$@"`;
    const ran = await runCommand(["unshare", "-m", "sh", "-c", filled, "sh", ns, "-", path, "/bin/true"]);
    expectSaid(ran.stderr, "ns: cannot make the directory /dev: no space left\nnote: ");
    expect(ran.status).toBe(125);
  });
});

describe("INIT", () => {
  const bad = makeRoot("bad");
  const file = (name: string, text: string, mode = 0o755): void => {
    writeFileSync(join(bad, name), text);
    chmodSync(join(bad, name), mode);
  };
  const refused = async (init: string, status: number, rest: string): Promise<void> => {
    const ran = await start("-", bad, init);
    expectSaid(ran.stderr, `ns: init ${init} in ${bad} ${rest}\n`);
    expect(ran.status).toBe(status);
  };
  test("missing", () => refused("/no/init", 127, "is not there"));
  test("below a file", () => refused("/bin/sh/x", 127, "is not there"));
  test("a directory", () => refused("/bin", 126, "is a directory"));
  test("a device or pipe", async () => {
    await runCommand(["mkfifo", join(bad, "fifo")]);
    await refused("/fifo", 126, "is not a regular file");
  });
  test("not executable", () => {
    file("plain", "#!/bin/sh\n", 0o644);
    return refused("/plain", 126, "is not executable\nnote: chmod +x it");
  });
  test("without a #! line", () => {
    file("bare", "echo hi\n");
    return refused(
      "/bare",
      126,
      "is neither a program nor a script with a #! line\nnote: begin the script with #!/bin/sh",
    );
  });
  test("empty", () => {
    file("empty", "");
    return refused("/empty", 126, "is empty");
  });
  test("a script whose interpreter is missing", () => {
    file("strange", "#!/usr/bin/python9 -u\n");
    return refused("/strange", 126, "is a script for /usr/bin/python9, which is not in the root");
  });
  test("a script with DOS line ends", () => {
    file("dos", "#!/bin/sh\r\necho\r\n");
    return refused(
      "/dos",
      126,
      'is a script for "/bin/sh\\x0d", which is not in the root\nnote: the script has DOS line ends: remove the carriage returns',
    );
  });
  test("a program whose loader is missing", async () => {
    cpSync("/bin/ls", join(bad, "dynamic"));
    const ran = await start("-", bad, "/dynamic");
    expect(ran.status).toBe(126);
    expect(ran.stderr).toMatch(
      /^ns: init \/dynamic in .* needs the loader \/lib\S+, which is not in the root\nnote: /,
    );
  });
  test("a program for another machine", () => {
    file("alien", "\x7fELF\x01\x02\x01".padEnd(64, "\0"));
    return refused(
      "/alien",
      126,
      "is a program for another kind of machine (ELF machine 0), and this machine is x86-64\nnote: take one for this machine, or have qemu-user run it (Debian: qemu-user-static, binfmt-support)",
    );
  });
  test("links lead where the container will see them lead", async () => {
    symlinkSync("../bin/busybox", join(bad, "sbin/relative"));
    symlinkSync("/bin/busybox", join(bad, "sbin/absolute"));
    symlinkSync("../../../../../../bin/true", join(bad, "true"));
    // each is there: busybox itself complains about the name it is called by
    for (const init of ["/sbin/relative", "/sbin/absolute"])
      expect((await start("-", bad, init)).status).toBe(127);
    expect((await start("-", bad, "/true")).status).toBe(0);
  });
  test("a link that leads out leads nowhere", () => {
    symlinkSync(join(folder, "ns"), join(bad, "out"));
    symlinkSync("../../../../../../../../usr/bin/python3", join(bad, "up"));
    return refused("/out", 127, "is a link to something that is not in the root").then(() =>
      refused("/up", 127, "is a link to something that is not in the root"),
    );
  });
  test("a circle of links", () => {
    symlinkSync("circle", join(bad, "circle"));
    return refused("/circle", 126, "cannot be reached: too many levels of symbolic links");
  });
});

test("names are bytes: spaces, newlines, quotes and what is not UTF-8", async () => {
  const strange = "a b\n'\"\\$x";
  const path = join(folder, strange);
  await runCommand(["cp", "-a", root, path]);
  const line = `bytes=$(printf '\\377\\376'); cp -a "$1" "$2/$bytes"; shift 2; "$@" "./$bytes" /bin/sh ${ids.join(" ")} -- -c 'printf "%s|" "$@"' sh "$bytes" "x y" ""`;
  const words = ["sh", "-c", line, "sh", path, folder, ns, ...user, "-"];
  const child = Bun.spawnSync(isRoot ? words : words, { cwd: folder, stdin: "ignore" });
  expect(child.stderr.toString()).toBe("");
  expect([...child.stdout]).toEqual([0xff, 0xfe, ...Buffer.from("|x y||")]);
  expect(await run([...user, "-", path, "/bin/echo", ...ids, "--", strange])).toMatchObject({
    stdout: `${strange}\n`,
  });
  const missing = await run([...user, "-", `${path}\x1b[31m`, "/bin/true", ...ids]);
  expect(missing.stderr).toStartWith('ns: cannot use the root "');
  expect(missing.stderr).not.toContain("\x1b");
});

test("long and many arguments", async () => {
  const many = Array.from({ length: 2000 }, (_, i) => `argument-${i}`);
  const ran = await run([...user, "-", root, "/bin/sh", ...ids, "--", "-c", "echo $#", "sh", ...many]);
  expect(ran).toMatchObject({ status: 0, stdout: "2000\n" });
});

describe("closed or full descriptors", () => {
  const line = (
    redirect: string,
    command = "echo out; echo err >&2; exit 7",
  ): Promise<{ status: number | null }> =>
    runCommand([
      "sh",
      "-c",
      `exec "$@" ${redirect}`,
      "sh",
      ns,
      ...user,
      "-",
      root,
      "/bin/sh",
      ...ids,
      "--",
      "-c",
      command,
    ]);
  test.each(["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])("%s", async (redirect) => {
    expect((await line(redirect, "exit 7")).status).toBe(7);
  });
  test("what was closed stays closed: nothing of ns or of the host comes in its place", async () => {
    const words = [ns, ...user, "-", root, "/bin/sh", ...ids, "--", "-c", "ls /proc/1/fd; true"];
    const ran = await runCommand(["sh", "-c", 'exec "$@" <&-', "sh", ...words]);
    expect(ran).toMatchObject({ status: 0, stdout: "1\n2\n" });
  });
  test("a full disk under ns's own messages", async () => {
    const words = [ns, ...user, "-v", "-", root, "/bin/sh", ...ids, "--", "-c", "exit 7"];
    expect((await runCommand(["sh", "-c", 'exec "$@" 2>/dev/full', "sh", ...words])).status).toBe(7);
    const failing = [ns, ...user, "-", "/no/root", "/bin/sh", ...ids];
    expect((await runCommand(["sh", "-c", 'exec "$@" 2>/dev/full', "sh", ...failing])).status).toBe(125);
  });
});

test("a deleted working directory", async () => {
  const gone = join(folder, "gone");
  const words = [ns, ...user, "-", root, "/bin/pwd", ...ids];
  const ran = await runCommand([
    "sh",
    "-c",
    `mkdir ${gone}; cd ${gone}; rmdir ${gone}; exec "$@"`,
    "sh",
    ...words,
  ]);
  expect(ran).toMatchObject({ status: 0, stdout: "/\n", stderr: "" });
});

test("an ordinary user without --user is told how", async () => {
  const ran = await runCommand(asOrdinary([ns, "-", root, "/bin/true"]));
  expect(ran).toMatchObject({
    status: 125,
    stderr:
      "ns: only root may start a container without --user\n" +
      "note: as an ordinary user: ns -u PRE NEWROOT INIT $(id -u) $(id -g)\n",
  });
});

test("an ordinary user cannot take another's id", async () => {
  const ran = await runCommand(asOrdinary([ns, "-u", "-", root, "/bin/true", "0", "0"]));
  expect(ran.status).toBe(125);
  expect(ran.stderr).toStartWith(
    `ns: UID 0 is not yours: an ordinary user can only give the container ${ordinary.uid}\n`,
  );
});

rootTest("user namespaces switched off: which switch, and the command", async () => {
  // max_user_namespaces belongs to the user namespace that it is read in: only this test's own is changed
  const line = `echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"`;
  const words = [ns, "-u", "-", root, "/bin/true", "0", "0"];
  const ran = await runCommand(["unshare", "-Ur", "sh", "-c", line, "sh", ...words]);
  expect(ran).toMatchObject({
    status: 125,
    stderr:
      "ns: cannot make a user namespace: user.max_user_namespaces is 0\n" +
      "note: allow them: sysctl -w user.max_user_namespaces=10000\n",
  });
});

rootTest("in a chroot, where pivot_root cannot work, it says so and does not fall back", async () => {
  const jail = makeRoot("jail");
  cpSync(ns, join(jail, "ns"));
  mkdirSync(join(jail, "inner"));
  await runCommand(["cp", "-a", `${root}/.`, join(jail, "inner")]);
  for (const library of [
    "/lib64/ld-linux-x86-64.so.2",
    "libc.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "libm.so.6",
  ]) {
    const from = library.startsWith("/") ? library : `/lib/x86_64-linux-gnu/${library}`;
    await runCommand(["sh", "-c", `mkdir -p "$2$(dirname "$1")" && cp -L "$1" "$2$1"`, "sh", from, jail]);
  }
  const line = `mount -t proc proc ${jail}/proc && exec chroot ${jail} /ns - /inner /bin/true`;
  const ran = await runCommand(["unshare", "-m", "sh", "-c", line]);
  expect(ran).toMatchObject({
    status: 125,
    stderr:
      "ns: cannot make mounts private: invalid argument\n" +
      "note: ns runs in a chroot: its own root directory has to be a mount point\n",
  });
});
