/** What a review of the options as an attacker and as a demanding user has found, end to end. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
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
  ids,
  launch,
  leavesNothing,
  line,
  makeSmallRoot,
  ns,
  ordinary,
  root,
  rootTest,
  run,
  runCommand,
  until,
  user,
} from "../harness.ts";

leavesNothing();

let count = 0;
const directory = (): string => {
  const path = join(folder, `review-${count++}`);
  mkdirSync(path);
  return path;
};

describe("--as leaves no capability behind", () => {
  const CAPABLE = [
    "setpriv",
    "--inh-caps=+net_admin,+sys_admin",
    "--ambient-caps=+net_admin,+sys_admin",
    "--securebits=+no_setuid_fixup",
  ];
  const read = [
    "-",
    root,
    "/bin/sh",
    "--",
    "-c",
    "grep -h -E 'Cap(Inh|Prm|Eff|Amb)' /proc/1/status /proc/self/status",
  ];

  for (const reaper of [[], ["--reaper"]])
    rootTest(`nor what the caller's securebits would keep ${reaper.join("")}`, async () => {
      const { stdout, status } = await runCommand([...CAPABLE, ns, "--as", "nobody", ...reaper, ...read]);
      expect(status).toBe(0);
      const sets = stdout.trim().split("\n");
      expect(sets).toHaveLength(8);
      for (const set of sets) expect(set).toMatch(/^Cap...:\t0+$/);
    });
});

describe("--as in a root of several directories", () => {
  const passwd = (path: string, uid: number): void => {
    mkdirSync(join(path, "etc"), { recursive: true });
    writeFileSync(join(path, "etc/passwd"), `nobody:x:${uid}:${uid}::/:/bin/sh\n`);
  };
  const uid = async (options: string[], where: string): Promise<string> =>
    (await run(["--as", "nobody", ...options, "-", where, "/bin/busybox", "--", "id", "-u"])).stdout;

  rootTest("the topmost that has an /etc/passwd counts", async () => {
    const [top, bare] = [directory(), directory()];
    passwd(top, 777);
    expect(await uid([], `${top}:${root}`)).toBe("777\n");
    expect(await uid([], `${bare}:${top}:${root}`)).toBe("777\n");
  });

  rootTest("so does what an --overlay has, and what has been removed in it is gone", async () => {
    const upper = directory();
    passwd(upper, 778);
    expect(await uid(["--overlay", upper], root)).toBe("778\n");
    const gone = directory();
    await run(["--overlay", gone, "-", root, "/bin/rm", "--", "/etc/passwd"]);
    const { stderr } = await run(["--overlay", gone, "--as", "nobody", "-", root, "/bin/true"]);
    expect(stderr).toContain("ns: --as: the root's /etc/passwd has no user nobody\n");
  });
});

describe("--overlay: what lies under the name of the kernel's directory", () => {
  const over = (upper: string) => run(["--overlay", upper, "-", root, "/bin/true"]);

  rootTest("a link to somewhere is refused, and nothing is removed there", async () => {
    const upper = directory();
    const victim = directory();
    mkdirSync(join(victim, "work"));
    writeFileSync(join(victim, "work/precious"), "");
    symlinkSync(victim, `${upper}.ns-work`);
    const { status, stderr } = await over(upper);
    expect(stderr).toContain(
      `ns: cannot use ${upper}.ns-work for the overlay: not a directory\nnote: remove it`,
    );
    expect(status).toBe(125);
    expect(readdirSync(join(victim, "work"))).toEqual(["precious"]);
    rmSync(`${upper}.ns-work`);
  });

  rootTest("another user's directory is refused, what an earlier run has left is not", async () => {
    const upper = directory();
    const left = `${upper}.ns-work`;
    mkdirSync(join(left, "work/x"), { recursive: true });
    writeFileSync(join(left, "work/y"), "");
    chownSync(left, 4321, 4321);
    const refused = await over(upper);
    expect(refused.stderr).toContain(`${left} for the overlay: it belongs to uid 4321\n`);
    expect(refused.status).toBe(125);
    chownSync(left, 0, 0);
    expect(await over(upper)).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(left)).toBe(false);
  });

  test("a directory for changes that lies in NEWROOT is said to", async () => {
    const own = makeSmallRoot(`review-${count++}`);
    const upper = join(own, "tmp/upper");
    mkdirSync(upper);
    symlinkSync(upper, join(folder, `upper-${count}`));
    for (const name of [upper, join(folder, `upper-${count}`)]) {
      const { stderr, status } = await run([...user, "--overlay", name, "-", own, "/bin/true", ...ids]);
      expect(stderr).toBe(`ns: cannot use ${name} for an overlay: it lies in NEWROOT\n`);
      expect(status).toBe(125);
    }
    expect(existsSync(`${upper}.ns-work`)).toBe(false);
  });
});

test.each(callers)(
  "--file from a pipe that nobody writes to: ns can be stopped, %s",
  async (_, unprivileged) => {
    const fifo = join(folder, `fifo-${count++}`);
    await runCommand(["mkfifo", "-m", "666", fifo]);
    const options = ["--tmpfs", "/run", "--file", "0:/run/x"];
    const words = line(unprivileged, ["/bin/cat", "/run/x"], { options });
    const waiting = launch(["sh", "-c", 'exec "$@" 0<>"$0"', fifo, ...words], { unprivileged });
    await until("ns catches SIGTERM", () => {
      const caught =
        /^SigCgt:\s*(\w+)/m.exec(readFileSync(`/proc/${waiting.pid}/status`, "utf8"))?.[1] ?? "0";
      return (BigInt(`0x${caught}`) & (1n << 14n)) !== 0n;
    });
    waiting.kill("SIGTERM");
    expect(await waiting.ended).toMatchObject({
      status: 143,
      stderr: "ns: stopped by SIGTERM before init was started\n",
    });
  },
);

test("a file is not mounted on a directory, and a note says so", async () => {
  const { stderr, status } = await run([
    ...user,
    "--bind",
    "/etc/passwd:/mnt",
    "-",
    root,
    "/bin/true",
    ...ids,
  ]);
  expect(stderr).toContain("ns: cannot mount /etc/passwd on /mnt: ");
  expect(stderr).toContain("\nnote: a file can be mounted on a file only, a directory on a directory\n");
  expect(status).toBe(125);
});

rootTest("a root that the container's ids may not enter is explained", async () => {
  const closed = makeSmallRoot(`review-${count++}`);
  chmodSync(closed, 0o700);
  const { stderr, status } = await run([
    "-u",
    "-",
    closed,
    "/bin/true",
    `${ordinary.uid}`,
    `${ordinary.gid}`,
  ]);
  expect(stderr).toContain(
    "ns: cannot bind the root: permission denied\nnote: the container's ids may not enter",
  );
  expect(status).toBe(125);
});

describe("very many steps", () => {
  const binds = (most: number): string[] =>
    Array.from({ length: most }, (_, i) => ["--bind", `/etc:/run/${i}/a/b/c/d/e/f/g/h`]).flat();

  for (const reaper of [[], ["--reaper"]])
    test(`the failing one is named: init is not executable by its user ${reaper.join("")}`, async () => {
      const own = makeSmallRoot(`review-${count++}`);
      writeFileSync(join(own, "closed"), "#!/bin/sh\n", { mode: 0o644 });
      const options = ["--tmpfs", "/run", ...reaper, ...binds(100)];
      const { stderr, status } = await run([...user, ...options, "-", own, "/closed", ...ids]);
      expect(stderr).toStartWith(`ns: cannot execute init /closed in ${own}: permission denied\n`);
      expect(status).toBe(126);
    });

  test("the failing one is named, whatever its number", async () => {
    const steps = Array.from({ length: 198 }, (_, i) => ["--dir", `/run/${i}`]);
    for (let most = 90; most <= 198; most += 3) {
      const options = ["--tmpfs", "/run", ...steps.slice(0, most).flat(), "--dir", "/proc/nope"];
      const { stderr } = await run([...user, ...options, "-", root, "/bin/true", ...ids]);
      expect(stderr).toStartWith("ns: cannot make the directory /proc/nope in the root: ");
    }
  });

  test("more of them than there is room for are refused", async () => {
    const deep = `/run${"/a".repeat(2000)}`;
    const { stderr, status } = await run([
      ...user,
      "--tmpfs",
      "/run",
      "--dir",
      deep,
      "-",
      root,
      "/bin/true",
      ...ids,
    ]);
    expect(stderr).toStartWith(
      "ns: all that is to be mounted or made is too much at once\nnote: give fewer mounts",
    );
    expect(status).toBe(125);
  });
});
