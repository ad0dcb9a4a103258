/**
 * Limits and priorities of processes as system calls. The limits are the child's last steps; what needs a privilege that
 * a user namespace takes away, the parent does to the child from outside (run/limits.ts).
 */
import type { Priority } from "../spec/priority.ts";
import { type Rlimit, shortName, UNLIMITED } from "../spec/rlimit.ts";
import {
  IOPRIO_CLASS,
  IOPRIO_CLASS_SHIFT,
  IOPRIO_WHO_PROCESS,
  PRIO_PROCESS,
  RLIMIT,
  SCHED,
} from "../sys/constants.ts";
import type { Arg, Op } from "./op.ts";

const showLimit = (limit: bigint): string => (limit === UNLIMITED ? "RLIM64_INFINITY" : `${limit}`);

/** Sets one limit of a process; 0 is the caller. */
export function limitProcess(pid: number, { name, soft, hard }: Rlimit): Op {
  const memory = new Uint8Array(16);
  const view = new DataView(memory.buffer);
  view.setBigInt64(0, soft, true);
  view.setBigInt64(8, hard, true);
  const means = `{rlim_cur=${showLimit(soft)}, rlim_max=${showLimit(hard)}}`;
  return {
    call: "prlimit64",
    args: [pid, RLIMIT[name], { memory, means }, 0],
    step: `set the limit ${shortName(name)}`,
  };
}

/** The child's own limits, right before it executes init. */
export const limitResources = (rlimits: readonly Rlimit[] | null): Op[] =>
  rlimits === null ? [] : rlimits.map((rlimit) => limitProcess(0, rlimit));

/** The child's priorities; pid is the child's, as a number or as a reader may see it. */
export function setPriorities({ nice, sched, io }: Priority, pid: Arg): Op[] {
  const ops: Op[] = [];
  if (sched !== null) {
    const memory = new Uint8Array(4);
    new DataView(memory.buffer).setInt32(0, sched.priority, true);
    ops.push({
      call: "sched_setscheduler",
      args: [pid, SCHED[sched.policy], { memory, means: `{sched_priority=${sched.priority}}` }],
      step: "set the scheduling policy (--sched)",
    });
  }
  if (nice !== null)
    ops.push({ call: "setpriority", args: [PRIO_PROCESS, pid, nice], step: "set the nice value (--nice)" });
  if (io !== null)
    ops.push({
      call: "ioprio_set",
      args: [IOPRIO_WHO_PROCESS, pid, (IOPRIO_CLASS[io.ioClass] << IOPRIO_CLASS_SHIFT) | io.level],
      step: "set the I/O class (--ionice)",
    });
  return ops;
}
