/**
 * The signals that ns passes on, and the end of its children. They are caught in machine code and come through a pipe,
 * a byte each (sys/kernel.ts): none is lost, not even across an exec, and no event loop has to be started for them. This is
 * what is done with them before init runs; from then on machine code reads the pipe (supervise.ts).
 */
import { NsError } from "../spec/error.ts";
import { O, SIG_UNBLOCK, SIGNALS, type SignalName, signalName } from "../sys/constants.ts";
import { poll, write } from "../sys/file.ts";
import { call, catchSignals, scratch } from "../sys/kernel.ts";
import { type Ending, makePipe, reap } from "./task.ts";

/** Signals that end a program by default: one of these during the set-up stops it. */
const STOPPING: readonly SignalName[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];
const FORWARDED: readonly SignalName[] = [...STOPPING, "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"];
const IMPATIENT: readonly number[] = [SIGNALS.SIGTERM, SIGNALS.SIGINT];
const PATIENCE = 3;
/** set in a caught byte when the kernel has sent the signal (csrc/catch.c) */
const FROM_KERNEL = 128;

export interface Listener {
  /** the signals that are passed on */
  readonly signals: readonly number[];
  /** the pipe's end on which they come */
  readonly caught: number;
  /** hears this one too from now on, unless the caller had it ignored */
  add(signal: number): void;
  /** what to do with a signal from now on; SIGKILL stands for the third SIGTERM or SIGINT */
  onSignal: (signal: number) => void;
  /** puts signals that have come back into the pipe, for init */
  giveBack(signals: readonly number[]): void;
  /** the first signal that asked ns to stop, if one has come */
  stopped(): SignalName | null;
  /** @throws NsError when one has */
  stopIfAsked(): void;
  /** waits until there is something to read from the descriptor, or a signal has come; handles signals */
  waitForInput(descriptor: number): void;
  /** waits for the end of a child; handles signals */
  waitFor(pid: number): Ending;
}

/** A set of signals as a mask. */
export const maskOf = (signals: readonly number[]): number =>
  signals.reduce((mask, signal) => mask + 2 ** (signal - 1), 0);

/** Blocks or unblocks signals in this thread. */
export function changeMask(how: number, mask: number): void {
  scratch((memory) => {
    const set = memory.reserve(8);
    memory.putI64(set, mask);
    call("rt_sigprocmask", how, set, 0, 8);
  });
}

/**
 * Catches the forwarded signals and SIGCHLD from now on. What the caller had ns ignore (nohup(1), a background job of a
 * shell) is left ignored.
 * @throws NsError when the pipe for it cannot be made
 */
export function listen(ignored: readonly number[]): Listener {
  const [caught, end] = makePipe("for signals", O.O_NONBLOCK);
  const signals: number[] = FORWARDED.map((name) => SIGNALS[name]).filter(
    (signal) => !ignored.includes(signal),
  );
  catchSignals([...signals, SIGNALS.SIGCHLD], end);
  // the caller may have had them blocked
  changeMask(SIG_UNBLOCK, maskOf([...signals, SIGNALS.SIGCHLD]));
  let impatience = 0;
  let stopped: SignalName | null = null;

  const handle = (byte: number): void => {
    const signal = byte & ~FROM_KERNEL;
    if (signal === SIGNALS.SIGCHLD) return;
    const name = signalName(signal) as SignalName;
    if (STOPPING.includes(name)) stopped ??= name;
    if (IMPATIENT.includes(signal)) impatience++;
    listener.onSignal(impatience >= PATIENCE ? SIGNALS.SIGKILL : signal);
  };
  const drain = (): void => {
    const bytes = scratch((memory) => {
      const buffer = memory.reserve(4096);
      const n = call("read", caught, buffer, 4096);
      return n > 0 ? memory.takeBytes(buffer, n) : "";
    });
    for (const byte of bytes) handle(byte.charCodeAt(0));
  };
  const wait = (descriptors: readonly number[]): void => {
    poll(descriptors, -1);
    drain();
  };
  const listener: Listener = {
    signals,
    caught,
    onSignal: () => {},
    add(signal) {
      if (ignored.includes(signal)) return;
      signals.push(signal);
      catchSignals([signal], end);
      changeMask(SIG_UNBLOCK, maskOf([signal]));
    },
    giveBack(taken) {
      for (const signal of taken) write(end, String.fromCharCode(signal));
    },
    stopped() {
      drain();
      return stopped;
    },
    stopIfAsked() {
      const signal = listener.stopped();
      if (signal === null) return;
      throw new NsError(`stopped by ${signal} before init was started`, { status: 128 + SIGNALS[signal] });
    },
    waitForInput(descriptor) {
      wait([descriptor, caught]);
    },
    waitFor(pid) {
      for (;;) {
        const ending = reap(pid);
        if (ending !== null) return ending;
        wait([caught]);
      }
    },
  };
  return listener;
}
