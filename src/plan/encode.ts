/**
 * Lays a plan out in memory for the launcher.
 *
 * Layout, mirrored by csrc/launcher.c (all little-endian, a task is 8-byte aligned):
 *   task: 128 bytes: cloneFlags, stack, pidfd, report, count, then 11 saved results, all 64 bits; the ops follow
 *   op:    64 bytes: nr (32 bits); save, refs, flags, 0 (8 bits each); fine[8] (8 bits each); arg[6] (64 bits each)
 * An op is one system call. Bit j of refs makes arg[j] the number of a saved result; save (255: nowhere) keeps the
 * result; an errno in fine is no failure; flag 1 ends the task quietly when the result is 0.
 * The first failure is reported as two 32-bit numbers, the op's index and its errno.
 */
import { callNumber } from "../sys/abi.ts";
import { errnoNumber } from "../sys/errno.ts";
import { getI32, placeBuffer, placeString, putByte, putI64, putU32, reserve } from "../sys/kernel.ts";
import type { Op, Slot } from "./op.ts";

const HEADER = 128;
const OP = 64;
const SLOTS = 11;
const STACK = 16384;
const NOWHERE = 255;
const STOP_AT_ZERO = 1;
const SIGCHLD = 17;

export interface Task {
  /** where the launcher finds it */
  readonly address: number;
  /** puts another op in this one's place; a task that has not come to it yet will do the new one */
  replace(index: number, op: Op): void;
  /** the pid file descriptor of the child, if CLONE_PIDFD was among the flags and the child has been started */
  pidfd(): number;
}

export interface TaskOptions {
  /** CLONE_ flags of clone(2) */
  readonly flags: number;
  /** descriptor that a failure is reported to, or -1 */
  readonly report: number;
}

/** Lays out a task in memory that stays until the end of the process or of the enclosing `scratch()`. */
export function encodeTask(ops: readonly Op[], options: TaskOptions): Task {
  const address = reserve(HEADER + OP * ops.length);
  const slots = new Map<Slot, number>();

  const encodeOp = (op: Op, at: number): void => {
    let refs = 0;
    op.args.forEach((arg, j) => {
      let value: number;
      if (typeof arg === "number") value = arg;
      else if (typeof arg === "string") value = placeString(arg);
      else if ("memory" in arg) value = placeBuffer(arg.memory);
      else if ("strings" in arg) value = placeStrings(arg.strings);
      else {
        const number = slots.get(arg.slot);
        if (number === undefined) throw new RangeError(`${op.step}: ${arg.slot} is used before it is saved`);
        refs |= 1 << j;
        value = number;
      }
      putI64(at + 16 + 8 * j, value);
    });
    for (let j = op.args.length; j < 6; j++) putI64(at + 16 + 8 * j, 0);
    putU32(at, callNumber(op.call));
    putByte(at + 4, op.save === undefined ? NOWHERE : slotFor(op.save));
    putByte(at + 5, refs);
    putByte(at + 6, op.stopAtZero === true ? STOP_AT_ZERO : 0);
    putByte(at + 7, 0);
    for (let j = 0; j < 8; j++) {
      const name = op.fine?.[j];
      putByte(at + 8 + j, name === undefined ? 0 : errnoNumber(name));
    }
  };
  const slotFor = (name: Slot): number => {
    const known = slots.get(name);
    if (known !== undefined) return known;
    if (slots.size === SLOTS) throw new RangeError("a task keeps eleven results at most");
    slots.set(name, slots.size);
    return slots.size - 1;
  };
  putI64(address, options.flags | SIGCHLD);
  putI64(address + 8, reserve(STACK) + STACK);
  putI64(address + 16, -1);
  putI64(address + 24, options.report);
  putI64(address + 32, ops.length);
  const replace = (index: number, op: Op): void => encodeOp(op, address + HEADER + OP * index);
  ops.forEach((op, index) => {
    replace(index, op);
  });
  return { address, replace, pidfd: () => getI32(address + 16) };
}

function placeStrings(strings: readonly string[]): number {
  const list = reserve(8 * (strings.length + 1));
  strings.forEach((text, i) => {
    putI64(list + 8 * i, placeString(text));
  });
  putI64(list + 8 * strings.length, 0);
  return list;
}
