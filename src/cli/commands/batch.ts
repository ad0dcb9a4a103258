/**
 * `ns batch [--jobs N] FILE|-`: one container for each line of JSON, several at a time, and one line of JSON for each
 * result, in the order in which they end. All lines are read and checked before the first container is started.
 */
import { checkSupported, type Container, type Outcome, type Spec, startSpec } from "../../index.ts";
import { EXIT, NsError, usageError } from "../../spec/error.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import { O, SIGNALS, type SignalName } from "../../sys/constants.ts";
import { errnoText } from "../../sys/errno.ts";
import { close, open, readAll, write } from "../../sys/file.ts";
import type { CommandLine } from "../argv.ts";
import { textOf } from "../config.ts";
import { specOfJson } from "../json.ts";
import { parseJson } from "../json-text.ts";
import { print } from "../print.ts";
import { isDebug } from "../version.ts";
import { type Command, ownValue } from "./command.ts";

const TEXT = `Each line of FILE (-: standard input) is a JSON object that says what to start:

  {"root": "/srv/a", "init": "/bin/sh", "args": ["-c", "id"], "memory": "64M", "network": true}

Its keys are pre, root, init, args, uid, gid and the long names of ns's options; "id" is anything and comes back in the
result; "capture": true puts what init writes (a mebibyte of each at most) into the result as stdout and stderr, otherwise
it all goes to standard error. Init reads /dev/null.

Each line of the output is a JSON object: line, id, status, cause, pid, ms, stdout, stderr; or line, id, status, error and
note when it could not be started.

Exit status: 0 all ended with status 0; 1 some did not; 125 some could not be started; 2 a line is wrong, and nothing was
started; 128+N stopped by signal N: what was running is killed.`;

const LIMIT = 1 << 28;
const CAPTURED = 1 << 20;
const STOPPING: readonly SignalName[] = ["SIGINT", "SIGTERM", "SIGHUP"];

interface Line {
  readonly number: number;
  readonly id: unknown;
  readonly capture: boolean;
  readonly spec: Spec;
}

function parseLine(text: string, number: number): Line {
  const refuse = (why: string): NsError => usageError(`line ${number}: ${why}`);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw refuse(`not JSON: ${(error as Error).message.replace("line 1, ", "")}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse("not a JSON object");
  const { id, capture = false, ...rest } = value as Record<string, unknown>;
  if (typeof capture !== "boolean") throw refuse('"capture": has to be true or false');
  try {
    const spec = specOfJson(rest, isDebug);
    checkSupported(spec);
    return { number, id, capture, spec };
  } catch (error) {
    throw refuse((error as Error).message);
  }
}

function readLines(file: Bytes): Line[] {
  const fd = file === "-" ? 0 : open(file, O.O_RDONLY);
  const content = fd < 0 ? fd : readAll(fd, LIMIT);
  if (fd > 0) close(fd);
  if (typeof content === "number")
    throw new NsError(`cannot read ${show(file)}: ${errnoText(-content)}`, { errno: -content });
  if (content.length >= LIMIT) throw new NsError(`${show(file)} is too large`);
  const lines: Line[] = [];
  content.split("\n").forEach((bytes, i) => {
    if (bytes.trim() === "") return;
    const text = textOf(bytes);
    if (text === null) throw usageError(`line ${i + 1}: not UTF-8`);
    lines.push(parseLine(text, i + 1));
  });
  return lines;
}

function fileAndJobs({ draft, positionals, args }: CommandLine): { file: Bytes; jobs: number } {
  const files = [...positionals, ...args];
  if (files.length !== 1) throw usageError("ns batch takes one FILE, or - for standard input");
  const { jobs = `${navigator.hardwareConcurrency}` } = draft.own;
  if (jobs === true || !/^[1-9]\d{0,3}$/.test(jobs) || Number(jobs) > 4000)
    throw usageError("--jobs needs a number from 1 to 4000");
  return { file: files[0]!, jobs: Number(jobs) };
}

async function capture(stream: Container["stdout"]): Promise<string | undefined> {
  if (stream === null) return undefined;
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of stream) {
    if (size < CAPTURED) text += decoder.decode(chunk.subarray(0, CAPTURED - size), { stream: true });
    size += chunk.length; // read to its end all the same: the container would wait for ever
  }
  return text + decoder.decode();
}

type Ended = Outcome & { readonly pid: number; readonly stdout?: string; readonly stderr?: string };

async function runLine({ spec, capture: wanted }: Line, signal: AbortSignal): Promise<Ended> {
  const stream = wanted ? "pipe" : 2;
  const container = await startSpec(spec, { signal, stdin: "ignore", stdout: stream, stderr: stream });
  const [outcome, stdout, stderr] = await Promise.all([
    container.exited,
    capture(container.stdout),
    capture(container.stderr),
  ]);
  return { ...outcome, pid: container.pid, ...(wanted ? { stdout, stderr } : {}) } as Ended;
}

/** A counter on the last line of a terminal; nothing where standard error is none. */
function progressOf(
  total: number,
  terminal: boolean,
): { show(done: number, failed: number): void; end(): void } {
  const say = (text: string): void => {
    if (terminal) write(2, `\r${text}\x1b[K`);
  };
  return {
    show: (done, failed) => say(`${done} of ${total}${failed === 0 ? "" : `, ${failed} failed`}`),
    end: () => say(""),
  };
}

/** @returns the exit status @throws NsError (usage) for a line or a word that is wrong */
async function run(line: CommandLine): Promise<number> {
  const { file, jobs } = fileAndJobs(line);
  const lines = readLines(file);
  const stop = new AbortController();
  let stopped: SignalName | null = null;
  for (const name of STOPPING)
    process.on(name, () => {
      stopped ??= name;
      stop.abort(new NsError(`stopped by ${name}`));
    });
  const { isatty } = await import("node:tty");
  const progress = progressOf(lines.length, isatty(2));
  let next = 0;
  let done = 0;
  let failed = 0;
  let worst = 0;
  const one = async (): Promise<void> => {
    while (next < lines.length && stopped === null) {
      const line = lines[next++]!;
      const about = { line: line.number, ...(line.id === undefined ? {} : { id: line.id }) };
      const begin = performance.now();
      try {
        const { cause, ...ended } = await runLine(line, stop.signal);
        if (ended.status !== 0) {
          failed++;
          worst = Math.max(worst, 1);
        }
        const ms = Math.round((performance.now() - begin) * 100) / 100;
        print(JSON.stringify({ ...about, ...ended, ...(cause === null ? {} : { cause }), ms }));
      } catch (error) {
        if (stopped !== null) return;
        if (!(error instanceof NsError)) throw error;
        failed++;
        worst = EXIT.failed;
        const { status, message, note } = error;
        print(JSON.stringify({ ...about, status, error: message, ...(note === undefined ? {} : { note }) }));
      }
      progress.show(++done, failed);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(jobs, lines.length) }, one));
  } finally {
    stop.abort(); // one that failed in an unforeseen way takes the others along
    progress.end();
  }
  return stopped === null ? worst : 128 + SIGNALS[stopped];
}

export const batch: Command = {
  name: "batch",
  summary: "a container for each line of JSON",
  usage: "ns batch [--jobs N] FILE|-",
  text: TEXT,
  options: [
    ownValue({ name: "jobs", short: "j", hint: "N", help: "as many at a time (the number of processors)" }),
  ],
  container: false,
  operands: "files",
  run,
};
