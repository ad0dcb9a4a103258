/** Ops for another machine than this one: flags of open(2) that are not the same everywhere, and calls that it has not. */
import type { Arg, Op } from "../../plan/op.ts";
import type { Call } from "../../sys/abi.ts";
import { NsError } from "../../spec/error.ts";
import { O } from "../../sys/constants.ts";
import type { MachineAbi } from "../../sys/machines.ts";

type Flags = MachineAbi["openFlags"];

function translate(value: number, { O_DIRECTORY, O_NOFOLLOW }: Flags): number {
  const others = value & ~(O.O_DIRECTORY | O.O_NOFOLLOW);
  return others | (value & O.O_DIRECTORY ? O_DIRECTORY : 0) | (value & O.O_NOFOLLOW ? O_NOFOLLOW : 0);
}

/** struct open_how begins with the flags. */
function translateHow(arg: Arg, flags: Flags): Arg {
  if (typeof arg !== "object" || !("memory" in arg)) return arg;
  const memory = arg.memory.slice();
  const view = new DataView(memory.buffer);
  view.setUint32(0, translate(view.getUint32(0, true), flags), true);
  return { ...arg, memory };
}

function translateArgs({ call, args }: Op, flags: Flags): Op["args"] {
  if (call === "openat")
    return args.map((arg, i) => (i === 2 && typeof arg === "number" ? translate(arg, flags) : arg));
  if (call === "remove")
    return args.map((arg, i) => (i === 1 && typeof arg === "number" ? translate(arg, flags) : arg));
  if (call === "openat2") return args.map((arg, i) => (i === 2 ? translateHow(arg, flags) : arg));
  return args;
}

/** @throws NsError for a call that the machine has not */
export function forMachine(ops: readonly Op[], { calls, openFlags }: MachineAbi): Op[] {
  return ops.map((op) => {
    if (op.call in CALLS_OF_NS === false && calls[op.call as Call] === undefined)
      throw new NsError(`this machine has no call ${op.call}: cannot ${op.step}`);
    return { ...op, args: translateArgs(op, openFlags) };
  });
}

/** What is no system call (plan/op.ts). */
const CALLS_OF_NS: Readonly<Record<string, true>> = Object.fromEntries(
  [
    ...["start", "supervise", "exit", "decimal", "foreground", "keep"],
    ...[
      "listen",
      "heed",
      "check",
      "tell",
      "digits",
      "store",
      "says",
      "arguments",
      "due",
      "late",
      "remove",
      "both",
      "behind",
      "jump",
    ],
  ].map((name) => [name, true]),
);
