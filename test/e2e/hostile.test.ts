/**
 * A hostile root: links, interpreters and names made to lead ns out of it while it sets the container up. Escapes by
 * what runs inside are in escape.test.ts. Where a peer is said to fail, it is run too, to show that the test can fail.
 */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  asOrdinary,
  callers,
  folder,
  isFrozen,
  isRoot,
  leavesNothing,
  line,
  makeSmallRoot,
  ordinary,
  root,
  rootTest,
  run,
  runCommand,
  script,
} from "../harness.ts";

leavesNothing();

const installed = (name: string): boolean => Bun.which(name) !== null;
/** A folder of the host's with a secret in it, next to the roots. */
const host = join(folder, "hostile-host");
mkdirSync(host);
chmodSync(host, 0o777); // whoever gets here could write
writeFileSync(join(host, "secret"), "the host's\n");
const expectHostUntouched = (): void => {
  expect(readdirSync(host)).toEqual(["secret"]);
  expect(readFileSync(join(host, "secret"), "utf8")).toBe("the host's\n");
};

let roots = 0;
const hostileRoot = (): string => makeSmallRoot(`hostile-${roots++}`, ["sh", "true", "cat", "ls", "grep"]);

describe.each(callers)("%s", (_, unprivileged) => {
  const start = (where: string, init: string[], pre = "-") =>
    runCommand(line(unprivileged, init, { root: where, pre }), { unprivileged });

  describe("descriptors that the caller leaked, and the working directory", () => {
    const look = `for d in . .. /proc/[0-9]*/fd/* /proc/[0-9]*/cwd /proc/[0-9]*/root; do
      cat $d/secret $d/../secret $d/host/secret $d${host}/secret 2>&-; done; true`;
    const leaking = (words: string[]) =>
      runCommand(
        ["sh", "-c", 'cd "$1"; exec 3</ 7<"$1" 9<"$1/secret"; shift; exec "$@"', "sh", host, ...words],
        {
          unprivileged,
        },
      );

    test("lead nowhere", async () => {
      const ran = await leaking(line(unprivileged, ["/bin/sh", "-c", look]));
      expect(ran).toMatchObject({ status: 0, stdout: "" });
    });
    test("lead unshare's payload to the host, with the same attack", async () => {
      const words = unprivileged ? ["unshare", "-Ur"] : ["unshare"];
      const ran = await leaking([...words, "-mpf", `--root=${root}`, "--mount-proc", "/bin/sh", "-c", look]);
      expect(ran.stdout).toContain("the host's\n");
    });
    test("do not reach the pre script either", async () => {
      const pre = script(
        "fds",
        `#!/bin/sh\nls /proc/self/fd; ls -l /proc/self/fd /proc/$$/fd | grep -e ${host}; pwd\n`,
      );
      const ran = await leaking(line(unprivileged, ["/bin/true"], { pre }));
      expect(ran).toMatchObject({ status: 0, stdout: "0\n1\n2\n3\n/\n" }); // 3 is ls's own
    });
  });

  describe("a /proc that is not a directory of the root is refused, and nothing happens where it leads", () => {
    const up = "../".repeat(12);
    test.each([
      ["a link to a folder of the host", host],
      ["a link up and out", up.slice(0, -1) + host],
      ["a link to where bwrap keeps the host's root", `/oldroot${host}`],
      ["a link to another folder in the root", "/tmp"],
      ["a link to nowhere", "/no/such/place"],
      ["a link to nowhere on the host", `${host}/new`],
      ["a link to itself", "proc"],
      ["a link to the folder of the process", "/proc/self"],
    ])("%s", async (_, target) => {
      const where = hostileRoot();
      rmSync(join(where, "proc"), { recursive: true });
      symlinkSync(target, join(where, "proc"));
      const before = readdirSync(where);
      const ran = await start(where, ["/bin/true"]);
      expect(ran).toMatchObject({ status: 125, stdout: "" });
      expect(ran.stderr).toBe(
        `ns: cannot open the directory /proc: not a directory\n${
          isFrozen ? "" : "note: /proc in the root is not a directory: ns mounts on nothing else\n"
        }`,
      );
      expect(readdirSync(where)).toEqual(before);
      expect(readdirSync(join(where, "tmp"))).toEqual([]);
      expectHostUntouched();
    });
  });

  test("a link chain of 40 to init is followed, as the kernel would; one of 41 is refused", async () => {
    const where = hostileRoot();
    writeFileSync(join(where, "l0"), "#!/bin/sh\necho reached\n");
    chmodSync(join(where, "l0"), 0o755);
    for (let i = 1; i <= 41; i++) symlinkSync(i % 2 ? `l${i - 1}` : `/../l${i - 1}`, join(where, `l${i}`));
    expect(await start(where, ["/l40"])).toMatchObject({ status: 0, stdout: "reached\n", stderr: "" });
    expect(await start(where, ["/l41"])).toMatchObject({
      status: 126,
      stderr: `ns: init /l41 in ${where} cannot be reached: too many levels of symbolic links\n`,
    });
  });

  test("a root of nothing but init works, if /proc can be made", async () => {
    const where = join(folder, `bare-${unprivileged}`);
    mkdirSync(where);
    linkSync(join(root, "bin/busybox"), join(where, "ls"));
    if (unprivileged && isRoot) {
      const ran = await start(where, ["/ls"]);
      expect(ran.status).toBe(125);
      expect(ran.stderr).toMatch(/^ns: cannot make the directory \/proc: permission denied\nnote: .*\n$/);
      chownSync(where, ordinary.uid, ordinary.gid);
    }
    expect(await start(where, ["/ls", "/"])).toMatchObject({
      status: 0,
      stdout: "dev\nls\nproc\n",
      stderr: "",
    });
    expect(readdirSync(where).sort()).toEqual(["dev", "ls", "proc"]);
  });

  test("NEWROOT becomes a link to / between check and use: the container has the root that was checked", async () => {
    const where = hostileRoot();
    writeFileSync(join(where, "marker"), "checked\n");
    const inner = join(folder, `swap-${unprivileged}`);
    mkdirSync(inner);
    chmodSync(inner, 0o777);
    await runCommand(["mv", where, join(inner, "root")]);
    const pre = script(
      `swap-pre-${unprivileged}`,
      `#!/bin/sh\nmv ${inner}/root ${inner}/moved && ln -s / ${inner}/root\n`,
    );
    const look = ["/bin/sh", "-c", "cat /marker; ls /; echo /proc/[0-9]*"];
    const ran = await start(join(inner, "root"), look, pre);
    expect(ran).toMatchObject({
      status: 0,
      stdout: "checked\nbin\ndev\nmarker\nproc\ntmp\n/proc/1\n",
      stderr: "",
    });
  });
});

rootTest(
  "a /proc that is a mount-point of the root: the fresh one covers it and what is below stays as it was",
  async () => {
    const where = hostileRoot();
    const words = line(false, ["/bin/sh", "-c", "ls -d /proc/1 /proc/secret; cat /proc/mounts"], {
      root: where,
    });
    const mounted = `mount --bind ${host} ${where}/proc && exec "$@"`;
    const ran = await runCommand(["unshare", "-m", "sh", "-c", mounted, "sh", ...words]);
    expect(ran.stdout).toStartWith("/proc/1\n");
    expect(ran.stderr).toBe("ls: /proc/secret: No such file or directory\n");
    expectHostUntouched();
  },
);

describe("the peers that the tests above would catch", () => {
  const where = hostileRoot();
  rmSync(join(where, "proc"), { recursive: true });

  test.skipIf(!installed("bwrap"))(
    "bwrap makes a folder on the host through a link in the root",
    async () => {
      symlinkSync(`/oldroot${host}`, join(where, "out"));
      await runCommand(["bwrap", "--bind", where, "/", "--dir", "/out/made", "/bin/true"]);
      expect(readdirSync(host).sort()).toEqual(["made", "secret"]);
      rmSync(join(host, "made"), { recursive: true });
    },
  );

  rootTest("unshare --mount-proc mounts over the folder of the host that /proc is a link to", async () => {
    symlinkSync(host, join(where, "proc"));
    const words = ["unshare", "-mpf", `--mount-proc=${where}/proc`, "cat", "/proc/thread-self/mountinfo"];
    expect((await runCommand(words)).stdout).toContain(` ${host} `);
  });
});

/** Exchanges two names for as long as it lives. */
const swapper = `
    const { dlopen } = require("bun:ffi");
    const libc = dlopen("libc.so.6", { renameat2: { args: ["i32", "cstring", "i32", "cstring", "u32"], returns: "i32" } });
    const name = (path) => Buffer.from(path + "\\0");
    const [a, b] = process.argv.slice(-2).map(name);
    const EXCHANGE = 2, CWD = -100;
    if (libc.symbols.renameat2(CWD, a, CWD, b, EXCHANGE) !== 0) { console.log("cannot exchange"); process.exit(1); }
    console.log("exchanging");
    for (;;) libc.symbols.renameat2(CWD, a, CWD, b, EXCHANGE);`;

describe("names that change while ns uses them (CVE-2021-30465)", () => {
  const STARTS = 200;
  rootTest(
    `/proc and a link to a folder of the host are exchanged all the time: ${STARTS} starts`,
    async () => {
      const where = hostileRoot();
      symlinkSync(host, join(where, "swap"));
      // once the root is the container's the same name leads here
      mkdirSync(join(where, host), { recursive: true });
      const file = script("swapper.js", swapper);
      const race = Bun.spawn([process.execPath, file, join(where, "proc"), join(where, "swap")], {
        stdout: "pipe",
      });
      try {
        const reader = race.stdout.getReader();
        expect(new TextDecoder().decode((await reader.read()).value)).toBe("exchanging\n");
        const look = `cat /proc/self/mountinfo /swap/self/mountinfo 2>&- | grep ' ${host} '; ls ${host}`;
        const statuses = new Map<number, number>();
        const one = async (): Promise<void> => {
          const ran = await run(["-", where, "/bin/sh", "--", "-c", look]);
          statuses.set(ran.status!, (statuses.get(ran.status!) ?? 0) + 1);
          expect(ran.stdout).toBe("");
          if (ran.status === 125)
            expect(ran.stderr).toStartWith("ns: cannot open the directory /proc: not a directory\n");
        };
        for (let i = 0; i < STARTS / 4; i++) await Promise.all([one(), one(), one(), one()]);
        // both names have been met, and nothing else has happened
        expect([...statuses.keys()].sort()).toEqual([0, 125]);
      } finally {
        race.kill("SIGKILL");
        await race.exited;
      }
      expectHostUntouched();
    },
    60_000,
  );
});

test("names that change anywhere do not disturb a way through .. (openat2's EAGAIN)", async () => {
  const where = hostileRoot();
  const [a, b] = [join(where, "a"), join(where, "b")];
  for (const name of [a, b]) writeFileSync(name, "");
  const race = Bun.spawn([process.execPath, script("elsewhere.js", swapper), a, b], { stdout: "pipe" });
  try {
    const reader = race.stdout.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("exchanging\n");
    for (let i = 0; i < 50; i++) {
      const ran = await runCommand(
        line(!isRoot, ["/bin/../bin/true"], { root: where, options: ["-w", "/bin/../tmp/.."] }),
      );
      expect(ran).toMatchObject({ status: 0, stderr: "" });
    }
  } finally {
    race.kill("SIGKILL");
    await race.exited;
  }
});

test("as an ordinary user nothing of root's is reached by naming it", async () => {
  // the peers above run as root; what -u may not read stays unread whatever the root says
  const where = hostileRoot();
  symlinkSync("/etc/shadow", join(where, "shadow"));
  const ran = await runCommand(
    asOrdinary(line(true, ["/bin/cat", "/shadow", "/etc/shadow"], { root: where })),
  );
  expect(ran).toMatchObject({ status: 1, stdout: "" });
});
