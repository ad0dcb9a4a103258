/**
 * Starts the child. At once it leaves ns's memory for a small program of its own, which runs the plan: then its
 * /proc/self/exe is sealed memory and not ns's executable (CVE-2019-5736), and its memory is charged to its own cgroup
 * only. Where executing from memory is forbidden it runs the plan in ns's memory, up to the exec of init.
 */
import { encodeTask, sizeOf, type Task } from "../plan/encode.ts";
import type { Op } from "../plan/op.ts";
import type { Facts } from "../spec/spec.ts";
import { BELOW_REAPER, opBelowReaper } from "../plan/reaper.ts";
import { NsError } from "../spec/error.ts";
import { AT_EMPTY_PATH, F } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { access, close, list, readAll } from "../sys/file.ts";
import { arena, startTask } from "../sys/kernel.ts";
import type { Memory } from "../sys/memory.ts";
import { makePipe, type Started } from "./task.ts";
import { type Draft, draftProgram, type Programs, writeProgram } from "./program.ts";
import { type Joined, startInside } from "./userns.ts";

/** Failures before the program runs are reported with this added, so that they can be told from the plan's. */
export const ENTERING = 1_000_000;

export interface Child extends Started {
  /** the op that was reported as failing */
  readonly failed: (index: number) => Op;
  /**
   * Waits until the child has memory of its own, and has joined its cgroup if it does that itself. To be called once,
   * with the gate open for the id maps.
   * @returns false when the child has failed to join, which it has reported
   */
  waitUntilEntered(): boolean;
}

export interface Plans {
  /** what the child does in ns's memory, and then in its own */
  readonly enter: readonly Op[];
  /** makes what the caller had open close at an exec */
  readonly close: readonly Op[];
  readonly main: readonly Op[];
}

export interface Pipes {
  /** the gate's end that the child reads from */
  readonly gate: number;
  /** on which it tells of a failure; the child's end is closed */
  readonly report: readonly [number, number];
  /** on which it tells that it has joined its cgroup, if it does that itself; its end is closed */
  readonly told?: readonly [number, number];
  /** descriptor of the cgroup (v2) that it begins in, if it is ns itself that clones it */
  readonly into?: number | null;
  /** other descriptors that its program is to have */
  readonly kept?: readonly number[];
}

/** Descriptors: by which number it is used, and which it is. */
export type Kept = readonly (readonly [as: number, fd: number])[];

export interface Prepared {
  /** what it runs in ns's memory */
  readonly ops: readonly Op[];
  /** descriptor of the program that it becomes then, or -errno */
  readonly program: number;
  readonly failed: Child["failed"];
}

/** @throws NsError when there is more to do than there is room for */
function draftFor(main: readonly Op[], from: Memory): Draft {
  try {
    return draftProgram(sizeOf(main, 0), from);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new NsError("all that is to be mounted or made is too much at once", {
      note: "give fewer mounts, or places that are less deep",
    });
  }
}

/**
 * Makes the child's program and what leads to it.
 * @param report descriptor for its failures
 * @param kept all the descriptors that the program uses
 * @param from where the program is drafted
 * @param known programs that may be used again
 */
export function prepareChild(
  { enter, close: closing, main }: Plans,
  report: number,
  kept: Kept,
  from: Memory = arena(),
  known?: Programs,
): Prepared {
  const program = from.scratch(() => {
    const draft = draftFor(main, from);
    const { address } = encodeTask(main, { flags: 0, report, stack: 0 }, draft.memory);
    return writeProgram(draft, address, known);
  });
  if (program < 0 && opBelowReaper(main, BELOW_REAPER) !== undefined)
    throw new NsError(`--reaper: cannot make a program in memory: ${errnoText(-program)}`, {
      errno: -program,
      note: "process 1 would be ns's own file; allow programs in memory: sysctl -w vm.memfd_noexec=0",
    });
  const ops = [
    ...enter,
    ...(program < 0 ? [] : closing),
    ...keep(kept),
    ...(program < 0 ? main : become(program)),
  ];
  return {
    ...{ ops, program },
    failed: (index) => (ops[index - ENTERING] ?? main[index] ?? opBelowReaper(main, index))!,
  };
}

/**
 * @param sync `waitUntilEntered()` will be called
 * @param joined the user namespace to start it in
 * @returns what was started, or -errno of clone(2)
 */
export function startChild(
  plans: Plans,
  flags: number,
  { gate, report, told, into, kept = [] }: Pipes,
  sync: boolean,
  joined: Joined | null = null,
): Child | number {
  const open = [gate, report[1], ...(told === undefined ? [] : [told[1]]), ...kept];
  const { ops, program, failed } = prepareChild(
    plans,
    report[1],
    open.map((fd) => [fd, fd]),
  );
  const entered = told ?? (program < 0 || !sync ? null : makePipe("from the child"));
  const { pid, task } =
    joined === null
      ? startFrom(
          encodeTask(ops, {
            flags,
            report: report[1],
            base: ENTERING,
            ...(into == null ? {} : { cgroup: into }),
          }),
        )
      : startInside(joined, ops, flags, report, ENTERING);
  close(report[1]);
  if (entered !== null) close(entered[1]);
  if (program >= 0) close(program);
  if (pid < 0) {
    if (entered !== null) close(entered[0]);
    return pid;
  }
  return {
    ...{ pid, task, failed, report: report[0] },
    // end of file: the exec, or the child itself, has closed its copy of the pipe's other end
    waitUntilEntered() {
      if (entered === null) return true;
      const said = readAll(entered[0]);
      close(entered[0]);
      return told === undefined || said !== "";
    },
  };
}

const startFrom = (task: Task): { pid: number; task: Task } => ({ pid: startTask(task.address), task });

/** Descriptors that are not ns's own, to be closed one by one where the kernel lacks close_range. */
export function inheritedDescriptors(facts: Facts): number[] {
  if (facts.kernel.closeRange) return [];
  const entries = list("/proc/self/fd");
  if (typeof entries === "number") return [];
  // the descriptor of the listing itself is closed again, and its number will be one of ns's own
  return entries
    .map(({ name }) => Number(name))
    .filter((fd) => fd > 2 && access(`/proc/self/fd/${fd}`, 0) === 0);
}

const LEAVE = "leave ns's memory";

/** The descriptors in use, at the numbers that they are used by, stay open; the plan closes them before init. */
const keep = (kept: Kept): Op[] =>
  kept.map(
    ([as, fd]): Op =>
      as === fd
        ? { call: "fcntl", args: [fd, F.F_SETFD, 0], step: LEAVE }
        : { call: "dup3", args: [fd, as, 0], step: LEAVE },
  );

const become = (program: number): Op[] => [
  {
    call: "execveat",
    args: [program, "", { strings: ["ns"] }, { strings: [] }, AT_EMPTY_PATH],
    step: LEAVE,
  },
];
