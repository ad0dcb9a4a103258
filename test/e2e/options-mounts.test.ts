/** --bind and its like, end to end: what is seen inside, what can be written, what is left on the host. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
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
  ordinary,
  rootTest,
  runCommand,
} from "../harness.ts";

leavesNothing();

const applets = [
  "sh",
  "true",
  "cat",
  "ls",
  "touch",
  "mount",
  "stat",
  "readlink",
  "grep",
  "sleep",
  "mkdir",
  "dd",
];
let count = 0;

/** A root whose directories belong to the one who runs the container. */
function ownRoot(unprivileged: boolean): string {
  const path = makeSmallRoot(`mounts-${count++}`, applets);
  if (isRoot && unprivileged)
    for (const name of ["", "bin", "proc", "tmp"]) chownSync(join(path, name), ordinary.uid, ordinary.gid);
  return path;
}

/** A folder of the host's with a file, which everybody may write to. */
function hostFolder(): string {
  const path = join(folder, `host-${count++}`);
  mkdirSync(path);
  writeFileSync(join(path, "file"), "the host's\n");
  for (const name of ["", "file"]) chmodSync(join(path, name), 0o777);
  return path;
}

describe.each(callers)("%s", (_, unprivileged) => {
  const shell = (options: string[], script: string, where = ownRoot(unprivileged), stdin?: string) =>
    runCommand(line(unprivileged, ["/bin/sh", "-c", script], { options, root: where }), {
      unprivileged,
      ...(stdin === undefined ? {} : { stdin }),
    });

  test("a directory, on a place that is made for it", async () => {
    const host = hostFolder();
    const where = ownRoot(unprivileged);
    const ran = await shell(["--bind", `${host}:/a/b`], "cat /a/b/file; echo new >/a/b/new", where);
    expect(ran).toEqual({ status: 0, signal: null, stdout: "the host's\n", stderr: "" });
    expect(readFileSync(join(host, "new"), "utf8")).toBe("new\n");
    expect(readdirSync(join(where, "a/b"))).toEqual([]);
    expect(statSync(join(where, "a")).mode & 0o7777).toBe(0o755);
  });
  test("a file", async () => {
    const host = hostFolder();
    const where = ownRoot(unprivileged);
    const ran = await shell(
      ["--bind", `${host}/file:/etc/file`],
      "cat /etc/file; echo changed >/etc/file",
      where,
    );
    expect(ran).toMatchObject({ status: 0, stdout: "the host's\n" });
    expect(readFileSync(join(host, "file"), "utf8")).toBe("changed\n");
    expect(readFileSync(join(where, "etc/file"), "utf8")).toBe("");
  });
  test("a relative source is below the working directory; a link is followed", async () => {
    const host = hostFolder();
    symlinkSync(host, `${host}-link`);
    const words = line(unprivileged, ["/bin/cat", "/tmp/file"], {
      options: ["--bind", `${host.slice(folder.length + 1)}-link:/tmp`],
      root: ownRoot(unprivileged),
    });
    expect(await runCommand(words, { unprivileged, cwd: folder })).toMatchObject({ stdout: "the host's\n" });
  });
  test("read-only", async () => {
    const host = hostFolder();
    const ran = await shell(["--bind", `${host}:/tmp:ro`], "echo x >/tmp/file; touch /tmp/y");
    expect(ran.status).not.toBe(0);
    expect(ran.stderr.match(/Read-only file system/g)).toHaveLength(2);
    expect(readdirSync(host)).toEqual(["file"]);
  });
  test("nosuid and nodev unless asked for, noexec if asked for", async () => {
    const host = hostFolder();
    const show = "grep ' /tmp ' /proc/self/mountinfo";
    expect((await shell(["--bind", `${host}:/tmp`], show)).stdout).toContain(" rw,nosuid,nodev");
    const more = await shell(["--bind", `${host}:/tmp:suid,dev,noexec`], show);
    expect(more.stdout).toMatch(/ \/tmp rw,noexec/);
  });
  test("in the order given, one into another", async () => {
    const [a, b] = [hostFolder(), hostFolder()];
    writeFileSync(join(b, "file"), "the second\n");
    const options = [
      "--tmpfs",
      "/t",
      "--bind",
      `${a}:/t/x`,
      "--bind",
      `${b}/file:/t/x/file`,
      "--dir",
      "/t/y/z",
    ];
    const ran = await shell(options, "cat /t/x/file; ls /t /t/y");
    expect(ran.stdout).toBe("the second\n/t:\nx\ny\n\n/t/y:\nz\n");
    expect(readFileSync(join(a, "file"), "utf8")).toBe("the host's\n");
  });
  test("links inside the root are followed inside it", async () => {
    const where = ownRoot(unprivileged);
    mkdirSync(join(where, "run"));
    mkdirSync(join(where, "var"));
    symlinkSync("/run", join(where, "var/run"));
    symlinkSync("../../../run", join(where, "var/up"));
    const options = ["--bind", `${hostFolder()}:/run`, "--tmpfs", "/var/run/x:mode=700"];
    // the source is nobody's to write to: the place is made in it
    const ran = await shell(options, "stat -c %a /run/x /var/up/x", where);
    expect(ran).toMatchObject({ status: 0, stdout: "700\n700\n" });
  });
  test("what is not there: --bind says so, --bind-try goes on", async () => {
    const where = ownRoot(unprivileged);
    expect(await shell(["--bind", "/no/such:/a"], "true", where)).toMatchObject({
      status: 125,
      stderr: "ns: cannot use /no/such as a bind's source: no such file or directory\n",
    });
    expect(await shell(["--bind-try", "/no/such:/a"], "echo started", where)).toMatchObject({
      status: 0,
      stdout: "started\n",
    });
    expect(existsSync(join(where, "a"))).toBe(false);
  });
  test("a directory onto a file and a file onto a directory are refused", async () => {
    const host = hostFolder();
    const where = ownRoot(unprivileged);
    writeFileSync(join(where, "file"), "");
    const note = "note: what is there is not of the kind that is to be mounted on it\n";
    expect(await shell(["--bind", `${host}:/file`], "true", where)).toMatchObject({
      status: 125,
      stderr: `ns: cannot open /file in the root: not a directory\n${note}`,
    });
    const ran = await shell(["--bind", `${host}/file:/tmp`], "true", where);
    expect(ran).toMatchObject({ status: 125 });
    expect(ran.stderr).toStartWith(`ns: cannot mount ${host}/file on /tmp: `);
  });
  test("nothing is made in a root that is read-only; what is there is mounted on", async () => {
    const where = ownRoot(unprivileged);
    const host = hostFolder();
    const options = ["--read-only", "--bind"];
    expect(await shell([...options, `${host}:/new`], "true", where)).toMatchObject({
      status: 125,
      stderr:
        "ns: cannot make the directory /new in the root: read-only file system\n" +
        "note: it is not there and the root cannot be written: make it beforehand\n",
    });
    expect(readdirSync(where)).not.toContain("new");
    const ran = await shell([...options, `${host}:/tmp`], "touch /x; echo y >/tmp/y", where);
    expect(ran.stderr).toContain("Read-only file system");
    expect(readdirSync(host).sort()).toEqual(["file", "y"]);
  });
  test("tmpfs: its size, its mode, and what may not be done there", async () => {
    const script =
      "stat -c %a /t; dd if=/proc/self/exe of=/t/big bs=64k; grep -o ' /t [a-z,]*' /proc/self/mountinfo";
    const ran = await shell(["--tmpfs", "/t:size=64k,mode=750"], script);
    expect(ran.stdout).toStartWith("750\n");
    expect(ran.stdout).toContain(" /t rw,nosuid,nodev,noexec,relatime\n");
    expect(ran.stderr).toContain("No space left on device");
    expect((await shell(["--tmpfs", "/t"], "stat -c %a /t")).stdout).toBe("1777\n");
  });
  test("the kernel's file systems, read-only where they are the whole machine's", async () => {
    const types = ["proc", "sysfs", "devpts", "mqueue", "cgroup"];
    const options = types.flatMap((type) => ["--mount", `type=${type},dst=/m/${type}`]);
    const ran = await shell(["-n", ...options], "grep ' /m/' /proc/self/mountinfo; ls /m/devpts");
    expect(ran.status).toBe(0);
    const seen = ran.stdout.matchAll(/ \/m\/(\w+) (r[ow])\S* \S*- (\w+) /g);
    expect([...seen].map((match) => match.slice(1, 4).join(" "))).toEqual([
      "proc ro proc",
      "sysfs ro sysfs",
      "devpts rw devpts",
      "mqueue rw mqueue",
      "cgroup ro cgroup2",
    ]);
    expect(ran.stdout).toEndWith("ptmx\n");
  });
  test("an overlay: what is written is seen, and gone afterwards", async () => {
    const [a, b] = [hostFolder(), hostFolder()];
    writeFileSync(join(b, "below"), "below\n");
    // the kernel copies no file up whose owner has no id in the user namespace
    if (isRoot && unprivileged) chownSync(join(a, "file"), ordinary.uid, ordinary.gid);
    const script = "cat /o/file /o/below; echo changed >/o/file; cat /o/file";
    const ran = await shell(["--mount", `type=overlay,src=${a}:${b},dst=/o`], script);
    expect(ran).toMatchObject({ status: 0, stdout: "the host's\nbelow\nchanged\n" });
    expect(readFileSync(join(a, "file"), "utf8")).toBe("the host's\n");
    const readOnly = await shell(["--mount", `type=overlay,src=${a}:${b},dst=/o,ro`], script);
    expect(readOnly.stderr).toContain("Read-only file system");
  });
  test("a link replaces a link and nothing else", async () => {
    const where = ownRoot(unprivileged);
    const link = ["--symlink", "a b:/l/m"];
    for (const target of ["a b", "c"]) {
      link[1] = `${target}:/l/m`;
      expect((await shell(link, "readlink /l/m", where)).stdout).toBe(`${target}\n`);
    }
    writeFileSync(join(where, "f"), "kept");
    expect(await shell(["--symlink", "x:/f"], "true", where)).toMatchObject({
      status: 125,
      stderr:
        "ns: cannot make the link /f in the root: invalid argument\nnote: there is something of that name that is no link\n",
    });
    expect(readFileSync(join(where, "f"), "utf8")).toBe("kept");
  });
  test("a file from a descriptor, whole, instead of what was there", async () => {
    const where = ownRoot(unprivileged);
    const big = "0123456789abcdef".repeat(20_000);
    symlinkSync("/bin/busybox", join(where, "copy"));
    const ran = await shell(
      ["--file", "0:/copy"],
      "cat /copy; stat -c %a,%F /copy; ls /proc/self/fd",
      where,
      big,
    );
    expect(ran).toMatchObject({ status: 0, stdout: `${big}644,regular file\n0\n1\n2\n3\n` });
    expect(await shell(["--file", "77:/copy"], "true", where)).toMatchObject({
      status: 125,
      stderr: "ns: cannot read descriptor 77 for /copy: bad file descriptor\n",
    });
    const full = await shell(["--tmpfs", "/t:size=64k", "--file", "0:/t/copy"], "true", where, big);
    expect(full).toMatchObject({
      status: 125,
      stderr:
        "ns: cannot write /t/copy in the root: no space left\nnote: the file system is full, or has no inodes left: see df and df -i\n",
    });
  });
  test("names with colons, commas, spaces, newlines and bytes that are not UTF-8", async () => {
    const host = join(folder, `host:x,y ${count++}\n\u00e9`);
    mkdirSync(host);
    writeFileSync(join(host, "file"), "odd\n");
    const source = host.replaceAll(":", "\\:");
    const ran = await shell(["--bind", `${source}:/a\\:b,c d`], "cat '/a:b,c d/file'");
    expect(ran).toMatchObject({ status: 0, stdout: "odd\n" });
  });
  test("init may come out of a bind, and so may its absence", async () => {
    const host = hostFolder();
    const where = ownRoot(unprivileged);
    const start = (init: string) =>
      runCommand(
        line(unprivileged, [init], {
          options: ["--bind", `${where}/bin:/tmp`, "--bind", `${host}:/mnt`],
          root: where,
        }),
        { unprivileged },
      );
    expect((await start("/tmp/true")).status).toBe(0);
    expect((await start("/tmp/nothing")).status).toBe(127);
    chmodSync(join(host, "file"), 0o666);
    expect((await start("/mnt/file")).status).toBe(126);
  });
  test("with a pre script, a host name and SIGKILL of ns nothing stays mounted or running", async () => {
    const host = hostFolder();
    const options = ["-n", "--hostname", "box", "--bind", `${host}:/a:ro`, "--tmpfs", "/t", "--ephemeral"];
    const running = launch(
      line(unprivileged, ["/bin/sh", "-c", "cat /a/file; exec sleep 1000"], {
        options,
        root: ownRoot(unprivileged),
      }),
      { unprivileged },
    );
    await running.line(/the host's/);
    running.kill("SIGKILL");
    expect((await running.ended).signal).toBe("SIGKILL");
    // afterEach looks for what is left
  });
});

test("sysfs with a user namespace needs a network of its own", async () => {
  const words = line(true, ["/bin/true"], {
    options: ["--mount", "type=sysfs,dst=/tmp"],
    root: ownRoot(true),
  });
  expect(await runCommand(words, { unprivileged: true })).toMatchObject({
    status: 125,
    stderr:
      "ns: with --user sysfs cannot be mounted while the network is the host's\n" +
      "note: give the container a network of its own: --network\n",
  });
});

test("cgroup needs a cgroup namespace of its own", async () => {
  const options = ["--share=cgroup", "--mount", "type=cgroup,dst=/tmp"];
  const words = line(true, ["/bin/true"], { options, root: ownRoot(true) });
  const ran = await runCommand(words, { unprivileged: true });
  expect(ran.status).toBe(125);
  expect(ran.stderr).toStartWith(
    "ns: the cgroups cannot be mounted while the cgroup namespace is the host's\nnote: leave cgroup out",
  );
});

describe("what is mounted below a source", () => {
  /** Runs a command in a mount namespace in which a tmpfs is mounted on FOLDER/below. */
  const withMount = (host: string, words: string[]) =>
    runCommand([
      ...["unshare", "-m", "sh", "-c"],
      'mkdir -p "$0/below" && mount -t tmpfs -o mode=777 none "$0/below" && echo x >"$0/below/x" && exec "$@"',
      ...[host, ...words],
    ]);
  const words = (options: string, user: boolean) =>
    line(user, ["/bin/sh", "-c", "ls /tmp/below; touch /tmp/below/y && echo written"], {
      options: ["--bind", options],
      root: ownRoot(user),
    });
  for (const user of [false, true]) {
    const how = user ? "with --user" : "as root";
    rootTest(`${how}: comes along, and is read-only with it`, async () => {
      const host = hostFolder();
      expect((await withMount(host, words(`${host}:/tmp`, user))).stdout).toBe("x\nwritten\n");
      const readOnly = await withMount(host, words(`${host}:/tmp:ro`, user));
      expect(readOnly.stdout).toBe("x\n");
      expect(readOnly.stderr).toContain("Read-only file system");
    });
  }
  rootTest("is left out with norec, where that shows nothing that was hidden", async () => {
    const host = hostFolder();
    expect((await withMount(host, words(`${host}:/tmp:norec,ro`, false))).stdout).toBe("");
    const hidden = await withMount(host, words(`${host}:/tmp:norec`, true));
    expect(hidden.stderr).toBe(
      `ns: cannot take ${host} from the host: invalid argument\nnote: something is mounted below it that this user may not leave out: without norec it comes along\n`,
    );
  });
});

rootTest("a mount that the host makes later below a source does not come in", async () => {
  const host = hostFolder();
  mkdirSync(join(host, "later"));
  const holder = launch(["unshare", "-m", "--propagation", "shared", "sh", "-c", "echo up; exec sleep 1000"]);
  await holder.line(/up/);
  const enter = ["nsenter", "-m", "-t", `${holder.pid}`, "--"];
  try {
    await runCommand([...enter, "mount", "--bind", host, host]);
    const init = "trap 'ls /tmp/later; echo end' USR1; echo ready; while :; do sleep 1000 & wait; done";
    const options = ["--bind", `${host}:/tmp`];
    const running = launch([
      ...enter,
      ...line(false, ["/bin/sh", "-c", init], { options, root: ownRoot(false) }),
    ]);
    await running.line(/ready/);
    await runCommand([...enter, "mount", "-t", "tmpfs", "none", join(host, "later")]);
    expect((await runCommand([...enter, "touch", join(host, "later/secret")])).status).toBe(0);
    running.kill("SIGUSR1"); // nsenter has become ns
    await running.line(/^end/);
    expect(running.stdout()).not.toContain("secret");
    running.kill("SIGKILL");
    await running.ended;
  } finally {
    holder.kill("SIGKILL");
    await holder.ended;
  }
});
