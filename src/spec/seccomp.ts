/** What system calls init may make, as data. seccomp-json.ts reads it from a file, plan/seccomp/ compiles it. */
import { errnoNumber } from "../sys/errno.ts";

/** What the kernel does with a call: SECCOMP_RET_… with its data (linux/seccomp.h). */
export type Action = number;
export const RET = {
  kill: 0x80000000,
  killThread: 0,
  trap: 0x00030000,
  errno: 0x00050000,
  log: 0x7ffc0000,
  allow: 0x7fff0000,
} as const;
export const errnoAction = (name: Parameters<typeof errnoNumber>[0]): Action => RET.errno | errnoNumber(name);

export const COMPARISONS = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"] as const;
/** One argument of a call compared with a value; MASKED_EQ: (argument & value) == value2. */
export interface Condition {
  readonly index: number;
  readonly op: (typeof COMPARISONS)[number];
  readonly value: bigint;
  readonly value2: bigint;
}

export interface Rule {
  readonly names: readonly string[];
  readonly action: Action;
  /** all of them have to hold */
  readonly conditions: readonly Condition[];
}

export interface Seccomp {
  /** for calls that no rule is about */
  readonly otherwise: Action;
  /** programs of the older 32-bit kind (i386, arm) may run, by the same rules */
  readonly compat: boolean;
  readonly rules: readonly Rule[];
}
