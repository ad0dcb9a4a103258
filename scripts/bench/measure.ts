/** Runs commands in turn through timer.c and makes medians and paired ratios of what it says. */
import type { Place } from "./place.ts";

export interface Times {
  /** milliseconds from exec to end, one a round */
  readonly end: readonly number[];
  /** milliseconds from exec of the command to exec of init, one a round; empty where init did not tell */
  readonly start: readonly number[];
}

/** The middle of an odd number of values, the upper one of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The median of the ratios of what was measured in the same round: a drift of the machine's speed meets both. */
export const pairedRatio = (ours: readonly number[], theirs: readonly number[]): number =>
  median(ours.map((value, i) => value / (theirs[i] ?? Number.NaN)));

/** What timer.c has written, by the command's index. @throws Error when a run has failed */
export function parseTimes(text: string, names: readonly string[]): Record<string, Times> {
  const times: Record<string, { end: number[]; start: number[] }> = {};
  for (const name of names) times[name] = { end: [], start: [] };
  for (const line of text.trim().split("\n")) {
    const [index, status, end, start] = line.split(" ").map(Number);
    const name = names[index ?? -1];
    if (name === undefined || end === undefined || start === undefined)
      throw new Error(`the timer said: ${line}`);
    if (status !== 0)
      throw new Error(`${name} failed in the middle of the measurement (wait status ${status})`);
    times[name]!.end.push(end / 1e6);
    if (start >= 0) times[name]!.start.push(start / 1e6);
  }
  return times;
}

/** Why a command does not work here, in one line; null when it does. @param within what goes before the command */
export function whyNot(words: readonly string[], within: readonly string[] = []): string | null {
  const ran = Bun.spawnSync([...within, ...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  if (ran.exitCode !== 0)
    return ran.stderr.toString().trim().split("\n").at(-1) || `it ends with status ${ran.exitCode}`;
  return ran.stdout.length !== 8 ? "init's time did not come through" : null;
}

/** Times the commands, each once a round and two rounds before that. @param within what the timer runs in */
export function measure(
  place: Place,
  commands: Readonly<Record<string, readonly string[]>>,
  rounds: number,
  within: readonly string[] = [],
): Record<string, Times> {
  const lines = Object.values(commands).map((words) => words.join("\t"));
  const ran = Bun.spawnSync([...within, place.timer, `${rounds}`, "2"], {
    stdin: new TextEncoder().encode(`${lines.join("\n")}\n`),
    stderr: "inherit",
  });
  if (ran.exitCode !== 0) throw new Error(`timer.c ended with status ${ran.exitCode}`);
  return parseTimes(ran.stdout.toString(), Object.keys(commands));
}
