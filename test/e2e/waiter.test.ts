/** The small program that ns becomes while init runs (docs/performance.md), and what happens where it may not be made. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { pss } from "../../scripts/bench/waiting.ts";
import {
  ids,
  inside,
  isRoot,
  launch,
  leavesNothing,
  ns,
  ordinary,
  processesLeft,
  type Running,
  root,
  rootTest,
  runCommand,
  until,
  user,
} from "../harness.ts";

leavesNothing();

const words = (command: string, options: string[] = []): string[] => {
  const own = options.includes("-u") ? [`${ordinary.uid}`, `${ordinary.gid}`] : ids;
  return [ns, ...user, ...options, "-", root, "/bin/sh", ...own, "--", "-c", command];
};

const isWaiter = (pid: number): boolean => {
  try {
    return readlinkSync(`/proc/${pid}/exe`).startsWith("/memfd:ns");
  } catch {
    return false;
  }
};

/** The waiting program and its watcher, once they are there. */
async function waiters(running: Running): Promise<number[]> {
  await running.line(/^ready/);
  await until("ns has become the waiting program", () => isWaiter(running.pid));
  let found: number[] = [];
  await until("it has a watcher", () => {
    const children = readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, "utf8")
      .trim()
      .split(" ");
    found = children.map(Number).filter(isWaiter);
    return found.length === 1 && children.length === 2;
  });
  return [running.pid, ...found];
}

const options = isRoot
  ? [[], ["-v"], ["-n"], ["-m", "64M"], ["-u"], ["-v", "-n", "-u", "-m", "64M"]]
  : [[], ["-v"], ["-n"]];

describe.each(options.map((list) => [list.join(" ") || "no options", list] as const))(
  "with %s",
  (_, list) => {
    test("ns and its watcher together take at most 48 kB while they wait", async () => {
      const running = launch(words("echo ready; exec sleep 1000", [...list]));
      const pids = await waiters(running);
      expect(pss(pids)).toBeLessThanOrEqual(48);
      running.kill("SIGTERM");
      running.kill("SIGKILL");
      await running.ended;
    });

    test("the end is what it always is", async () => {
      expect((await inside("exit 42", [...list])).status).toBe(42);
      const killed = launch(words("echo ready; exec sleep 1000", [...list]));
      await waiters(killed);
      for (let i = 0; i < 3; i++) {
        killed.kill("SIGTERM");
        await until("the signal is taken", () => pending(killed.pid) === 0n);
      }
      expect((await killed.ended).status).toBe(137);
    });
  },
);

/** Signals sent to a process that it has not taken yet. */
function pending(pid: number): bigint {
  try {
    return BigInt(`0x${/^ShdPnd:\t(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]}`);
  } catch {
    return 0n;
  }
}

test("ps still shows the command line, under the name ns", async () => {
  const running = launch(words("echo ready; exec sleep 1000"));
  await waiters(running);
  const title = readFileSync(`/proc/${running.pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  expect(title).toEqual(["ns", ...words("echo ready; exec sleep 1000").slice(1)]);
  expect(readFileSync(`/proc/${running.pid}/comm`, "utf8")).toBe("ns\n");
  running.kill("SIGKILL");
  await running.ended;
});

test("it holds nothing but its pipe, the pidfd, ns for the end and standard input, output and error", async () => {
  // with a cgroup to remove it holds that one's lock too
  const running = launch(words("echo ready; exec sleep 1000", ["--allow-device=all"]));
  await waiters(running);
  const held = readdirSync(`/proc/${running.pid}/fd`)
    .filter((fd) => Number(fd) > 2)
    .map((fd) => readlinkSync(`/proc/${running.pid}/fd/${fd}`).replace(/\d+/, "N"))
    // the lock on its cgroup, where the host has a place for one that keeps devices away
    .filter((refers) => !refers.startsWith("/sys/fs/cgroup/"));
  // the pipe that tells the watcher of its death, both ends; one that brought signals over
  expect(held.sort()).toEqual([
    ns.replace(/\d+/, "N"),
    "anon_inode:[pidfd]",
    "pipe:[N]",
    "pipe:[N]",
    "pipe:[N]",
  ]);
  running.kill("SIGKILL");
  await running.ended;
});

test("no signal is lost on the way: sent from the first moment init runs, each arrives", async () => {
  for (let i = 0; i < 25; i++) {
    const running = launch(words("trap 'exit 9' TERM; echo ready; while :; do sleep 1000 & wait; done"));
    await running.line(/^ready/);
    running.kill("SIGTERM");
    expect((await running.ended).status).toBe(9);
  }
}, 30_000);

describe("where nothing may be executed from memory", () => {
  // the switch belongs to the pid namespace, so that only this test sees it (vm.memfd_noexec, Linux 6.3)
  const forbid = 'mount -t proc proc /proc; echo 2 > /proc/sys/vm/memfd_noexec || exit 99; "$@"';
  const where = (line: string[]): string[] => ["unshare", "-mpf", "sh", "-c", forbid, "sh", ...line];
  rootTest("ns waits itself, with the same outcome", async () => {
    const ran = await runCommand(where(words("exit 42", ["-m", "64M"])));
    if (ran.status === 99) return console.log("not shown: this kernel has no vm.memfd_noexec");
    expect(ran).toMatchObject({ status: 42, stderr: "" });
  });
  rootTest("signals reach init there too", async () => {
    const trap = "trap 'exit 9' TERM; echo ready; while :; do sleep 1000 & wait; done";
    const running = launch(where(words(trap)));
    await running.line(/^ready/);
    const all = processesLeft().filter((text) => text.includes("trap 'exit 9' TERM"));
    const pid = all
      .map((text) => Number.parseInt(text, 10))
      .find((candidate) => readlinkSync(`/proc/${candidate}/exe`) === ns);
    process.kill(pid!, "SIGTERM");
    expect((await running.ended).status).toBe(9);
  });
});
