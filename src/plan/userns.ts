/**
 * The two tasks that an existing user namespace needs. setns(2) wants a process of one thread and has no way back, so that
 * ns cannot join it as it does a network's: a task, which has ns's memory and nothing else of it, does. Used by run/userns.ts.
 */
import { CLONE, PR, SIGNALS } from "../sys/constants.ts";
import type { Op } from "./op.ts";

/** First of all ns's memory is closed to those who are in it already, and may trace whoever comes. */
const join = (namespace: number): Op[] => [
  { call: "prctl", args: [PR.PR_SET_DUMPABLE, 0], step: "refuse to be traced" },
  { call: "setns", args: [namespace, CLONE.CLONE_NEWUSER], step: "join the user namespace" },
];

/** Says when it has joined it, and then is there to be looked at until it is told to end, or ns dies. */
export function guestPlan(namespace: number, pipe: readonly [number, number], told: number): Op[] {
  const step = "hold the user namespace";
  return [
    { call: "close", args: [pipe[1]], step },
    ...join(namespace),
    // not before: it is undone when capabilities are gained
    { call: "prctl", args: [PR.PR_SET_PDEATHSIG, SIGNALS.SIGKILL], step: "die with the parent" },
    { call: "write", args: [told, "j", 1], step },
    { call: "read", args: [pipe[0], { memory: new Uint8Array(1), means: "" }, 1], step },
  ];
}

/** Joins it and starts the child there, which is ns's own (CLONE_PARENT), and ends. The child's process id is saved. */
export const doorPlan = (namespace: number, child: readonly Op[], flags: number, base: number): Op[] => [
  ...join(namespace),
  {
    call: "start",
    args: [{ task: child, base, flags: flagsInside(flags) }],
    step: "start the child",
    save: "child",
  },
];

/** Flags for clone(2) inside. A pidfd would be the door's; ns opens one itself. */
export const flagsInside = (flags: number): number => (flags & ~CLONE.CLONE_PIDFD) | CLONE.CLONE_PARENT;
