/**
 * An op is one system call as data. Plans are lists of them, made by the pure functions in this folder, laid out for
 * the launcher by encode.ts and printed by show.ts.
 */
import type { Call } from "../sys/abi.ts";
import type { Bytes } from "../sys/bytes.ts";
import type { ErrnoName } from "../sys/errno.ts";

/** Results that later ops use. */
export type Slot =
  | "root"
  | "proc"
  | "procTree"
  | "procContext"
  | "dev"
  | "devTree"
  | "devpts"
  | "socket"
  | "null"
  | "file"
  | "here"
  | "memory"
  | "context"
  | "parent"
  | "target"
  | "netns"
  | "resolvContext"
  | "resolvFiles"
  | "resolvTree"
  | "resolvTarget"
  | `layer${number}`
  | `tree${number}`
  | `directory${number}`
  | "start"
  | "watcher"
  | "command"
  | "child"
  | "ending"
  | "ptmx"
  | "pty"
  | "input"
  | "output"
  | "signals"
  | "relay"
  | "stack"
  | "self"
  | "asked"
  | "privileged"
  | "place"
  | "others"
  | "moved"
  | "busy"
  | "given"
  | "handed"
  | "above"
  | "program";

/** Something whose address is known: what it is, in words. */
export interface Place {
  readonly at: number;
  readonly means: string;
}

export type Arg =
  | number
  /** a path or another string */
  | Bytes
  /** the result of an earlier op of the same task */
  | { readonly slot: Slot }
  /** a task for `start`: a child that shares this one's memory until it executes something; base and flags as in TaskOptions */
  | { readonly task: readonly Op[]; readonly base: number; readonly flags?: number }
  /** a NULL-terminated list of strings, as execve(2) takes */
  | { readonly strings: readonly (Bytes | Place)[] }
  /** memory that is there already */
  | Place
  /** a filter of so many instructions as seccomp(2) takes it (struct sock_fprog) */
  | { readonly filter: Uint8Array }
  /** memory that the kernel reads or writes, and what it holds in words */
  | { readonly memory: Uint8Array; readonly means: string };

/** What the launcher does besides system calls: csrc/launcher.c says what each means. */
export type Action =
  | "start"
  | "supervise"
  | "exit"
  | "decimal"
  | "foreground"
  | "keep"
  | "send"
  | "relay"
  | "settings"
  | Alone;

/** What only a program that stands alone does (frozen/). */
export type Alone =
  | "listen"
  | "heed"
  | "check"
  | "tell"
  | "digits"
  | "store"
  | "says"
  | "arguments"
  | "due"
  | "late"
  | "remove"
  | "both"
  | "behind"
  | "jump";

export interface Op {
  readonly call: Call | Action;
  readonly args: readonly Arg[];
  /** what this step is for, as an error message or a progress line says it: "mount proc on /proc" */
  readonly step: string;
  /** keep the result under this name */
  readonly save?: Slot;
  /** errors that are no failure here */
  readonly fine?: readonly ErrnoName[];
  /** a result of 0 ends the task quietly: the other end of a pipe is gone */
  readonly stopAtZero?: true;
  /** skip this op unless the wait status under this name tells of SIGKILL */
  readonly onlyIfKilled?: Slot;
  /** skip this op unless the result under this name is above 0 */
  readonly onlyIf?: Slot;
  /** repeat it on EAGAIN: openat2(2) says so when anything at all has been renamed or mounted meanwhile */
  readonly tryAgain?: true;
  /** skip the next op if this one succeeds */
  readonly skipNext?: true;
}

export const slot = (name: Slot): Arg => ({ slot: name });

/** How many results ops have, with those that are there from the beginning. */
export function resultsOf(ops: readonly Op[], given: readonly Slot[] = []): number {
  const names = ops.flatMap(({ save, onlyIf, onlyIfKilled }) => [save, onlyIf, onlyIfKilled]);
  return new Set([...given, ...names].filter((name) => name !== undefined)).size;
}
