/**
 * Failures provoked for real: what is said names the step, the path and the reason, is at most two lines, and shows nothing
 * of the runtime's. Run by `bun test`.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  asOrdinary,
  callers,
  isRoot,
  leavesNothing,
  line,
  makeSmallRoot,
  ns,
  ordinary,
  project,
  type Ran,
  root,
  rootTest,
  run,
  runCommand,
  script,
  userIds,
} from "../harness.ts";

leavesNothing();

/** What was said, after the rules that hold for all of it. */
function said({ stdout, stderr }: Ran): { message: string; note: string | null } {
  expect(stdout).toBe("");
  const lines = stderr.replace(/\n$/, "").split("\n");
  expect(lines.length, stderr).toBeLessThanOrEqual(2);
  expect(lines[0]).toMatch(/^ns: [^\n]*[^.\n]$/);
  if (lines.length === 2) expect(lines[1]).toMatch(/^note: [^A-Z\n][^\n]*[^.\n]$/);
  expect(stderr).not.toMatch(/\bat .*:\d+|bun:|\.ts\b|Error:|undefined|\[object|NaN/);
  return { message: lines[0]!.slice(4), note: lines[1]?.slice(6) ?? null };
}

/** Runs shell text in a mount namespace of its own, as root. */
const aside = (text: string): Promise<Ran> => runCommand(["unshare", "-m", "sh", "-ec", text]);

describe.each(callers)("%s", (_, unprivileged) => {
  const words = line(unprivileged, ["/bin/true"]);

  // from what the runtime itself needs up to where ns has enough
  test("no descriptor is left, at whatever step that is", async () => {
    const messages = new Set<string>();
    let enough = 0;
    for (let most = 5; enough < 3 && most < 60; most++) {
      const limited = ["prlimit", `--nofile=${most}`, ...words];
      const ran = await runCommand(unprivileged ? asOrdinary(limited) : limited);
      if (ran.status === 0) {
        expect(ran.stderr).toBe("");
        enough++;
        continue;
      }
      expect(ran.status).toBe(125);
      const { message, note } = said(ran);
      expect(message).toEndWith(": too many open files");
      expect(note).toBe("more open files are needed than this process may have: ulimit -n");
      messages.add(message);
    }
    expect(enough).toBe(3);
    expect(messages.size).toBeGreaterThan(4);
  });

  test("no address space: the runtime may not make code", async () => {
    const limited = ["prlimit", "--as=1000000000", ...words];
    const ran = await runCommand(unprivileged ? asOrdinary(limited) : limited);
    expect(ran.status).toBe(125);
    expect(said(ran).note).toContain("ulimit -v unlimited");
  });

  test("a NEWROOT that is not there, is a file, may not be entered", async () => {
    const at = (path: string) =>
      runCommand(line(unprivileged, ["/bin/true"], { root: path }), { unprivileged });
    expect(said(await at("/nowhere/at/all")).message).toBe(
      "cannot use the root /nowhere/at/all: no such file or directory",
    );
    expect(said(await at("/etc/passwd")).message).toBe("cannot use the root /etc/passwd: not a directory");
    if (unprivileged && isRoot)
      expect(said(await at("/root")).message).toBe("cannot enter the root /root: permission denied");
  });
});

// a user whom nobody else's processes count for
const lonely = 54_321;
rootTest("no process is left for this user", async () => {
  const messages = new Set<string>();
  let enough = 0;
  for (let most = 4; enough < 2 && most < 40; most++) {
    const limited = [
      "setpriv",
      `--reuid=${lonely}`,
      `--regid=${lonely}`,
      "--clear-groups",
      "prlimit",
      `--nproc=${most}`,
    ];
    const ran = await runCommand([...limited, ns, "-u", "-", root, "/bin/true", `${lonely}`, `${lonely}`]);
    if (ran.status === 0) {
      enough++;
      continue;
    }
    const { message, note } = said(ran);
    expect(message).toEndWith(": resource temporarily unavailable");
    expect(note).toContain("ulimit -u");
    messages.add(message.split(":")[0]!.replace(/ mnt.*/, ""));
  }
  expect(enough).toBe(2);
  expect(messages.size).toBeGreaterThan(0);
});

rootTest("a full file system below NEWROOT", async () => {
  const act = `mount -t tmpfs -o nr_inodes=3,size=4m tmpfs /mnt; mkdir /mnt/bin; cp ${root}/bin/busybox /mnt/bin/busybox`;
  const ran = await aside(`${act}; exec ${ns} --dev=keep - /mnt /bin/busybox`);
  expect(ran.status).toBe(125);
  expect(said(ran)).toEqual({
    message: "cannot make the directory /proc: no space left",
    note: "the file system is full, or has no inodes left: see df and df -i",
  });
});

rootTest("a root that cannot be written and has no /proc", async () => {
  const act = `mount -t tmpfs tmpfs /mnt; mkdir /mnt/bin; cp ${root}/bin/busybox /mnt/bin/busybox; mount -o remount,ro /mnt`;
  const ran = await aside(`${act}; exec ${ns} --dev=keep - /mnt /bin/busybox`);
  expect(said(ran)).toEqual({
    message: "cannot make the directory /proc: read-only file system",
    note: "the root has no directory /proc and cannot be written: make one in it",
  });
});

rootTest("a NEWROOT mounted noexec", async () => {
  const act = `mount --bind ${root} ${root}; mount -o remount,bind,noexec ${root}`;
  const ran = await aside(`${act}; exec ${ns} - ${root} /bin/true`);
  expect(ran.status).toBe(126);
  const { message, note } = said(ran);
  expect(message).toMatch(/noexec/);
  expect(note).toContain("remount,exec");
});

rootTest("a /proc/sys that is mounted over keeps an ordinary user from a /proc of his own", async () => {
  const act = "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys";
  expect(await aside(`${act}; exec ${line(false, ["/bin/true"]).join(" ")}`)).toMatchObject({
    status: 0,
    stderr: "",
  });
  expect(said(await aside(`${act}; exec ${asOrdinary(line(true, ["/bin/true"])).join(" ")}`))).toEqual({
    message: "cannot mount proc on /proc: operation not permitted",
    note: "the /proc that ns itself runs in is covered in part (a container?): mount it whole there",
  });
});

describe("many ids", () => {
  const granted = script("subids", `nobody:200000:65536\n${ordinary.uid}:200000:65536\n`, 0o644);
  const grant = ["uid", "gid"].map(
    (kind) => `[ -e /etc/sub${kind} ] || exit 99; mount --bind ${granted} /etc/sub${kind}`,
  );
  const start = [ns, "--map=auto", "-", root, "/bin/true"];

  rootTest("without newuidmap", async () => {
    const ran = await aside(
      `${grant.join(";")}; mount --bind /dev/null /usr/bin/newuidmap; exec ${asOrdinary(start).join(" ")}`,
    );
    expect(ran.status).toBe(125);
    expect(said(ran)).toEqual({
      message: "an ordinary user's maps of more than one id need newuidmap, which is not in /usr/bin or /bin",
      note: "install it: apt install uidmap (Debian, Ubuntu), or the package shadow or shadow-utils",
    });
  });

  rootTest("with a newuidmap that is not setuid here", async () => {
    const user = asOrdinary(start).toSpliced(1, 0, "--no-new-privs");
    const ran = await aside(`${grant.join(";")}; exec ${user.join(" ")}`);
    expect(ran.status).toBe(125);
    const { message, note } = said(ran);
    expect(message).toStartWith("cannot map ids: newuidmap: ");
    expect(note).toContain("setuid root");
  });

  test("that nobody has granted", async () => {
    const ran = await run(["--map-uid", "0:4000000:10", "-", root, "/bin/true"], { unprivileged: true });
    expect(said(ran).note).toContain("/etc/subuid");
  });
});

rootTest("--net=pasta without pasta", async () => {
  const hide =
    "for file in /usr/bin/pasta /usr/local/bin/pasta /bin/pasta; do [ ! -e $file ] || mount --bind /dev/null $file; done";
  expect(said(await aside(`${hide}; exec ${ns} --net=pasta - ${root} /bin/true`))).toEqual({
    message: "--net=pasta: the program pasta is not there",
    note: "apt-get install passt",
  });
});

test("no user namespace may be made", async () => {
  const act = `echo 0 >/proc/sys/user/max_user_namespaces && exec ${ns} -u - ${root} /bin/true 0 0`;
  const ran = await runCommand(["unshare", "-U", "-r", "sh", "-c", act], { unprivileged: true });
  expect(ran.status).toBe(125);
  expect(said(ran)).toEqual({
    message: "cannot make a user namespace: user.max_user_namespaces is 0",
    note: "allow them: sysctl -w user.max_user_namespaces=10000",
  });
});

test("an init that the container's ids may not reach", async () => {
  const closed = makeSmallRoot("closed");
  const ran = await runCommand(
    ["sh", "-c", `chmod 700 ${closed}/bin && exec ${line(true, ["/bin/true"], { root: closed }).join(" ")}`],
    {
      unprivileged: !isRoot,
    },
  );
  if (isRoot) expect(said(ran).message).toContain(closed);
  else expect(ran.status).toBe(0);
});

describe("what nobody has foreseen", () => {
  const entry = join(project, "src/cli/entry.ts");
  const broken = (name: string, text: string, words: string[]): Promise<Ran> =>
    runCommand([process.execPath, "--preload", script(name, text, 0o644), entry, ...words]);
  const kind = (text: string): string => `throw new TypeError("${text}\\n    at deep (inside.ts:1:1)")`;

  test("is an internal error in two lines, also while a command waits", async () => {
    const spec = `{"root": "${root}", "init": "/bin/sleep", "args": ["20"]${isRoot ? "" : `, "user": true, "uid": ${userIds[0]}, "gid": ${userIds[1]}`}}\n`;
    const lines = script("line.json", spec, 0o644);
    for (const [name, text] of [
      ["now.ts", `performance.now = () => { ${kind("a hole")} };`],
      // in the middle of what the event loop does, where nobody waits for it
      [
        "later.ts",
        `const timer = setInterval(() => {
        if (process.listenerCount("uncaughtException") === 0) return;
        clearInterval(timer);
        ${kind("a hole")};
      }, 0);`,
      ],
    ] as const) {
      const ran = await broken(name, text, ["batch", lines]);
      expect(ran.status).toBe(125);
      expect(ran.stderr.split("\n").filter((one) => one !== "")).toEqual([
        "ns: internal error: a hole",
        "note: please report it with the command line that led to it",
      ]);
    }
  });
});
