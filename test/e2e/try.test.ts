/** `ns try`: what it says of changes against what the same command does to a copy of the root, what it keeps, and that nothing is left. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  copyFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  callers,
  folder,
  isRoot,
  launch,
  leavesNothing,
  makeSmallRoot,
  ns,
  ordinary,
  root,
  rootTest,
  runCommand,
  userIds,
} from "../harness.ts";

leavesNothing();

const APPLETS = [
  ...[
    "sh",
    "true",
    "cat",
    "ls",
    "rm",
    "mkdir",
    "touch",
    "ln",
    "mv",
    "chmod",
    "mkfifo",
    "cp",
    "sleep",
    "rmdir",
  ],
  ...["printf", "chown", "dd", "mknod"],
];
let roots = 0;

/** A root of the caller's own, with things in it to change. */
function ownRoot(unprivileged: boolean): string {
  const path = makeSmallRoot(`try-root-${roots++}`, APPLETS);
  // not the link to every other root's: it is to be given away
  const busybox = join(path, "bin/busybox");
  rmSync(busybox);
  copyFileSync(join(root, "bin/busybox"), busybox);
  for (const directory of ["etc", "etc/a", "etc/a/b", "old", "old/in"]) mkdirSync(join(path, directory));
  for (const file of ["etc/one", "etc/two", "etc/a/b/three", "old/x", "old/in/y"])
    writeFileSync(join(path, file), file);
  symlinkSync("one", join(path, "etc/link"));
  if (unprivileged && isRoot)
    Bun.spawnSync(["chown", "-hR", `${ordinary.uid}:${ordinary.gid}`, path], {
      stdio: ["ignore", null, null],
    });
  return path;
}

/** Where a run's temporary files go: it has to be empty afterwards. */
function temporary(): string {
  const path = mkdtempSync(join(folder, "tmp-"));
  chmodSync(path, 0o1777);
  return path;
}

const user = (unprivileged: boolean): string[] => (unprivileged ? ["-u"] : []);

/** Runs a script, and returns what is said of its changes. */
async function tryScript(unprivileged: boolean, root: string, script: string, options: string[] = []) {
  const TMPDIR = temporary();
  const before = snapshot(root);
  const ran = await runCommand(
    [ns, "try", ...user(unprivileged), ...options, root, "/bin/sh", "-c", script],
    { unprivileged, env: { TMPDIR } },
  );
  expect(snapshot(root)).toEqual(before);
  expect(readdirSync(TMPDIR)).toEqual([]);
  const said = ran.stderr.split("\n").slice(0, -1);
  return { ...ran, said, changes: said.filter((text) => /^[ACD] /.test(text)) };
}

/** Every path of a tree, with what it is. */
function snapshot(root: string): Record<string, string> {
  const all: Record<string, string> = {};
  const walk = (path: string): void => {
    for (const name of readdirSync(join(root, path))) {
      const at = `${path}/${name}`;
      const { mode, uid, gid, size } = lstatSync(join(root, at));
      const isDirectory = (mode & 0o170000) === 0o040000;
      all[at] = [mode.toString(8), uid, gid, isDirectory ? "" : size].join(" ");
      if (isDirectory) walk(at);
    }
  };
  walk("");
  return all;
}

/** Of what is deleted or added, as `ns try` tells it: of a deleted directory only itself. */
function difference(before: Record<string, string>, after: Record<string, string>): string[] {
  const parent = (path: string): string => path.slice(0, path.lastIndexOf("/"));
  const deleted = Object.keys(before).filter((path) => after[path] === undefined);
  return [
    ...Object.keys(after)
      .filter((path) => before[path] === undefined)
      .map((path) => `A ${path}`),
    ...deleted.filter((path) => !deleted.includes(parent(path))).map((path) => `D ${path}`),
  ].sort();
}

/** Puts an image's layer over a tree: what it deletes first, then what it has (image-spec, layer.md). */
function putOver(tree: string, tar: string): void {
  const how: { stdio: ["ignore", "pipe", "inherit"] } = { stdio: ["ignore", "pipe", "inherit"] };
  const names = Bun.spawnSync(["tar", "-tf", tar], how).stdout.toString().split("\n").slice(0, -1);
  const remove = (name: string) => rmSync(join(tree, name), { recursive: true, force: true });
  for (const name of names) {
    const last = name.slice(name.lastIndexOf("/") + 1);
    const directory = name.slice(0, name.length - last.length);
    if (last === ".wh..wh..opq")
      for (const one of readdirSync(join(tree, directory))) remove(join(directory, one));
    else if (last.startsWith(".wh.")) remove(join(directory, last.slice(4)));
    else if (
      last !== "" ||
      !existsSync(join(tree, name)) ||
      !lstatSync(join(tree, name.slice(0, -1))).isDirectory()
    )
      remove(name.replace(/\/$/, ""));
  }
  const extract = ["tar", "-xpf", tar, "--numeric-owner", "--exclude=.wh.*", "-C", tree];
  expect(Bun.spawnSync(extract, how).exitCode).toBe(0);
}

/** A snapshot as the container sees it: an ordinary user's files are root's. */
const asInside = (tree: Record<string, string>, unprivileged: boolean): Record<string, string> =>
  unprivileged
    ? Object.fromEntries(
        Object.entries(tree).map(([path, text]) => [
          path,
          text.replaceAll(` ${ordinary.uid} `, " 0 ").replaceAll(` ${ordinary.gid} `, " 0 "),
        ]),
      )
    : tree;

const SCRIPTS: [string, string, string[]][] = [
  ["nothing", "true", []],
  ["a new file", "echo x >/etc/new", []],
  ["a new tree", "mkdir -p /n/e/w; echo x >/n/e/w/f; mkfifo /n/p; ln -s /etc /n/l", []],
  ["a changed file", "echo more >>/etc/one", ["C /etc/one"]],
  ["permissions of a file", "chmod 600 /etc/one", ["C /etc/one"]],
  ["permissions of a directory", "chmod 700 /etc/a", ["C /etc/a"]],
  ["permissions of /", "chmod 711 /", ["C /"]],
  ["a deleted file and a link", "rm /etc/one /etc/link", []],
  ["a deleted tree", "rm -r /old", []],
  [
    "a tree in place of another",
    "rm -r /old; mkdir /old; echo x >/old/z; mkdir /old/in",
    ["C /old", "C /old/in"],
  ],
  ["a file in place of a tree", "rm -r /old; echo x >/old", ["C /old"]],
  ["a tree in place of a file", "rm /etc/one; mkdir /etc/one; echo x >/etc/one/f", ["C /etc/one"]],
  ["a moved file", "mv /etc/one /etc/uno", []],
  ["a moved tree", "mv /etc/a /a", []],
  ["something that comes and goes", "echo x >/etc/new; rm /etc/new; mkdir /d; rmdir /d", []],
  ["a hard link", "ln /etc/one /etc/hard", ["C /etc/one"]],
  ["a directory that nobody may read", "mkdir /n; echo x >/n/f; chmod 0 /n/f /n", []],
];

describe.each(callers)("%s", (_, unprivileged) => {
  test.each(SCRIPTS)("%s", async (_, script, changed) => {
    const root = ownRoot(unprivileged);
    const before = snapshot(root);
    const tar = join(temporary(), "layer.tar");
    const copy = `${root}-copy`;
    Bun.spawnSync(["cp", "-a", root, copy], { stdio: ["ignore", "ignore", "inherit"] });
    const { status, said, changes } = await tryScript(unprivileged, root, script, ["--export", tar]);
    expect(status).toBe(0);
    const last = said.pop();
    expect(said).toEqual(changes);
    // the same, done to the root itself
    const ids = unprivileged ? userIds : [];
    const done = await runCommand(
      [ns, ...user(unprivileged), "-", root, "/bin/sh", ...ids, "--", "-c", script],
      { unprivileged },
    );
    expect(done.status).toBe(0);
    const expected = [...difference(before, snapshot(root)), ...changed];
    expect(changes.toSorted()).toEqual(expected.toSorted());
    putOver(copy, tar);
    expect(asInside(snapshot(copy), unprivileged)).toEqual(asInside(snapshot(root), unprivileged));
    const count = (kind: string, word: string): string[] => {
      const { length } = expected.filter((text) => text.startsWith(kind));
      return length === 0 ? [] : [`${length} ${word}`];
    };
    const counts = [...count("A", "added"), ...count("C", "changed"), ...count("D", "deleted")];
    expect(last).toBe(`ns: ${counts.length === 0 ? "nothing was changed" : counts.join(", ")}`);
  });

  test("the status, the words and the output are the command's; the list is sorted", async () => {
    const root = ownRoot(unprivileged);
    const { status, stdout, changes } = await tryScript(
      unprivileged,
      root,
      'echo "$0 $1" >/z; cat /z; for f in b a c; do echo >/etc/$f.new; done; exit 3',
    );
    expect({ status, stdout }).toEqual({ status: 3, stdout: "/bin/sh \n" });
    expect(changes).toEqual(["A /etc/a.new", "A /etc/b.new", "A /etc/c.new", "A /z"]);
    // what looks like an option, or like the end of them, is the command's
    const words = await runCommand(
      [ns, "try", ...user(unprivileged), root, "/bin/sh", "-c", 'echo "$@"', "--", "--keep", "--", "-u"],
      { unprivileged },
    );
    expect(words.stdout).toBe("--keep -- -u\n");
  });

  test("names that are not text, or would confuse a terminal, are told in quotes", async () => {
    const { changes } = await tryScript(
      unprivileged,
      ownRoot(unprivileged),
      "touch '/a b' \"$(printf '/\\033[31mred')\" \"$(printf '/\\377')\" \"$(printf '/x\\nA y')\"",
    );
    expect(changes).toEqual(['A "/\\x1b[31mred"', 'A "/a b"', 'A "/x\\nA y"', 'A "/\\xff"']);
  });

  test("links that lead out of the root are not gone through", async () => {
    const root = ownRoot(unprivileged);
    const outside = join(folder, `outside-${roots}`);
    mkdirSync(outside);
    chmodSync(outside, 0o777);
    writeFileSync(join(outside, "precious"), "");
    const { changes } = await tryScript(
      unprivileged,
      root,
      `rm -r /old; ln -s ${outside} /old; ln -s ${outside} /new; mkdir /d; ln -s ../../../../../.. /d/up`,
    );
    expect(changes).toEqual(["A /d", "A /d/up", "A /new", "C /old", "D /old/in", "D /old/x"]);
    expect(readdirSync(outside)).toEqual(["precious"]);
  });

  test("a tree that is deeper than any path", async () => {
    const { said } = await tryScript(
      unprivileged,
      ownRoot(unprivileged),
      "n=dddddddddddddddddddddddddddddddddddddddd; i=0; while [ $i -lt 300 ]; do mkdir $n && cd -P $n || exit 1; i=$((i+1)); done",
    );
    expect(said.length).toBe(101);
    expect(said.at(-1)).toBe("ns: 100 added, 1 so deep that what is in them is not told");
  });

  test("--keep leaves the changes, and nobody else may look at them", async () => {
    const root = ownRoot(unprivileged);
    const place = temporary();
    const kept = join(place, "kept");
    const { status, changes } = await tryScript(
      unprivileged,
      root,
      "echo x >/new; rm /etc/one; mkdir /n; chmod 0 /n",
      ["--keep", kept],
    );
    expect(status).toBe(0);
    expect(changes).toEqual(["D /etc/one", "A /n", "A /new"]);
    expect(lstatSync(kept).mode & 0o777).toBe(0o700);
    expect(readdirSync(kept)).toEqual(["upper"]);
    expect(readdirSync(join(kept, "upper")).sort()).toEqual(["etc", "n", "new"]);
    expect(readFileSync(join(kept, "upper/new"), "utf8")).toBe("x\n");
    expect(lstatSync(join(kept, "upper/n")).mode & 0o777).toBe(0);
    expect(lstatSync(join(kept, "upper/etc/one")).isCharacterDevice()).toBe(true);
    expect(lstatSync(join(kept, "upper")).mode).toBe(lstatSync(root).mode);
    // it can be gone on with
    const ids = unprivileged ? userIds : [];
    const again = await runCommand(
      [
        ...[ns, ...user(unprivileged), "--overlay", join(kept, "upper"), "-", root, "/bin/sh", ...ids, "--"],
        ...["-c", "cat /new; ls /etc"],
      ],
      { unprivileged },
    );
    expect(again.stdout).toBe("x\na\nlink\ntwo\n");
    // and is not made twice
    const { stderr, status: failed } = await runCommand(
      [ns, "try", ...user(unprivileged), "--keep", kept, root, "/bin/true"],
      { unprivileged },
    );
    expect(failed).toBe(125);
    expect(stderr).toBe(
      `ns: cannot make ${kept} for the changes: file exists\nnote: --keep makes the directory: name one that is not there yet\n`,
    );
    expect(readdirSync(kept)).toEqual(["upper"]);
  });

  test.each(SCRIPTS)("--apply: %s", async (_, script) => {
    const root = ownRoot(unprivileged);
    const other = ownRoot(unprivileged);
    const TMPDIR = temporary();
    const words = [ns, "try", ...user(unprivileged), "--apply", root, "/bin/sh", "-c", script];
    expect(await runCommand(words, { unprivileged, env: { TMPDIR } })).toMatchObject({
      status: 0,
      stdout: "",
    });
    const ids = unprivileged ? userIds : [];
    const done = await runCommand(
      [ns, ...user(unprivileged), "-", other, "/bin/sh", ...ids, "--", "-c", script],
      { unprivileged },
    );
    expect(done.status).toBe(0);
    expect(snapshot(root)).toEqual(snapshot(other));
    expect(lstatSync(root).mode).toBe(lstatSync(other).mode);
    expect(readdirSync(TMPDIR)).toEqual([]);
  });

  test("--apply: times, holes, names of one file, links, setuid, attributes", async () => {
    const root = ownRoot(unprivileged);
    const script =
      "echo x >/new; ln /new /etc/same; chmod 4751 /new; touch -d '2001-02-03 04:05:06' /new; ln -s nowhere /l; dd if=/dev/zero of=/hole bs=1k seek=4000 count=1 2>&-; mkdir /d; touch /d/f; touch -d '2002-02-03 04:05:06' /d";
    const words = [ns, "try", ...user(unprivileged), "--apply", root, "/bin/sh", "-c", script];
    expect((await runCommand(words, { unprivileged })).status).toBe(0);
    const file = lstatSync(join(root, "new"));
    expect([file.mode & 0o7777, file.nlink, file.uid]).toEqual([0o4751, 2, unprivileged ? ordinary.uid : 0]);
    expect(file.ino).toBe(lstatSync(join(root, "etc/same")).ino);
    expect(file.mtime.toISOString()).toBe("2001-02-03T04:05:06.000Z");
    expect(lstatSync(join(root, "d")).mtime.toISOString()).toBe("2002-02-03T04:05:06.000Z");
    expect(readlinkSync(join(root, "l"))).toBe("nowhere");
    const hole = lstatSync(join(root, "hole"));
    expect([hole.size, hole.blocks < 100]).toEqual([4001 * 1024, true]);
  });

  test("--apply: a command that fails changes nothing", async () => {
    const { status, said } = await tryScript(unprivileged, ownRoot(unprivileged), "echo x >/new; exit 3", [
      "--apply",
    ]);
    expect(status).toBe(3);
    expect(said).toEqual(["A /new", "ns: 1 added", "note: nothing is applied: CMD has not ended with 0"]);
  });

  /** What is done to the root itself, behind the overlay's back, between the change and its being made. */
  const applyBehind = async (behind: (outside: string) => string) => {
    const root = ownRoot(unprivileged);
    const outside = mkdtempSync(join(folder, "outside-"));
    chmodSync(outside, 0o777);
    const TMPDIR = temporary();
    const options = ["--apply", "--bind", `${root}:/tmp:rw`];
    const script = `echo x >/etc/new; ${behind(outside)}`;
    const ran = await runCommand(
      [ns, "try", ...user(unprivileged), ...options, root, "/bin/sh", "-c", script],
      { unprivileged, env: { TMPDIR } },
    );
    expect(readdirSync(outside)).toEqual([]);
    return { ...ran, root, TMPDIR };
  };

  test("--apply goes through no link that has come into ROOT", async () => {
    const { status, root } = await applyBehind((at) => `mv /tmp/etc /tmp/was; ln -s ${at} /tmp/etc`);
    expect(status).toBe(0);
    expect(lstatSync(join(root, "etc")).isDirectory()).toBe(true);
    expect(readFileSync(join(root, "etc/new"), "utf8")).toBe("x\n");
  });

  // root is kept out of nothing
  const ordinaryTest = unprivileged ? test : () => {};
  ordinaryTest("--apply that fails says where the changes are", async () => {
    const { status, stderr, root, TMPDIR } = await applyBehind(() => "chmod 500 /tmp/etc");
    expect(status).toBe(125);
    const [kept] = readdirSync(TMPDIR);
    expect(kept).toStartWith("ns-try-kept-");
    expect(stderr).toEndWith(
      `ns: cannot apply the change of /etc/new: permission denied\nnote: ${root} has some of the changes now; all of them are in ${TMPDIR}/${kept}/upper\n`,
    );
    expect(readFileSync(join(TMPDIR, kept!, "upper/etc/new"), "utf8")).toBe("x\n");
    chmodSync(join(root, "etc"), 0o755);
  });

  test("a command that cannot be started leaves nothing, --keep or not", async () => {
    const root = ownRoot(unprivileged);
    const kept = join(temporary(), "kept");
    const TMPDIR = temporary();
    for (const options of [[], ["--keep", kept]]) {
      const { status, stderr } = await runCommand(
        [ns, "try", ...user(unprivileged), ...options, root, "/bin/missing"],
        { unprivileged, env: { TMPDIR } },
      );
      expect(status).toBe(127);
      expect(stderr).toStartWith(`ns: cannot execute init /bin/missing in ${root}: `);
      expect(existsSync(kept)).toBe(false);
      expect(readdirSync(TMPDIR)).toEqual([]);
    }
  });

  test("what a SIGKILL leaves, the next one removes; what another still uses stays", async () => {
    const root = ownRoot(unprivileged);
    const TMPDIR = temporary();
    const words = (script: string) => [ns, "try", ...user(unprivileged), root, "/bin/sh", "-c", script];
    const how = { unprivileged, env: { TMPDIR } };
    const first = launch(words("mkdir -p /d/e; chmod 0 /d; echo up; sleep 1000"), how);
    await first.line(/up/);
    const second = launch(words("trap 'exit 0' TERM; echo up; sleep 1000 & wait"), how);
    await second.line(/up/);
    expect(readdirSync(TMPDIR).map((name) => lstatSync(join(TMPDIR, name)).mode & 0o777)).toEqual([
      0o700, 0o700,
    ]);
    first.kill("SIGKILL");
    await first.ended;
    expect(readdirSync(TMPDIR).length).toBe(2);
    expect((await runCommand(words("true"), how)).status).toBe(0);
    expect(readdirSync(TMPDIR).length).toBe(1);
    second.kill("SIGTERM");
    await second.ended;
    expect(readdirSync(TMPDIR)).toEqual([]);
  });

  test("--export: long names, names that are no text, holes, hard links, owners", async () => {
    const tar = join(temporary(), "layer.tar");
    const long = "n".repeat(150);
    const { status } = await tryScript(
      unprivileged,
      ownRoot(unprivileged),
      `mkdir -p /d/${long}; ln -s ${long} /l; f="$(printf '/d/${long}/\\377')"; echo long >$f; ln $f /hard; chmod 4751 $f;
      dd if=/dev/zero of=/holes bs=1 seek=9G count=1 2>/dev/null; dd if=/dev/zero of=/hole bs=1 seek=3M count=0 2>/dev/null;
      dd if=/dev/zero of=/end bs=4k count=3 2>/dev/null; dd if=/dev/zero of=/end bs=1 seek=1M count=0 2>/dev/null; echo x >>/end`,
      ["--export", tar],
    );
    expect(status).toBe(0);
    expect(lstatSync(tar).blocks * 512).toBeLessThan(1 << 20);
    expect(lstatSync(tar).mode & 0o777).toBe(0o600);
    const place = temporary();
    const extract = ["tar", "-xpf", tar, "--numeric-owner", "--exclude=holes", "-C", place];
    const { exitCode, stderr } = Bun.spawnSync(extract, { stdio: ["ignore", "ignore", "pipe"] });
    expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
    const [name] = readdirSync(join(place, "d", long), "buffer");
    expect([...name!]).toEqual([255]);
    expect(readlinkSync(join(place, "l"))).toBe(long);
    const { mode, nlink, uid } = lstatSync(join(place, "hard"));
    expect([mode & 0o7777, nlink, uid]).toEqual([0o4751, 2, isRoot ? 0 : ordinary.uid]);
    expect(readFileSync(join(place, "hard"), "utf8")).toBe("long\n");
    const { size } = lstatSync(join(place, "hole"));
    expect(size).toBe(3 << 20);
    const end = readFileSync(join(place, "end"));
    expect(end.length).toBe((1 << 20) + 2);
    expect(end.subarray(-2).toString()).toBe("x\n");
    expect(end.subarray(0, -2).every((byte) => byte === 0)).toBe(true);
    const listed = Bun.spawnSync(["tar", "-tvf", tar, "holes"], { stdio: ["ignore", "pipe", "ignore"] });
    expect(listed.stdout.toString()).toContain(` ${9 * 2 ** 30 + 1} `);
  });

  test.each([
    [
      "a name that would say that something is deleted",
      "mkdir /d; echo x >/d/.wh.x",
      "cannot export /d/.wh.x: in a layer such a name would say that something is deleted",
    ],
    [
      "a tree that is too deep",
      "n=dddddddddddddddddddddddddddddddddddddddd; i=0; while [ $i -lt 120 ]; do mkdir $n && cd -P $n || exit 1; i=$((i+1)); done",
      "cannot export 1 directories: they lie too deep to have a path",
    ],
  ])("--export: %s is an error, and leaves no file", async (_, script, message) => {
    const tar = join(temporary(), "layer.tar");
    const { status, said, changes } = await tryScript(unprivileged, ownRoot(unprivileged), script, [
      "--export",
      tar,
    ]);
    expect(status).toBe(125);
    expect(said.filter((text) => !changes.includes(text))).toEqual([`ns: ${message}`]);
    expect(existsSync(tar)).toBe(false);
  });

  test("--export makes its file itself, and leaves none of a command that cannot be started", async () => {
    const root = ownRoot(unprivileged);
    const place = temporary();
    const tar = join(place, "layer.tar");
    const missing = [ns, "try", ...user(unprivileged), "--export", tar, root, "/bin/missing"];
    expect((await runCommand(missing, { unprivileged })).status).toBe(127);
    expect(readdirSync(place)).toEqual([]);
    symlinkSync("other", tar);
    const words = [ns, "try", ...user(unprivileged), "--export", "layer.tar", root, "/bin/true"];
    const { status, stderr } = await runCommand(words, { unprivileged, cwd: place });
    expect({ status, stderr }).toEqual({
      status: 125,
      stderr: `ns: cannot make ${tar}: file exists\nnote: --export makes the file: name one that is not there yet\n`,
    });
    expect(readdirSync(place)).toEqual(["layer.tar"]);
  });

  test("--list writes the list to a file", async () => {
    const list = join(temporary(), "list");
    const { said } = await tryScript(unprivileged, ownRoot(unprivileged), "echo x >/new; rm /etc/one", [
      "--list",
      list,
    ]);
    expect(said).toEqual(["ns: 1 added, 1 deleted"]);
    expect(readFileSync(list, "utf8")).toBe("D /etc/one\nA /new\n");
  });

  test("profile strict, whose root is read-only, has the overlay instead", async () => {
    const { changes } = await tryScript(unprivileged, ownRoot(unprivileged), "echo x >/new", [
      "--profile=strict",
    ]);
    expect(changes).toEqual(["A /new"]);
  });

  test.each([
    [["--ephemeral", "ROOT", "/bin/true"], "--ephemeral does not go with ns try"],
    [["--overlay", "/x", "ROOT", "/bin/true"], "--overlay does not go with ns try"],
    [["--read-only", "ROOT", "/bin/true"], "--read-only does not go with ns try"],
    [["--dry-run", "ROOT", "/bin/true"], "--dry-run does not go with ns try"],
    [["ROOT"], "CMD is missing"],
    [[], "ROOT is missing"],
    [["ROOT", "true"], "CMD 'true' is not an absolute path inside ROOT"],
    [
      ["ROOT:/etc", "/bin/true"],
      "ns try needs ROOT to be one directory, as it is: no --image, --idmap-root or A:B",
    ],
  ])("%j is refused", async (words, message) => {
    const root = ownRoot(unprivileged);
    const line = words.map((word) => word.replace("ROOT", root));
    const { status, stderr } = await runCommand([ns, "try", ...user(unprivileged), ...line], {
      unprivileged,
    });
    expect(stderr.split("\n")[0]).toBe(`ns: ${message}`);
    expect(status).toBe(2);
  });
});

test("an ordinary user's maps of more ids are refused by name", async () => {
  const { status, stderr } = await runCommand([ns, "try", "--map=auto", ownRoot(true), "/bin/true"], {
    unprivileged: true,
  });
  expect(status).toBe(125);
  expect(stderr).toBe(
    "ns: ns try cannot look at what other ids have written as an ordinary user\n" +
      "note: give the container no ids but yours: -u or --map=keep\n",
  );
});

rootTest("root looks at what a container of other ids has written", async () => {
  const root = ownRoot(true);
  const TMPDIR = temporary();
  chmodSync(TMPDIR, 0o755);
  const { stderr, status } = await runCommand(
    [
      ...[ns, "try", "--map-uid", `0:${ordinary.uid}:1`, root, "/bin/sh", "-c"],
      "echo x >/new; rm -r /old; mkdir /old; echo x >/old/z",
    ],
    { env: { TMPDIR } },
  );
  expect(stderr).toBe("A /new\nC /old\nD /old/in\nD /old/x\nA /old/z\nns: 2 added, 1 changed, 2 deleted\n");
  expect(status).toBe(0);
  expect(readdirSync(TMPDIR)).toEqual([]);
});

rootTest("--export: owners with a user namespace, devices, sockets", async () => {
  const root = ownRoot(true);
  const place = temporary();
  const { stderr, status } = await runCommand(
    [
      ...[
        ns,
        "try",
        "--map-uid",
        `0:${ordinary.uid}:1`,
        "--map-uid",
        "1:200000:1000",
        "--export",
        "a.tar",
        root,
        "/bin/sh",
      ],
      ...["-c", "echo x >/new; echo y >/other; chown 7:8 /other"],
    ],
    { cwd: place },
  );
  expect({ stderr, status }).toEqual({ stderr: "A /new\nA /other\nns: 2 added\n", status: 0 });
  const listed = Bun.spawnSync(["tar", "--numeric-owner", "-tvf", join(place, "a.tar")]).stdout.toString();
  expect(listed.match(/\d+\/\d+/g)).toEqual(["0/0", "7/8"]);
  const device = await runCommand(
    [
      ...[
        ns,
        "try",
        "--export",
        "b.tar",
        "--bind",
        `${process.execPath}:/bun`,
        "--bind",
        "/lib:/lib",
        "--bind",
        "/lib64:/lib64",
      ],
      ...[ownRoot(false), "/bin/sh", "-c"],
      "mknod /c c 1 3 && mknod /b b 7 300; /bun -e 'Bun.listen({unix: \"/sock\", socket: {data() {}}}); process.kill(process.pid, 9)'; ls -l /sock",
    ],
    { cwd: place },
  );
  expect(device.stdout).toContain("/sock");
  expect(device.stderr).toContain("note: sockets cannot be exported: 1 left out\n");
  const devices = Bun.spawnSync(["tar", "-tvf", join(place, "b.tar")]).stdout.toString();
  expect(devices).toMatch(/^crw.* 1,3 .* c$/m);
  expect(devices).toMatch(/^brw.* 7,300 .* b$/m);
  expect(devices).not.toContain("sock");
});

rootTest("another user's directory of the same name is not swept", async () => {
  const TMPDIR = temporary();
  const theirs = join(TMPDIR, "ns-try-0-123");
  mkdirSync(theirs);
  writeFileSync(join(theirs, "precious"), "");
  Bun.spawnSync(["chown", "-R", `${ordinary.uid}`, theirs]);
  utimesSync(theirs, 0, 0);
  const ran = await runCommand([ns, "try", ownRoot(false), "/bin/true"], { env: { TMPDIR } });
  expect(ran.status).toBe(0);
  expect(readdirSync(theirs)).toEqual(["precious"]);
  rmSync(theirs, { recursive: true });
});
