/**
 * The attacks as one task for the launcher, and how its record is read. The task starts each attack as a process of its
 * own, one after the other, and writes to descriptor 1: what the attack has written and, if one of its calls failed, the
 * eight bytes by which the launcher reports that; then a mark, the attack's number, its wait status, and what clone(2)
 * returned, in decimal.
 */
import type { Bytes } from "../../sys/bytes.ts";
import { SIG_SETMASK } from "../../sys/constants.ts";
import type { ErrnoName } from "../../sys/errno.ts";
import type { Memory } from "../../sys/memory.ts";
import { encodeTask } from "../encode.ts";
import type { Op } from "../op.ts";
import { type Attack, type AttackOp, type Bait, op, resultOf, type Room, slot } from "./attack.ts";

export const MARK_SIZE = 16;
const RECORD_SIZE = 40;
const BUFFER = 32768;
const STACK = 8192;
const NEVER_RAN = 0xffffffff;
const WALL = 0x40000000;
/** Seconds; none of them takes a thousandth. */
const PATIENCE = 10;
const NOT_STARTED: readonly ErrnoName[] = [
  "EPERM",
  "EACCES",
  "EAGAIN",
  "ENOMEM",
  "ENOSPC",
  "EUSERS",
  "EINVAL",
  "ENOSYS",
];
const NOT_WAITED: readonly ErrnoName[] = ["ECHILD", "EINVAL", "EPERM", "ESRCH"];

export interface Attempt {
  readonly attack: Attack;
  /** or why it cannot be tried */
  readonly ops: readonly AttackOp[] | string;
}

export interface Result {
  /** what clone(2) returned: a process id or -errno */
  readonly started: number;
  /** of wait4(2); null: there was no process */
  readonly status: number | null;
  /** what it wrote */
  readonly output: Bytes;
  /** its call that failed, and why */
  readonly failure: { readonly op: AttackOp; readonly errno: number } | null;
}

/** As much memory as the program takes at most. */
export const PROGRAM_ROOM = 224 * 1024;

type Calls = ReadonlyMap<string, number>;

/** What every attack begins with: signals as usual, and one that ends it should a call of it hang. */
const begin = (room: Room): AttackOp[] => [
  op("rt_sigprocmask", SIG_SETMASK, room.bytes(new Uint8Array(8)), 0, 8),
  {
    ...op(
      "setitimer",
      0,
      room.bytes(new Uint8Array(new BigInt64Array([0n, 0n, BigInt(PATIENCE), 0n]).buffer)),
      0,
    ),
    fine: ["EPERM"],
  },
];
const BEGIN = 2;

/**
 * Lays the program out.
 * @param mark 16 bytes that nobody can guess
 * @param calls the numbers of all system calls
 * @returns the address of its task, and what will be tried
 */
export function encodeAttacks(
  attacks: readonly Attack[],
  bait: Bait,
  exists: (path: Bytes) => boolean,
  mark: Uint8Array,
  calls: Calls,
  memory: Memory,
): { address: number; attempts: Attempt[] } {
  const room: Room = { buffer: memory.reserve(BUFFER), bytes: (content) => memory.placeBuffer(content) };
  memory.clear(room.buffer, BUFFER);
  const stack = memory.reserve(STACK) + STACK;
  const numbers = Object.fromEntries(calls);
  // ops of attacks may use every call, and names of their own for results
  const encode = (ops: readonly AttackOp[], flags: number): number => {
    const named = ops.map((one): Op => ({ ...one, step: one.call }) as unknown as Op);
    const { address } = encodeTask(
      named,
      { ...{ flags, report: 1, stack: 0 }, calls: numbers as never },
      memory,
    );
    memory.putI64(address + 8, stack); // one for all: no two of them share memory
    return address;
  };
  const known = ({ call }: AttackOp): boolean => call === "decimal" || calls.has(call);
  const attempts = attacks.map((attack): Attempt => {
    if (attack.needs !== undefined && !exists(attack.needs))
      return { attack, ops: `this machine has no ${attack.needs}` };
    const ops = attack.ops(bait, room);
    const missing = typeof ops === "string" ? undefined : ops.find((one) => !known(one));
    return { attack, ops: missing === undefined ? ops : `this architecture has no ${missing.call}` };
  });
  const prelude = begin(room);
  const indices = [...attempts.keys()].sort(
    (a, b) => (attacks[a]!.last ?? 0) - (attacks[b]!.last ?? 0) || a - b,
  );
  const main = indices.flatMap((index): AttackOp[] => {
    const { attack, ops } = attempts[index]!;
    if (typeof ops === "string") return [];
    const record = room.bytes(new Uint8Array(RECORD_SIZE));
    memory.putBytes(record, mark);
    memory.putU32(record + MARK_SIZE, index);
    memory.putU32(record + MARK_SIZE + 4, NEVER_RAN);
    const start = (address: number): AttackOp[] => [
      { ...op("start", address), save: "child", fine: NOT_STARTED },
    ];
    const wait = (status: number): AttackOp => ({
      ...op("wait4", slot("child"), status, WALL, 0),
      fine: NOT_WAITED,
    });
    return [
      ...start(encode([...prelude, ...ops], attack.flags ?? 0)),
      op("decimal", slot("child"), record + MARK_SIZE + 8),
      wait(record + MARK_SIZE + 4),
      op("write", 1, record, RECORD_SIZE),
      ...(attack.clean === undefined ? [] : [...start(encode(attack.clean, 0)), wait(0)]),
    ];
  });
  return { address: encode(main, 0), attempts };
}

const word = (bytes: Bytes, at: number): number =>
  (bytes.charCodeAt(at) |
    (bytes.charCodeAt(at + 1) << 8) |
    (bytes.charCodeAt(at + 2) << 16) |
    (bytes.charCodeAt(at + 3) << 24)) >>>
  0;

const SETUP_FAILED = 125;

/** Reads the record: a result for each attempt that was made, by its index. */
export function readResults(record: Bytes, mark: Bytes, attempts: readonly Attempt[]): Map<number, Result> {
  const found = new Map<number, Result>();
  let begin = 0;
  for (;;) {
    const at = record.indexOf(mark, begin);
    if (at < 0 || at + RECORD_SIZE > record.length) return found;
    const index = word(record, at + MARK_SIZE);
    const status = word(record, at + MARK_SIZE + 4);
    const started = resultOf(record.slice(at + MARK_SIZE + 8, at + RECORD_SIZE));
    let output = record.slice(begin, at);
    let failure: Result["failure"] = null;
    const { ops } = attempts[index]!;
    if (status === SETUP_FAILED << 8 && output.length >= 8 && typeof ops !== "string") {
      const failed = ops[word(output, output.length - 8) - BEGIN];
      const errno = word(output, output.length - 4);
      output = output.slice(0, -8);
      failure = { op: failed ?? op("rt_sigprocmask"), errno };
    }
    found.set(index, { started, status: status === NEVER_RAN ? null : status, output, failure });
    begin = at + RECORD_SIZE;
  }
}
