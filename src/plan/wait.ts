/**
 * What ns is while init runs: a program of a few kilobytes that passes signals on, waits, cleans up and exits with
 * init's status. It is a task like any other, run by the same launcher in an executable of its own (elf.ts), by which ns
 * replaces itself (run/waiter.ts): Bun's 28 MB are gone, the process id stays.
 */
import { AT_EMPTY_PATH, PR, SIGNALS } from "../sys/constants.ts";
import type { Work } from "../spec/mounts.ts";
import { type Op, slot } from "./op.ts";
import { type Rules, rulesArg } from "./supervise.ts";
import { type CgroupEnd, endCgroup, endHelper, endInside, endWork } from "./watch.ts";

export interface WaitPlace {
  readonly child: number;
  /** how to wait for it; `caught` is the pipe that holds signals which came during the handover */
  readonly rules: Rules;
  /** where in the program's memory they are to be, which tells in the end how often it was asked to stop */
  readonly rulesAddress?: number;
  /** init itself gets what the terminal sends: its status file tells whether that is all (csrc/supervise.c) */
  readonly statusFile: boolean;
  /** the watcher that shares Bun's memory, to be replaced by one of this program's own */
  readonly oldWatcher: number;
  /** the process group to give the terminal back to; null: no terminal */
  readonly foreground: number | null;
  /** what stands between the caller's terminal and the container's, how to wait for its end, and what is undone if it was killed */
  readonly relay?: { readonly pid: number; readonly rules: Rules; readonly undo: readonly Op[] } | null;
  /** a program beside the container, a child of this process, to be ended with it */
  readonly helper?: number | null;
  /** address of the new watcher's task */
  readonly watcherTask: number;
  /** what to remove of the run's cgroup */
  readonly cgroup: readonly CgroupEnd[] | null;
  /** the directory to remove of an overlay */
  readonly work: Work | null;
  /** how to become ns again for an end that needs it; null: never */
  readonly again: Again | null;
}

export interface Again {
  /** an end that has something to say, whatever it is */
  readonly always: boolean;
  /** descriptor of ns's executable */
  readonly executable: number;
  /** addresses of its argument list and environment */
  readonly argv: number;
  readonly env: number;
  /** where in the arguments the wait status and the watcher's process id are to be written */
  readonly status: number;
  readonly watcher: number;
}

function becomeNsAgain(again: Again): Op {
  return {
    call: "execveat",
    args: [again.executable, "", again.argv, again.env, AT_EMPTY_PATH],
    step: "become ns again",
    // without it the end is silent, but it is still the end
    fine: ["ENOENT", "EACCES", "EPERM", "ENOMEM", "ETXTBSY", "EAGAIN", "ELIBBAD"],
  };
}

/** An end that is not well may have a cause to tell. Only of 0 this call takes no offence, and it does nothing. */
const unlessWell = (again: Again): Op[] => [
  {
    call: "prctl",
    args: [PR.PR_GET_NO_NEW_PRIVS, slot("ending"), 0, 0, 0],
    step: "see whether it ended well",
    fine: ["EINVAL", "EPERM", "ENOSYS"],
    skipNext: true,
  },
  becomeNsAgain(again),
];

function removeCgroup({ cgroup, again }: WaitPlace): Op[] {
  if (cgroup === null) return [];
  if (again === null) return cgroup.flatMap(endCgroup);
  // there may be cgroups below that init made: ns knows what to do
  const become = becomeNsAgain(again);
  const remove = (end: CgroupEnd): Op[] => {
    const inside = endInside(end);
    const [run, ...rest] = endCgroup(end).slice(inside.length);
    return [...inside, { ...run!, skipNext: true }, become, ...rest];
  };
  return cgroup.flatMap(remove);
}

function removeWork({ work, again }: WaitPlace): Op[] {
  if (work === null) return [];
  const [inner, ...rest] = endWork(work);
  if (again === null) return [inner!, ...rest];
  // what overlayfs has left in it has names that ns has to look for
  return [{ ...inner!, fine: [...inner!.fine!, "ENOENT"], skipNext: true }, becomeNsAgain(again), ...rest];
}

function endRelay(relay: WaitPlace["relay"]): Op[] {
  if (relay == null) return [];
  const { pid, rules, undo } = relay;
  const step = "let the terminal's relay end";
  return [
    { call: "kill", args: [pid, SIGNALS.SIGTERM], step, fine: ["ESRCH"] },
    { call: "supervise", args: [pid, rulesArg(rules), 0], step, save: "relay" },
    ...undo.map((op): Op => ({ ...op, onlyIfKilled: "relay" })),
  ];
}

/** All ops of the waiting program, up to its exit. */
export function waitPlan(place: WaitPlace): Op[] {
  const { again } = place;
  const end = (pid: number | "watcher"): Op[] => {
    const who = pid === "watcher" ? slot(pid) : pid;
    const step = "dismiss the watcher";
    return [
      { call: "kill", args: [who, SIGNALS.SIGKILL], step, fine: ["ESRCH"] },
      { call: "wait4", args: [who, 0, 0, 0], step, fine: ["ECHILD"] },
    ];
  };
  return [
    { call: "prctl", args: [PR.PR_SET_NAME, "ns"], step: "be called ns" },
    { call: "start", args: [place.watcherTask], step: "start a watcher", save: "watcher" },
    ...end(place.oldWatcher),
    {
      call: "supervise",
      args: [
        place.child,
        place.rulesAddress ?? rulesArg(place.rules),
        place.statusFile ? `/proc/${place.child}/status` : 0,
      ],
      step: "wait for init",
      save: "ending",
    },
    ...endRelay(place.relay ?? null),
    ...(place.helper == null
      ? []
      : [
          endHelper(place.helper),
          {
            call: "wait4",
            args: [place.helper, 0, 0, 0],
            step: "reap the network's helper",
            fine: ["ECHILD"],
          } satisfies Op,
        ]),
    ...(place.foreground === null
      ? []
      : [{ call: "foreground", args: [place.foreground], step: "give the terminal back" } satisfies Op]),
    ...(again === null
      ? []
      : ([
          { call: "decimal", args: [slot("ending"), again.status], step: "write init's status" },
          { call: "decimal", args: [slot("watcher"), again.watcher], step: "write the watcher's process id" },
        ] satisfies Op[])),
    ...(again === null ? [] : again.always ? [becomeNsAgain(again)] : unlessWell(again)),
    ...removeWork(place),
    ...removeCgroup(place),
    ...end("watcher"),
    { call: "exit", args: [slot("ending")], step: "exit" },
  ];
}
