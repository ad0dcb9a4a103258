/**
 * How to wait for a child: the rules that supervise() in csrc/supervise.c follows, for ns itself, for the waiting program
 * and for the reaper. Times are milliseconds of CLOCK_MONOTONIC.
 */
import type { Arg } from "./op.ts";

export interface Rules {
  /** what wait4(2) waits for: the child, or -1, which reaps orphans too */
  readonly who: number;
  /** mask of the signals to pass on, all of them blocked; 0: they come through `caught` alone */
  readonly signals: number;
  /** descriptor of the pipe with signals that were caught; -1: none */
  readonly caught: number;
  /** as many SIGTERM and SIGINT as kill the child, 0: no number; how many there were */
  readonly patience: number;
  readonly impatience: number;
  /** what is sent for SIGTERM */
  readonly stopSignal: number;
  /** from the first SIGTERM or SIGINT to SIGKILL, and from the deadline to it; -1: none */
  readonly grace: number;
  readonly lastGrace: number;
  /** when the child is asked to stop or, if it has been asked (1, or TIMED_OUT: by the deadline), killed; 0: never */
  readonly deadline: number;
  readonly stopping: number;
  /** when to give up waiting, with -EAGAIN; 0: never */
  readonly until: number;
  /** the process that gets the signals of the mask `others` in the child's place; 0: none */
  readonly other: number;
  readonly others: number;
  /** signals go to the process group that the child leads */
  readonly group?: 0 | 1;
  /** mask of the signals that ask to stop; the first of them that came */
  readonly stops?: number;
  readonly stopped?: number;
}

/** Mirrored by struct rules in csrc/supervise.c. */
const ORDER: readonly (keyof Rules)[] = [
  "who",
  "signals",
  "caught",
  "patience",
  "impatience",
  "stopSignal",
  "grace",
  "lastGrace",
  "deadline",
  "stopping",
  "until",
  "other",
  "others",
  "group",
  "stops",
  "stopped",
];

/** Bytes that the rules take. */
export const RULES_SIZE = 8 * ORDER.length;

/** Where in them one is. */
export const ruleAt = (name: keyof Rules): number => 8 * ORDER.indexOf(name);

/** Where in them `until` is. */
export const UNTIL_AT = 80;

/** Where in them `impatience` is. */
export const IMPATIENCE_AT = 32;

/** Set beside the 16 bits of a wait status (wait(2)) if the deadline had passed. */
export const TIMED_OUT = 1 << 16;

/** Writes the rules as 64-bit words. */
export function putRules(rules: Rules, put: (offset: number, value: number) => void): void {
  for (let i = 0; i < ORDER.length; i++) put(8 * i, rules[ORDER[i]!] ?? 0);
}

/** Reads them back. */
export function takeRules(get: (offset: number) => number): Rules {
  const rules: { -readonly [K in keyof Rules]?: number } = {};
  ORDER.forEach((name, i) => {
    rules[name] = get(8 * i);
  });
  return rules as Rules;
}

/** The rules as an op's argument. */
export function rulesArg(rules: Rules): Arg {
  const memory = new Uint8Array(RULES_SIZE);
  const view = new DataView(memory.buffer);
  putRules(rules, (offset, value) => {
    view.setBigInt64(offset, BigInt(value), true);
  });
  return { memory, means: "RULES" };
}
