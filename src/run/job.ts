/**
 * One process that the keeper starts: its state in memory that both share, mirrored by `struct job` in csrc/keeper.c
 * (64-bit words but for the last two), and what of it has become known here.
 */
import { SIGNALS } from "../sys/constants.ts";
import type { Memory } from "../sys/memory.ts";
import { type Ending, endingOf } from "./task.ts";

/** What the state takes, aligned. */
export const JOB_SIZE = 96;
const LAUNCH = 8;
const END = 16;
const REPORT = 24;
const GROUP = 32;
const PID = 40;
const REPORTED = 48;
const ENDED = 56;
const STATUS = 64;
const FAILURE = 72;
const WITH_FAILURE = 2;

/** An op that failed before the process ran its program: in the keeper (`launch`) or in the process. */
export interface Failure {
  readonly op: number;
  readonly errno: number;
}

export interface Job {
  /** where the keeper finds it */
  readonly address: number;
  /** its process id, or 0 before it is started */
  pid(): number;
  /** resolves when the process has been started, or could not be */
  readonly started: Promise<void>;
  /** resolves when it has executed its program, with what failed otherwise */
  readonly reported: Promise<Failure | null>;
  /** resolves when it has ended and is reaped; null: it could not be started */
  readonly ended: Promise<Ending | null>;
  /** looks for news from the keeper; true: there will be no more */
  look(): boolean;
  /** the keeper is gone, and the process with it: tells so */
  lose(): void;
}

/**
 * Lays out the state of a process that is to be started.
 * @param launch, end addresses of the tasks by which the keeper starts it and clears up after it when the program is dead
 * @param report descriptor that its report comes on, from now on the keeper's
 * @param group it will lead a process group, which is signalled as a whole
 */
export function createJob(memory: Memory, launch: number, end: number, report: number, group: boolean): Job {
  const address = memory.reserve(JOB_SIZE);
  memory.clear(address, JOB_SIZE);
  memory.putI64(address + LAUNCH, launch);
  memory.putI64(address + END, end);
  memory.putI64(address + REPORT, report);
  memory.putI64(address + GROUP, group ? 1 : 0);
  const started = Promise.withResolvers<void>();
  const reported = Promise.withResolvers<Failure | null>();
  const ended = Promise.withResolvers<Ending | null>();
  const told = { started: false, reported: false };
  const pid = (): number => memory.getI32(address + PID);
  return {
    address,
    pid,
    started: started.promise,
    reported: reported.promise,
    ended: ended.promise,
    look() {
      const over = memory.getI32(address + ENDED) !== 0;
      const report = memory.getI32(address + REPORTED);
      if (!told.started && (over || pid() !== 0)) {
        told.started = true;
        started.resolve();
      }
      if (!told.reported && report !== 0) {
        told.reported = true;
        const failure = { op: memory.getU32(address + FAILURE), errno: memory.getU32(address + FAILURE + 4) };
        reported.resolve(report === WITH_FAILURE ? failure : null);
      }
      if (over) ended.resolve(pid() === 0 ? null : endingOf(memory.getI32(address + STATUS)));
      return over;
    },
    lose() {
      started.resolve();
      reported.resolve(null);
      ended.resolve({ signal: SIGNALS.SIGKILL });
    },
  };
}
