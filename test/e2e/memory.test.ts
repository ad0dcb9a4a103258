/** --memory on this host, where the controller is on cgroup v1. On v2: test/vm. Touches only <own cgroup>/ns. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  asOrdinary,
  expectNothingLeft,
  isRoot,
  launch,
  line,
  ordinary,
  type Running,
  root,
  runCommand,
  script,
} from "../harness.ts";

/** A process's cgroup in the memory hierarchy of v1, as the host sees it; null when there is none. */
const memoryPath = (pid: number | string): string | null =>
  /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? null;
const mount = readFileSync("/proc/self/mountinfo", "utf8")
  .split("\n")
  .find((text) => / - cgroup \S+ \S*\bmemory\b/.test(text))
  ?.split(" ")[4];
const own = memoryPath("self");
const here = isRoot && own !== null && mount !== undefined;
const why = isRoot ? "needs the memory controller on cgroup v1" : "needs root";

const parent = join(mount ?? "/none", own ?? "", "ns");
const v1Test = (name: string, body: () => Promise<void>, timeout?: number): void =>
  test.skipIf(!here)(here ? name : `${name} [${why}]`, body, timeout);

const remove = (directory: string): void => {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) remove(join(directory, entry.name));
  rmdirSync(directory);
};

const held: Running[] = [];
afterEach(async () => {
  for (const running of held.splice(0)) {
    running.kill("SIGKILL");
    await running.ended;
  }
  await expectNothingLeft();
});

const words = (limit: string, command: string, pre = "-"): string[] =>
  line(false, ["/bin/sh", "-c", command], { options: ["-v", "-m", limit], pre });
/** Takes memory without end. */
const HOG = `awk 'BEGIN { s = "x"; while (1) s = s s }'`;
const ownWords = (text: string): string =>
  text
    .split("\n")
    .filter((said) => !/^ns: (op|cgroup|namespaces|child|init|exit|pre script):/.test(said))
    .join("\n");

/** A container that waits for SIGTERM, and its cgroup. */
async function hold(limit: string): Promise<{ running: Running; pid: number; directory: string }> {
  const running = launch(words(limit, "trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done"));
  held.push(running);
  await running.line(/^ready/);
  const pid = Number(/child: process (\d+)/.exec(running.stderr())![1]);
  return { running, pid, directory: join(mount!, memoryPath(pid)!) };
}
const release = async ({ running }: { running: Running }): Promise<void> => {
  running.kill("SIGTERM");
  expect((await running.ended).status).toBe(0);
};
const number = (directory: string, file: string): number =>
  Number(readFileSync(join(directory, file), "utf8"));

const members = (directory: string): number[] =>
  readFileSync(join(directory, "cgroup.procs"), "utf8").trimEnd().split("\n").map(Number);

describe("the cgroup of a run", () => {
  v1Test("lies below <own>/ns, one each, and limits memory and memory plus swap alike", async () => {
    const first = await hold("64M");
    const second = await hold("96MiB");
    expect(first.directory).toStartWith(`${parent}/`);
    expect(second.directory).toStartWith(`${parent}/`);
    expect(first.directory).not.toBe(second.directory);
    for (const [{ directory }, limit] of [
      [first, 64],
      [second, 96],
    ] as const) {
      expect(number(directory, "memory.limit_in_bytes")).toBe(limit << 20);
      if (existsSync(join(parent, "memory.memsw.limit_in_bytes")))
        expect(number(directory, "memory.memsw.limit_in_bytes")).toBe(limit << 20);
    }
    await release(first);
    expect(existsSync(first.directory)).toBe(false);
    expect(members(second.directory)).toContain(second.pid);
    await release(second);
    expect(existsSync(parent)).toBe(false);
  });

  v1Test("holds the child when the pre script runs, and is / inside", async () => {
    const pre = script("where", `#!/bin/sh\ngrep memory /proc/$1/cgroup\n`);
    const ran = await runCommand(words("64M", "grep memory /proc/self/cgroup", pre));
    const [seen, inside] = ran.stdout.trimEnd().split("\n");
    expect(seen).toMatch(new RegExp(`:${own}/ns/\\d+-\\w+$`));
    expect(inside).toEndWith(":memory:/");
  });

  v1Test(
    "lies in the caller's own: an outer limit holds whatever -m says",
    async () => {
      const outer = join(parent, "outer");
      mkdirSync(outer, { recursive: true });
      try {
        writeFileSync(join(outer, "memory.limit_in_bytes"), `${192 << 20}`);
        const enter = `echo $$ > ${outer}/cgroup.procs; exec "$@"`;
        const ran = await runCommand(["sh", "-c", enter, "sh", ...words("8G", `${HOG}; echo hog $?`)]);
        expect(ran).toMatchObject({ status: 0, stdout: "hog 137\n" });
        expect(ran.stderr).toContain(`cgroup: ${outer}/ns/`);
      } finally {
        remove(parent);
      }
    },
    30_000,
  );
});

describe("out of memory", () => {
  v1Test("init itself: status 137, and ns says why", async () => {
    const ran = await runCommand(words("16M", `exec ${HOG}`));
    expect(ran.status).toBe(137);
    expect(ownWords(ran.stderr)).toBe("ns: init was killed: out of its 16M memory limit\n");
  });
  v1Test("a process of init's: init's own status, and no such words", async () => {
    const ran = await runCommand(words("16M", `${HOG}; echo hog $?; exit 3`));
    expect(ran).toMatchObject({ status: 3, stdout: "hog 137\n" });
    expect(ownWords(ran.stderr)).toBe("Killed\n");
  });
  v1Test("not at all, but killed from outside: other words", async () => {
    const { running, pid } = await hold("16M");
    process.kill(pid, "SIGKILL");
    const ran = await running.ended;
    expect(ran.status).toBe(137);
    expect(ownWords(ran.stderr)).toStartWith("ns: init was killed by SIGKILL, not by ns\n");
  });
  v1Test("files in a tmpfs count", async () => {
    const command = "mount -t tmpfs none /tmp; dd if=/dev/zero of=/tmp/x bs=1M count=64; echo dd $?";
    expect((await runCommand(words("16M", command))).stdout).toBe("dd 137\n");
  });

  // Until the exec the child shares ns's memory: the kernel kills ns and its watcher with it.
  const tooSmall = async (limit: string, args: string[]): Promise<void> => {
    const ran = await runCommand(line(false, ["/bin/true", ...args], { options: ["-m", limit] }));
    try {
      expect(ran.signal).toBe(null);
      expect([125, 137]).toContain(ran.status!);
      expect(ran.stderr).toMatch(new RegExp(`^ns: .*${limit}.*memory limit|^ns: .*${limit}`));
      expect(existsSync(parent)).toBe(false);
    } finally {
      await runCommand(line(false, ["/bin/true"], { options: ["-m", "64M"] }));
    }
  };
  test.skipIf(!here)("a limit too small to execute anything: a clear end", () => tooSmall("4k", []));
  test.skipIf(!here)("a limit smaller than the arguments: a clear end", () =>
    tooSmall(
      "1M",
      Array.from({ length: 15 }, () => "x".repeat(100_000)),
    ),
  );
});

describe("what is left, and who owns what", () => {
  v1Test(
    "a failing pre script, an init that cannot be executed and a refused limit leave no cgroup",
    async () => {
      const pre = script("fails", "#!/bin/sh\nexit 3\n");
      const bare = script("bare", "echo hi\n");
      await runCommand(["cp", bare, join(root, "bare")]);
      expect((await runCommand(words("64M", "true", pre))).status).toBe(125);
      expect(existsSync(parent)).toBe(false);
      expect((await runCommand(line(false, ["/bare"], { options: ["-m64M"] }))).status).toBe(126);
      expect(existsSync(parent)).toBe(false);
    },
  );

  v1Test("the next start removes what a killed run left, and nothing of a run that lives", async () => {
    const live = await hold("64M");
    const dead = join(parent, "1-dead");
    mkdirSync(join(dead, "made/by/init"), { recursive: true });
    const next = await hold("64M");
    expect(existsSync(dead)).toBe(false);
    expect(members(live.directory)).toContain(live.pid);
    await release(next);
    await release(live);
  });

  v1Test("cgroups that init makes in its own go with it", async () => {
    const make = "mount -t cgroup -o memory none /mnt && mkdir -p /mnt/a/b && ls -d /mnt/a/b";
    expect((await runCommand(words("64M", make))).stdout).toBe("/mnt/a/b\n");
    expect(existsSync(parent)).toBe(false);
  });

  v1Test("a parent that belongs to somebody else stays", async () => {
    mkdirSync(parent);
    try {
      chownSync(parent, ordinary.uid, ordinary.gid);
      expect((await runCommand(words("64M", "exit 4"))).status).toBe(4);
      expect(existsSync(parent)).toBe(true);
    } finally {
      remove(parent);
    }
  });
});

describe("an ordinary user", () => {
  const start = (): string[] =>
    asOrdinary(line(true, ["/bin/sh", "-c", `echo; exec ${HOG}`], { options: ["-m", "16M"] }));

  v1Test("without a cgroup of his own is told how to get one", async () => {
    expect(await runCommand(start())).toMatchObject({
      status: 125,
      stdout: "",
      stderr:
        `ns: cannot limit memory: cannot make a cgroup in ${parent}: permission denied\n` +
        `note: let root give you one: mkdir -p ${parent} && chown ${ordinary.uid} ${parent}\n`,
    });
  });

  v1Test("gets one by the very command of that note, is limited in it, and leaves it there", async () => {
    const told = (await runCommand(start())).stderr;
    const command = /^note: [^:]*: (.*)$/m.exec(told)![1]!;
    try {
      expect((await runCommand(["sh", "-c", command])).status).toBe(0);
      const ran = await runCommand(start());
      expect(ran).toMatchObject({
        status: 137,
        stdout: "\n",
        stderr: "ns: init was killed: out of its 16M memory limit\n",
      });
      expect(readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory())).toEqual([]);
    } finally {
      remove(parent);
    }
  });
});

v1Test("where there is no memory controller, -m is an error, not a warning", async () => {
  const hide = `umount ${mount} && exec "$@"`;
  const ran = await runCommand(["unshare", "-m", "sh", "-c", hide, "sh", ...words("64M", "echo started")]);
  expect(ran).toMatchObject({ status: 125, stdout: "" });
  expect(ran.stderr).toStartWith(
    "ns: cannot limit memory: no cgroup hierarchy with the memory controller is mounted\n",
  );
});
