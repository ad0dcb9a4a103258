/**
 * How fast ns is beside chroot, unshare, bwrap, runc and systemd-nspawn, on the same busybox root and, where they can, in
 * the same namespaces. `bun run scripts/bench.ts [RUNS]`, as root, on a quiet machine; needs hyperfine. Each command of a
 * level is run in turn, round after round, so that a drift of the machine's speed meets all of them; what counts is the
 * ratio of medians. Writes docs/performance.md.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { table } from "./bench-table.ts";

const project = join(import.meta.dir, "..");
const rounds = Number(process.argv[2] ?? 12);
const folder = mkdtempSync(join(tmpdir(), "ns-bench-"));
const root = join(folder, "root");
const has = (name: string): boolean => Bun.which(name) !== null;
if (!has("hyperfine")) throw new Error("hyperfine is missing (Debian: apt-get install hyperfine)");
if (process.getuid?.() !== 0) throw new Error("the bench needs root");

export interface Level {
  readonly name: string;
  readonly commands: Record<string, string>;
}

Bun.spawnSync(["sh", join(project, "scripts/mk-test-root.sh"), root]);
copyFileSync(join(project, "build/linux-x64-rel/ns"), join(folder, "ns"));
Bun.spawnSync(["chmod", "755", folder, join(folder, "ns")]);
const ns = join(folder, "ns");

/** An OCI bundle for runc with ns's namespaces and nothing else. */
function bundle(): string {
  const path = join(folder, "bundle");
  mkdirSync(path, { recursive: true });
  const namespaces = ["pid", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type }));
  const process_ = { user: { uid: 0, gid: 0 }, args: ["/bin/true"], env: ["PATH=/bin"], cwd: "/" };
  const mounts = [{ destination: "/proc", type: "proc", source: "proc" }];
  writeFileSync(
    join(path, "config.json"),
    JSON.stringify({
      ociVersion: "1.0.2",
      process: process_,
      root: { path: root },
      mounts,
      linux: { namespaces },
    }),
  );
  return path;
}

const levels: Level[] = [
  {
    name: "namespaces, pivot_root, proc",
    commands: {
      ns: `${ns} - ${root} /bin/true`,
      bwrap: `bwrap --unshare-pid --unshare-uts --unshare-ipc --unshare-cgroup --bind ${root} / --proc /proc /bin/true`,
      unshare: `unshare -mpuiCf --mount-proc --root=${root} /bin/true`,
      runc: `runc run -b ${bundle()} ns-bench-${process.pid}`,
      "systemd-nspawn": `systemd-nspawn -q --register=no --keep-unit -D ${root} /bin/true`,
      chroot: `chroot ${root} /bin/true`,
    },
  },
  {
    name: "with a user namespace",
    commands: {
      ns: `${ns} -u - ${root} /bin/true 65534 65534`,
      bwrap: `bwrap --unshare-user --unshare-pid --unshare-uts --unshare-ipc --unshare-cgroup --bind ${root} / --proc /proc /bin/true`,
      unshare: `unshare -Urmpuif --mount-proc --root=${root} /bin/true`,
    },
  },
  {
    name: "with a network namespace",
    commands: {
      ns: `${ns} -n - ${root} /bin/true`,
      bwrap: `bwrap --unshare-net --unshare-pid --unshare-uts --unshare-ipc --unshare-cgroup --bind ${root} / --proc /proc /bin/true`,
      unshare: `unshare -nmpuiCf --mount-proc --root=${root} /bin/true`,
    },
  },
  { name: "with a memory limit", commands: { ns: `${ns} -m 64M - ${root} /bin/true` } },
  { name: "no container at all", commands: { "ns --version": `${ns} --version` } },
];

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Milliseconds of every command, measured in turn. A command that fails is left out, and named. */
function measure(commands: Record<string, string>): Record<string, number> {
  const times: Record<string, number[]> = {};
  const failed = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, command] of Object.entries(commands)) {
      if (failed.has(name) || !has(command.split(" ")[0]!)) continue;
      const out = join(folder, "times.json");
      const options = [
        "-N",
        "--style",
        "none",
        "-w",
        round === 0 ? "3" : "1",
        "-r",
        "5",
        "--export-json",
        out,
      ];
      const ran = Bun.spawnSync(["hyperfine", ...options, command], { stdin: "ignore", stderr: "pipe" });
      if (ran.exitCode !== 0) {
        failed.add(name);
        console.error(`left out: ${name}: ${ran.stderr.toString().trim().split("\n").at(-1)}`);
        continue;
      }
      const [result] = JSON.parse(readFileSync(out, "utf8")).results as { times: number[] }[];
      times[name] = [...(times[name] ?? []), ...result!.times.map((seconds) => seconds * 1000)];
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
}

/** Kilobytes that a waiting run takes: PSS of all its processes but the payload itself. */
async function waiting(command: string[]): Promise<number> {
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
  await child.stdout.getReader().read(); // the payload says that it runs
  const family = (pid: number): number[] => {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return [pid, ...(children === "" ? [] : children.split(" ").flatMap((name) => family(Number(name))))];
  };
  const pss = (pid: number): number =>
    Number(/^Pss: +(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
  const payload = (pid: number): boolean =>
    readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("/bin/cat\0");
  // ns becomes what waits within a moment; the smallest of many looks is what it stays at
  let least = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + 300; performance.now() < end; ) {
    try {
      least = Math.min(
        least,
        family(child.pid)
          .filter((pid) => !payload(pid))
          .reduce((sum, pid) => sum + pss(pid), 0),
      );
    } catch {
      // a process has gone between two looks
    }
  }
  child.stdin.end();
  await child.exited;
  return least;
}

const say = ["/bin/sh", "-c", "echo ready; exec /bin/cat"];
const inBwrap = [
  "bwrap",
  "--unshare-pid",
  "--unshare-uts",
  "--unshare-ipc",
  "--bind",
  root,
  "/",
  "--proc",
  "/proc",
];
try {
  const results = levels.map(({ name, commands }) => ({ name, medians: measure(commands) }));
  const memory: Record<string, number> = {
    ns: await waiting([ns, "-", root, say[0]!, "--", ...say.slice(1)]),
    "ns -v -n -m 64M": await waiting([
      ns,
      "-v",
      "-n",
      "-m",
      "64M",
      "-",
      root,
      say[0]!,
      "--",
      ...say.slice(1),
    ]),
  };
  if (has("bwrap")) memory.bwrap = await waiting([...inBwrap, ...say]);
  const text = table(results, memory, rounds * 5);
  mkdirSync(join(project, "docs"), { recursive: true });
  writeFileSync(join(project, "docs/performance.md"), text);
  console.log(text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
