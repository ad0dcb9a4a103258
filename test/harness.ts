/**
 * What the end-to-end tests share: the executable under test, busybox roots, running ns as root and as an ordinary user,
 * waiting for what a running ns says, and looking for anything that it left behind. NS_BIN names another program to
 * test; by default it is the release build.
 */
import { afterEach, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { project } from "./project.ts";

export { project } from "./project.ts";
export const isRoot = process.getuid?.() === 0;

/** An ordinary user: nobody, or whoever runs the tests without being root. */
export const ordinary = isRoot
  ? { uid: 65534, gid: 65534 }
  : { uid: process.getuid!(), gid: process.getgid!() };

/** The tests' own folder, readable by every user, removed at the end. */
export const folder = mkdtempSync(join(tmpdir(), "ns-test-"));
chmodSync(folder, 0o755);
// "exit" is not emitted by bun test: a process of its own sees the end of this one, however it comes
Bun.spawn(["setsid", "sh", "-c", 'read -r _; rm -rf --one-file-system -- "$1"', "sh", folder], {
  stdin: "pipe",
  stdout: "ignore",
  stderr: "ignore",
}).unref();

/** The program under test, where an ordinary user can execute it. */
export const ns = join(folder, "ns");
const built = process.env.NS_BIN ?? join(project, "build/linux-x64-rel/ns");
/** NS_UNDER_TEST=frozen: what is under test is what `ns freeze` writes, frozen anew for each run. */
export const isFrozen = process.env.NS_UNDER_TEST === "frozen";
const frozenFiles = join(folder, "frozen");
if (isFrozen) freezeEach();
else copyFileSync(built, ns);
chmodSync(ns, 0o755);

/** What ns says: a frozen start says less of it, and never more than one line. */
export function expectSaid(stderr: string, all: string): void {
  if (isFrozen) expect(stderr).toMatch(/^ns: cannot [^\n]+\n$|^ns: init [^\n]+\n$/);
  else expect(stderr).toStartWith(all);
}

/** Puts a program in ns's place that freezes its words into a file and becomes that. */
function freezeEach(): void {
  const real = join(folder, "ns-real");
  copyFileSync(built, real);
  chmodSync(real, 0o755);
  mkdirSync(frozenFiles);
  chmodSync(frozenFiles, 0o1777);
  const freeze = `file=$(mktemp -u ${frozenFiles}/XXXXXXXXXX); ${real} freeze -o "$file" "$@" || exit`;
  // there is nobody to say each step
  const quiet =
    'own=1; for word; do shift; [ "$word" = -- ] && own=; [ "$own$word" = 1-v ] || set -- "$@" "$word"; done';
  writeFileSync(ns, `#!/bin/sh\n${quiet}\n${freeze}\nexec "$file"\n`);
}

/** Makes a busybox root with scripts/mk-test-root.sh. */
export function makeRoot(name = "root"): string {
  const path = join(folder, name);
  const made = Bun.spawnSync(["sh", join(project, "scripts/mk-test-root.sh"), path], { stdin: "ignore" });
  if (made.exitCode !== 0) throw new Error(`mk-test-root.sh: ${made.stderr}`);
  // a shell's background jobs read it; only root can make the device
  if (!isRoot) writeFileSync(join(path, "dev/null"), "");
  return path;
}

export const root = makeRoot();

/** Makes a root of a few files: busybox and those applets, an empty /proc and an empty /dev. */
export function makeSmallRoot(name: string, applets = ["sh", "true", "cat", "ls"]): string {
  const path = join(folder, name);
  for (const directory of ["", "bin", "dev", "proc", "tmp"]) mkdirSync(join(path, directory));
  linkSync(join(root, "bin/busybox"), join(path, "bin/busybox"));
  for (const applet of applets) symlinkSync("busybox", join(path, "bin", applet));
  chmodSync(join(path, "tmp"), 0o1777);
  return path;
}

export interface Ran {
  status: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

export interface How {
  /** run it as the ordinary user */
  unprivileged?: boolean;
  stdin?: string;
  cwd?: string;
  env?: Record<string, string>;
}

/** The words to run a command as the ordinary user. */
export const asOrdinary = (words: string[]): string[] =>
  isRoot
    ? ["setpriv", `--reuid=${ordinary.uid}`, `--regid=${ordinary.gid}`, "--clear-groups", ...words]
    : words;

const spawn = (words: string[], how: How) =>
  Bun.spawn(how.unprivileged ? asOrdinary(words) : words, {
    stdin: how.stdin === undefined ? "ignore" : new TextEncoder().encode(how.stdin),
    stdout: "pipe",
    stderr: "pipe",
    cwd: how.cwd ?? folder,
    env: { PATH: process.env.PATH ?? "", ...how.env },
  });

/** Runs a command to its end. */
export async function runCommand(words: string[], how: How = {}): Promise<Ran> {
  const process_ = spawn(words, how);
  const [stdout, stderr] = await Promise.all([process_.stdout.text(), process_.stderr.text()]);
  await process_.exited;
  return { status: process_.exitCode, signal: process_.signalCode as string | null, stdout, stderr };
}

/** Runs ns to its end. */
export const run = (args: string[], how: How = {}): Promise<Ran> => runCommand([ns, ...args], how);

/** The ids of `-u` runs by whoever runs the tests. */
export const userIds = [`${ordinary.uid}`, `${ordinary.gid}`];

/** What goes before PRE and after INIT so that the one who runs the tests may start a container. */
export const user = isRoot ? [] : ["-u"];
export const ids = isRoot ? [] : userIds;

/** Runs a shell command inside the root as init, and returns what it printed. */
export async function inside(script: string, options: string[] = [], how: How = {}): Promise<Ran> {
  const unprivileged = how.unprivileged === true || !isRoot;
  const user = unprivileged && !options.includes("-u") ? ["-u"] : [];
  const ids = unprivileged || options.includes("-u") ? userIds : [];
  return run([...user, ...options, "-", root, "/bin/sh", ...ids, "--", "-c", script], how);
}

/** Who runs a test's container, for describe.each: the name, and whether it is the ordinary user. */
export const callers: [string, boolean][] = isRoot
  ? [
      ["as root", false],
      ["as an ordinary user", true],
    ]
  : [["as an ordinary user", true]];

/** The words of one run of ns, with -u and the ids if it is the ordinary user's. */
export function line(
  unprivileged: boolean,
  init: string[],
  more: { options?: string[]; pre?: string; root?: string } = {},
): string[] {
  const [path, ...args] = init;
  const user = unprivileged ? ["-u"] : [];
  const ids = unprivileged ? userIds : [];
  const { options = [], pre = "-", root: where = root } = more;
  return [ns, ...user, ...options, pre, where, path!, ...ids, "--", ...args];
}

export interface Running {
  pid: number;
  /** what has come on standard error so far */
  stderr: () => string;
  stdout: () => string;
  /** resolves when a line of standard output or error matches */
  line(pattern: RegExp): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  ended: Promise<Ran>;
}

/** Starts a command and lets the test wait for its lines. */
export function launch(words: string[], how: How = {}): Running {
  const child = spawn(words, how);
  const seen = { stdout: "", stderr: "" };
  const waiting: { pattern: RegExp; resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  const look = (): void => {
    for (const waiter of [...waiting]) {
      const line = `${seen.stdout}\n${seen.stderr}`.split("\n").find((text) => waiter.pattern.test(text));
      if (line === undefined) continue;
      waiting.splice(waiting.indexOf(waiter), 1);
      waiter.resolve(line);
    }
  };
  const follow = async (stream: ReadableStream<Uint8Array>, to: "stdout" | "stderr"): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      seen[to] += decoder.decode(chunk, { stream: true });
      look();
    }
  };
  const ended = Promise.all([
    follow(child.stdout, "stdout"),
    follow(child.stderr, "stderr"),
    child.exited,
  ]).then(() => {
    for (const { pattern, reject } of waiting)
      reject(new Error(`ended without ${pattern}: ${seen.stdout}${seen.stderr}`));
    return { status: child.exitCode, signal: child.signalCode as string | null, ...seen };
  });
  return {
    pid: child.pid,
    stdout: () => seen.stdout,
    stderr: () => seen.stderr,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        waiting.push({ pattern, resolve, reject });
        look();
      }),
    kill: (signal) => child.kill(signal),
    ended,
  };
}

/** Resolves when the condition holds: for what the kernel does without telling anybody. Fails after the limit (ms). */
export async function until(what: string, condition: () => boolean, limit = 10_000): Promise<void> {
  const deadline = performance.now() + limit;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** Processes that belong to this test's containers: their executable lies in this test's folder. */
export function processesLeft(): string[] {
  const device = statSync(folder).dev;
  const inodes = new Set([
    statSync(ns).ino,
    ...readdirSync(folder).map((name) => inodeOf(join(folder, name, "bin/busybox"))),
  ]);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        // the programs that ns makes of itself lie in memory; theirs are those that name this folder, or nothing yet
        if (readlinkSync(`/proc/${pid}/exe`).startsWith("/memfd:ns")) return isOurs(pid);
        if (readlinkSync(`/proc/${pid}/exe`).startsWith(frozenFiles)) return true;
        const { ino, dev } = statSync(`/proc/${pid}/exe`);
        return dev === device && inodes.has(ino);
      } catch {
        return false;
      }
    })
    .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`);
}

/** Who tests beside us does so in a cgroup of his own; a process that names nothing is his if it is in there. */
const isOurs = (pid: string): boolean => {
  const line = read(`/proc/${pid}/cmdline`);
  return line.includes(folder) || (line === "ns\0" && isBelowUs(read(`/proc/${pid}/cgroup`)));
};

/** Is each of these cgroups the one that this process is in, or below it? */
function isBelowUs(cgroups: string): boolean {
  const theirs = cgroups.split("\n");
  return ownCgroups.every((own) => own === "" || theirs.some((line) => line.startsWith(own)));
}

const ownCgroups = read("/proc/self/cgroup").split("\n");

function inodeOf(path: string): number {
  try {
    return statSync(path).ino;
  } catch {
    return -1;
  }
}

/** The directories of ns's own cgroups that exist, in every hierarchy. */
export function cgroupsLeft(): string[] {
  const own = read("/proc/self/cgroup")
    .split("\n")
    .map((line) => /^\d+:(?:[^:]*,)?(memory)?[^:]*:(.*)$/.exec(line))
    .flatMap((match) => (match === null ? [] : [match[2]!]));
  const mounts = read("/proc/self/mountinfo")
    .split("\n")
    .flatMap((line) => (/ - cgroup2? /.test(line) ? [line.split(" ")[4]!] : []));
  const candidates = mounts.flatMap((mount) => [mount, ...own.map((path) => mount + path)]);
  return [...new Set(candidates.map((path) => join(path, "ns")))].filter((path) => {
    try {
      return statSync(path).isDirectory();
    } catch {
      return false;
    }
  });
}

const mounts = (): string => read("/proc/self/mountinfo");

/** Asserts that nothing of ns is on the host any more; what is, is taken away, so that the next test starts clean. */
export async function expectNothingLeft(): Promise<void> {
  try {
    await until("no process is left", () => processesLeft().length === 0, 3000);
    await until("no cgroup is left", () => cgroupsLeft().length === 0, 1000);
  } catch (error) {
    const processes = processesLeft();
    const cgroups = cgroupsLeft();
    for (const text of processes) process.kill(Number.parseInt(text, 10), "SIGKILL");
    await until("those are killed", () => processesLeft().length === 0, 1000).catch(() => {});
    // with its watcher killed too, a run's cgroup stays
    for (const path of cgroups)
      Bun.spawnSync(["find", path, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
    throw new Error(`${error}: ${processes.join("; ").slice(0, 400)} ${cgroups.join(" ")}`);
  }
  expect(mounts()).toBe(mountsBefore);
}

const mountsBefore = mounts();

/** For every end-to-end file: after each of its tests nothing of ns may be left on the host. */
export const leavesNothing = (): void => afterEach(expectNothingLeft);

/** A test that only root can run; for others it is skipped, and its name says why. */
export const rootTest = (name: string, body: () => void | Promise<void>, timeout?: number): void =>
  test.skipIf(!isRoot)(isRoot ? name : `${name} [needs root]`, body, timeout);

/** A script file in the test's folder. */
export function script(name: string, text: string, mode = 0o755): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

export interface Terminal {
  pid: number;
  /** what has come on the screen since the last call of type() */
  screen: () => string;
  /** types keys */
  type(keys: string): void;
  /** sends bytes as they are */
  send(bytes: Uint8Array): void;
  resize(columns: number, rows: number): void;
  /** whole lines, and their echo, are the terminal's business */
  isCooked(): boolean;
  /** hangs up */
  close(): void;
  /** resolves when the screen matches */
  shows(pattern: RegExp): Promise<string>;
  ended: Promise<number | null>;
}

const ICANON = 2;

/** Starts a command on a terminal of its own. */
export function onTerminal(
  words: string[],
  env: Record<string, string> = { TERM: "xterm-256color" },
): Terminal {
  let text = "";
  const decoder = new TextDecoder();
  const child = Bun.spawn(words, {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", ...env },
    terminal: {
      cols: 100,
      rows: 30,
      data: (_, bytes) => {
        text += decoder.decode(bytes, { stream: true });
      },
    },
  });
  let over = false;
  const ended = child.exited.then(() => {
    over = true;
    return child.exitCode;
  });
  return {
    pid: child.pid,
    screen: () => text,
    type: (keys) => {
      text = "";
      child.terminal!.write(keys);
    },
    send: (bytes) => {
      text = "";
      child.terminal!.write(bytes);
    },
    resize: (columns, rows) => child.terminal!.resize(columns, rows),
    isCooked: () => (child.terminal!.localFlags & ICANON) !== 0,
    close: () => child.terminal!.close(),
    shows: async (pattern) => {
      await until(`the screen shows ${pattern}`, () => pattern.test(text) || over).catch((error) => {
        throw new Error(`${error}: ${JSON.stringify(text)}`);
      });
      if (!pattern.test(text)) await until(`the last words show ${pattern}`, () => pattern.test(text), 1000);
      return text;
    },
    ended,
  };
}
