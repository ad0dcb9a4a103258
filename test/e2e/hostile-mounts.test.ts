/**
 * A hostile root under --bind and its like: whatever lies where something is to be mounted or made, links of every kind and
 * names that change meanwhile, nothing is made, written or mounted outside of the root.
 */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
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

/** A folder of the host's that whoever gets there could write to. */
const host = join(folder, "mounts-host");
mkdirSync(host);
mkdirSync(join(host, "directory"));
writeFileSync(join(host, "secret"), "the host's\n");
for (const name of ["", "directory", "secret"]) chmodSync(join(host, name), 0o777);
const expectHostUntouched = (): void => {
  expect(readdirSync(host).sort()).toEqual(["directory", "secret"]);
  expect(readdirSync(join(host, "directory"))).toEqual([]);
  expect(readFileSync(join(host, "secret"), "utf8")).toBe("the host's\n");
};
const source = join(folder, "mounts-source");
mkdirSync(source);
writeFileSync(join(source, "file"), "the source\n");

let count = 0;
function hostileRoot(unprivileged: boolean): string {
  const path = makeSmallRoot(`hostile-mounts-${count++}`, ["sh", "true", "cat", "ls", "find"]);
  mkdirSync(join(path, "d"));
  if (isRoot && unprivileged)
    for (const name of ["", "bin", "proc", "tmp", "d"])
      chownSync(join(path, name), ordinary.uid, ordinary.gid);
  return path;
}

/** Where a link in the root may lead. */
const up = "../".repeat(12);
const targets: [string, string][] = [
  ["absolute, to the host", host],
  ["up and out", `${up}${host.slice(1)}`],
  ["to a file of the host's", join(host, "secret")],
  ["to what is not there on the host", join(host, "new")],
  ["up and out to what is not there", `${up}${host.slice(1)}/new`],
  ["to an open descriptor", "/proc/self/fd/7"],
  ["to an open descriptor, by /dev/fd", "/proc/thread-self/fd/7"],
  ["to the process's root", "/proc/self/root"],
  ["to process 1's root", `/proc/1/root${host}`],
  ["to the working directory", "/proc/self/cwd"],
  ["to where bwrap keeps the host's root", `/oldroot${host}`],
  ["to itself", "place"],
  ["to nothing", "no/such"],
];
const options: [string, (place: string) => string[]][] = [
  ["--bind of a directory", (place) => ["--bind", `${source}:${place}`]],
  ["--bind of a file", (place) => ["--bind", `${source}/file:${place}`]],
  ["--tmpfs", (place) => ["--tmpfs", place]],
  ["--mount", (place) => ["--mount", `type=proc,dst=${place}`]],
  ["--dir", (place) => ["--dir", place]],
  ["--symlink", (place) => ["--symlink", `x:${place}`]],
  ["--file", (place) => ["--file", `0:${place}`]],
];

describe.each(callers)("%s", (_, unprivileged) => {
  const start = (where: string, more: string[], script = "true") => {
    const words = line(unprivileged, ["/bin/sh", "-c", script], { options: more, root: where });
    // a descriptor of the host's folder is open, as a careless caller leaves it
    return runCommand(["sh", "-c", 'exec 7<"$1"; shift; exec "$@"', "sh", host, ...words], {
      unprivileged,
      stdin: "from the caller\n",
    });
  };
  for (const [name, option] of options)
    describe(name, () => {
      test.each(targets)("a link %s", async (_, target) => {
        for (const place of ["/d/place", "/d/place/below", "/d/place/below/more"]) {
          const where = hostileRoot(unprivileged);
          symlinkSync(target, join(where, "d/place"));
          const ran = await start(where, option(place));
          expect([0, 125]).toContain(ran.status!);
          if (ran.status === 125) expect(ran.stderr).toStartWith("ns: cannot ");
          expectHostUntouched();
        }
      });
    });
  test("the same links lead mount(8) and touch(1) out, so that this test could fail", async () => {
    if (unprivileged) return;
    const where = hostileRoot(false);
    symlinkSync(host, join(where, "d/place"));
    const ran = await runCommand([
      "unshare",
      "-m",
      "sh",
      "-c",
      'mount -t tmpfs none "$0/d/place" && ls "$1"',
      where,
      host,
    ]);
    expect(ran).toMatchObject({ status: 0, stdout: "" });
  });
  test("a pipe, a socket's name or a hard link in the place of a file are not written to", async () => {
    const where = hostileRoot(unprivileged);
    linkSync(join(host, "secret"), join(where, "d/hard"));
    Bun.spawnSync(["mkfifo", join(where, "d/pipe")]);
    for (const name of ["hard", "pipe"]) {
      const ran = await start(where, ["--file", `0:/d/${name}`], `cat /d/${name}`);
      expect(ran).toMatchObject({ status: 0, stdout: "from the caller\n" });
    }
    expectHostUntouched();
    expect(statSync(join(where, "d/pipe")).isFile()).toBe(true);
  });
});

describe("a place that changes all the time", () => {
  rootTest(
    "between a directory and a link to the host, 200 starts",
    async () => {
      const where = hostileRoot(false);
      for (const name of ["place", "other"]) mkdirSync(join(where, "d", name));
      const swapper = launch([
        process.execPath,
        "-e",
        `const { dlopen } = require("bun:ffi"); const { symlinkSync, rmdirSync } = require("node:fs");
         const [, root, host] = process.argv; rmdirSync(root + "/d/other"); symlinkSync(host, root + "/d/other");
         const c = (text) => Buffer.from(text + "\\0");
         const { renameat2 } = dlopen("libc.so.6", { renameat2: { args: ["int", "ptr", "int", "ptr", "u32"], returns: "int" } }).symbols;
         const a = c(root + "/d/place"), b = c(root + "/d/other"); console.log("up");
         for (;;) renameat2(-100, a, -100, b, 2);`,
        where,
        host,
      ]);
      await swapper.line(/up/);
      const statuses = new Map<number | null, number>();
      try {
        for (let i = 0; i < 200; i++) {
          const [, option] = options[i % options.length]!;
          const words = line(false, ["/bin/true"], {
            options: option(i % 2 ? "/d/place" : "/d/place/below"),
            root: where,
          });
          const { status } = await runCommand(words, { stdin: "from the caller\n" });
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      } finally {
        swapper.kill("SIGKILL");
        await swapper.ended;
      }
      expectHostUntouched();
      expect([...statuses.keys()].sort()).toEqual([0, 125]); // both were met
    },
    120_000,
  );
});
