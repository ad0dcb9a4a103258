/** What a benchmark run has found, as docs/performance.json keeps it, and how a later run compares with it. Pure. */
import { median, pairedRatio, type Times } from "./measure.ts";

export interface Row {
  readonly name: string;
  /** medians in milliseconds: exec to end, and exec to init (null: it has no init that tells) */
  readonly end: number;
  readonly start: number | null;
  /** how many times as long ns takes, as medians of paired ratios; 1 for ns itself */
  readonly endRatio: number;
  readonly startRatio: number | null;
}

export interface LevelResult {
  readonly name: string;
  readonly rows: readonly Row[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

export interface Results {
  readonly machine: string;
  readonly rounds: number;
  readonly levels: readonly LevelResult[];
  /** containers a second */
  readonly rate: Readonly<Record<string, number>>;
  /** kilobytes while init runs */
  readonly waiting: Readonly<Record<string, number>>;
  /** bytes of the executable, and what else it needs */
  readonly size: Readonly<Record<string, number>>;
}

/** Rows of a level; the first command is what the others are compared with. */
export function rowsOf(times: Readonly<Record<string, Times>>): Row[] {
  const [ours] = Object.values(times);
  if (ours === undefined) return [];
  return Object.entries(times).map(([name, { end, start }]) => ({
    name,
    end: median(end),
    start: start.length === 0 ? null : median(start),
    endRatio: pairedRatio(ours.end, end),
    startRatio: start.length === 0 || ours.start.length === 0 ? null : pairedRatio(ours.start, start),
  }));
}

/** The ratios by "level / peer". */
export function ratiosOf(levels: readonly LevelResult[]): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const { name, rows } of levels)
    for (const row of rows.slice(1)) ratios[`${name} / ${row.name}`] = Number(row.endRatio.toFixed(3));
  return ratios;
}

/** One line a ratio, beside the recorded one. */
export function compare(now: Record<string, number>, recorded: Record<string, number>): string[] {
  return Object.entries(now).map(([name, ratio]) => {
    const before = recorded[name];
    const beside = before === undefined ? "not recorded" : `recorded ${before.toFixed(2)}`;
    return `bench: ${name}: ${ratio.toFixed(2)} (${beside})`;
  });
}
