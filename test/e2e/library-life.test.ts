/** Many containers of one program: aborted, all at once, thousands in turn, and what is left when the program dies. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { start, type Wanted } from "../../src/index.ts";
import {
  cgroupsLeft,
  folder,
  isRoot,
  launch,
  leavesNothing,
  ordinary,
  processesLeft,
  project,
  root,
  rootTest,
  script,
  until,
} from "../harness.ts";

leavesNothing();

const who = isRoot ? {} : { user: ordinary };
const limits = isRoot ? { limits: { memory: "64M" } } : {};
const wanted = (command: string, more: Partial<Wanted> = {}): Wanted => ({
  ...{ root, init: "/bin/sh", args: ["-c", command] },
  ...{ ...who, ...limits, ...more },
});
const descriptors = (): number => readdirSync("/proc/self/fd").length;

describe("an abort", () => {
  const reason = new Error("no longer wanted");
  const aborted = async (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => "started",
      (error) => error,
    );

  test("before the start: nothing is started", async () => {
    expect(await aborted(start(wanted("true"), { signal: AbortSignal.abort(reason) }))).toBe(reason);
  });
  test("right after the call", async () => {
    const stop = new AbortController();
    const starting = aborted(start(wanted("sleep 1000"), { signal: stop.signal }));
    stop.abort(reason);
    expect(await starting).toBe(reason);
  });
  test("after any number of turns of the event loop", async () => {
    for (let turns = 0; turns < 40; turns++) {
      const stop = new AbortController();
      const starting = start(wanted("sleep 1000", { user: ordinary }), { signal: stop.signal });
      const told = aborted(starting);
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
      stop.abort(reason);
      const result = await told;
      if (result === "started") expect((await (await starting).exited).status).toBe(137);
      else expect(result).toBe(reason);
    }
  });
  test("during the pre script, which is killed with what it has started", async () => {
    const says = join(folder, "pre-runs");
    const pre = script("lib-hangs", `#!/bin/sh\nsleep 1000 &\necho $! >${says}\nwait\n`);
    const stop = new AbortController();
    const starting = aborted(start(wanted("true", { pre }), { signal: stop.signal }));
    await until("the pre script runs", () => existsSync(says) && /\d\n/.test(readFileSync(says, "utf8")));
    stop.abort(reason);
    expect(await starting).toBe(reason);
    const sleep = Number(readFileSync(says, "utf8"));
    await until("its sleep is gone", () => !existsSync(`/proc/${sleep}`) || /Z/.test(stateOf(sleep)));
    rmSync(says);
  });
  test("while init runs", async () => {
    const stop = new AbortController();
    const container = await start(wanted("sleep 1000"), { signal: stop.signal });
    stop.abort(reason);
    expect(await container.exited).toEqual({ status: 137, cause: null });
    expect(container.kill()).toBe(false);
  });
  test("by leaving its scope", async () => {
    let exited: Promise<unknown>;
    {
      await using container = await start(wanted("sleep 1000"), { stdin: "pipe", stdout: "pipe" });
      exited = container.exited;
    }
    expect(await exited).toEqual({ status: 137, cause: null });
  });
});

const stateOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!;
  } catch {
    return "Z";
  }
};

test("signals reach init", async () => {
  const container = await start(wanted("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"), {
    stdout: "pipe",
  });
  await container.stdout!.getReader().read();
  expect(container.kill("SIGTERM")).toBe(true);
  expect((await container.exited).status).toBe(7);
});

test("the event loop goes on while a pre script runs", async () => {
  const fifo = join(folder, "fifo");
  Bun.spawnSync(["mkfifo", fifo]);
  const pre = script("lib-waits", `#!/bin/sh\nread -r line <${fifo}\n[ "$line" = go ]\n`);
  const starting = start(wanted("exit 4", { pre }));
  // only this program, going on meanwhile, can let the script end
  await Bun.spawn(["sh", "-c", `echo go >${fifo}`]).exited;
  expect((await (await starting).exited).status).toBe(4);
});

test("300 at once, each with its own cgroup", async () => {
  const containers = await Promise.all(
    Array.from({ length: 300 }, () => start(wanted("read x; exit 5"), { stdin: "pipe" })),
  );
  const cgroups = new Set(containers.map(({ pid }) => readFileSync(`/proc/${pid}/cgroup`, "utf8")));
  expect(cgroups.size).toBe(isRoot ? 300 : 1);
  await Promise.all(containers.map(({ stdin }) => stdin!.close()));
  const outcomes = await Promise.all(containers.map(({ exited }) => exited));
  expect(outcomes.every(({ status }) => status === 5)).toBe(true);
}, 30_000);

test("10,000 in turn cost neither memory nor descriptors", async () => {
  const many = async (count: number): Promise<void> => {
    let left = count;
    const one = async (): Promise<void> => {
      while (left-- > 0) {
        const container = await start({ root, init: "/bin/true", ...who });
        if ((await container.exited).status !== 0) throw new Error("it failed");
      }
    };
    await Promise.all(Array.from({ length: 16 }, one));
  };
  const memory = (): number => {
    Bun.gc(true);
    return process.memoryUsage.rss();
  };
  await many(2000);
  const before = { memory: memory(), descriptors: descriptors() };
  await many(8000);
  expect(descriptors()).toBeLessThanOrEqual(before.descriptors);
  // a kilobyte a start would be 8 MB
  expect(memory() - before.memory).toBeLessThan(8 << 20);
}, 60_000);

/** A program of its own that runs so many containers until it is told to end. */
const host = (body: string): string[] => [
  process.execPath,
  "-e",
  `const { start } = await import(${JSON.stringify(join(project, "src/index.ts"))});
   const spec = ${JSON.stringify({ root, init: "/bin/sleep", args: ["1000"], ...who, ...limits })};
   ${body}`,
];

describe("when the program", () => {
  const hundred = "await Promise.all(Array.from({ length: 100 }, () => start(spec)));";
  const sleeping = (): number => processesLeft().filter((text) => /sleep 1000/.test(text)).length;

  test.each<[NodeJS.Signals]>([["SIGKILL"], ["SIGTERM"]])(
    "is ended by %s, its hundred containers end",
    async (signal) => {
      const program = launch(host(`${hundred} console.log("ready"); setInterval(() => {}, 1000);`));
      await program.line(/ready/);
      expect(sleeping()).toBe(100);
      program.kill(signal);
      await program.ended;
    },
    30_000,
  );
  test("ends by itself with containers running, they end", async () => {
    const program = launch(host(`${hundred} console.log("ready"); process.exit(6);`));
    expect((await program.ended).status).toBe(6);
  }, 30_000);
  test("is killed with its process group, they end", async () => {
    const program = launch([
      "setsid",
      ...host(`${hundred} console.log("ready"); setInterval(() => {}, 1000);`),
    ]);
    await program.line(/ready/);
    process.kill(-program.pid, "SIGKILL");
    await program.ended;
  }, 30_000);
  test("is killed in the midst of starting, they end", async () => {
    for (let i = 0; i < 5; i++) {
      const program = launch(
        host(
          `const all = ${"Array.from({ length: 100 }, () => start(spec))"}; await all[${i * 20}]; process.kill(process.pid, "SIGKILL");`,
        ),
      );
      expect((await program.ended).signal).toBe("SIGKILL");
      await until("no container is left", () => sleeping() === 0);
    }
  }, 30_000);
  rootTest("has an init that hides from its parent's death, it ends all the same", async () => {
    const hiding = {
      root,
      init: "/bin/su",
      args: ["-s", "/bin/sh", "nobody", "-c", "sleep 1000"],
      ...limits,
    };
    const program = launch(
      host(`await start(${JSON.stringify(hiding)}); console.log("ready"); setInterval(() => {}, 1000);`),
    );
    await program.line(/ready/);
    await until("it sleeps", () => sleeping() > 0);
    program.kill("SIGKILL");
    await program.ended;
  });
  test("ends a thread, the thread's containers end and the others stay", async () => {
    const worker = script(
      "worker.ts",
      `const { start } = await import(${JSON.stringify(join(project, "src/index.ts"))});
       await start(${JSON.stringify({ root, init: "/bin/sleep", args: ["1000"], ...who, ...limits })});
       postMessage("runs");`,
    );
    const program = launch(
      host(`await start(spec);
        const worker = new Worker(${JSON.stringify(worker)});
        process.on("SIGUSR2", () => worker.terminate());
        worker.onmessage = () => console.log("both");`),
    );
    await program.line(/both/);
    expect(sleeping()).toBe(2);
    program.kill("SIGUSR2");
    await until("one is left", () => sleeping() === 1);
    program.kill("SIGKILL");
    await program.ended;
  });
  test("has nothing running any more, it can end", async () => {
    // at once: with the keeper and its descriptors still there, which go only after a while
    const program = launch(
      host(`const { readdirSync } = await import("node:fs");
        const open = () => readdirSync("/proc/self/fd").length;
        const before = open();
        process.on("exit", () => console.log(open() > before));
        await (await start({ ...spec, args: ["0"] })).exited;`),
    );
    expect(await program.ended).toMatchObject({ status: 0, stdout: "true\n", stderr: "" });
  });
});

test("a keeper that somebody kills takes its containers along, and the program hears of it", async () => {
  const container = await start({ ...wanted("exec sleep 1000"), limits: {} });
  const keeper = Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${container.pid}/status`, "utf8"))![1]);
  process.kill(keeper, "SIGKILL");
  expect((await container.exited).status).toBe(137);
  expect((await (await start(wanted("exit 8"))).exited).status).toBe(8);
  expect(cgroupsLeft().length).toBeLessThanOrEqual(1);
});
