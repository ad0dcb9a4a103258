/**
 * The signals that ns passes on, and the end of its children. They are caught in machine code and come through a pipe,
 * a byte each (sys/kernel.ts): none is lost, not even across an exec, and no event loop has to be started for them.
 */
import { bitsOf, statusField } from "../host/status.ts";
import { O, SIG_UNBLOCK, SIGNALS, type SignalName, signalName } from "../sys/constants.ts";
import { pipe, poll, readFile } from "../sys/file.ts";
import { call, catchSignals, scratch } from "../sys/kernel.ts";
import { type Ending, reap } from "./task.ts";

/** Signals that end a program by default: one of these during the set-up stops it. */
const STOPPING: readonly SignalName[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];
const FORWARDED: readonly SignalName[] = [...STOPPING, "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"];
const IMPATIENT: readonly number[] = [SIGNALS.SIGTERM, SIGNALS.SIGINT];
const PATIENCE = 3;
/** set in a caught byte when the kernel has sent the signal (csrc/launcher.c) */
const FROM_KERNEL = 128;

export interface Listener {
  /** the signals that are passed on */
  readonly signals: readonly number[];
  /** the pipe's end on which they come */
  readonly caught: number;
  /** what to do with a signal from now on; SIGKILL stands for the third SIGTERM or SIGINT */
  onSignal: (signal: number) => void;
  /** init, once it runs: what the terminal sends to ns's process group, it sends to init too */
  inGroup: number | null;
  /** how many SIGTERM and SIGINT have come */
  impatience(): number;
  /** the first signal that asked ns to stop, if one has come */
  stopped(): SignalName | null;
  /** waits until there is something to read from the descriptor, or a signal has come; handles signals */
  waitForInput(descriptor: number): void;
  /** waits for the end of a child, so many milliseconds at least or, with -1, for ever; null: it still runs */
  waitFor(pid: number, milliseconds: number): Ending | null;
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

/** Does the process have a handler for the signal? */
function catches(pid: number, signal: number): boolean {
  const status = readFile(`/proc/${pid}/status`);
  return typeof status === "string" && bitsOf(statusField(status, "SigCgt"), 1).includes(signal);
}

/**
 * Catches the forwarded signals and SIGCHLD from now on. What the caller had ns ignore (nohup(1), a background job of a
 * shell) is left ignored.
 * @returns null when the pipe for it cannot be made
 */
export function listen(ignored: readonly number[]): Listener | null {
  const ends = pipe(O.O_NONBLOCK);
  if (typeof ends === "number") return null;
  const [caught, write] = ends;
  const signals = FORWARDED.map((name) => SIGNALS[name]).filter((signal) => !ignored.includes(signal));
  catchSignals([...signals, SIGNALS.SIGCHLD], write);
  // the caller may have had them blocked
  changeMask(SIG_UNBLOCK, maskOf([...signals, SIGNALS.SIGCHLD]));
  let impatience = 0;
  let stopped: SignalName | null = null;

  // as supervise() in csrc/launcher.c does it for the waiting program
  const handle = (byte: number): void => {
    const signal = byte & ~FROM_KERNEL;
    if (signal === SIGNALS.SIGCHLD) return;
    const { inGroup } = listener;
    const fromTerminal =
      (byte & FROM_KERNEL) !== 0 && inGroup !== null && call("getpgid", inGroup) === call("getpgid", 0);
    if (fromTerminal && catches(inGroup, signal)) return;
    const name = signalName(signal) as SignalName;
    if (STOPPING.includes(name)) stopped ??= name;
    if (IMPATIENT.includes(signal)) impatience++;
    if (impatience >= PATIENCE) listener.onSignal(SIGNALS.SIGKILL);
    else if (!fromTerminal) listener.onSignal(signal);
  };
  const drain = (): void => {
    const bytes = scratch((memory) => {
      const buffer = memory.reserve(4096);
      const n = call("read", caught, buffer, 4096);
      return n > 0 ? memory.takeBytes(buffer, n) : "";
    });
    for (const byte of bytes) handle(byte.charCodeAt(0));
  };
  /** waits for one of the descriptors; 0 when the time is up */
  const wait = (descriptors: readonly number[], milliseconds: number): number => {
    const ready = poll(descriptors, milliseconds);
    drain();
    return ready;
  };
  const listener: Listener = {
    signals,
    caught,
    onSignal: () => {},
    inGroup: null,
    impatience: () => impatience,
    stopped() {
      drain();
      return stopped;
    },
    waitForInput(descriptor) {
      wait([descriptor, caught], -1);
    },
    waitFor(pid, milliseconds) {
      for (;;) {
        const ending = reap(pid);
        if (ending !== null) return ending;
        if (wait([caught], milliseconds) === 0) return null;
      }
    },
  };
  return listener;
}
