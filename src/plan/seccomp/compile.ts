/**
 * A seccomp profile to BPF: first the kind of program, then a binary search for the call's number among ranges that are
 * treated alike, then, where a rule asks for them, the arguments. Some eight steps for a call, however long the profile.
 */
import {
  type Action,
  type Condition,
  errnoAction,
  RET,
  type Rule,
  type Seccomp,
} from "../../spec/seccomp.ts";
import { type CallArch, compatArch, isKnownCall, nativeArch } from "../../sys/calls/table.ts";
import { NsError } from "../../spec/error.ts";
import { assemble, branch, CODE, give, load, mask, type Step } from "./bpf.ts";

/** struct seccomp_data (linux/seccomp.h) */
const NUMBER_AT = 0;
const ARCH_AT = 4;
const argumentAt = (index: number, high: boolean): number => 16 + 8 * index + (high ? 4 : 0);

const low = (value: bigint): number => Number(value & 0xffffffffn);
const high = (value: bigint): number => Number(value >> 32n);

/** if (condition) yes else no; 64 bits in two halves. */
function test({ index, op, value, value2 }: Condition, yes: Step, no: Step): Step {
  const [top, bottom] = [argumentAt(index, true), argumentAt(index, false)];
  const equal = (bits: bigint, wanted: bigint, then: Step, otherwise: Step): Step =>
    load(
      top,
      mask(
        high(bits),
        branch(
          CODE.jumpIfEqual,
          high(wanted),
          load(bottom, mask(low(bits), branch(CODE.jumpIfEqual, low(wanted), then, otherwise))),
          otherwise,
        ),
      ),
    );
  const all = 0xffffffffffffffffn;
  /** argument > value, or >= */
  const above = (code: number, then: Step, otherwise: Step): Step =>
    load(
      top,
      branch(
        CODE.jumpIfGreater,
        high(value),
        then,
        branch(
          CODE.jumpIfEqual,
          high(value),
          load(bottom, branch(code, low(value), then, otherwise)),
          otherwise,
        ),
      ),
    );
  switch (op) {
    case "EQ":
      return equal(all, value, yes, no);
    case "NE":
      return equal(all, value, no, yes);
    case "MASKED_EQ":
      return equal(value, value2, yes, no);
    case "GT":
      return above(CODE.jumpIfGreater, yes, no);
    case "GE":
      return above(CODE.jumpIfGreaterOrEqual, yes, no);
    case "LE":
      return above(CODE.jumpIfGreater, no, yes);
    case "LT":
      return above(CODE.jumpIfGreaterOrEqual, no, yes);
  }
}

/** What is done with one call: rules with conditions in their order, then one without, then what is done otherwise. */
function decide(rules: readonly Rule[], otherwise: Action): Step {
  const last = rules.find(({ conditions }) => conditions.length === 0)?.action ?? otherwise;
  let step = give(last);
  for (const { conditions, action } of [...rules].reverse()) {
    if (conditions.length === 0) continue;
    const no = step;
    step = conditions.reduceRight((yes, condition) => test(condition, yes, no), give(action));
  }
  return step;
}

interface Range {
  readonly from: number;
  readonly step: Step;
}

/** Binary search: the ranges begin where `from` says and end where the next begins. */
function search(ranges: readonly Range[]): Step {
  if (ranges.length === 1) return ranges[0]!.step;
  const middle = ranges.length >> 1;
  const { from } = ranges[middle]!;
  return branch(
    CODE.jumpIfGreaterOrEqual,
    from,
    search(ranges.slice(middle)),
    search(ranges.slice(0, middle)),
  );
}

const same = (a: Step, b: Step): boolean => "give" in a && "give" in b && a.give === b.give;

function forArch({ calls, foreignFrom }: CallArch, { otherwise, rules }: Seccomp): Step {
  const byNumber = new Map<number, Rule[]>();
  for (const rule of rules)
    for (const name of rule.names) {
      const number = calls.get(name);
      if (number === undefined) continue;
      const known = byNumber.get(number);
      if (known === undefined) byNumber.set(number, [rule]);
      else known.push(rule);
    }
  const numbers = [...calls.values()].sort((a, b) => a - b);
  const denied = (otherwise & 0x7fff0000) === RET.errno;
  // a C library that tries a call newer than the profile expects "not there", not "not allowed"
  const unknown = give(denied ? errnoAction("ENOSYS") : otherwise);
  const ranges: Range[] = [];
  const add = (from: number, step: Step): void => {
    const before = ranges.at(-1);
    if (before === undefined || !same(before.step, step)) ranges.push({ from, step });
  };
  let next = 0;
  for (const number of numbers) {
    if (number > next) add(next, give(otherwise));
    add(number, decide(byNumber.get(number) ?? [], otherwise));
    next = number + 1;
  }
  add(next, unknown);
  if (foreignFrom !== null) add(foreignFrom, give(errnoAction("ENOSYS")));
  return load(NUMBER_AT, search(ranges));
}

/**
 * The filter for this kind of machine. Other kinds of programs than the profile allows are killed.
 * @throws NsError when a rule forbids a call that this ns does not know: it could not hold
 */
export function compileSeccomp(profile: Seccomp, machine: "x64" | "arm64"): Uint8Array {
  for (const { action, names } of profile.rules) {
    if (action === RET.allow || action === profile.otherwise) continue;
    const unknown = names.find((name) => !isKnownCall(name));
    if (unknown !== undefined)
      throw new NsError(`the seccomp profile forbids '${unknown}', which this ns does not know`, {
        note: "check the name; a newer ns may know it",
      });
  }
  const native = nativeArch(machine);
  const compat = compatArch(machine);
  const foreign = give(RET.kill);
  const other = profile.compat
    ? branch(CODE.jumpIfEqual, compat.audit, forArch(compat, profile), foreign)
    : foreign;
  return assemble(load(ARCH_AT, branch(CODE.jumpIfEqual, native.audit, forArch(native, profile), other)));
}
