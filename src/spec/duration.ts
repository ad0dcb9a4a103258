/** Durations as the user types them (30s, 1.5m, 250ms) and as ns says them. Used by the flag table. */
import { usageError } from "./error.ts";

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** 100 years: every sum with it is exact. */
const MAX = 36_525 * UNITS.d;

/**
 * A duration in milliseconds: a decimal number, then ms, s, m, h or d; seconds when there is no unit.
 * @throws NsError (usage) for signs, unknown units, and what is less than a millisecond but not 0
 */
export function parseDuration(text: string, option: string): number {
  const bad = (why: string) =>
    usageError(`${option}: '${text}' ${why}; a time is a number like 30s, 1.5m or 250ms`);
  const match = /^(\d{1,15}(?:\.\d{1,9})?)(ms|[smhd])?$/.exec(text);
  if (match === null) throw bad(/^-/.test(text) ? "is negative" : "is not a time");
  const number = Number(match[1]);
  const time = Math.round(number * UNITS[(match[2] ?? "s") as keyof typeof UNITS]);
  if (time > MAX) throw bad("is too long");
  if (time === 0 && number > 0) throw bad("is less than a millisecond");
  return time;
}

/** A duration that is more than 0. @throws NsError (usage) */
export function parsePositiveDuration(text: string, option: string): number {
  const time = parseDuration(text, option);
  if (time === 0) throw usageError(`${option}: the time must be more than 0`);
  return time;
}

/** The duration in the largest unit that says it exactly: 90s, 2m, 1500ms. */
export function showDuration(time: number): string {
  for (const unit of ["d", "h", "m", "s"] as const)
    if (time > 0 && time % UNITS[unit] === 0) return `${time / UNITS[unit]}${unit}`;
  return `${time}ms`;
}
