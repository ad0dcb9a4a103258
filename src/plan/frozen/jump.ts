/** What is done only under a condition in a frozen start, and what is done more than once. Used by search.ts and its like. */
import type { Op, Slot } from "../op.ts";

/** Leaves out so many ops or, below 0, goes back. @param onlyIf where it is left away, always */
export const jump = (by: number, onlyIf?: Slot): Op => ({
  call: "jump",
  args: [by],
  step: "go on",
  ...(onlyIf !== undefined && { onlyIf }),
});

/** Does these only if what is saved is above 0. */
export const whenever = (saved: Slot, ops: readonly Op[]): Op[] => [jump(1, saved), jump(ops.length), ...ops];

/** Does these only if what is saved is not above 0, which it is not either before anything has been saved. */
export const unless = (saved: Slot, ops: readonly Op[]): Op[] => [jump(ops.length, saved), ...ops];

/** Does these again and again as long as `more` is above 0 and `done` is not. */
export const until = (done: Slot, more: Slot, ops: readonly Op[]): Op[] => [
  ...ops,
  jump(1, done),
  jump(-(ops.length + 2), more),
];
