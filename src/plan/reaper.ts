/**
 * The last steps before init runs. Without --reaper the process executes it; with it the process stays, ns's own program in
 * sealed memory, as process 1: it starts init as its child, passes signals on to it, reaps what others leave behind, and
 * ends with init's status; the kernel ends the rest. Used by child.ts.
 */
import type { Facts, Spec } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { AT_EMPTY_PATH, F, FD_CLOEXEC, PR, SIGNALS } from "../sys/constants.ts";
import { type Op, slot } from "./op.ts";
import { byDefault, freshStart } from "./process.ts";
import { rulesArg } from "./supervise.ts";
import { initSession, type Terminal } from "./terminal.ts";

/** Added to the index of init's own steps below a reaper when one of them is reported as failing. */
export const BELOW_REAPER = 2_000_000;

/** 4 5 7 8 9 11 19 20 21 22: the process's own faults, SIGKILL, SIGSTOP, and the terminal's stops. */
const NOT_PASSED_ON = [4, 5, 7, 8, 9, 11, 19, 20, 21, 22];
/** All other signals as a mask: all bits but those (two's complement). */
const ALL_OTHERS = -1 - NOT_PASSED_ON.reduce((mask, signal) => mask + 2 ** (signal - 1), 0);

/** A program that is executed in init's place, and what it writes to instead of the caller's output; descriptors. */
export interface Payload {
  readonly program: number;
  readonly output: number;
}

export interface LastPlace {
  readonly report: number;
  readonly inherited: readonly number[];
  readonly environment: readonly Bytes[];
  readonly terminal: Terminal | null;
  /** changes to init's own ids */
  readonly become: readonly Op[];
  readonly payload?: Payload | null;
}

/** The signals, descriptors, environment and arguments of init, and its exec. */
function executeInit(spec: Spec, facts: Facts, place: LastPlace): Op[] {
  const { inherited, become, environment, payload = null } = place;
  const { arg0, umask, passFds } = spec.process;
  const argv: Bytes[] = [arg0 ?? spec.init, ...spec.args];
  const program = [{ strings: argv }, { strings: environment }] as const;
  return [
    ...freshStart(facts, inherited, [], { umask, passFds }),
    ...(payload === null ? [] : readyPayload(payload)),
    ...become,
    payload === null
      ? { call: "execve", args: [spec.init, ...program], step: "execute init" }
      : { call: "execveat", args: [payload.program, "", ...program, AT_EMPTY_PATH], step: ATTACK },
  ];
}

const ATTACK = "execute the attacker";

/** Before init's filter, which may not know these calls. */
const readyPayload = ({ program, output }: Payload): Op[] => [
  { call: "dup3", args: [output, 1, 0], step: ATTACK },
  ...[program, output].map((fd): Op => ({ call: "fcntl", args: [fd, F.F_SETFD, FD_CLOEXEC], step: ATTACK })),
];

/** Closes all that init keeps for itself; nothing that was opened later has a higher number than these and a few more. */
function closeAll(facts: Facts, { report }: LastPlace, passFds: readonly number[]): Op[] {
  const step = "close every descriptor above 2";
  if (facts.kernel.closeRange) return [{ call: "close_range", args: [3, 0xffffffff, 0], step }];
  const last = Math.max(report, ...passFds) + 16;
  return Array.from({ length: last - 2 }, (_, i) => ({
    call: "close",
    args: [i + 3],
    step,
    fine: ["EBADF"],
  }));
}

/** From the last gate to the exec of init. */
export function lastSteps(spec: Spec, facts: Facts, place: LastPlace): Op[] {
  // kill(0, …) inside would reach all of ns's process group, the caller's script in it too: pid namespaces do not stop it
  const own = [...initSession(facts, place.terminal), ...executeInit(spec, facts, place)];
  if (!spec.process.reaper) return own;
  const rules = rulesArg({
    ...{ who: -1, signals: ALL_OTHERS, caught: -1, patience: 0, impatience: 0, stopSignal: SIGNALS.SIGTERM },
    ...{ grace: -1, lastGrace: -1, deadline: 0, stopping: 0, until: 0, other: 0, others: 0 },
  });
  return [
    { call: "prctl", args: [PR.PR_SET_NAME, "ns"], step: "be called ns" },
    ...byDefault(facts.ignoredSignals),
    // every signal has been blocked since the clone: none is lost, and none does anything to process 1
    {
      call: "start",
      args: [{ task: own, base: BELOW_REAPER }],
      step: "start init",
      save: "command",
    },
    ...place.become,
    ...closeAll(facts, place, spec.process.passFds),
    { call: "chdir", args: ["/"], step: "enter /" },
    { call: "supervise", args: [slot("command"), rules, 0], step: "wait for init", save: "ending" },
    { call: "exit", args: [slot("ending")], step: "exit" },
  ];
}

/** The op of init's own below a reaper that was reported as failing. */
export function opBelowReaper(ops: readonly Op[], index: number): Op | undefined {
  for (const { args } of ops)
    for (const arg of args)
      if (typeof arg === "object" && "task" in arg) return arg.task[index - BELOW_REAPER];
  return undefined;
}
