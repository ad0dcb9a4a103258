/**
 * The program's side of its keeper (plan/keeper.ts): makes it when the first container is started, gives it commands
 * through a pipe, is woken through another when there is news, and dismisses it when nothing has run for a while. There
 * is one for each thread that starts containers, because a thread's death ends what it has started.
 */
import { probe } from "../host/facts.ts";
import { encodeTask, sizeOf } from "../plan/encode.ts";
import { keeperPlan, type Launch, launchPlan } from "../plan/keeper.ts";
import type { Op } from "../plan/op.ts";
import { NsError } from "../spec/error.ts";
import type { Facts } from "../spec/spec.ts";
import { CLONE, SIGNALS, WNOHANG } from "../sys/constants.ts";
import { call, scratch, startTask } from "../sys/kernel.ts";
import type { Memory } from "../sys/memory.ts";
import { type Block, createPool, type Pool } from "../sys/pool.ts";
import { close } from "../sys/file.ts";
import { openChannels } from "./channels.ts";
import { createJob, JOB_SIZE, type Job } from "./job.ts";
import { createPrograms, type Programs } from "./program.ts";
import { cannotStart, reapNow } from "./task.ts";

const BOARD = 32;
const WAKE = 8;
const PARENT = 16;
/** The keeper's stack holds a list of all reports that it waits for (csrc/keeper.c). */
const KEEPER_STACK = 160 * 1024;
/** As many processes may there be: the length of that list, and what the pipe for commands holds. */
const MOST_AT_ONCE = 4000;
/** Room for a process's first ops and its stack; and for its state. */
const TASK_ROOM = 24 * 1024;
const STATE_ROOM = 2048;
const DRAFT_ROOM = 64 * 1024;
const PAGE = 4096;
const PROGRAMS = 4;
/** How often the keeper is looked after, and how long it stays without work; milliseconds. */
const PERIOD = 1000;

export interface Keeper {
  /** what the host is like; signal dispositions are the keeper's own */
  readonly facts: Facts;
  /** memory for tasks, given back by whoever takes it */
  readonly tasks: Pool;
  /** Runs `use` with memory that is taken back afterwards, for the draft of a program. @param size that it needs at least */
  draft<T>(use: (memory: Memory) => T, size: number): T;
  /** programs of former starts */
  readonly programs: Programs;
  /** descriptors that nothing else has: the numbers by which a child's program uses its own */
  readonly reserved: readonly number[];
  /** Has a process started. @param end ops for when the program is dead */
  launch(what: LaunchOptions): Job;
  /** sends a signal; one that has ended is left alone */
  signal(job: Job, signal: number): void;
}

export interface LaunchOptions extends Launch {
  /** the pipe's end for its report; the keeper closes it */
  readonly report: number;
  readonly leadsGroup: boolean;
  readonly end: readonly Op[];
}

interface Listening {
  /** keeps the program alive */
  ref(): void;
  unref(): void;
  close(): void;
}

/** Calls back when there is something to read from the socket, and reads it. */
function listen(fd: number, onNews: () => void): Listening {
  let socket: Bun.Socket | null = null;
  let state: "ref" | "unref" | "close" = "ref";
  const apply = (wanted: typeof state): void => {
    state = wanted;
    if (state === "close") socket?.terminate();
    else socket?.[state]();
  };
  Bun.connect({ fd, socket: { data: onNews } } as never).then((connected) => {
    socket = connected as Bun.Socket;
    apply(state);
  });
  return { ref: () => apply("ref"), unref: () => apply("unref"), close: () => apply("close") };
}

let current: Keeper | null = null;

/** The keeper of this thread. @throws NsError when it cannot be started */
export const theKeeper = (): Keeper => {
  current ??= startKeeper();
  return current;
};

function startKeeper(): Keeper {
  const facts: Facts = { ...probe(), ignoredSignals: [] };
  const channels = openChannels();
  const { commands, signals, reserved } = channels;
  const states = createPool(STATE_ROOM);
  const tasks = createPool(TASK_ROOM);
  const drafts = createPool(DRAFT_ROOM);
  const programs = createPrograms(PROGRAMS);
  const own = states.take(STATE_ROOM);
  const board = own.memory.reserve(BOARD);
  own.memory.clear(board, BOARD);
  own.memory.putI64(board, commands[0]);
  own.memory.putI64(board + WAKE, channels.wake);
  own.memory.putI64(board + PARENT, facts.pid);
  const plan = keeperPlan(facts, board, signals);
  const life = tasks.take(sizeOf(plan, KEEPER_STACK));
  const options = { flags: CLONE.CLONE_VM | CLONE.CLONE_FILES, report: -1, stack: KEEPER_STACK };
  const pid = startTask(encodeTask(plan, options, life.memory).address);
  if (pid < 0) {
    channels.close();
    close(channels.woken);
    throw cannotStart("the keeper", -pid);
  }
  const running = new Map<Job, Block>();
  let idle = false;

  const look = (): void => {
    for (const [job, block] of running)
      if (job.look()) {
        running.delete(job);
        block.free();
      }
  };
  // what runs keeps the program alive, nothing else does
  const listener = listen(channels.woken, () => {
    look();
    if (running.size === 0) listener.unref();
  });
  const dismiss = (): void => {
    clearInterval(timer);
    if (current === keeper) current = null;
    call("kill", pid, SIGNALS.SIGKILL);
    reapNow(pid);
    listener.close();
    channels.close();
    states.close();
    tasks.close();
    drafts.close();
    programs.close();
    life.free();
  };
  const timer = setInterval(() => {
    if (call("wait4", pid, 0, WNOHANG) === pid) return bury();
    if (running.size > 0) idle = false;
    else if (idle) dismiss();
    else idle = true;
  }, PERIOD);
  timer.unref();
  /** Somebody has killed the keeper: its containers died with it. */
  const bury = (): void => {
    clearInterval(timer);
    if (current === keeper) current = null;
    for (const [job] of running) job.lose();
    running.clear();
    listener.close();
    channels.close();
  };
  const command = (job: Job, what: number): void => {
    scratch((memory) => {
      const words = memory.reserve(16);
      memory.putI64(words, job.address);
      memory.putI64(words + 8, what);
      call("write", commands[1], words, 16);
    });
  };
  const keeper: Keeper = {
    facts,
    tasks,
    programs,
    reserved,
    draft(use, size) {
      const block = drafts.take(size + PAGE);
      try {
        return use(block.memory);
      } finally {
        block.free();
      }
    },
    launch(what) {
      if (running.size >= MOST_AT_ONCE) throw new NsError(`there are ${MOST_AT_ONCE} containers already`);
      const ops = launchPlan(what);
      const size = JOB_SIZE + sizeOf(ops, 0) + sizeOf(what.end, 0);
      const block = states.take(size);
      const { memory } = block;
      const none = { flags: 0, report: -1, stack: 0 };
      const launch = encodeTask(ops, none, memory).address;
      const end = what.end.length === 0 ? 0 : encodeTask(what.end, none, memory).address;
      const job = createJob(memory, launch, end, what.report, what.leadsGroup);
      running.set(job, block);
      idle = false;
      command(job, 0);
      listener.ref();
      return job;
    },
    signal(job, signal) {
      if (running.has(job)) command(job, signal);
    },
  };
  return keeper;
}
