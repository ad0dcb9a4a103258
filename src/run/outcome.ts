/** What a run comes to, and what is told on the way. */
import type { Cpu } from "../host/usage.ts";

export interface Outcome {
  /** init's exit status, or 128 plus the signal that ended it */
  readonly status: number;
  /** what there is to say about it: why init was killed, or what went wrong at the end */
  readonly cause: string | null;
}

/** Every kind of cause there is: docs/status.schema.json has the same. */
export const KINDS = [
  "memory-limit",
  "processes-limit",
  "timeout",
  "stopped",
  "out-of-memory",
  "seccomp",
  "crash",
  "signal",
  "post-script",
] as const;
export type Kind = (typeof KINDS)[number];

export interface Cause {
  readonly kind: Kind;
  readonly text: string;
  /** where a person can look further */
  readonly note?: string;
}

/** What the end of a run has to know of its beginning; survives as JSON. */
export interface Begun {
  /** process 1, as this process sees it */
  readonly pid: number;
  /** when init began to run: milliseconds of CLOCK_MONOTONIC */
  readonly since: number;
  /** descriptor for status lines (status.ts); null: none are wanted */
  readonly status: number | null;
  /** what children had used before */
  readonly before: Cpu | null;
}

/** What the command makes of it. */
export interface Ended extends Outcome {
  /** where a person can look further */
  readonly note?: string | undefined;
  /** for those who asked for status lines (status.ts) */
  readonly report: Report | null;
}

/** The end for machines: docs/status.md. */
export interface Report {
  readonly signal: string | null;
  readonly cause: Cause | null;
  readonly cpu: Cpu;
  readonly memory: { readonly peak: number | null };
  /** seconds from the exec of init to its end */
  readonly duration: number;
}

/** Told one line a step, for -v. */
export type Progress = (line: string) => void;
