/** What became of an attack: held, open, or not to be told here, and why. */
import { errnoName, errnoText } from "../../sys/errno.ts";
import { type Attack, type AttackOp, type Bait, REFUSED, type Setting } from "./attack.ts";
import type { Attempt, Result } from "./program.ts";

export interface Verdict {
  readonly attack: Attack;
  readonly verdict: "held" | "open" | "untestable";
  /** the call that was refused, or why it cannot be told */
  readonly why: string | null;
}

const SIGSYS = 31;
const SIGALRM = 14;
const WAIT_SIGNAL = 127;

function byErrno(op: Pick<AttackOp, "call" | "held">, errno: number): Omit<Verdict, "attack"> {
  const name = errnoName(errno);
  const why = `${op.call}: ${errnoText(errno)}`;
  const held = name !== undefined && (REFUSED.includes(name) || op.held?.includes(name) === true);
  return { verdict: held ? "held" : "untestable", why };
}

function judge({ attack }: Attempt, result: Result, bait: Bait): Omit<Verdict, "attack"> {
  const { started, status, output, failure } = result;
  if (started < 0) return byErrno({ call: "clone" }, -started);
  if (status === null) return { verdict: "untestable", why: "its end was not seen" };
  const signal = status & WAIT_SIGNAL;
  if (signal === SIGSYS) return { verdict: "held", why: "killed by the seccomp filter" };
  if (signal === SIGALRM) return { verdict: "untestable", why: "it took too long" };
  if (signal !== 0) return { verdict: "untestable", why: `killed by signal ${signal}` };
  if (failure !== null) return byErrno(failure.op, failure.errno);
  if (status !== 0) return { verdict: "untestable", why: "it could not be tried" };
  const open = attack.judge?.(output, bait) ?? true;
  if (typeof open === "string") return { verdict: "untestable", why: open };
  return { verdict: open ? "open" : "held", why: null };
}

/** One for each attempt, in their order. */
export const verdicts = (
  attempts: readonly Attempt[],
  results: ReadonlyMap<number, Result>,
  bait: Bait,
): Verdict[] =>
  attempts.map((attempt, index) => {
    const { attack, ops } = attempt;
    const result = results.get(index);
    if (typeof ops === "string") return { attack, verdict: "untestable", why: ops };
    if (result === undefined) return { attack, verdict: "untestable", why: "it was never made" };
    return { attack, ...judge(attempt, result, bait) };
  });

/** What ns promises for this container: who is root outside is so in a user namespace too. */
export function settingOf(
  profile: "init" | "app" | "strict",
  userNamespace: boolean,
  found: readonly Verdict[],
): Setting {
  if (profile !== "init") return profile;
  const realRoot = found.some(({ attack, verdict }) => attack.name === "real-root" && verdict === "open");
  return userNamespace && !realRoot ? "user" : "root";
}
