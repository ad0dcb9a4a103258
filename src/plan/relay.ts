/**
 * The relay: a process of ns's that stands between the caller's terminal, or what he has in its place, and the one that the
 * container has of its own (terminal.ts). It ends with ns, and gives the caller's terminal back as it was; where it cannot,
 * because it was killed, ns or the watcher does. Started by run/terminal.ts.
 */
import { AT_FDCWD, F, O, PR, SIGNALS } from "../sys/constants.ts";
import { type Op, slot } from "./op.ts";
import type { Terminal } from "./terminal.ts";

/** What the relay is told of by ns in init's place: to let go of the terminal, to take it again, and its size. */
export const RELAYED: readonly number[] = [SIGNALS.SIGTSTP, SIGNALS.SIGCONT, SIGNALS.SIGWINCH];

const maskOf = (signals: readonly number[]): Uint8Array => {
  const mask = new Uint8Array(8);
  const bits = signals.reduce((sum, signal) => sum + 2 ** (signal - 1), 0);
  new DataView(mask.buffer).setUint32(0, bits, true);
  return mask;
};

/** The relay's first steps, still in ns's memory: it ends with ns, and must not hold what tells of ns's death. */
export const enterRelay = (life: number): Op[] => [
  { call: "prctl", args: [PR.PR_SET_PDEATHSIG, SIGNALS.SIGTERM], step: "die with the parent" },
  { call: "close", args: [life], step: "let go of ns's own" },
];

/** A descriptor, not to be waited for when it is written or read: a terminal is opened once more for that. */
function openAgain(fd: number, terminal: boolean, flags: number, save: "input" | "output"): Op[] {
  const step = `take descriptor ${fd}`;
  const again: Op = {
    call: "openat",
    args: [AT_FDCWD, `/proc/self/fd/${fd}`, flags | O.O_NONBLOCK | O.O_NOCTTY | O.O_CLOEXEC, 0],
    ...{ step, save, skipNext: true },
    fine: ["EACCES", "EPERM", "ENOENT", "ENXIO", "EIO", "ENODEV", "EBUSY"],
  };
  return [...(terminal ? [again] : []), { call: "fcntl", args: [fd, F.F_DUPFD_CLOEXEC, 0], step, save }];
}

export interface RelayPlace {
  /** ns's process id */
  readonly parent: number;
  /** ns's end of the socket */
  readonly socket: number;
  /** init's process id, if init is the child itself; null: a reaper is */
  readonly init: number | "PID" | null;
}

/** All that the relay does; every signal is blocked in it. */
export function relayPlan(terminal: Terminal, { parent, socket, init }: RelayPlace): Op[] {
  const ends = new Uint8Array(24);
  const view = new DataView(ends.buffer);
  [parent, terminal.group, terminal.raw ? 1 : 0].forEach((value, i) => {
    view.setBigInt64(8 * i, BigInt(value), true);
  });
  const hear = { memory: maskOf([SIGNALS.SIGTERM, ...RELAYED]), means: "[TERM TSTP CONT WINCH]" };
  return [
    { call: "prctl", args: [PR.PR_SET_NAME, "ns"], step: "be called ns" },
    { call: "signalfd4", args: [-1, hear, 8, O.O_CLOEXEC], step: "hear signals", save: "signals" },
    ...(terminal.input ? openAgain(0, terminal.fromTerminal, O.O_RDONLY, "input") : []),
    ...openAgain(terminal.output, terminal.toTerminal, O.O_WRONLY, "output"),
    {
      call: "relay",
      args: [
        { memory: ends, means: "ENDS" },
        socket,
        terminal.input ? slot("input") : -1,
        slot("output"),
        slot("signals"),
        init === null ? 0 : `/proc/${init}/status`,
      ],
      step: "relay",
    },
  ];
}

/** Gives the caller's terminal its settings back, if that is still to be done. */
export const giveBack = (terminal: Terminal | null): Op[] =>
  terminal?.before == null
    ? []
    : [
        {
          call: "settings",
          args: [terminal.group, { memory: terminal.before, means: "SETTINGS" }],
          step: "give the terminal its settings back",
        },
      ];
