/** Exit statuses, signals, and the end of ns itself at any moment. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import {
  asOrdinary,
  cgroupsLeft,
  expectNothingLeft,
  ids,
  inside,
  isRoot,
  launch,
  leavesNothing,
  ns,
  ordinary,
  processesLeft,
  root,
  runCommand,
  script,
  until,
  user,
} from "../harness.ts";

leavesNothing();

const words = (command: string, options: string[] = [], pre = "-"): string[] => [
  ns,
  ...user,
  ...options,
  pre,
  root,
  "/bin/sh",
  ...ids,
  "--",
  "-c",
  command,
];

describe("exit status", () => {
  test.each([0, 1, 2, 7, 125, 126, 127, 137, 255])("init's own %d", async (status) => {
    expect(await inside(`exit ${status}`)).toMatchObject({ status, stdout: "", stderr: "" });
  });
  test("init killed from outside", async () => {
    const running = launch(words("echo ready; exec sleep 1000", ["-v"]));
    const line = await running.line(/^ns: child: process/);
    await running.line(/^ready/);
    await until("sleep runs", () => processesLeft().some((text) => /sleep 1000/.test(text)));
    process.kill(Number(/\d+$/.exec(line)![0]), "SIGKILL");
    const ran = await running.ended;
    expect(ran.status).toBe(137);
    expect(ran.stderr).toContain("ns: exit: killed by SIGKILL\n");
  });
  test("a process left by init goes with it", async () => {
    expect((await inside("sleep 1000 & sleep 1000 & exit 3")).status).toBe(3);
  });
});

describe("signals", () => {
  test.each<[NodeJS.Signals]>([
    ["SIGTERM"],
    ["SIGINT"],
    ["SIGHUP"],
    ["SIGQUIT"],
    ["SIGUSR1"],
    ["SIGUSR2"],
    ["SIGWINCH"],
    ["SIGCONT"],
  ])("%s reaches init, which may do with it what it wants", async (signal) => {
    const name = signal.slice(3);
    const running = launch(
      words(`trap 'echo got; exit 9' ${name}; echo ready; while :; do sleep 1000 & wait; done`),
    );
    await running.line(/^ready/);
    running.kill(signal);
    expect(await running.ended).toMatchObject({ status: 9, stdout: "ready\ngot\n", stderr: "" });
  });

  test.each<[NodeJS.Signals]>([["SIGTERM"], ["SIGINT"]])(
    "init ignores %s: the third one kills it",
    async (signal) => {
      const name = signal.slice(3);
      const text = `n=0; trap 'n=$((n+1)); echo heard $n' ${name}; echo ready; while :; do sleep 1000 & wait; done`;
      const running = launch(words(text));
      await running.line(/^ready/);
      running.kill(signal);
      await running.line(/heard 1/);
      running.kill(signal);
      await running.line(/heard 2/);
      running.kill(signal);
      expect((await running.ended).status).toBe(137);
    },
  );

  test("a signal that the caller had ignored stays the caller's business", async () => {
    const running = launch(
      ["sh", "-c", `trap '' HUP; exec "$@"`, "sh", ...words("echo ready; cat", ["-v"])],
      {
        stdin: "",
      },
    );
    await running.line(/^ready/);
    running.kill("SIGHUP");
    expect((await running.ended).status).toBe(0);
  });

  test("ten thousand signals", async () => {
    const text = "trap : USR1; trap 'exit 4' TERM; echo ready; while :; do sleep 1000 & wait; done";
    const running = launch(words(text));
    await running.line(/^ready/);
    for (let i = 0; i < 10_000; i++) process.kill(running.pid, "SIGUSR1");
    running.kill("SIGTERM");
    expect((await running.ended).status).toBe(4);
  });
});

/** What -v says up to the point where init runs: each line is a moment to be killed at. */
async function moments(line: string[]): Promise<string[]> {
  const ran = await runCommand(line);
  return ran.stderr.trimEnd().split("\n");
}

describe("SIGKILL of ns leaves nothing", () => {
  const pre = script("pre-slow", "#!/bin/sh\necho pre\nexec sleep 0.01\n");
  const options = isRoot ? ["-v", "-n", "-m", "64M"] : ["-v", "-n"];
  const line = words("echo ready; exit 0", options, pre);

  test("at each of its steps", async () => {
    const all = await moments(line);
    expect(all.length).toBeGreaterThan(20);
    for (let i = 0; i < all.length; i++) {
      const running = launch(line);
      const lines = () => running.stderr().split("\n").length - 1;
      await until(`line ${i}`, () => lines() > i || processEnded(running.pid));
      running.kill("SIGKILL");
      await running.ended;
      await until("no process is left", () => processesLeft().length === 0);
      // until the watcher is there nobody can remove what SIGKILL leaves: then the next start does
      const watched = running.stderr().includes("ns: child: process");
      if (!watched && cgroupsLeft().length > 0) await runCommand(words("exit 0", options));
      try {
        await expectNothingLeft();
      } catch (error) {
        throw new Error(`killed after '${running.stderr().trimEnd().split("\n").at(-1)}': ${error}`);
      }
    }
  }, 120_000);

  test("while the pre script runs, with what it started in its process group", async () => {
    const slow = script("pre-hangs", "#!/bin/sh\necho waiting\nsleep 1234567\n");
    const running = launch(words("exit 0", options, slow));
    await running.line(/waiting/);
    running.kill("SIGKILL");
    await running.ended;
    await until("the pre script is gone", () => !commandLines().some((text) => /sleep 1234567/.test(text)));
  });

  test("while init runs", async () => {
    const running = launch(words("echo ready; sleep 1000 & exec sleep 1000", options));
    await running.line(/^ready/);
    running.kill("SIGKILL");
    expect((await running.ended).signal).toBe("SIGKILL");
  });

  test("and its process group with it", async () => {
    const running = launch([
      "setsid",
      "sh",
      "-c",
      '"$@"; true',
      "sh",
      ...words("echo ready; exec sleep 1000", options),
    ]);
    await running.line(/^ready/);
    process.kill(-running.pid, "SIGKILL");
    await running.ended;
  });

  test("even when init has switched its parent-death signal off", async () => {
    // prctl(PR_SET_PDEATHSIG, 0) by way of changing ids, which clears it (prctl(2))
    const clear = isRoot
      ? words("echo ready; exec su -s /bin/sh nobody -c 'sleep 1000'", ["-v"])
      : words("echo ready; exec sleep 1000", ["-v"]);
    const running = launch(clear);
    await running.line(/^ready/);
    await until("init sleeps", () => processesLeft().some((text) => /sleep 1000/.test(text)));
    running.kill("SIGKILL");
    await running.ended;
  });

  test("of an ordinary user's", async () => {
    const own = [ns, "-u", "-n", "-", root, "/bin/sh", `${ordinary.uid}`, `${ordinary.gid}`];
    const running = launch(asOrdinary([...own, "--", "-c", "echo ready; exec sleep 1000"]));
    await running.line(/^ready/);
    running.kill("SIGKILL");
    await running.ended;
  });
});

test("SIGTERM during any step ends in nothing left and an honest status", async () => {
  const line = words("exit 5", isRoot ? ["-v", "-m", "64M"] : ["-v"]);
  const all = await moments(line);
  for (let i = 0; i < all.length; i += 5) {
    const running = launch(line);
    await until(`line ${i}`, () => running.stderr().split("\n").length - 1 > i || processEnded(running.pid));
    running.kill("SIGTERM");
    // either it came before init was started, or init was on its way and ended by itself
    expect([143, 5]).toContain((await running.ended).status!);
    expect(cgroupsLeft()).toEqual([]);
  }
}, 60_000);

function processEnded(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return true;
  }
}

function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return "";
      }
    });
}

describe("a caller with odd habits", () => {
  test("signals that the caller had blocked are taken all the same", async () => {
    const pre = script("pre-short", "#!/bin/sh\nexit 0\n");
    const blocked = ["env", "--block-signal=CHLD,TERM", ...words("exit 6", [], pre)];
    expect((await runCommand(blocked)).status).toBe(6);
    const hanging = script("pre-waits", "#!/bin/sh\nsleep 1000 &\necho waiting\nwait\n");
    const running = launch(["env", "--block-signal=CHLD,TERM", ...words("exit 6", [], hanging)]);
    await running.line(/waiting/);
    running.kill("SIGTERM");
    expect((await running.ended).status).toBe(143);
  });

  test("very few descriptors: an error that says so, never a wrong one", async () => {
    for (let limit = 5; limit < 24; limit++) {
      const line = words("exit 6", isRoot ? ["-m", "64M"] : []);
      const ran = await runCommand(["sh", "-c", `ulimit -n ${limit}; exec "$@"`, "sh", ...line]);
      if (ran.status === 6) continue;
      expect(ran.stderr).toContain("too many open files");
      expect(ran.status).toBe(125);
    }
  });
});
