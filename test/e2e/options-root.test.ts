/** --read-only, --ephemeral, --overlay and NEWROOT as several directories, end to end. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
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
  run,
  runCommand,
  until,
} from "../harness.ts";

leavesNothing();

let count = 0;

describe.each(callers)("%s", (_, unprivileged) => {
  const own = (path: string): string => {
    if (isRoot && unprivileged) chownSync(path, ordinary.uid, ordinary.gid);
    return path;
  };
  /** A root with a file and a directory with a file, all of the one who runs the container. */
  const ownRoot = (): string => {
    const path = makeSmallRoot(`over-${count++}`, [
      "sh",
      "true",
      "cat",
      "ls",
      "rm",
      "mv",
      "mkdir",
      "touch",
      "sleep",
    ]);
    mkdirSync(join(path, "d"));
    for (const name of ["file", "d/a", "d/b"]) writeFileSync(join(path, name), `${name}\n`);
    for (const name of ["", "bin", "proc", "tmp", "file", "d", "d/a", "d/b"]) own(join(path, name));
    return path;
  };
  const directory = (): string => {
    const path = join(folder, `changes-${count++}`);
    mkdirSync(path);
    own(path);
    mkdirSync(join(path, "upper"));
    return own(join(path, "upper"));
  };
  const words = (options: string[], script: string, where: string) =>
    line(unprivileged, ["/bin/sh", "-c", script], { options, root: where });
  const shell = (options: string[], script: string, where: string) =>
    runCommand(words(options, script, where), { unprivileged });
  const change = "echo changed >/file; rm /d/a; mkdir /new; mv /d /e; cat /file; ls / /e";
  const changed = "changed\n/:\nbin\ndev\ne\nfile\nnew\nproc\ntmp\n\n/e:\nb\n";
  const asItWas = (where: string): void => {
    expect(readFileSync(join(where, "file"), "utf8")).toBe("file\n");
    expect(readdirSync(where).sort()).toEqual(["bin", "d", "dev", "file", "proc", "tmp"]);
    expect(readdirSync(join(where, "d")).sort()).toEqual(["a", "b"]);
  };

  test("--ephemeral: everything can be changed, and is as before afterwards", async () => {
    const where = ownRoot();
    for (const option of ["--ephemeral", "--ephemeral=1M"]) {
      expect(await shell([option], change, where)).toMatchObject({ status: 0, stdout: changed, stderr: "" });
      asItWas(where);
    }
  });
  test("--ephemeral=SIZE is the most that is kept in memory", async () => {
    const ran = await shell(["--ephemeral=100k"], "cat /bin/busybox >/copy", ownRoot());
    expect(ran.stderr).toContain("No space left on device");
  });
  test("--ephemeral under a caller's umask of 077 is still everybody's to enter", async () => {
    const [program, ...rest] = words(["--ephemeral"], "ls -ld /", ownRoot());
    const ran = await runCommand(["sh", "-c", 'umask 077; exec "$@"', "sh", program!, ...rest], {
      unprivileged,
    });
    expect(ran.stdout).toStartWith("drwxr-xr-x");
  });
  test("--ephemeral with binds, which are the host's", async () => {
    const where = ownRoot();
    const host = directory();
    const ran = await shell(
      ["--ephemeral", "--bind", `${host}:/made/here`],
      "touch /made/here/x /made/y",
      where,
    );
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    expect(readdirSync(host)).toEqual(["x"]);
    asItWas(where);
  });

  const expectOnly = (upper: string): void => expect(readdirSync(join(upper, ".."))).toEqual(["upper"]);
  // an init that is over at once is waited for by ns itself, one that is not by the waiting program
  test.each([0, 0.1])("--overlay keeps the changes, and nothing else, after %f seconds", async (seconds) => {
    const where = ownRoot();
    const upper = directory();
    const ran = await shell(["--overlay", upper], `${change}; sleep ${seconds}`, where);
    expect(ran).toMatchObject({ status: 0, stdout: changed, stderr: "" });
    asItWas(where);
    expect(readFileSync(join(upper, "file"), "utf8")).toBe("changed\n");
    expect(readdirSync(upper).sort()).toEqual(["d", "e", "file", "new"]);
    expect(lstatSync(join(upper, "d")).isCharacterDevice()).toBe(true);
    expectOnly(upper);
    expect((await shell(["--overlay", upper], "ls /e; sleep 0.1", where)).stdout).toBe("b\n");
    expect(await shell(["--overlay", upper, "--read-only"], "ls /e; touch /x", where)).toMatchObject({
      stdout: "b\n",
      stderr: "touch: /x: Read-only file system\n",
    });
    expectOnly(upper);
  });
  test("--overlay with a directory of one's own for the kernel, which stays", async () => {
    const upper = directory();
    const work = join(upper, "../work");
    mkdirSync(work);
    own(work);
    const ran = await shell(["--overlay", `${upper}:${work}`], `${change}; sleep 0.1`, ownRoot());
    expect(ran).toMatchObject({ status: 0, stdout: changed });
    expect(readdirSync(work)).toEqual([]);
  });
  test("--overlay after SIGKILL of ns: what is left, the next run removes", async () => {
    const where = ownRoot();
    const upper = directory();
    for (const script of ["touch /x", "rm /d/a; touch /x"]) {
      const running = launch(words(["--overlay", upper], `${script}; echo up; exec sleep 1000`, where), {
        unprivileged,
      });
      await running.line(/up/);
      await until("ns has become the waiting program", () =>
        readFileSync(`/proc/${running.pid}/maps`, "utf8").includes("/memfd:ns"),
      );
      running.kill("SIGKILL");
      await running.ended;
      await until("the lock is free", () => Bun.spawnSync(["flock", "-n", upper, "true"]).exitCode === 0);
      if (script === "touch /x")
        await until("nothing is left", () => readdirSync(join(upper, "..")).length === 1);
    }
    expect((await shell(["--overlay", upper], "ls /x /d", where)).stdout).toBe("/x\n\n/d:\nb\n");
    expectOnly(upper);
  });
  test("--overlay of a run that fails before init", async () => {
    const upper = directory();
    const where = ownRoot();
    const options = ["--overlay", upper];
    for (const more of [
      ["--bind", "/no/such:/x"],
      ["--bind", `${where}:/file`],
    ])
      expect((await shell([...options, ...more], "true", where)).status).toBe(125);
    expect(
      (await runCommand(line(unprivileged, ["/no"], { options, root: where }), { unprivileged })).status,
    ).toBe(127);
    expectOnly(upper);
  });
  test("--overlay: two runs at once do not write to one directory", async () => {
    const upper = directory();
    const where = ownRoot();
    const first = launch(words(["--overlay", upper], "echo up; exec sleep 1000", where), { unprivileged });
    await first.line(/up/);
    const second = await shell(["--overlay", upper], "true", where);
    expect(second).toMatchObject({ status: 125 });
    expect(second.stderr).toEndWith("note: another container writes to it\n");
    first.kill("SIGKILL");
    await first.ended;
  });
  test("--overlay: what cannot be used", async () => {
    const where = ownRoot();
    const upper = directory();
    const start = (value: string) => shell(["--overlay", value], "true", where);
    expect((await start("/no/such")).stderr).toBe(
      "ns: cannot use /no/such for an overlay: no such file or directory\n",
    );
    expect((await start(join(where, "file"))).stderr).toEndWith("for an overlay: not a directory\n");
    expect((await start(`${upper}:/proc`)).stderr).toContain("note: the kernel log says why (dmesg)");
  });

  test("NEWROOT as several directories: the first on top, read-only, or writable for the run", async () => {
    const where = ownRoot();
    const top = join(folder, `layer-${count++}`);
    mkdirSync(top);
    writeFileSync(join(top, "file"), "top\n");
    symlinkSync("bin/cat", join(top, "cat"));
    const layers = `${top}:${where}`;
    const ran = await shell([], "cat /file /d/a; echo x >/file", layers);
    expect(ran.stdout).toBe("top\nd/a\n");
    expect(ran.stderr).toContain("Read-only file system");
    expect((await shell(["--ephemeral"], "echo new >/new; cat /file /new", layers)).stdout).toBe(
      "top\nnew\n",
    );
    const linked = line(unprivileged, ["/cat", "/file"], { root: layers });
    expect((await runCommand(linked, { unprivileged })).stdout).toBe("top\n");
    const missing = line(unprivileged, ["/nothing"], { root: layers });
    expect((await runCommand(missing, { unprivileged })).status).toBe(127);
    expect(readdirSync(top).sort()).toEqual(["cat", "file"]);
    expect((await shell([], "true", `${top}:/no/such`)).stderr).toBe(
      "ns: cannot use /no/such below NEWROOT: no such file or directory\n",
    );
    rmSync(top, { recursive: true });
  });
  test("a NEWROOT with a colon in its name", async () => {
    const where = ownRoot();
    const odd = join(folder, `o:d,d\\ ${count++}`);
    symlinkSync(where, odd);
    for (const options of [[], ["--ephemeral"]])
      expect((await shell(options, "cat /file", odd.replaceAll(":", "\\:"))).stdout).toBe("file\n");
  });
});

rootTest("--read-only reaches what is mounted below the root, and --ephemeral does not show it", async () => {
  const where = makeSmallRoot(`below-${count++}`, ["sh", "touch", "ls"]);
  const inside = (option: string) =>
    runCommand([
      ...["unshare", "-m", "sh", "-c"],
      'mount -t tmpfs none "$0/tmp" && touch "$0/tmp/x" && exec "$@"',
      where,
      ...line(false, ["/bin/sh", "-c", "ls /tmp; touch /tmp/y"], { options: [option], root: where }),
    ]);
  expect(await inside("--read-only")).toMatchObject({
    stdout: "x\n",
    stderr: "touch: /tmp/y: Read-only file system\n",
  });
  expect(await inside("--ephemeral")).toMatchObject({ status: 0, stdout: "" });
  expect(existsSync(join(where, "tmp/y"))).toBe(false);
});

test("--dry-run shows it all and touches nothing", async () => {
  const where = makeSmallRoot(`dry-${count++}`);
  chmodSync(where, 0o755);
  const options = ["--dry-run", "--overlay", "/u", "--bind", "/a:/b", "--file", "9:/f"];
  const ran = await run([...options, "-", where, "/bin/true"]);
  expect(ran).toMatchObject({ status: 0, stderr: "" });
  for (const text of [
    '"upperdir", "/u"',
    '"workdir", "/u.ns-work"',
    'open_tree(AT_FDCWD, "/a"',
    "sendfile(target, 9",
  ])
    expect(ran.stdout).toContain(text);
});
