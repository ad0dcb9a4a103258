/**
 * What shows only after many starts: nothing grows, and a root that changes all the time redirects none of them.
 * NS_ENDURANCE=1 makes all of them, 10,000 and 1,000; without it there are fewer.
 */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { start } from "../../src/index.ts";
import {
  cgroupsLeft,
  expectNothingLeft,
  folder,
  isRoot,
  launch,
  leavesNothing,
  line,
  makeSmallRoot,
  ordinary,
  root,
  rootTest,
  runCommand,
} from "../harness.ts";

leavesNothing();
const all = process.env.NS_ENDURANCE === "1";
const STARTS = all ? 10_000 : 300;
const CHANGED = all ? 1000 : 100;

/** What must not grow: numbers of this program, its keeper and the host. */
function sizes() {
  const keepers = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ");
  const rss = (pid: string): number =>
    Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  const cgroups = readFileSync("/proc/cgroups", "utf8").match(/^\w+\t\d+\t\d+/gm) ?? [];
  return {
    descriptors: readdirSync("/proc/self/fd").length,
    mounts: readFileSync("/proc/self/mountinfo", "utf8").split("\n").length,
    children: keepers.length,
    left: cgroupsLeft().length,
    cgroups: cgroups.join(" "),
    memory: rss("self"),
    keeper: Math.max(...keepers.filter((pid) => pid !== "").map(rss)),
  };
}

test(
  `${STARTS} starts of one program: no descriptor, mount, cgroup or memory more`,
  async () => {
    const who = isRoot ? { limits: { memory: "64M" } } : { user: ordinary };
    const some = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) {
        const container = await start({ root, init: "/bin/true", ...who });
        expect((await container.exited).status).toBe(0);
      }
    };
    // what a runtime takes once, it takes in its first starts
    await some(100);
    Bun.gc(true);
    const { memory, keeper, cgroups: _, ...before } = sizes();
    await some(STARTS);
    Bun.gc(true);
    const { memory: memoryAfter, keeper: keeperAfter, cgroups: __, ...after } = sizes();
    if (all) console.log(`KiB before ${memory}, after ${memoryAfter}; keeper ${keeper}, ${keeperAfter}`);
    expect(after).toEqual(before);
    // a page that each start would keep is 40,000 KiB after 10,000
    expect(memoryAfter - memory).toBeLessThan(24_000 + STARTS);
    expect(keeperAfter - keeper).toBeLessThan(24_000 + STARTS);
  },
  all ? 1_800_000 : 120_000,
);

/** The names that a root changes all the time, each between a directory and a link to the host's. */
const PLACES = ["dev", "proc", "sys", "tmp", "d"];
const SWAP = `const { dlopen } = require("bun:ffi");
  const { renameat2 } = dlopen("libc.so.6", { renameat2: { args: ["int", "ptr", "int", "ptr", "u32"], returns: "int" } }).symbols;
  const [, root, ...names] = process.argv; const c = (text) => Buffer.from(text + "\\0");
  const pairs = names.map((name) => [c(root + "/" + name), c(root + "/swapped-" + name)]);
  console.log("up");
  for (;;) for (const [a, b] of pairs) renameat2(-100, a, -100, b, 2);`;

rootTest(
  `${CHANGED} starts in a root whose /dev, /proc, /sys and mount targets change: none is redirected`,
  async () => {
    const host = join(folder, "endurance-host");
    mkdirSync(host);
    for (const name of ["pts", "shm", "self", "sub"]) mkdirSync(join(host, name));
    for (const name of ["null", "console", "file"]) writeFileSync(join(host, name), "the host's\n");
    const source = join(folder, "endurance-source");
    mkdirSync(source);
    writeFileSync(join(source, "ours"), "ours\n");
    const where = makeSmallRoot("endurance-root", ["sh", "true", "cat", "ls", "grep"]);
    for (const name of PLACES) {
      mkdirSync(join(where, name), { recursive: true });
      symlinkSync(host, join(where, `swapped-${name}`));
    }
    const options = [
      ["--dev=minimal"],
      ["--sys=ro"],
      ["--bind", `${source}:/d`],
      ["--tmpfs", "/d/sub"],
      ["--file", "0:/d/file"],
      ["--dir", "/d/new"],
      ["--symlink", "x:/d/link"],
      ["--profile=app"],
      ["--mount", "type=proc,dst=/d"],
    ];
    const listing = (): string =>
      (readdirSync(host, { recursive: true }) as string[])
        .sort()
        .map((name) =>
          /null|console|file/.test(name) ? name + readFileSync(join(host, name), "utf8") : name,
        )
        .join(" ");
    const before = listing();
    const swapper = launch([process.execPath, "-e", SWAP, where, ...PLACES]);
    await swapper.line(/up/);
    const statuses = new Map<number | null, number>();
    try {
      for (let i = 0; i < CHANGED; i++) {
        const words = line(false, ["/bin/sh", "-c", "echo > /d/made; echo > /tmp/made; true"], {
          options: options[i % options.length]!,
          root: where,
        });
        const { status, stderr } = await runCommand(words, { stdin: "from the caller\n" });
        // refused by name, or started: nothing between
        if (status !== 0) expect(stderr).toContain("ns: ");
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        expect(listing(), `${options[i % options.length]} ${stderr}`).toBe(before);
      }
    } finally {
      swapper.kill("SIGKILL");
      await swapper.ended;
    }
    if (all) console.log(`ended with: ${[...statuses].join(" ")}`);
    expect([...statuses.keys()].every((status) => status === 0 || status === 125)).toBe(true);
    expect(statuses.get(0) ?? 0).toBeGreaterThan(0);
    expect(existsSync(join(host, "made"))).toBe(false);
    await expectNothingLeft();
  },
  all ? 900_000 : 120_000,
);
