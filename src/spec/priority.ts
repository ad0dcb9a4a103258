/** With what priority the container runs: nice value, scheduler, I/O class, and who is killed when memory runs out. */
import type { IOPRIO_CLASS, SCHED } from "../sys/constants.ts";
import { usageError } from "./error.ts";

export interface Priority {
  /** -1000 (never killed) to 1000 (killed first): proc_pid_oom_score_adj(5) */
  readonly oomScoreAdj: number | null;
  /** -20 to 19: setpriority(2) */
  readonly nice: number | null;
  /** sched_setscheduler(2) */
  readonly sched: { readonly policy: keyof typeof SCHED; readonly priority: number } | null;
  /** ioprio_set(2) */
  readonly io: { readonly ioClass: keyof typeof IOPRIO_CLASS; readonly level: number } | null;
}

export const noPriority = (): Priority => ({ oomScoreAdj: null, nice: null, sched: null, io: null });

/** Separates `fifo:10`; the number is null when there is none, NaN when it is none. */
function split(text: string): [string, number | null] {
  const colon = text.indexOf(":");
  if (colon < 0) return [text, null];
  const rest = text.slice(colon + 1);
  return [text.slice(0, colon), /^(0|[1-9]\d?)$/.test(rest) ? Number(rest) : Number.NaN];
}

/** other, batch, idle, fifo:PRIORITY or rr:PRIORITY. @throws NsError (usage) */
export function parseSched(text: string, option: string): NonNullable<Priority["sched"]> {
  const [name, priority] = split(text);
  const policies = ["other", "batch", "idle"];
  const realtime = ["fifo", "rr"];
  const policy = `SCHED_${name.toUpperCase()}` as keyof typeof SCHED;
  if (policies.includes(name) && priority === null) return { policy, priority: 0 };
  if (realtime.includes(name) && priority !== null && priority >= 1 && priority <= 99)
    return { policy, priority };
  throw usageError(
    `${option}: '${text}' is none of other, batch, idle, fifo:PRIORITY, rr:PRIORITY (1 to 99)`,
  );
}

/** idle, best-effort:LEVEL or realtime:LEVEL. @throws NsError (usage) */
export function parseIonice(text: string, option: string): NonNullable<Priority["io"]> {
  const [name, level] = split(text);
  if (name === "idle" && level === null) return { ioClass: "IOPRIO_CLASS_IDLE", level: 0 };
  const ioClass = name === "best-effort" ? "IOPRIO_CLASS_BE" : name === "realtime" ? "IOPRIO_CLASS_RT" : null;
  if (ioClass !== null && level !== null && level >= 0 && level <= 7) return { ioClass, level };
  throw usageError(`${option}: '${text}' is none of idle, best-effort:LEVEL, realtime:LEVEL (0 to 7)`);
}
