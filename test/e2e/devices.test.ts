/**
 * Devices of the host: no node that a container makes, and none that its root brings, opens one of them. On cgroup v1 or
 * v2, whichever is here; test/vm/devices.test.ts has v2 with a disk. Here the host's loop devices' control file stands for its disk.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { start } from "../../src/index.ts";
import {
  callers,
  expectNothingLeft,
  folder,
  isRoot,
  launch,
  line,
  makeSmallRoot,
  type Running,
  rootTest,
  run,
  runCommand,
  until,
} from "../harness.ts";

const held: Running[] = [];
afterEach(async () => {
  for (const running of held.splice(0)) {
    running.kill("SIGKILL");
    await running.ended;
  }
  await expectNothingLeft();
});

const where = makeSmallRoot("devices", ["sh", "true", "cat", "ls", "mknod", "rm", "mkdir", "mount", "sleep"]);
const make = (path: string, ...words: string[]) => Bun.spawnSync(["mknod", "-m", "666", path, ...words]);
if (isRoot) {
  make(join(where, "loops"), "c", "10", "237");
  make(join(where, "null"), "c", "1", "3");
}
/** Opens a node of its own, one of the root's, and a harmless one. */
const PROBE = `
mknod /tmp/own c 10 237 && echo made
(true </tmp/own) && echo own; rm -f /tmp/own
(true </loops) && echo root
(true </null) && echo null
true`;

const devicesV1 = /^\d+:([^:]*,)?devices(,[^:]*)?:(.*)$/m;
/** The hierarchy's directory of a process, on v1. */
const directoryOf = (pid: number | string): string =>
  `/sys/fs/cgroup/devices${devicesV1.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))![3]}`;
const hasV1 =
  devicesV1.test(readFileSync("/proc/self/cgroup", "utf8")) && existsSync("/sys/fs/cgroup/devices");
const v1Test = (name: string, body: () => Promise<void>): void => {
  const why = !isRoot ? "needs root" : hasV1 ? null : "no devices hierarchy of cgroup v1 here";
  test.skipIf(why !== null)(why === null ? name : `${name} [${why}]`, body);
};

const probe = (options: string[], more = PROBE) =>
  runCommand(line(false, ["/bin/sh", "-c", more], { options, root: where }));
const seen = async (options: string[]): Promise<string> =>
  (await probe(options)).stdout.trim().split("\n").join(" ");

describe("as root", () => {
  rootTest("with --allow-device=all both open, so that this test could fail", async () => {
    expect(await seen(["--allow-device=all"])).toBe("made own root null");
  });
  rootTest("profile init: nodes can be made, and not opened", async () => {
    expect(await seen([])).toBe("made null");
  });
  rootTest("also with a limit, with --reaper, and in a cgroup with a name", async () => {
    expect(await seen(["-m", "64M", "--pids", "50"])).toBe("made null");
    expect(await seen(["--reaper"])).toBe("made null");
    expect(await seen(["--cgroup", "ns-devices-test"])).toBe("made null");
  });
  rootTest("profiles app and strict, and app with CAP_MKNOD", async () => {
    expect(await seen(["--profile=app"])).toBe("null");
    expect(await seen(["--profile=app", "--cap-add=MKNOD"])).toBe("made null");
    expect(await seen(["--profile=strict"])).toBe("null");
  });
  rootTest("what --allow-device names can be opened, by numbers, any minor, a file", async () => {
    expect(await seen(["--allow-device", "c:10:237:r"])).toBe("made own root null");
    expect(await seen(["--allow-device", "c:10:*"])).toBe("made own root null");
    expect(await seen(["--allow-device", "/dev/loop-control:r"])).toBe("made own root null");
    expect(await seen(["--allow-device", "c:10:237:w"])).toBe("made null");
    expect(await seen(["--allow-device", "b:10:237:r"])).toBe("made null");
  });
  rootTest("a device file that is bound with dev can be opened, as readable as it is bound", async () => {
    const bound = (flags: string, redirection: string) =>
      probe(["--bind", `/dev/loop-control:/log:${flags}`], `(true ${redirection}/log) 2>&1 && echo opened`);
    expect((await bound("ro,dev", "<")).stdout).toBe("opened\n");
    expect((await bound("ro", "<")).stdout).toContain("ermission denied");
  });
  rootTest("with --user no node can be made, and the root's does not open", async () => {
    const ran = await runCommand(line(true, ["/bin/sh", "-c", PROBE], { root: where }));
    expect(ran).toMatchObject({ status: 0, stdout: "null\n" });
  });
  rootTest("the pre script finds the container in its cgroup", async () => {
    const pre = join(folder, "pre-devices");
    await Bun.write(pre, "#!/bin/sh\ncat /proc/$1/cgroup\n");
    await runCommand(["chmod", "755", pre]);
    const ran = await runCommand(line(false, ["/bin/true"], { root: where, pre }));
    expect(ran.stdout).toMatch(/\/ns\/\d+-\w+\/inside$/m);
  });
  rootTest("a container of the library, and what is allowed in it", async () => {
    const of = async (devices: string[]) => {
      const wanted = { root: where, init: "/bin/sh", args: ["-c", PROBE], security: { devices } };
      const container = await start(wanted as never, { stdout: "pipe" });
      const text = await new Response(container.stdout!).text();
      await container.exited;
      return text.trim().split("\n").join(" ");
    };
    expect(await of([])).toBe("made null");
    expect(await of(["c:10:237:r"])).toBe("made own root null");
    expect(await of(["all"])).toBe("made own root null");
  });
});

describe("root inside cannot lift it", () => {
  v1Test("v1: not in the cgroup that it sees as its own, and it cannot leave that", async () => {
    const lift = `
mkdir -p /tmp/cg && mount -t cgroup -o devices none /tmp/cg || exit 9
(echo a >/tmp/cg/devices.allow) 2>&1; (echo c 10:237 r >/tmp/cg/devices.allow) 2>&1
echo $$ >/tmp/cg/tasks; mkdir /tmp/cg/deeper; (echo a >/tmp/cg/deeper/devices.allow) 2>&1; echo $$ >/tmp/cg/deeper/tasks
(true </loops) && echo opened
ls /tmp/cg/.. >/dev/null; (true </null) && echo null`;
    const ran = await probe([], lift);
    expect(ran.status).toBe(0);
    expect(ran.stdout.match(/Operation not permitted/g)?.length).toBe(3);
    expect(ran.stdout).toEndWith("null\n");
    expect(ran.stdout).not.toContain("opened");
  });
  rootTest("nor by a disk's file system: mount(8) may not open the device either", async () => {
    const ran = await probe([], "mknod /tmp/loop b 7 0; mount -t ext4 /tmp/loop /proc 2>&1; rm /tmp/loop");
    expect(ran.stdout).toContain("ermission denied");
  });
});

describe("the cgroup", () => {
  v1Test("is one in the hierarchy for devices alone, and holds the list", async () => {
    const running = launch(
      line(false, ["/bin/sh", "-c", "echo ready; exec sleep 1000"], { options: ["-v"] }),
    );
    held.push(running);
    await running.line(/^ready/);
    const pid = /child: process (\d+)/.exec(running.stderr())![1]!;
    const own = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
    const ours = readFileSync("/proc/self/cgroup", "utf8").split("\n");
    expect(own.filter((text) => !ours.includes(text))).toEqual([
      expect.stringMatching(/^\d+:devices:.*\/ns\/\d+-\w+\/inside$/),
    ]);
    expect(readFileSync(join(directoryOf(pid), "devices.list"), "utf8")).toBe(
      "c *:* m\nb *:* m\nc 1:3 rwm\nc 1:5 rwm\nc 1:7 rwm\nc 1:8 rwm\nc 1:9 rwm\nc 5:0 rwm\nc 5:1 rwm\nc 5:2 rwm\nc 136:* rwm\n",
    );
  });
  v1Test("is gone at once when ns is killed, also with cgroups that init has made in it", async () => {
    const nested =
      "mkdir -p /tmp/cg && mount -t cgroup -o devices none /tmp/cg && mkdir /tmp/cg/a /tmp/cg/a/b";
    expect((await probe([], nested)).status).toBe(0);
    await expectNothingLeft();
    const running = launch(line(false, ["/bin/sh", "-c", "echo ready; exec sleep 1000"], { root: where }));
    await running.line(/^ready/);
    running.kill("SIGKILL");
    await running.ended;
    await expectNothingLeft();
  });
  v1Test("of a run that was killed with its watcher goes with the next start", async () => {
    const init = [
      "/bin/sh",
      "-c",
      "mkdir -p /tmp/cg; mount -t cgroup -o devices none /tmp/cg && mkdir /tmp/cg/a; echo ready; exec sleep 1000",
    ];
    const running = launch(line(false, init, { root: where }));
    await running.line(/^ready/);
    running.kill("SIGKILL"); // the watcher cannot remove what init has made in it
    await running.ended;
    const parent = join(directoryOf("self"), "ns");
    await until("init is gone", () => left(parent).every((name) => tasks(parent, name) === ""));
    expect(left(parent).length).toBe(1);
    expect((await probe([], "true")).status).toBe(0);
    await expectNothingLeft();
  });
});
const left = (parent: string): string[] => readdirSync(parent).filter((name) => /^\d+-/.test(name));
const tasks = (parent: string, name: string): string =>
  existsSync(join(parent, name, "inside/a")) ? readFileSync(join(parent, name, "inside/tasks"), "utf8") : "";

describe.each(callers)("what cannot be had is an error, %s", (_, unprivileged) => {
  const how = { unprivileged };
  const start_ = (options: string[]) =>
    runCommand(line(unprivileged, ["/bin/true"], { options, root: where }), how);
  test("a file that is no device, and with --cgroup none", async () => {
    expect(await start_(["--cgroup=none", "--allow-device", "c:10:237"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--allow-device and --cgroup none exclude each other"),
    });
    if (unprivileged) return;
    expect(await start_(["--allow-device", "/bin"])).toMatchObject({
      status: 125,
      stderr: "ns: --allow-device: /bin is not a device\n",
    });
  });
  test.skipIf(!unprivileged)("a list from an ordinary user", async () => {
    expect(await start_(["--allow-device", "c:10:237"])).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/^ns: only root may restrict devices \(--allow-device\)\nnote: /),
    });
    expect((await start_(["--allow-device", "all"])).status).toBe(0);
  });
});

test.skipIf(!isRoot)("--dry-run shows it", async () => {
  const { stdout } = await run(["--dry-run", "--allow-device", "c:10:200", "-", where, "/bin/true"]);
  expect(stdout).toMatch(
    hasV1 ? /devices\.allow", each of .*"c 10:200 rw"\)/ : /BPF_PROG_TYPE_CGROUP_DEVICE/,
  );
});
