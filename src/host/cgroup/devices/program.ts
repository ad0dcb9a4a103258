/**
 * The program (eBPF, BPF_PROG_TYPE_CGROUP_DEVICE) that decides on cgroup v2 which devices may be opened: the rules one
 * after another, from the first that fits 1, else 0. Pure; attach.ts gives it to the kernel.
 */
import type { DeviceNumbers } from "../../../spec/devices.ts";

/** struct bpf_cgroup_dev_ctx (linux/bpf.h): the access in the upper half of the first word, the kind in the lower */
const ACCESS_AND_KIND = 0;
const MAJOR = 4;
const MINOR = 8;
const KINDS = { b: 1, c: 2 } as const;
const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const ANY_ACCESS = 7;

/** Registers: the context and the answer are the kernel's choice. */
const ANSWER = 0;
const CONTEXT = 1;
const [KIND, WANTED, OF_MAJOR, OF_MINOR] = [2, 3, 4, 5];

/** Operation codes (the kernel's instruction-set.rst). */
const LOAD_WORD = 0x61;
const MOVE_32 = 0xbc;
const SHIFT_RIGHT_32 = 0x74;
const AND_32 = 0x54;
const SET = 0xb7;
const JUMP_IF_NOT_EQUAL = 0x55;
const JUMP_IF_ANY_BIT = 0x45;
const EXIT = 0x95;

/** code, destination, source, offset, immediate */
type Instruction = readonly [number, number, number, number, number];
const answer = (value: number): Instruction[] => [
  [SET, ANSWER, 0, 0, value],
  [EXIT, 0, 0, 0, 0],
];

/** The tests of one rule, which go on to the next one, and its answer. */
function instructionsOf({ kind, major, minor, access }: DeviceNumbers): Instruction[] {
  const tests: [number, number, number][] = [];
  if (kind !== "a") tests.push([JUMP_IF_NOT_EQUAL, KIND!, KINDS[kind]]);
  let rest = ANY_ACCESS;
  for (const letter of access) rest &= ~ACCESS[letter]!;
  if (rest !== 0) tests.push([JUMP_IF_ANY_BIT, WANTED!, rest]);
  if (major !== null) tests.push([JUMP_IF_NOT_EQUAL, OF_MAJOR!, major]);
  if (minor !== null) tests.push([JUMP_IF_NOT_EQUAL, OF_MINOR!, minor]);
  return [
    ...tests.map(
      ([code, register, value], i): Instruction => [code, register, 0, tests.length - i - 1 + 2, value],
    ),
    ...answer(1),
  ];
}

/** The instructions, eight bytes each (struct bpf_insn). */
export function deviceProgram(rules: readonly DeviceNumbers[]): Uint8Array {
  const all: Instruction[] = [
    [LOAD_WORD, KIND!, CONTEXT, ACCESS_AND_KIND, 0],
    [LOAD_WORD, OF_MAJOR!, CONTEXT, MAJOR, 0],
    [LOAD_WORD, OF_MINOR!, CONTEXT, MINOR, 0],
    [MOVE_32, WANTED!, KIND!, 0, 0],
    [SHIFT_RIGHT_32, WANTED!, 0, 0, 16],
    [AND_32, KIND!, 0, 0, 0xffff],
  ];
  for (const rule of rules) all.push(...instructionsOf(rule));
  all.push(...answer(0));
  const view = new DataView(new ArrayBuffer(8 * all.length));
  all.forEach(([code, destination, source, offset, immediate], i) => {
    view.setUint8(8 * i, code);
    view.setUint8(8 * i + 1, destination | (source << 4));
    view.setInt16(8 * i + 2, offset, true);
    view.setInt32(8 * i + 4, immediate, true);
  });
  return new Uint8Array(view.buffer);
}
