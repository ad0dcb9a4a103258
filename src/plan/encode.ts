/**
 * Lays a plan out in memory for the launcher.
 *
 * Layout, mirrored by csrc/launcher.c (all little-endian, a task is 8-byte aligned):
 *   task: 56 bytes: cloneFlags, stack, pidfd, report, base, count, rescue, all 64 bits; the ops; then the saved results, 64 bits each
 *   op:    64 bytes: nr (32 bits); save, refs, flags, guard (8 bits each); fine[8] (8 bits each); arg[6] (64 bits each)
 * An op is one system call, or one of those below. Bit j of refs makes arg[j] the number of a saved result; save
 * (255: nowhere) keeps the result; an errno in fine is no failure. Flag 1 ends the task quietly when the result is 0;
 * flag 2 runs the op only if the wait status saved as `guard` tells of SIGKILL (or 137); flag 4 skips the next op on success;
 * flag 8 repeats it on EAGAIN, a thousand times in a task; flag 16 runs the op only if what is saved as `guard` is above 0.
 * After its first failure a task goes on with the op number `rescue`, if that is not 0. Otherwise the failure is reported as two
 * 32-bit numbers, base plus the op's index and its errno.
 */
import { type Call, calls } from "../sys/abi.ts";
import { errnoNumber } from "../sys/errno.ts";
import { arena } from "../sys/kernel.ts";
import type { Memory } from "../sys/memory.ts";
import type { Bytes } from "../sys/bytes.ts";
import type { Action, Op, Place, Slot } from "./op.ts";

/** The numbers that stand for what is no system call. */
const ACTIONS: Readonly<Record<Action, number>> = {
  start: -1,
  supervise: -3,
  exit: -4,
  decimal: -5,
  foreground: -7,
  keep: -8,
  send: -9,
  relay: -10,
  settings: -11,
  listen: -20,
  heed: -21,
  check: -22,
  tell: -23,
  digits: -24,
  store: -25,
  says: -26,
  arguments: -27,
  due: -28,
  late: -29,
  remove: -31,
  both: -32,
  behind: -33,
  jump: -34,
};

export const TASK_HEADER = 56;
const OP = 64;
const SLOTS = 254;
const STACK = 16384;
/** of a task within a task: it runs ops and nothing else */
const INNER_STACK = 4096;
const CLONE_VM = 0x100;
const NOWHERE = 255;
const STOP_AT_ZERO = 1;
const ONLY_IF_KILLED = 2;
const SKIP_NEXT = 4;
const TRY_AGAIN = 8;
const ONLY_IF_SAVED = 16;
const SIGCHLD = 17;
const CLONE_INTO_CGROUP = 2 ** 33;

export interface Task {
  /** where the launcher finds it */
  readonly address: number;
  /** puts another op in this one's place; a task that has not come to it yet will do the new one */
  replace(index: number, op: Op): void;
  /** the pid file descriptor of the child, if CLONE_PIDFD was among the flags and the child has been started */
  pidfd(): number;
  /** what has been saved under this name, once the op has been done */
  saved(name: Slot): number;
}

export interface TaskOptions {
  /** CLONE_ flags of clone(2) */
  readonly flags: number;
  /** descriptor that a failure is reported to, or -1 */
  readonly report: number;
  /** what is added to the index of a failing op when it is reported */
  readonly base?: number;
  /** descriptor of the cgroup (v2) that the child is to begin in, by clone3(2) */
  readonly cgroup?: number;
  /** bytes of stack for a child that is started with it; a program's own task has the program's */
  readonly stack?: number;
  /** number of the op that a task goes on with after its first failure; 0: none */
  readonly rescue?: number;
  /** where a stack ends that there is already */
  readonly stackAt?: number;
  /** results that are there from the beginning */
  readonly given?: readonly Slot[];
  /** room for so many results, those given among them; left out: one for each op */
  readonly results?: number;
  /** bytes of an address in a list of strings */
  readonly word?: 4 | 8;
  /** system call numbers, when it is for another architecture than this one */
  readonly calls?: Readonly<Record<Call, number>>;
}

const numberOf = (call: Op["call"], numbers: Readonly<Record<Call, number>>): number =>
  call in ACTIONS ? ACTIONS[call as Action] : numbers[call as Exclude<Op["call"], Action>];

/** What a task begins with that is to begin in a cgroup. */
export const flagsInto = (flags: number): number => (flags | SIGCHLD) + CLONE_INTO_CGROUP;

/** As many bytes as the layout of these ops takes at most. */
export function sizeOf(ops: readonly Op[], stack = STACK): number {
  let size = TASK_HEADER + stack + 32;
  const add = (length: number): void => {
    size += length + 32;
  };
  for (const { args } of ops) {
    size += OP + 8;
    for (const arg of args) {
      if (typeof arg === "string") add(arg.length);
      else if (typeof arg === "number" || "slot" in arg || "at" in arg) continue;
      else if ("memory" in arg) add(arg.memory.length);
      else if ("filter" in arg) add(arg.filter.length + 16);
      else if ("task" in arg) add(sizeOf(arg.task));
      else for (const text of arg.strings) add((typeof text === "string" ? text.length : 0) + 8);
    }
  }
  return size;
}

/** Lays out a task: in the arena to be started by this process, or in the memory of a program in the making. */
export function encodeTask(ops: readonly Op[], options: TaskOptions, memory: Memory = arena()): Task {
  const { results = ops.length, word = 8, cgroup, stack = STACK } = options;
  const address = memory.reserve(TASK_HEADER + OP * ops.length + 8 * results);
  const slots: Slot[] = options.given === undefined ? [] : [...options.given];

  const encodeInner = (inner: readonly Op[], base: number, flags = CLONE_VM): number => {
    const { report, calls } = options;
    const task = { flags, report, base, word, stack: INNER_STACK, ...(calls && { calls }) };
    return encodeTask(inner, task, memory).address;
  };
  const encodeOp = (op: Op, at: number): void => {
    let refs = 0;
    memory.clear(at, OP);
    op.args.forEach((arg, j) => {
      let value: number;
      if (typeof arg === "number") value = arg;
      else if (typeof arg === "string") value = memory.placeString(arg);
      else if ("memory" in arg) value = memory.placeBuffer(arg.memory);
      else if ("filter" in arg) value = placeFilter(arg.filter, memory, word);
      else if ("strings" in arg) value = placeStrings(arg.strings, memory, word);
      else if ("at" in arg) value = arg.at;
      else if ("task" in arg) value = encodeInner(arg.task, arg.base, arg.flags);
      else {
        const number = slots.indexOf(arg.slot);
        if (number < 0) throw new RangeError(`${op.step}: ${arg.slot} is used before it is saved`);
        refs |= 1 << j;
        value = number;
      }
      memory.putI64(at + 16 + 8 * j, value);
    });
    memory.putU32(at, numberOf(op.call, options.calls ?? calls) >>> 0);
    memory.putByte(at + 4, op.save === undefined ? NOWHERE : slotFor(op.save));
    memory.putByte(at + 5, refs);
    const guard = op.onlyIfKilled ?? op.onlyIf;
    memory.putByte(
      at + 6,
      (op.stopAtZero ? STOP_AT_ZERO : 0) |
        (op.onlyIfKilled === undefined ? 0 : ONLY_IF_KILLED) |
        (op.onlyIf === undefined ? 0 : ONLY_IF_SAVED) |
        (op.skipNext ? SKIP_NEXT : 0) |
        (op.tryAgain ? TRY_AGAIN : 0),
    );
    if (guard !== undefined) memory.putByte(at + 7, slotFor(guard));
    if (op.fine !== undefined && op.fine.length > 8)
      throw new RangeError(`${op.step}: too many errors are fine`);
    op.fine?.forEach((name, j) => {
      memory.putByte(at + 8 + j, errnoNumber(name));
    });
  };
  const slotFor = (name: Slot): number => {
    const known = slots.indexOf(name);
    if (known >= 0) return known;
    if (slots.length === Math.min(results, SLOTS)) throw new RangeError("too many results for one task");
    return slots.push(name) - 1;
  };
  const flags = cgroup === undefined ? options.flags | SIGCHLD : flagsInto(options.flags);
  const top = options.stackAt ?? memory.reserve(stack) + stack;
  const { base = 0, rescue = 0 } = options;
  const header = [flags, top, cgroup ?? -1, options.report, base, ops.length, rescue];
  for (let i = 0; i < header.length; i++) memory.putI64(address + 8 * i, header[i]!);
  const replace = (index: number, op: Op): void => encodeOp(op, address + TASK_HEADER + OP * index);
  ops.forEach((op, index) => {
    replace(index, op);
  });
  return {
    ...{ address, replace, pidfd: () => memory.getI32(address + 16) },
    saved: (name) => memory.getI64(address + TASK_HEADER + OP * ops.length + 8 * slots.indexOf(name)),
  };
}

/** An address, in as many bytes as the program's are. */
function putWord(memory: Memory, at: number, value: number, word: 4 | 8): void {
  if (word === 8) memory.putI64(at, value);
  else memory.putU32(at, value);
}

/** A filter and what points to it (struct sock_fprog); the latter's address. */
function placeFilter(filter: Uint8Array, memory: Memory, word: 4 | 8): number {
  const program = memory.reserve(16);
  memory.putI64(program, filter.length / 8);
  putWord(memory, program + word, memory.placeBuffer(filter), word);
  return program;
}

/** A NULL-terminated list of strings, or of addresses; its own address. */
export function placeStrings(strings: readonly (Bytes | Place)[], memory: Memory, word: 4 | 8 = 8): number {
  const list = memory.reserve(word * (strings.length + 1));
  strings.forEach((text, i) => {
    putWord(memory, list + word * i, typeof text === "string" ? memory.placeString(text) : text.at, word);
  });
  putWord(memory, list + word * strings.length, 0, word);
  return list;
}
