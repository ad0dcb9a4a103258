/** `ns batch`: lines of JSON in, lines of JSON out. */
import { describe, expect, test } from "bun:test";
import {
  isRoot,
  launch,
  leavesNothing,
  ns,
  onTerminal,
  ordinary,
  processesLeft,
  root,
  run,
  rootTest,
  script,
  until,
} from "../harness.ts";

leavesNothing();

const who = isRoot ? {} : { user: true, ...ordinary };
const line = (command: string, more: object = {}): string =>
  JSON.stringify({ root, init: "/bin/sh", args: ["-c", command], ...who, ...more });
const batch = (lines: string[], ...options: string[]) =>
  run(["batch", ...options, "-"], { stdin: `${lines.join("\n")}\n` });
const results = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split("\n")
    .map((one) => JSON.parse(one))
    .sort((a, b) => a.line - b.line);

describe("results", () => {
  test("one for each line, with its id; all well is status 0", async () => {
    const ran = await batch([line("exit 0", { id: "a" }), "", line("true", { id: { b: 1 } })]);
    expect(ran.stderr).toBe("");
    expect(ran.status).toBe(0);
    expect(results(ran.stdout)).toEqual([
      { line: 1, id: "a", status: 0, pid: expect.any(Number), ms: expect.any(Number) },
      { line: 3, id: { b: 1 }, status: 0, pid: expect.any(Number), ms: expect.any(Number) },
    ]);
  });
  test("from a file; a status that is not 0 makes it 1", async () => {
    const ran = await run(["batch", "--jobs=1", script("lines.jsonl", `${line("exit 7")}\n${line("true")}`)]);
    expect(ran.status).toBe(1);
    expect(results(ran.stdout).map(({ status }) => status)).toEqual([7, 0]);
  });
  test("one that cannot be started says why, and makes it 125", async () => {
    const ran = await batch([line("true", { init: "/nope" }), line("exit 3")]);
    expect(ran.status).toBe(125);
    const [first, second] = results(ran.stdout);
    expect(first).toEqual({ line: 1, status: 127, error: `init /nope in ${root} is not there` });
    expect(second).toMatchObject({ line: 2, status: 3 });
  });
  test("what init writes goes to standard error, or into the result", async () => {
    const ran = await batch([
      line("echo loud"),
      line("echo ä; echo err >&2", { capture: true }),
      line("cat"),
    ]);
    expect(ran.stderr).toBe("loud\n");
    expect(results(ran.stdout)[1]).toMatchObject({ stdout: "ä\n", stderr: "err\n" });
  });
  rootTest("options have the command's names", async () => {
    const eat = "x=xxxxxxxx; while :; do x=$x$x; done";
    const ran = await batch([line(eat, { memory: "16M", network: true, "read-only": true, capture: true })]);
    expect(results(ran.stdout)[0]).toMatchObject({
      status: 137,
      cause: "init was killed: out of its 16M memory limit",
    });
  });
  test("no more at a time than --jobs", async () => {
    const count = Array.from({ length: 12 }, () => line("read x </proc/loadavg; exit 0"));
    const ran = await batch(count, "-j", "3");
    expect(results(ran.stdout).length).toBe(12);
    const held = launch([
      ns,
      "batch",
      "-j3",
      script("held.jsonl", Array(9).fill(line("exec sleep 1000")).join("\n")),
    ]);
    await until("three run", () => sleeping() === 3);
    held.kill("SIGTERM");
    expect((await held.ended).status).toBe(143);
  });
});

const sleeping = (): number => processesLeft().filter((text) => /sleep 1000/.test(text)).length;

describe("a wrong line is named, and nothing is started", () => {
  test.each([
    ["{", /^ns: line 2: not JSON: /],
    ["[]", /^ns: line 2: not a JSON object/],
    [line("true", { memroy: "1G" }), /^ns: line 2: "memroy": unknown key; did you mean "?memory/],
    [line("true", { memory: "1X" }), /^ns: line 2: "memory"/],
    [line("true", { args: "x" }), /^ns: line 2: "args": has to be a list/],
    [line("true", { capture: 1 }), /^ns: line 2: "capture"/],
    [line("true", { timeout: "1s" }), /^ns: line 2: process\.stop: only the command can do this so far/],
    [line("true", { root: undefined }), /^ns: line 2: "root" is missing/],
    [line("true", { init: "/bin/\0" }), /^ns: line 2: "init": a string may not hold a zero byte/],
  ])("%s", async (wrong, message) => {
    const ran = await batch([line("echo started"), wrong]);
    expect(ran).toMatchObject({ status: 2, stdout: "" });
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr).not.toContain("started\n");
  });
  test.each([
    [["batch"], /takes one FILE/],
    [["batch", "a", "b"], /takes one FILE/],
    [["batch", "--jobs", "0", "-"], /--jobs needs a number/],
    [["batch", "--job", "1", "-"], /unknown option --job/],
  ])("the command line %p", async (words, message) => {
    const ran = await run(words, { stdin: "" });
    expect(ran.status).toBe(2);
    expect(ran.stderr).toMatch(message);
  });
  test("a file that is not there", async () => {
    expect(await run(["batch", "/nowhere"])).toMatchObject({ status: 125, stdout: "" });
  });
  test("no line at all", async () => {
    expect(await run(["batch", "-"], { stdin: "" })).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });
});

describe("it is stopped", () => {
  const lines = script("stop.jsonl", [line("true"), ...Array(5).fill(line("exec sleep 1000"))].join("\n"));
  test.each<[NodeJS.Signals, number]>([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])("by %s: what runs is killed, what has ended is told", async (signal, status) => {
    const running = launch([ns, "batch", "-j4", lines]);
    await running.line(/"line":1/);
    await until("four run", () => sleeping() === 4);
    running.kill(signal);
    const ended = await running.ended;
    expect(ended.status).toBe(status);
    expect(results(ended.stdout)[0]).toMatchObject({ line: 1, status: 0 });
  });
  test("by SIGKILL: what runs is killed too", async () => {
    const running = launch([ns, "batch", "-j4", lines]);
    await until("four run", () => sleeping() === 4);
    running.kill("SIGKILL");
    await running.ended;
  });
  test("by Ctrl-C on a terminal, which shows how far it is", async () => {
    const terminal = onTerminal([ns, "batch", "-j4", lines]);
    await terminal.shows(/1 of 6/);
    await until("four run", () => sleeping() === 4);
    terminal.type("\x03");
    expect(await terminal.ended).toBe(130);
  });
});

test("its help", async () => {
  const ran = await run(["batch", "--help"]);
  expect(ran.status).toBe(0);
  expect(ran.stdout).toContain("Usage: ns batch [--jobs N] FILE|-");
});
