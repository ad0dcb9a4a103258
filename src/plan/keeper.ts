/**
 * The keeper: one helper process for all containers of a program that goes on doing other things (run/keeper.ts). It
 * shares the program's memory and descriptors, starts containers for it, is their parent, and takes them all down when
 * the program, or the thread that made it, dies. The program's signals, children, working directory and groups stay its
 * own affair. csrc/keeper.c has its loop, `keep()`.
 */
import type { Facts } from "../spec/spec.ts";
import { CLONE, PR, SIGNALS } from "../sys/constants.ts";
import type { Op } from "./op.ts";

const LAST_SIGNAL = 64;
const SIGSET_SIZE = 8;

/** All it does. @param board address of what it shares with the program @param signals descriptor of its signals */
export function keeperPlan(facts: Facts, board: number, signals: number): Op[] {
  const byDefault = { memory: new Uint8Array(32), means: "{sa_handler=SIG_DFL}" };
  const reset: Op[] = [];
  for (let signal = 1; signal <= LAST_SIGNAL; signal++)
    reset.push({
      call: "rt_sigaction",
      args: [signal, byDefault, 0, SIGSET_SIZE],
      step: "let signals do what they do by default",
      fine: ["EINVAL"],
    });
  return [
    { call: "prctl", args: [PR.PR_SET_PDEATHSIG, SIGNALS.SIGTERM], step: "hear of the program's death" },
    // what is sent to the program's whole process group must not end the keeper first
    { call: "setpgid", args: [0, 0], step: "have a process group" },
    { call: "prctl", args: [PR.PR_SET_NAME, "ns-keeper"], step: "be called ns-keeper" },
    ...reset,
    // children in a user namespace cannot any more
    ...(facts.capabilities.setGid
      ? [{ call: "setgroups", args: [0, 0], step: "drop supplementary groups" } satisfies Op]
      : []),
    { call: "chdir", args: ["/"], step: "enter /" },
    { call: "keep", args: [board, signals], step: "keep containers" },
  ];
}

export interface Launch {
  /** address of the task that the new process runs */
  readonly task: number;
  /** descriptor of the directory that it is to work in; null: / */
  readonly directory: number | null;
  /** descriptors of a network namespace for it to be in, and of the keeper's own; null: the keeper's */
  readonly network: readonly [number, number] | null;
  /** a process group for it to be in; null: the keeper's */
  readonly group: number | null;
  /** descriptors that only it was to have */
  readonly closing: readonly number[];
}

/** What the keeper does to start one process. The first result that is saved is the process's id (csrc/keeper.c). */
export function launchPlan({ task, directory, network, group, closing }: Launch): Op[] {
  const enter = (place: Op): Op[] => (directory === null ? [] : [place]);
  const join = (id: number): Op[] =>
    group === null
      ? []
      : [{ call: "setpgid", args: [0, id], step: "join the process group", fine: ["EPERM"] }];
  const toNetwork = (which: 0 | 1): Op[] =>
    network === null
      ? []
      : [{ call: "setns", args: [network[which], CLONE.CLONE_NEWNET], step: "join the network namespace" }];
  return [
    ...enter({ call: "fchdir", args: [directory!], step: "enter the root" }),
    ...join(group ?? 0),
    ...toNetwork(0),
    { call: "start", args: [task], step: "start the process", save: "child" },
    // first of all: if it cannot be left, no more containers can be started rightly (csrc/keeper.c)
    ...toNetwork(1),
    ...join(0),
    ...enter({ call: "chdir", args: ["/"], step: "enter /" }),
    ...closing.map(
      (fd): Op => ({ call: "close", args: [fd], step: "close what the process has", fine: ["EBADF"] }),
    ),
  ];
}
