/** The terminal that a container has of its own, and the one that its caller gets back. */
import { describe, expect, test } from "bun:test";
import { closeSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pss } from "../../scripts/bench/waiting.ts";
import { encodeTask, sizeOf } from "../../src/plan/encode.ts";
import type { Op } from "../../src/plan/op.ts";
import { draftProgram, writeProgram } from "../../src/run/program.ts";
import { calls } from "../../src/sys/abi.ts";
import {
  asOrdinary,
  callers,
  leavesNothing,
  line,
  onTerminal,
  root,
  rootTest,
  runCommand,
  type Terminal,
  until,
} from "../harness.ts";

leavesNothing();

/** A program for the container: these calls, one after another. It fails if one does. */
function programOf(ops: readonly Op[], numbers = calls): Uint8Array {
  const draft = draftProgram(sizeOf(ops, 0));
  const task = encodeTask(ops, { flags: 0, report: -1, stack: 0, calls: numbers }, draft.memory);
  const fd = writeProgram(draft, task.address);
  const content = readFileSync(`/proc/self/fd/${fd}`);
  closeSync(fd);
  return content;
}

const TIOCSTI = 0x5412;
const pushed = (key: string): Op => ({
  call: "ioctl",
  args: [0, TIOCSTI, { memory: new TextEncoder().encode(key), means: key }],
  step: `push ${key}`,
});

const PROMPT = /# (\x1b\[6n)?$/; // busybox asks the terminal where its cursor is
const sh = (script: string): string[] => ["/bin/sh", "-c", script];

const wordsFor =
  (unprivileged: boolean) =>
  (init: string[], options: string[] = []): string[] => {
    const all = line(unprivileged, init, { options });
    return unprivileged ? asOrdinary(all) : all;
  };

/** A caller's shell around ns: the settings before and after it, and its status. */
const around = (words: string[]): string[] => [
  "sh",
  "-c",
  'stty -g; "$@"; echo status $?; read -r next; echo next $next; stty -g',
  "sh",
  ...words,
];

const childrenOf = (pid: number): number[] => {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  } catch {
    return [];
  }
};

const field = (pid: number, name: string): string =>
  new RegExp(`^${name}:\t(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]!;

/** ns below the caller's shell, and its relay: the child that is in its process group, and in no other pid namespace. */
async function processesOf(terminal: Terminal): Promise<{ ns: number; relay: number }> {
  const stat = (pid: number): string => readFileSync(`/proc/${pid}/stat`, "utf8");
  const line = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, "utf8");
  let ns = 0;
  let relay = 0;
  await until("ns has a relay", () => {
    try {
      ns = childrenOf(terminal.pid).find((pid) => stat(pid).includes("(ns)")) ?? 0;
      // a program of its own: the watcher shows ns's command line, and init is in another pid namespace
      const isRelay = (pid: number): boolean => line(pid) === "ns\0" && /^\d+$/.test(field(pid, "NSpid"));
      relay = childrenOf(ns).find(isRelay) ?? 0;
    } catch {
      // one of them has just ended
    }
    return relay !== 0;
  });
  return { ns, relay };
}

/** Is the process a program that ns has made of itself? */
const isProgram = (pid: number): boolean => {
  try {
    return readlinkSync(`/proc/${pid}/exe`).startsWith("/memfd:ns");
  } catch {
    return false;
  }
};

const handedOver = (ns: number): Promise<void> =>
  until("ns, its watcher and its relay are small programs", () => {
    const children = childrenOf(ns);
    return isProgram(ns) && children.length === 3 && children.filter(isProgram).length === 2;
  });

const raw = (terminal: Terminal): Promise<void> => until("the terminal is raw", () => !terminal.isCooked());

const SETTINGS = /^[0-9a-f]+:[0-9a-f:]+/gm;

/** The caller's shell goes on with the terminal that it had. @param killed ns was: then it may take a moment */
async function isGivenBack(terminal: Terminal, first: string, end: RegExp, killed = false): Promise<void> {
  await terminal.shows(end);
  if (killed) await until("the terminal is given back", () => terminal.isCooked());
  expect(terminal.isCooked()).toBe(true);
  terminal.type("word\n");
  await terminal.shows(/^word\r\nnext word\r\n[0-9a-f:]+\r\n$/);
  expect(terminal.screen().match(SETTINGS)![0]).toBe(first);
  expect(await terminal.ended).toBe(0);
}

const settingsOf = async (terminal: Terminal): Promise<string> =>
  (await terminal.shows(/[0-9a-f]+:[0-9a-f:]+\r\n/)).match(SETTINGS)![0]!;

describe.each(callers)("%s", (_, unprivileged) => {
  const words = wordsFor(unprivileged);

  test("it has a name, is init's controlling terminal, and has the caller's size", async () => {
    const terminal = onTerminal(
      words(sh("tty; stty size; tty </dev/tty; ls /dev/pts; readlink /proc/self/fd/1")),
    );
    expect(await terminal.ended).toBe(0);
    await terminal.shows(/\/dev\/pts\/0\r\n30 100\r\n\/dev\/tty\r\n0 +ptmx\r\n\/dev\/pts\/0\r\n/);
  });

  test("it is resized with the caller's", async () => {
    const terminal = onTerminal(
      words(sh("trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 1000 & wait; done")),
    );
    await terminal.shows(/ready/);
    await raw(terminal);
    terminal.resize(123, 45);
    await terminal.shows(/45 123\r\n/);
    expect(await terminal.ended).toBe(0);
  });

  test("job control: Ctrl-Z, jobs, fg, Ctrl-C, Ctrl-D", async () => {
    const terminal = onTerminal(words(["/bin/sh", "-i"]));
    await terminal.shows(PROMPT);
    terminal.type("sleep 1000\n");
    await terminal.shows(/sleep 1000\r\n/);
    // the shell gives it the terminal before it executes it
    await until("sleep runs", () => sleeping() === 1);
    terminal.type("\x1a");
    await terminal.shows(/Stopped[\s\S]*# (\x1b\[6n)?$/);
    terminal.type("jobs\n");
    await terminal.shows(/Stopped +sleep 1000[\s\S]*# (\x1b\[6n)?$/);
    terminal.type("fg\n");
    await terminal.shows(/fg\r\nsleep 1000\r\n/);
    terminal.type("\x03");
    await terminal.shows(PROMPT);
    expect(sleeping()).toBe(0);
    terminal.type("\x04");
    expect(await terminal.ended).toBe(130); // the last command's
  });

  test("all that init writes arrives, the last of it too", async () => {
    const terminal = onTerminal(words(sh("seq 150000; echo end of it")));
    expect({ status: await terminal.ended, end: terminal.screen().slice(-100) }).toMatchObject({ status: 0 });
    await terminal.shows(/end of it\r\n$/);
    const wanted = `${Array.from({ length: 150_000 }, (_, i) => `${i + 1}\r\n`).join("")}end of it\r\n`;
    expect(terminal.screen() === wanted).toBe(true);
  });

  test("every byte arrives as it is: a megabyte in, and out again", async () => {
    const bytes = new Uint8Array(1 << 20);
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
    const wanted = new Bun.CryptoHasher("md5").update(bytes).digest("hex");
    const terminal = onTerminal(
      words(sh("stty raw -echo; echo ready; head -c 1048576 >/tmp/all; md5sum </tmp/all; rm /tmp/all")),
    );
    await terminal.shows(/ready/);
    await raw(terminal);
    terminal.send(bytes);
    await terminal.shows(new RegExp(wanted));
    expect(await terminal.ended).toBe(0);
  });

  test("what is a pipe stays one, and the terminal of the pipe line is left as it is", async () => {
    const inside = sh("for i in 0 1 2; do test -t $i && echo $i is one; done; read -r word; echo got $word");
    const terminal = onTerminal(["sh", "-c", '"$@" 2>&1 | sed s/^/:/', "sh", ...words(inside)]);
    await terminal.shows(/:0 is one\r\n$/);
    expect(terminal.isCooked()).toBe(true);
    terminal.type("a word\n");
    await terminal.shows(/^a word\r\n:got a word\r\n/);
    expect(await terminal.ended).toBe(0);
  });

  test("where only the output is a terminal, that is one of the container's own as well", async () => {
    const terminal = onTerminal(["sh", "-c", '"$@" </dev/null', "sh", ...words(sh("tty <&1; tty"))]);
    await terminal.shows(/^\/dev\/pts\/0\r\nnot a tty\r\n/);
    expect(await terminal.ended).toBe(1);
  });

  test("--tty=yes: without a terminal too, and the end of the input is its end of file", async () => {
    const ran = await runCommand(words(sh("stty -echo; test -t 2 && cat; echo over"), ["--tty=yes"]), {
      stdin: "a\nb",
    });
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    expect(ran.stdout).toMatch(/a\r\nb/);
    expect(ran.stdout).toEndWith("over\r\n");
  });

  test("the third Ctrl-C kills an init that has no handler for it", async () => {
    const terminal = onTerminal(words(["/bin/sleep", "1000"]));
    await raw(terminal);
    await handedOver(terminal.pid);
    for (let i = 0; i < 3; i++) {
      terminal.type("\x03");
      if (i === 2) break; // the end may be faster than the echo
      await terminal.shows(/\^C/);
      await until("the signal is taken", () => pending(terminal.pid) === 0n);
    }
    expect(await terminal.ended).toBe(137);
  });

  test("kill 0 inside reaches nobody outside", async () => {
    const terminal = onTerminal(around(words(sh("trap '' TERM; kill -TERM 0; echo went on"))));
    const first = await settingsOf(terminal);
    await isGivenBack(terminal, first, /went on[\s\S]*status 0\r\n/);
  });

  describe("the terminal is given back", () => {
    const WAIT = sh("echo ready; exec sleep 1000");

    const begin = async (init: string[], options: string[] = []) => {
      const terminal = onTerminal(around(words(init, options)));
      const first = await settingsOf(terminal);
      const processes = await processesOf(terminal);
      await raw(terminal);
      return { ...processes, terminal, first };
    };

    test("when init exits", async () => {
      const { terminal, first } = await begin(sh("read -r go; exit 3"));
      terminal.type("go\r");
      await isGivenBack(terminal, first, /status 3\r?\n/);
    });

    test("when init is not there: it has not been taken", async () => {
      const terminal = onTerminal(around(words(["/no/init"])));
      const first = await settingsOf(terminal);
      await isGivenBack(terminal, first, /status 127\r?\n/);
    });

    test("after its timeout", async () => {
      const { terminal, first } = await begin(sh("trap 'exit 0' TERM; sleep 1000 & wait"), [
        "--timeout=0.3s",
      ]);
      await isGivenBack(terminal, first, /status 124\r?\n/);
    });

    test("after the third SIGTERM", async () => {
      const { terminal, first, ns } = await begin(WAIT);
      await handedOver(ns);
      for (let i = 0; i < 3; i++) {
        process.kill(ns, "SIGTERM");
        await until("the signal is taken", () => pending(ns) === 0n);
      }
      await isGivenBack(terminal, first, /status 137\r?\n/);
    });

    test("when ns is killed", async () => {
      const { terminal, first, ns } = await begin(WAIT);
      await handedOver(ns);
      process.kill(ns, "SIGKILL");
      await isGivenBack(terminal, first, /status 137\r?\n/, true);
    });

    test("when ns and the relay are killed at once", async () => {
      const { terminal, first, ns, relay } = await begin(WAIT);
      await handedOver(ns);
      process.kill(relay, "SIGSTOP");
      process.kill(ns, "SIGKILL");
      process.kill(relay, "SIGKILL");
      await isGivenBack(terminal, first, /status 137\r?\n/, true);
    });

    test("when the relay is killed: at the end, which an init that reads comes to by that", async () => {
      const { terminal, first, ns, relay } = await begin(sh("while read -r line; do :; done; exit 4"));
      await handedOver(ns);
      process.kill(relay, "SIGKILL");
      await isGivenBack(terminal, first, /status 4\r?\n/);
    });

    test("when ns is stopped, and it is taken again when that goes on", async () => {
      const terminal = onTerminal(["sh", "-i"], { TERM: "dumb", PS1: "outer> " });
      await terminal.shows(/outer> $/);
      const command = words(sh("read -r a; echo first $a; read -r b; stty size; echo second $b"));
      terminal.type(`${command.map((word) => `'${word}'`).join(" ")}\n`);
      const { ns } = await processesOf(terminal);
      await raw(terminal);
      await handedOver(ns);
      process.kill(ns, "SIGTSTP");
      await terminal.shows(/Stopped[\s\S]*outer> $/);
      expect(terminal.isCooked()).toBe(true);
      terminal.resize(77, 7);
      terminal.type("echo $((40+2))\n");
      await terminal.shows(/42\r\nouter> $/);
      terminal.type("fg\n");
      await raw(terminal);
      terminal.type("one\r");
      await terminal.shows(/first one\r\n/);
      terminal.type("two\r");
      await terminal.shows(/7 77\r\nsecond two\r\n[\s\S]*outer> $/);
      terminal.type("exit\n");
      expect(await terminal.ended).toBe(0);
    });
  });

  test("in the background it writes, and does not read before it is in front", async () => {
    const terminal = onTerminal(["sh", "-i"], { TERM: "dumb", PS1: "outer> " });
    await terminal.shows(/outer> $/);
    const command = words(sh("echo behind; read -r a; echo got $a"));
    terminal.type(`${command.map((word) => `'${word}'`).join(" ")} &\n`);
    await terminal.shows(/behind\r+\n/);
    terminal.type("echo $((40+2))\n");
    await terminal.shows(/42\r\n/);
    expect(terminal.isCooked()).toBe(true);
    terminal.type("fg\n");
    await raw(terminal);
    terminal.type("it\r");
    await terminal.shows(/got it\r\n[\s\S]*outer> $/);
    expect(terminal.isCooked()).toBe(true);
    terminal.type("exit\n");
    expect(await terminal.ended).toBe(0);
  });

  test("when the caller's terminal is hung up, so is the container's", async () => {
    const terminal = onTerminal(
      words(sh("trap 'exit 5' HUP; echo ready; while :; do sleep 1000 & wait; done")),
    );
    await raw(terminal);
    await terminal.shows(/ready/);
    terminal.close();
    expect(await terminal.ended).toBe(5);
  });

  test.each(["strict", "app"])("in profile %s: the console too is it", async (profile) => {
    const terminal = onTerminal(
      words(sh("tty; test -t 0 </dev/console && echo a console"), [`--profile=${profile}`]),
    );
    await terminal.shows(/\/dev\/pts\/0\r\na console\r\n/);
    expect(await terminal.ended).toBe(0);
  });

  test("below a reaper: process 1 has no other terminal either", async () => {
    const terminal = onTerminal(words(sh("tty; sleep 1000"), ["--reaper"]));
    await terminal.shows(/\/dev\/pts\/0\r\n/);
    await raw(terminal);
    const mine = Bun.spawnSync(["readlink", `/proc/${terminal.pid}/fd/0`]).stdout.toString();
    const inside = below(terminal.pid).filter((pid) => /\t.*\t/.test(`\t${field(pid, "NSpid")}`));
    expect(inside.length).toBeGreaterThanOrEqual(2);
    const open = inside.map((pid) =>
      readdirSync(`/proc/${pid}/fd`).map((fd) => `${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`),
    );
    expect(mine).toStartWith("/dev/pts/");
    expect(open).toEqual(open.map(() => ["0", "1", "2"].map((fd) => `${fd} /dev/pts/0`)));
    // the same name, but another instance: the numbers of the devices say so
    const device = (pid: number): bigint => statSync(`/proc/${pid}/fd/0`, { bigint: true }).dev;
    expect(inside.map(device)).not.toContain(device(terminal.pid));
    terminal.type("\x03");
    expect(await terminal.ended).toBe(130);
  });
});

/** All processes below this one. */
const below = (pid: number): number[] => childrenOf(pid).flatMap((child) => [child, ...below(child)]);

describe("characters that the payload pushes into its terminal (TIOCSTI)", () => {
  const push = join(root, "bin/push");
  const text = "evil\n";
  writeFileSync(push, programOf([...text].map((key) => pushed(key))), { mode: 0o755 });
  const outer = (words: string[]): string[] => [
    "sh",
    "-c",
    '"$@"; read -r next; echo outer $next',
    "sh",
    ...words,
  ];

  rootTest("stay in its own, and reach the caller's with --tty=no", async () => {
    const words = wordsFor(false);
    const own = onTerminal(outer(words(sh("/bin/push && read -r key; echo inner $key"))));
    await own.shows(/inner evil\r\n/);
    await until("the terminal is given back", () => own.isCooked());
    own.type("word\n");
    await own.shows(/outer word\r\n/);
    expect(await own.ended).toBe(0);
    const callers = onTerminal(outer(words(sh("/bin/push; echo inner"), ["--tty=no"])));
    await callers.shows(/inner\r\n[\s\S]*outer evil\r\n/);
    expect(await callers.ended).toBe(0);
  });

  test("by an ordinary user: nothing comes to the caller", async () => {
    const own = onTerminal(outer(wordsFor(true)(sh("/bin/push; echo inner"))));
    await own.shows(/inner\r\n/);
    await until("the terminal is given back", () => own.isCooked());
    own.type("word\n");
    await own.shows(/outer word\r\n/);
    expect(await own.ended).toBe(0);
  });
});

rootTest("ns, its watcher and the relay together take at most 80 kB while they wait", async () => {
  const terminal = onTerminal(around(wordsFor(false)(sh("echo ready; exec sleep 1000"))));
  const { ns } = await processesOf(terminal);
  await handedOver(ns);
  const waiting = [ns, ...childrenOf(ns).filter(isProgram)];
  expect(waiting.length).toBe(3);
  expect(pss(waiting)).toBeLessThanOrEqual(80);
  process.kill(ns, "SIGKILL");
  await terminal.shows(/status 137/);
  terminal.type("\n");
  await terminal.ended;
});

rootTest("the container's terminal can be hung up and opened again, as a getty does", async () => {
  // of the calls that ns does not make this is one: in the place of another
  const vhangup = 153;
  const hangup = programOf([{ call: "getpid", args: [], step: "hang up" }], { ...calls, getpid: vhangup });
  writeFileSync(join(root, "bin/hangup"), hangup, { mode: 0o755 });
  const script =
    "trap '' HUP; /bin/hangup; exec <>/dev/pts/0 >&0 2>&1; echo here again; read -r a; echo $a; tty";
  const terminal = onTerminal(wordsFor(false)(sh(script)));
  await terminal.shows(/here again\r\n/);
  terminal.type("typed\r");
  await terminal.shows(/typed\r\ntyped\r\n\/dev\/pts\/0\r\n/);
  expect(await terminal.ended).toBe(0);
});

/** Signals sent to a process that it has not taken yet. */
function pending(pid: number): bigint {
  try {
    return BigInt(`0x${field(pid, "ShdPnd")}`);
  } catch {
    return 0n;
  }
}

/** As many processes of this test's containers that run sleep. */
function sleeping(): number {
  return readdirSync("/proc").filter((pid) => {
    try {
      const comm = readFileSync(`/proc/${pid}/comm`, "utf8");
      return comm === "sleep\n" && readlinkSync(`/proc/${pid}/exe`).startsWith("/bin/busybox");
    } catch {
      return false;
    }
  }).length;
}
