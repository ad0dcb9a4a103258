/**
 * Why a run ended as it did, in one line. Only what is known is said: a limit of the run's own by its cgroup's counters, a
 * refused system call by the kernel's log, ns's own signals by the rules that it waited by. Called by end.ts; an init that
 * exits by itself, with whatever status, has no cause unless it met a limit.
 */
import { type Cgroup, wasOutOfMemory, wasOutOfProcesses } from "../host/cgroup/cgroup.ts";
import { type Logged, memoryKill, refusedCall } from "../host/kernel-log.ts";
import { showDuration } from "../spec/duration.ts";
import { auditedCall } from "../sys/calls/table.ts";
import { SIGNALS, signalName } from "../sys/constants.ts";
import type { Begun, Cause } from "./outcome.ts";
import { PATIENCE } from "./supervise.ts";
import type { Ending } from "./task.ts";

/** What has to be known about a run to tell why it ended; survives as JSON. */
export interface Known extends Pick<Begun, "pid" | "since"> {
  readonly cgroup: Cgroup | null;
  /** the limits, if they are this run's own: of memory as the user reads it, of processes */
  readonly memory: string | null;
  readonly pids: number | null;
  /** as long as init might run, as the user reads it; from being asked to stop to SIGKILL, in milliseconds */
  readonly timeout: string | null;
  readonly grace: number | null;
  /** process 1 was ns's own, which tells by its exit status of the signal that ended init */
  readonly reaper: boolean;
}

/** How the waiting ended. */
export interface Waited {
  readonly ending: Ending;
  readonly timedOut: boolean;
  /** how often ns was asked to stop: SIGTERM and SIGINT */
  readonly asked: number;
}

const FAULTS: readonly string[] = ["SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGABRT", "SIGSYS"];

/** Programs of this kind need not be named: they are the machine's own. */
const OWN = process.arch === "arm64" ? "arm64" : "x64";

function refused(who: Logged): Cause {
  const record = refusedCall(who);
  if (record === null)
    return {
      kind: "seccomp",
      text: "init was killed by a seccomp filter (SIGSYS)",
      note: `the kernel's log tells which call it was, as root: dmesg | grep 'type=1326.* pid=${who.pid} ', or ausearch -m SECCOMP`,
    };
  const { name, kind } = auditedCall(record.arch, record.call);
  const as = kind === OWN ? "" : ` as a program for ${kind}`;
  return { kind: "seccomp", text: `init was killed by a seccomp filter: it called ${name}${as}` };
}

/** SIGKILL has come from ns, from the kernel, or from somebody else. */
function killed({ grace }: Known, asked: number, who: Logged): Cause {
  if (asked >= PATIENCE)
    return { kind: "stopped", text: "init was killed: ns was asked to stop three times" };
  if (asked > 0 && grace !== null)
    return {
      kind: "stopped",
      text: `init was killed: it had not stopped ${showDuration(grace)} after it was asked to`,
    };
  const where = memoryKill(who);
  if (where !== null)
    return { kind: "out-of-memory", text: `init was killed by the kernel: ${where} was out of memory` };
  return {
    kind: "signal",
    text: "init was killed by SIGKILL, not by ns",
    note: "somebody sent it, or the kernel did, for want of memory or of CPU time (--rlimit cpu): see dmesg",
  };
}

/** Why it ended; null when there is nothing to say. @param now milliseconds of CLOCK_MONOTONIC */
export function causeOf(known: Known, { ending, timedOut, asked }: Waited, now: number): Cause | null {
  const { cgroup, memory, pids, reaper } = known;
  if (timedOut) return { kind: "timeout", text: `stopped after its timeout of ${known.timeout}` };
  const signal = "signal" in ending ? ending.signal : 0;
  const exited = "exited" in ending ? ending.exited : 0;
  const wasKilled = signal === SIGNALS.SIGKILL || (reaper && exited === 128 + SIGNALS.SIGKILL);
  if (memory !== null && cgroup !== null && wasKilled && wasOutOfMemory(cgroup))
    return { kind: "memory-limit", text: `init was killed: out of its ${memory} memory limit` };
  if (signal === 0) {
    if (exited === 0 || pids === null || cgroup === null || !wasOutOfProcesses(cgroup, pids)) return null;
    const text = `init exited with status ${exited} after it had reached its limit of ${pids} processes`;
    return { kind: "processes-limit", text };
  }
  // a process 1 can get these from the kernel alone: it has called reboot(2), to start again or to be switched off
  if (signal === SIGNALS.SIGHUP || signal === SIGNALS.SIGINT) return null;
  const who: Logged = { pid: known.pid, since: known.since, date: Date.now() - (now - known.since) };
  const name = signalName(signal);
  if (name === "SIGKILL") return killed(known, asked, who);
  if (name === "SIGSYS") return refused(who);
  if (FAULTS.includes(name)) return { kind: "crash", text: `init crashed: ${name}` };
  return { kind: "signal", text: `init was ended by ${name}` };
}
