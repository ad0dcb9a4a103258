/** --userns: containers in a user namespace that is there already. */
import { afterAll, describe, expect, test } from "bun:test";
import { chownSync, mkdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  asOrdinary,
  callers,
  cgroupsLeft,
  processesLeft,
  expectNothingLeft,
  folder,
  launch,
  leavesNothing,
  ns,
  onTerminal,
  ordinary,
  type Running,
  root,
  rootTest,
  runCommand,
  script,
  until,
} from "../harness.ts";

leavesNothing();

interface Held {
  readonly running: Running;
  readonly pid: number;
  /** as /proc shows it */
  readonly name: string;
}
const all: Held[] = [];
afterAll(async () => {
  for (const { running } of all) running.kill("SIGKILL");
  await Promise.all(all.map(({ running }) => running.ended));
});

/** A process in a user namespace of its own, in which it is what unshare(1)'s option says: root, or who it was. */
async function hold(unprivileged: boolean, option = "-r"): Promise<Held> {
  const held = ["unshare", "-U", option, "sh", "-c", "echo $$; exec sleep 1000"];
  const running = launch(held, { unprivileged });
  const pid = Number(await running.line(/^\d+$/));
  const it = { running, pid, name: readlinkSync(`/proc/${pid}/ns/user`) };
  all.push(it);
  return it;
}

const words = (user: string | number, command: string, options: string[] = [], pre = "-"): string[] => [
  ...[ns, "--userns", `${user}`, ...options, pre, root, "/bin/sh", "--", "-c", command],
];
const SELF = "readlink /proc/self/ns/user; id -u; id -g; tr -s ' ' </proc/self/uid_map";

describe.each(callers)("%s", (_, unprivileged) => {
  const own = unprivileged ? ordinary.uid : (process.getuid?.() ?? 0);
  const start = (...args: Parameters<typeof words>) => runCommand(words(...args), { unprivileged });

  test("by process id and by path: the namespace is that one, with its map", async () => {
    const { pid, name } = await hold(unprivileged);
    for (const user of [pid, `/proc/${pid}/ns/user`])
      expect(await start(user, SELF)).toMatchObject({
        status: 0,
        stdout: `${name}\n0\n0\n 0 ${own} 1\n`,
        stderr: "",
      });
  });

  test("all other namespaces are its own, and belong to that one", async () => {
    const { pid } = await hold(unprivileged);
    const command = `echo $$; hostname; ls /proc/sys/net/ipv4/conf | tr '\\n' ' '; touch /tmp/x 2>/dev/null || echo ro
      mount -t tmpfs none /mnt && umount /mnt && hostname other && hostname`;
    const ran = await start(pid, command, ["-n", "--read-only", "--hostname", "box"]);
    expect(ran).toMatchObject({
      status: 0,
      stdout: "1\nbox\nall default lo ro\nother\n",
      stderr: "",
    });
  });

  test("it is ns's child: signals, its status, also from the waiting program", async () => {
    const { pid } = await hold(unprivileged);
    const running = launch(
      words(pid, 'trap "exit 6" TERM; echo ready; sleep 1000 & wait', ["--hostname=b"]),
      {
        unprivileged,
      },
    );
    await running.line(/ready/);
    // a run becomes the waiting program when it takes long
    await until("ns waits", () => readlinkSync(`/proc/${running.pid}/exe`).includes("memfd"), 3000);
    const children = () => readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, "utf8").trim();
    // init and the watcher, which is not the first one any more
    await until("two children", () => children().split(" ").length === 2, 3000);
    running.kill("SIGTERM");
    expect((await running.ended).status).toBe(6);
    expect((await start(pid, "kill -KILL $$; exit 4", ["--reaper"])).status).toBe(137);
  });

  test("SIGKILL of ns ends it, even if it has switched its parent-death signal off", async () => {
    const { pid } = await hold(unprivileged);
    const running = launch(words(pid, "echo ready; sleep 1000 & exec setpriv --pdeathsig clear sleep 1000"), {
      unprivileged,
    });
    await running.line(/ready/);
    running.kill("SIGKILL");
    expect((await running.ended).signal).toBe("SIGKILL");
  });

  test("SIGKILL of ns at its steps leaves nothing", async () => {
    const { pid } = await hold(unprivileged);
    const line = words(pid, "exit 0", ["-v", "-n"]);
    const { stderr } = await runCommand(line, { unprivileged });
    const last = stderr.split("\n").length - 1;
    expect(last).toBeGreaterThan(20);
    for (let step = 0; step < last; step += 3) {
      const running = launch(line, { unprivileged });
      let over = false;
      const ended = running.ended.then(() => {
        over = true;
      });
      await until(`line ${step}`, () => over || running.stderr().split("\n").length - 1 > step);
      running.kill("SIGKILL");
      await ended;
      await until("no process is left", () => processesLeft().length === 0);
      // until the watcher is there nobody can remove the cgroup that SIGKILL leaves: then the next start does
      if (cgroupsLeft().length > 0) await runCommand(line, { unprivileged });
      await expectNothingLeft();
    }
  }, 60_000);

  test("PRE sees the namespace; when it fails nothing is left", async () => {
    const { pid, name } = await hold(unprivileged);
    const pre = script("see-user", "#!/bin/sh\nreadlink /proc/$1/ns/user; echo $CLONE_NEWUSER; exit 3\n");
    const ran = await start(pid, "true", [], pre);
    expect(ran).toMatchObject({ status: 125, stdout: `${name}\n1\n` });
  });

  test("--as: ids that the namespace has", async () => {
    const { pid } = await hold(unprivileged);
    expect((await start(pid, "id -u", ["--as", "0:0"])).stdout).toBe("0\n");
    expect(await start(pid, "id -u", ["--as", "5:5"])).toMatchObject({
      status: 125,
      stderr: "ns: --as: uid 5 has no uid outside\nnote: map it: --map=auto, or --map-uid 5:OUT:1\n",
    });
  });

  test("a failing init: 127, and a missing one is told", async () => {
    const { pid } = await hold(unprivileged);
    const ran = await runCommand([ns, "--userns", `${pid}`, "-", root, "/not/there"], { unprivileged });
    expect(ran.status).toBe(127);
  });

  test("--dry-run shows it", async () => {
    const { pid } = await hold(unprivileged);
    const ran = await start(pid, "true", ["--dry-run"]);
    expect(ran.stdout).toContain(`ns    open("/proc/${pid}/ns/user") = userns\n`);
    expect(ran.stdout).toMatch(
      /setns\(userns, CLONE_NEWUSER\)\n.*clone\(CLONE_VM\|CLONE_PARENT\|CLONE_NEWNS/,
    );
    expect(ran.stdout).not.toContain("CLONE_NEWUSER|");
    expect(ran.stdout).not.toContain("_map");
  });

  test("what is no user namespace, or ns's own", async () => {
    for (const [user, why] of [
      ["/proc/self/ns/net", "/proc/self/ns/net is not a user namespace"],
      ["/proc/self/ns/user", "/proc/self/ns/user is the user namespace that ns is in already"],
      ["./missing", "cannot join the user namespace ./missing: no such file or directory"],
      ["/proc/self/status", "/proc/self/status is not a user namespace"],
    ])
      expect(await start(user!, "true")).toMatchObject({ status: 125, stdout: "", stderr: `ns: ${why}\n` });
  });

  test.each([
    ["box", "--userns: 'box' is no PATH or PID of a user namespace"],
    ["0", "--userns: '0' is no PATH or PID of a user namespace"],
    ["", "--userns needs a value: PATH|PID"],
  ])("'%s' is a usage error", async (user, why) => {
    const ran = await runCommand([ns, `--userns=${user}`, "-", root, "/bin/true"], { unprivileged });
    expect(ran.status).toBe(2);
    expect(ran.stderr).toStartWith(`ns: ${why}`);
  });

  test.each([
    [["-u"]],
    [["--map=keep"]],
    [["--map-uid", "0:1:1"]],
    [["--map-gid", "0:1:1"]],
    [["--idmap-root"]],
  ])("excludes %p", async (options) => {
    const ran = await start(1, "true", options);
    expect(ran.status).toBe(2);
    expect(ran.stderr).toMatch(/exclude each other/);
  });

  test("UID and GID have no place", async () => {
    const ran = await runCommand([ns, "--userns=1", "-", root, "/bin/true", "1", "1"], { unprivileged });
    expect(ran.status).toBe(2);
  });

  test("on a terminal, which is the caller's again afterwards", async () => {
    const { pid } = await hold(unprivileged);
    const line = words(pid, "trap 'echo got; exit 9' INT; echo ready; while :; do sleep 1000 & wait; done");
    const terminal = onTerminal(unprivileged ? asOrdinary(line) : line);
    await terminal.shows(/ready/);
    terminal.type("\x03");
    await terminal.shows(/got/);
    expect(await terminal.ended).toBe(9);
  });
});

test("an ordinary user's namespace without a root needs --as", async () => {
  const { pid, name } = await hold(true, "-c");
  const how = { unprivileged: true };
  expect(await runCommand(words(pid, "true"), how)).toMatchObject({
    status: 125,
    stderr:
      "ns: the user namespace has no uid 0 for init to be\nnote: say with --as what it is to be: --as UID:GID\n",
  });
  const as = ["--as", `${ordinary.uid}:${ordinary.gid}`];
  const ran = await runCommand(words(pid, SELF, as), how);
  const { uid, gid } = ordinary;
  expect(ran).toMatchObject({ status: 0, stdout: `${name}\n${uid}\n${gid}\n ${uid} ${uid} 1\n` });
});

describe("whose it is", () => {
  rootTest(
    "a file that it is bound to, when no process is in it any more; root's, with a memory limit",
    async () => {
      const { pid, name } = await hold(false);
      const file = join(folder, "bound");
      writeFileSync(file, "");
      const text = `mount --bind /proc/${pid}/ns/user ${file}; kill -KILL ${pid}; exec "$@"`;
      const ran = await runCommand([
        "unshare",
        "-m",
        "sh",
        "-ec",
        text,
        "sh",
        ...words(file, SELF, ["-m", "64M"]),
      ]);
      expect(ran).toMatchObject({ status: 0, stdout: `${name}\n0\n0\n 0 0 1\n`, stderr: "" });
    },
  );

  rootTest("root may join anybody's, and is there what its owner is", async () => {
    const { pid, name } = await hold(true);
    const ran = await runCommand(words(pid, `${SELF}; cat /proc/self/setgroups`));
    expect(ran).toMatchObject({
      status: 0,
      stdout: `${name}\n0\n0\n 0 ${ordinary.uid} 1\ndeny\n`,
      stderr: "",
    });
  });

  rootTest("nobody may join root's", async () => {
    const { pid } = await hold(false);
    expect(await runCommand(words(pid, "true"), { unprivileged: true })).toMatchObject({
      status: 125,
      stderr: `ns: cannot join the user namespace /proc/${pid}/ns/user: permission denied\nnote: a process's may be opened by root and by its own user\n`,
    });
    const file = join(folder, "roots");
    writeFileSync(file, "");
    const text = `mount --bind /proc/${pid}/ns/user ${file}; exec "$@"`;
    const ran = await runCommand([
      "unshare",
      "-m",
      "sh",
      "-ec",
      text,
      "sh",
      ...asOrdinary(words(file, "true")),
    ]);
    expect(ran).toMatchObject({
      status: 125,
      stderr: `ns: cannot join the user namespace ${file}: operation not permitted\nnote: only root and its owner, uid 0, may\n`,
    });
  });
});

/** On cgroup v1 a user may move only processes of his own. */
const memory = "/sys/fs/cgroup/memory";
const own = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
rootTest("-m on cgroup v1 with a map whose root is not the user himself says what to do", async () => {
  if (own === undefined) return;
  const given = `${memory}${own === "/" ? "" : own}/ns`;
  const subids = join(folder, "granted");
  writeFileSync(subids, `${ordinary.uid}:200000:1000\n`);
  mkdirSync(given);
  try {
    chownSync(given, ordinary.uid, ordinary.gid);
    const limited = (options: string[]) => {
      const text = `for f in /etc/subuid /etc/subgid; do mount --bind ${subids} $f; done; exec "$@"`;
      const line = asOrdinary([ns, ...options, "-m", "64M", "-", root, "/usr/bin/id", "--", "-u"]);
      return runCommand(["unshare", "-m", "sh", "-ec", text, "sh", ...line]);
    };
    expect(await limited(["--map-uid", "0:200000:10"])).toMatchObject({
      status: 125,
      stdout: "",
      stderr:
        "ns: cannot join the cgroup: permission denied\nnote: with cgroup v1 a user may limit only processes with his own uid: root inside has to be himself, as with --map=auto\n",
    });
    expect(await limited(["--map=auto", "--as", "3:3"])).toMatchObject({
      status: 0,
      stdout: "3\n",
      stderr: "",
    });
  } finally {
    rmdirSync(given);
  }
});
