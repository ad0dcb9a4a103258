/** Waits for init in this process, by the same machine code and rules as the waiting program (plan/supervise.ts). */
import { putRules, type Rules, RULES_SIZE, takeRules, UNTIL_AT } from "../plan/supervise.ts";
import type { Spec } from "../spec/spec.ts";
import { type Relay, relayed } from "./terminal.ts";
import { arena, call, scratch, supervise } from "../sys/kernel.ts";

/** From SIGTERM to SIGKILL after --timeout, when nothing else is said. */
const GRACE_AFTER_TIMEOUT = 10_000;
/** As many SIGTERM and SIGINT as kill it. */
export const PATIENCE = 3;
export const FOREVER = -1;
/** A run that is over within so many milliseconds is not worth becoming another program for. */
export const BRIEFLY = 30;
const CLOCK_MONOTONIC = 1;

/** Milliseconds of CLOCK_MONOTONIC. */
export const now = (): number =>
  scratch((memory) => {
    const time = memory.reserve(16);
    call("clock_gettime", CLOCK_MONOTONIC, time);
    return memory.getI64(time) * 1000 + Math.floor(memory.getI64(time + 8) / 1e6);
  });

export interface Supervision {
  /** passes signals on until init ends: its wait status, and TIMED_OUT; null when so many milliseconds are over, -1: never */
  wait(milliseconds: number): number | null;
  /** how it goes on from here */
  rules(): Rules;
}

/**
 * The clock of --timeout starts now.
 * @param caught the pipe's end on which signals come
 * @param relay who is at the caller's terminal
 */
export function superviseInit(
  { process: { stop, reaper } }: Spec,
  pid: number,
  caught: number,
  relay: Relay | null,
): Supervision {
  const memory = arena();
  const at = memory.reserve(RULES_SIZE);
  // a reaper has no handlers: its child gets what the terminal sends, and does with it what it likes
  const statusFile = reaper ? 0 : memory.placeString(`/proc/${pid}/status`);
  const rules: Rules = {
    ...{ who: pid, signals: 0, caught, patience: PATIENCE, impatience: 0, stopSignal: stop.signal },
    grace: stop.grace ?? -1,
    lastGrace: stop.grace ?? GRACE_AFTER_TIMEOUT,
    deadline: stop.timeout === null ? 0 : now() + stop.timeout,
    ...{ stopping: 0, until: 0, other: relay?.pid ?? 0, others: relay === null ? 0 : relayed },
  };
  putRules(rules, (offset, value) => memory.putI64(at + offset, value));
  return {
    wait(milliseconds) {
      memory.putI64(at + UNTIL_AT, milliseconds < 0 ? 0 : now() + milliseconds);
      const status = supervise(pid, at, statusFile);
      return status < 0 ? null : status;
    },
    rules: () => takeRules((offset) => memory.getI64(at + offset)),
  };
}
