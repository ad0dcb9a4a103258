/** ns on a terminal: what people type reaches init, and the terminal is theirs again afterwards. */
import { describe, expect, test } from "bun:test";
import {
  asOrdinary,
  callers,
  isRoot,
  leavesNothing,
  line,
  ns,
  onTerminal,
  root,
  runCommand,
  script,
  userIds,
} from "../harness.ts";

leavesNothing();

const PROMPT = /# (\x1b\[6n)?$/; // busybox asks the terminal where its cursor is
const COUNT = "n=0; trap 'n=$((n+1)); echo got $n' INT; echo ready; while :; do sleep 1000 & wait; done";

describe.each(callers)("%s", (_, unprivileged) => {
  const words = (init: string[]): string[] => {
    const all = line(unprivileged, init);
    return unprivileged ? asOrdinary(all) : all;
  };

  test("an interactive shell: prompt, keys, Ctrl-C at the prompt, its exit status", async () => {
    const terminal = onTerminal(words(["/bin/sh"]));
    await terminal.shows(PROMPT);
    terminal.type("echo $((20+2)) $$ $TERM\n");
    await terminal.shows(/22 1 xterm-256color\r\n/);
    await terminal.shows(PROMPT);
    // a person presses it more often than three times
    for (let i = 0; i < 5; i++) {
      terminal.type("half a command\x03");
      await terminal.shows(/half a command\^C\r\n/);
      await terminal.shows(PROMPT);
    }
    terminal.type("exit 7\n");
    expect(await terminal.ended).toBe(7);
  });

  test("Ctrl-C reaches an init that is no shell", async () => {
    const terminal = onTerminal(
      words([
        "/bin/sh",
        "-c",
        "trap 'echo got; exit 9' INT; echo ready; while :; do sleep 1000 & wait; done",
      ]),
    );
    await terminal.shows(/ready/);
    terminal.type("\x03");
    await terminal.shows(/got/);
    expect(await terminal.ended).toBe(9);
  });

  // ns is in the terminal's foreground group as init is: both get the keyboard's SIGINT, and ns passes its own on
  test("Ctrl-C reaches init once, and the third is no SIGKILL", async () => {
    const terminal = onTerminal(words(["/bin/sh", "-c", COUNT]));
    await terminal.shows(/ready/);
    const wanted: string[] = [];
    let all = "";
    try {
      for (let i = 1; i <= 20; i++) {
        terminal.type("\x03");
        await terminal.shows(/got \d+\r\n/);
        all += terminal.screen();
        wanted.push(`^Cgot ${i}\r\n`);
      }
    } finally {
      // process 1 ends with ns, whatever it does with signals
      await killed(terminal);
    }
    expect(all).toBe(wanted.join(""));
  });

  test("TERM is passed only when standard input is a terminal", async () => {
    const terminal = onTerminal([
      "sh",
      "-c",
      '"$@" </dev/null; echo done',
      "sh",
      ...words(["/bin/sh", "-c", "echo [$TERM]"]),
    ]);
    await terminal.shows(/\[\]\r\n.*done/s);
    await terminal.ended;
    const ran = await runCommand(words(["/bin/sh", "-c", "echo [$TERM]"]), { env: { TERM: "xterm" } });
    expect(ran.stdout).toBe("[]\n");
  });

  test.each(["", "a b", "x\x1b[0m", "../../etc"])(
    "TERM=%j, which is no terminal's name, is not passed",
    async (name) => {
      const terminal = onTerminal(words(["/bin/sh", "-c", "echo [$TERM]"]), { TERM: name });
      await terminal.shows(/^\[\]\r\n/);
      await terminal.ended;
    },
  );

  test("the terminal's settings are the caller's again, and he reads from it", async () => {
    const outer = 'stty -g; "$@"; echo status $?; stty -g; read -r next && echo next $next';
    const terminal = onTerminal(["sh", "-c", outer, "sh", ...words(["/bin/sh", "-c", "exit 3"])]);
    await terminal.shows(/status 3\r\n[0-9a-f:]+\r\n/);
    const [before, after] = terminal.screen().match(/^[0-9a-f]+:[0-9a-f:]+(?=\r?$)/gm)!;
    expect(after).toBe(before!);
    terminal.type("word\n");
    await terminal.shows(/next word/);
    expect(await terminal.ended).toBe(0);
  });

  // init's shell cannot: the caller's process group has no number inside, so that its tcsetpgrp(3) at the end fails
  test("an interactive shell gives the terminal back: settings, and who reads from it", async () => {
    const outer = 'stty -g; "$@"; echo status $?; stty -g; read -r next && echo next $next';
    const terminal = onTerminal(["sh", "-c", outer, "sh", ...words(["/bin/sh"])]);
    await terminal.shows(PROMPT);
    const first = /[0-9a-f]+:[0-9a-f:]+/.exec(terminal.screen())![0];
    terminal.type("exit 4\n");
    await terminal.shows(/status 4\r\n[0-9a-f:]+\r\n/);
    expect(/[0-9a-f]+:[0-9a-f:]+/.exec(terminal.screen())![0]).toBe(first);
    terminal.type("word\n");
    await terminal.shows(/next word/);
    expect(await terminal.ended).toBe(0);
  });
});

test("a pre script that asks on the terminal is told that it has none, and is not stopped for it", async () => {
  const pre = script("asks", "#!/bin/sh\nread -r answer </dev/tty || echo nobody to ask\n");
  const options = isRoot ? [] : ["-u"];
  const ids = isRoot ? [] : userIds;
  const terminal = onTerminal([ns, ...options, pre, root, "/bin/echo", ...ids, "--", "went on"]);
  await terminal.shows(/nobody to ask[\s\S]*went on/);
  expect(await terminal.ended).toBe(0);
});

async function killed(terminal: { pid: number; ended: Promise<number | null> }): Promise<void> {
  try {
    process.kill(terminal.pid, "SIGKILL");
  } catch {
    // it has ended by itself
  }
  await terminal.ended;
}
