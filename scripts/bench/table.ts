/** The tables of docs/performance.md. Pure. */
import type { LevelResult, Results } from "./results.ts";

const times = (ratio: number | null): string => (ratio === null ? "" : `${ratio.toFixed(2)} ×`);
const ms = (value: number | null): string => (value === null ? "" : `${value.toFixed(2)} ms`);
const table = (head: string[], rows: string[][]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** A level: every command's times, and what ns takes in terms of them. */
export function levelTable({ name, rows, leftOut }: LevelResult): string {
  const body = rows.map((row, i) => [
    row.name,
    ms(row.end),
    i === 0 ? "" : times(row.endRatio),
    ms(row.start),
    i === 0 ? "" : times(row.startRatio),
  ]);
  const head = ["", "start to end", "ns takes", "exec to init", "ns takes"];
  const notes = leftOut.map((peer) => `Left out: ${peer.name}: ${peer.why}.`);
  return [`### ${name}`, "", table(head, body), ...(notes.length === 0 ? [] : ["", notes.join("\n")])].join(
    "\n",
  );
}

/** Starts a second, memory while waiting, size: whatever is known of a program, a row each. */
export function costTable({ rate, waiting, size }: Results): string {
  const names = [...new Set([rate, waiting, size].flatMap((values) => Object.keys(values)))];
  const cell = (value: number | undefined, text: (value: number) => string) =>
    value === undefined ? "" : text(value);
  const rows = names.map((name) => [
    name,
    cell(rate[name], (value) => value.toFixed(0)),
    cell(waiting[name], (value) => `${value} kB`),
    cell(size[name], (value) =>
      value < 1e6 ? `${Math.ceil(value / 1000)} kB` : `${(value / 1e6).toFixed(1)} MB`,
    ),
  ]);
  return table(["", "starts a second", "memory while init runs", "executable"], rows);
}

/** Everything that is measured. */
export const tables = (results: Results): string =>
  [...results.levels.map(levelTable), "### The rest", costTable(results)].join("\n\n");
