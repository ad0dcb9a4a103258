/** Tasks that an id map needs besides the child: the program that writes it, and a process that only has it. */
import type { Facts } from "../spec/spec.ts";
import { AT_FDCWD, O, PR, SIGNALS } from "../sys/constants.ts";
import { type Op, slot } from "./op.ts";
import { freshStart } from "./process.ts";

/**
 * Ops from a fresh child of ns to the exec of newuidmap(1) or newgidmap(1).
 * @param output descriptor for what it has to say
 * @param inherited descriptors to close one by one where the kernel lacks close_range
 * @param caught signals that ns has handlers for
 */
export function mapperPlan(
  facts: Facts,
  program: string,
  args: readonly string[],
  output: number,
  inherited: readonly number[],
  caught: readonly number[],
): Op[] {
  const step = `give ${program} its input and output`;
  return [
    { call: "openat", args: [AT_FDCWD, "/dev/null", O.O_RDONLY | O.O_CLOEXEC, 0], step, save: "null" },
    { call: "dup3", args: [slot("null"), 0, 0], step },
    { call: "dup3", args: [output, 1, 0], step },
    { call: "dup3", args: [output, 2, 0], step },
    ...freshStart(facts, inherited, caught),
    {
      call: "execve",
      args: [program, { strings: [program, ...args] }, { strings: ["PATH=/usr/bin:/bin"] }],
      step: `execute ${program}`,
    },
  ];
}

/** Does nothing, in a user namespace of its own, until it is told to end or ns dies. */
export function holderPlan(pipe: readonly [number, number]): Op[] {
  const step = "hold the user namespace";
  return [
    { call: "prctl", args: [PR.PR_SET_PDEATHSIG, SIGNALS.SIGKILL], step: "die with the parent" },
    { call: "close", args: [pipe[1]], step },
    { call: "read", args: [pipe[0], { memory: new Uint8Array(1), means: "" }, 1], step },
  ];
}
