/** What a frozen start finds at its start: sources of binds and overlays. The files of frozen-suite.test.ts have the rest. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  callers,
  folder,
  isFrozen,
  isRoot,
  leavesNothing,
  makeSmallRoot,
  ordinary,
  rootTest,
  run,
  runCommand,
  script,
  userIds,
} from "../harness.ts";

leavesNothing();

const files = join(folder, "frozen-options");
if (!isFrozen) mkdirSync(files);
chmodSync(files, 0o1777);
let count = 0;

/** A root that whoever starts it may write to. */
function makeOwnRoot(unprivileged: boolean): string {
  const path = makeSmallRoot(`frozen-options-${count++}`, ["sh", "true", "cat", "ls", "readlink", "stat"]);
  mkdirSync(join(path, "d"));
  if (isRoot && unprivileged)
    for (const name of ["", "bin", "proc", "tmp", "d"])
      chownSync(join(path, name), ordinary.uid, ordinary.gid);
  return path;
}

function makeDirectory(name: string): string {
  const path = join(folder, `${name}-${count++}`);
  mkdirSync(path);
  chmodSync(path, 0o777);
  return path;
}

describe.skipIf(isFrozen).each(callers)("%s", (_, unprivileged) => {
  const how = { unprivileged };
  /** Freezes those options, with a shell as init. */
  async function freeze(options: string[], root: string, pre = "-"): Promise<string> {
    const file = join(files, `options-${count++}`);
    const [user, ids] = unprivileged ? [["-u"], userIds] : [[], []];
    const words = ["freeze", "-o", file, ...user, ...options, pre, root, "/bin/sh", ...ids];
    expect(await run(words)).toMatchObject({ status: 0, stdout: "", stderr: "" });
    return file;
  }
  const start = (file: string, line: string, cwd = folder) =>
    runCommand([file, "--", "-c", line], { ...how, cwd });

  describe("--bind", () => {
    test("of what is a file at one start, a directory at the next, and nowhere when it was frozen", async () => {
      const root = makeOwnRoot(unprivileged);
      const source = join(makeDirectory("kinds"), "source");
      const file = await freeze(
        ["--bind", `${source}:/d/deep/place`, "--bind", `${source}:/d/other:ro`],
        root,
      );
      const line = "cat /d/deep/place /d/other; echo more >/d/deep/place; (echo more >/d/other) 2>&1";
      writeFileSync(source, "a file\n");
      chmodSync(source, 0o666);
      const one = await start(file, line);
      expect(one).toMatchObject({ status: 1, stderr: "" });
      expect(one.stdout).toMatch(/^a file\na file\n.*Read-only file system\n$/);
      expect(readFileSync(source, "utf8")).toBe("more\n");
      for (const place of ["d/deep", "d/other"]) rmSync(join(root, place), { recursive: true });
      rmSync(source);
      mkdirSync(source);
      writeFileSync(join(source, "below"), "in a directory\n");
      expect(await start(file, "cat /d/deep/place/below /d/other/below")).toMatchObject({
        ...{ status: 0, stdout: "in a directory\nin a directory\n", stderr: "" },
      });
    });

    test("a source that is gone: 125, its path, and PRE has not run; with --bind-try it is left out", async () => {
      const root = makeOwnRoot(unprivileged);
      const source = makeDirectory("going");
      const ran = makeDirectory("pre-ran");
      const pre = script(`pre-going-${unprivileged}`, `#!/bin/sh\n: >${ran}/yes\n`);
      const must = await freeze(["--bind", `${source}:/d/place`], root, pre);
      const may = await freeze(
        ["--bind-try", `${source}:/d/place`, "--bind-try", `${source}:/d/other:ro`],
        root,
      );
      expect((await start(may, "echo /d/*")).stdout).toBe("/d/other /d/place\n");
      for (const name of ["place", "other"]) rmSync(join(root, "d", name), { recursive: true });
      renameSync(source, `${source}-elsewhere`);
      expect(await start(must, "echo never")).toMatchObject({
        ...{ status: 125, stdout: "" },
        stderr: `ns: cannot use ${source} as a bind's source: no such file or directory\n`,
      });
      expect(readdirSync(ran)).toEqual([]);
      expect(await start(may, "echo /d/*")).toMatchObject({ status: 0, stdout: "/d/*\n", stderr: "" });
    });

    test("a source that goes while PRE runs: 125 and its path", async () => {
      const root = makeOwnRoot(unprivileged);
      const source = join(makeDirectory("going"), "source");
      writeFileSync(source, "");
      const pre = script(`pre-takes-${unprivileged}`, `#!/bin/sh\nrm ${source}\n`);
      expect(
        await start(await freeze(["--bind", `${source}:/d/place`], root, pre), "echo never"),
      ).toMatchObject({
        ...{ status: 125, stdout: "" },
        stderr: `ns: cannot take ${source} from the host: no such file or directory\n`,
      });
    });

    test("a relative source leads from where it is started, and no descriptor of that is left", async () => {
      const root = makeOwnRoot(unprivileged);
      const file = await freeze(
        ["--bind", "here:/d/here", "--bind", ".:/d/all", "--bind", "/bin:/d/bin:ro"],
        root,
      );
      for (const word of ["one", "two"]) {
        const where = makeDirectory(word);
        writeFileSync(join(where, "here"), `${word}\n`);
        expect(await start(file, "cat /d/here /d/all/here; echo /proc/self/fd/*", where)).toMatchObject({
          ...{ status: 0, stderr: "" },
          stdout: `${word}\n${word}\n/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n`,
        });
      }
      expect((await start(file, "echo never", "/")).stderr).toBe(
        "ns: cannot use here as a bind's source: no such file or directory\n",
      );
    });

    test("a directory that he may not search, a directory onto a file, a file onto a directory", async () => {
      const root = makeOwnRoot(unprivileged);
      const closed = makeDirectory("closed");
      chmodSync(closed, 0o700);
      expect(
        await start(await freeze(["--bind", `${closed}:/d/closed`], root), "stat -c %F /d/closed"),
      ).toMatchObject({
        ...{ status: 0, stdout: "directory\n", stderr: "" },
      });
      writeFileSync(join(root, "d/file"), "");
      const onto = await start(await freeze(["--bind", `${closed}:/d/file`], root), "echo never");
      expect(onto).toMatchObject({
        status: 125,
        stderr: "ns: cannot open /d/file in the root: not a directory\n",
      });
      const file = join(makeDirectory("some"), "file");
      writeFileSync(file, "");
      const under = await start(await freeze(["--bind", `${file}:/d/closed`], root), "echo never");
      expect(under).toMatchObject({ status: 125, stdout: "" });
      expect(under.stderr).toMatch(/^ns: cannot mount .*file on \/d\/closed: .*\n$/);
    });

    test("a destination that is a link out of the root: nothing is made or mounted there", async () => {
      const host = makeDirectory("frozen-host");
      const source = makeDirectory("frozen-source");
      writeFileSync(join(source, "file"), "the source\n");
      for (const target of [
        host,
        `${"../".repeat(12)}${host.slice(1)}`,
        join(host, "new"),
        "/proc/self/root",
      ])
        for (const from of [source, join(source, "file")]) {
          const root = makeOwnRoot(unprivileged);
          symlinkSync(target, join(root, "d/place"));
          for (const place of ["/d/place", "/d/place/below"]) {
            const ran = await start(await freeze(["--bind", `${from}:${place}`], root), "true");
            expect([0, 125]).toContain(ran.status!);
            if (ran.status === 125) expect(ran.stderr).toMatch(/^ns: cannot .*\n$/);
          }
          expect(readdirSync(host)).toEqual([]);
        }
    });
  });

  test("overlays: NEWROOT A:B, --ephemeral and a mount; a directory that is gone, or none", async () => {
    const [root, below] = [makeOwnRoot(unprivileged), makeDirectory("below")];
    writeFileSync(join(below, "from-below"), "below\n");
    const line =
      "cat /from-below; cat /d/over/from-below; echo x >/made; echo y >/d/over/made; cat /made /d/over/made";
    const file = await freeze(
      ["--ephemeral", "--mount", `type=overlay,src=${below},dst=/d/over`],
      `${root}:${below}`,
    );
    expect(await start(file, line)).toMatchObject({ status: 0, stdout: "below\nbelow\nx\ny\n", stderr: "" });
    expect([existsSync(join(root, "made")), existsSync(join(below, "made"))]).toEqual([false, false]);
    const relative = await freeze([], `${root}:lower`, "-");
    const where = makeDirectory("where");
    renameSync(below, join(where, "lower"));
    expect((await start(relative, "cat /from-below", where)).stdout).toBe("below\n");
    expect(await start(file, "echo never")).toMatchObject({
      ...{ status: 125, stdout: "" },
      stderr: `ns: cannot use ${below} in an overlay: no such file or directory\n`,
    });
    writeFileSync(below, "");
    expect((await start(file, "echo never")).stderr).toBe(
      `ns: cannot use ${below} in an overlay: not a directory\n`,
    );
  });
});

describe.skipIf(isFrozen)("--join-net", () => {
  const own = makeOwnRoot(false);
  const where = script("where", "#!/bin/sh\nreadlink /proc/self/ns/net /proc/$PPID/ns/net /proc/$1/ns/net\n");
  const freeze = async (...words: string[]): Promise<string> => {
    const file = join(files, `network-${count++}`);
    expect(await run(["freeze", "-o", file, ...words])).toMatchObject({ status: 0, stderr: "" });
    return file;
  };
  /** in a host with a named network */
  const withNetwork = (command: string) =>
    runCommand([
      ...["unshare", "-n", "-m", "sh", "-ec"],
      `mount -t tmpfs none /run; ip netns add blue; readlink /proc/self/ns/net; ${command}`,
    ]);
  const inside = "readlink /proc/self/ns/net; ls -1 /proc/self/fd; exit 7";

  rootTest("by name, with a user namespace too; PRE and the start stay where they are", async () => {
    for (const [user, ids] of [
      [[], []],
      [["-u"], userIds],
    ]) {
      const file = await freeze(...user!, "--join-net", "blue", where, own, "/bin/sh", ...ids!);
      const ran = await withNetwork(`exec ${file} -- -c '${inside}'`);
      const [host, pre, itself, child, init, ...descriptors] = ran.stdout.trimEnd().split("\n");
      expect(ran).toMatchObject({ status: 7, stderr: "" });
      expect([pre, itself]).toEqual([host, host]);
      expect(child).not.toBe(host);
      expect(init).toBe(child);
      expect(descriptors).toEqual(["0", "1", "2", "3"]);
    }
  });
  rootTest("one that is not there, and what is none", async () => {
    const gone = await freeze("--join-net", "nope", "-", own, "/bin/sh");
    expect(await runCommand([gone])).toMatchObject({
      status: 125,
      stderr: "ns: cannot join the network namespace /run/netns/nope: no such file or directory\n",
    });
    const fifo = join(files, "fifo");
    await runCommand(["mkfifo", fifo]);
    const none = await freeze("--join-net", fifo, "-", own, "/bin/sh");
    expect(await runCommand([none])).toMatchObject({
      status: 125,
      stderr: `ns: cannot join the network namespace ${fifo}: invalid argument\n`,
    });
  });
  rootTest("an ordinary user may not", async () => {
    const file = await freeze("-u", "--join-net", "blue", "-", own, "/bin/sh", ...userIds);
    const ran = await withNetwork(`exec setpriv --reuid=65534 --regid=65534 --clear-groups ${file}`);
    expect(ran).toMatchObject({
      status: 125,
      stderr: "ns: cannot join the network namespace /run/netns/blue: operation not permitted\n",
    });
  });
});
