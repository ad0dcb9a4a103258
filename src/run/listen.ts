/**
 * The signals that ns passes on, and the end of its children. Node's handlers run in the event loop, never inside a
 * system call, so the rest of run/ need not care about interruption.
 */
import { SIGNALS, type SignalName } from "../sys/constants.ts";
import { type Ending, reap } from "./task.ts";

/** Signals that end a program by default: one of these during the set-up stops it. */
const STOPPING: readonly SignalName[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];
const FORWARDED: readonly SignalName[] = [...STOPPING, "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"];
const IMPATIENT: readonly SignalName[] = ["SIGTERM", "SIGINT"];
const PATIENCE = 3;

export interface Listener {
  /** what to do with a forwarded signal from now on; SIGKILL stands for the third SIGTERM or SIGINT */
  onSignal: (signal: number) => void;
  /** the first signal that asked ns to stop, if one came */
  readonly stopped: SignalName | null;
  /** the signals that are passed on */
  readonly signals: readonly number[];
  /** takes the signals over again, after somebody else had them */
  resume(): void;
  /** how many SIGTERM and SIGINT have come */
  readonly impatience: number;
  /** how this child ends */
  waitFor(pid: number): Promise<Ending>;
  close(): void;
}

/**
 * Takes over the forwarded signals and SIGCHLD. What the caller had ns ignore (nohup(1), a background job of a shell) is
 * left ignored.
 */
export function listen(ignored: readonly number[]): Listener {
  let stopped: SignalName | null = null;
  let impatience = 0;
  let onChild = (): void => {};
  const handlers: [SignalName, () => void][] = [["SIGCHLD", () => onChild()]];
  const passed = FORWARDED.filter((name) => !ignored.includes(SIGNALS[name]));
  const listener: Listener = {
    onSignal: () => {},
    get stopped() {
      return stopped;
    },
    get impatience() {
      return impatience;
    },
    signals: passed.map((name) => SIGNALS[name]),
    resume() {
      for (const [name, handler] of handlers) process.off(name, handler).on(name, handler);
    },
    waitFor(pid) {
      return new Promise((resolve) => {
        onChild = () => {
          const ending = reap(pid);
          if (ending === null) return;
          onChild = () => {};
          resolve(ending);
        };
        onChild(); // it may have ended before anybody listened
      });
    },
    close() {
      clearInterval(alive);
      for (const [name, handler] of handlers) process.off(name, handler);
    },
  };
  // signal handlers alone do not keep the event loop alive
  const alive = setInterval(() => {}, 2 ** 30);
  for (const name of passed) {
    handlers.push([
      name,
      () => {
        if (STOPPING.includes(name)) stopped ??= name;
        if (IMPATIENT.includes(name)) impatience++;
        listener.onSignal(impatience >= PATIENCE ? SIGNALS.SIGKILL : SIGNALS[name]);
      },
    ]);
  }
  for (const [name, handler] of handlers) process.on(name, handler);
  return listener;
}
