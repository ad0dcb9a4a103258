/** The pieces of a frozen start's parent, which parent.ts puts in order. */
import type { Spec } from "../../spec/spec.ts";
import { show } from "../../sys/bytes.ts";
import { AT_FDCWD, F, O, SIGNALS } from "../../sys/constants.ts";
import { setPriorities } from "../limits.ts";
import { type Arg, type Op, slot } from "../op.ts";
import type { ParentPlace, Text } from "./place.ts";

const { SIGKILL } = SIGNALS;
const LAST_DESCRIPTOR = 0xffffffff;
const CLOSE_STEP = "close every descriptor above 2";
/** what begins only if the words are right */
export const USAGE_STEP = "take the arguments";

export const close = (fd: Arg, step = "close a descriptor"): Op => ({ call: "close", args: [fd], step });
export const kill = (pid: Arg, step: string): Op => ({
  call: "kill",
  args: [pid, SIGKILL],
  step,
  fine: ["ESRCH"],
});
export const reap = (pid: Arg, step: string): Op => ({
  call: "wait4",
  args: [pid, 0, 0, 0],
  step,
  fine: ["ECHILD"],
});
export const exit = (status: Arg): Op => ({ call: "exit", args: [status], step: "exit" });
export const store = (where: Arg, plus: Arg, minus: Arg = 0): Op => ({
  call: "store",
  args: [where, plus, minus],
  step: "keep a number",
});

/** `FILE --ns-show` and its like: a word alone that has something printed, and nothing else done. */
export const answer = (word: string, { length, ...text }: Text): Op[] => [
  { call: "says", args: [slot("stack"), word], step: USAGE_STEP, save: "asked" },
  { call: "write", args: [1, text, length], step: "write to standard output", onlyIf: "asked" },
  { ...exit(0), onlyIf: "asked" },
];

/** Descriptors 0, 1 and 2 are open, so that no others get these numbers; for init they are as they were. */
export const openStandard = (): Op[] =>
  [0, 1, 2].flatMap((fd): Op[] => {
    const step = "open /dev/null";
    return [
      { call: "fcntl", args: [fd, F.F_GETFD, 0], step, fine: ["EBADF"], skipNext: true },
      { call: "openat", args: [AT_FDCWD, "/dev/null", O.O_RDWR | O.O_CLOEXEC, 0], step },
    ];
  });

/** Closes what was inherited, but for what init keeps. */
export function closeInherited(passFds: readonly number[]): Op[] {
  const ops: Op[] = [];
  let from = 3;
  for (const fd of passFds.toSorted((a, b) => a - b)) {
    ops.push({
      call: "fcntl",
      args: [fd, F.F_GETFD, 0],
      step: `keep descriptor ${fd} open (--pass-fd)`,
    });
    if (fd > from) ops.push({ call: "close_range", args: [from, fd - 1, 0], step: CLOSE_STEP });
    from = fd + 1;
  }
  return [...ops, { call: "close_range", args: [from, LAST_DESCRIPTOR, 0], step: CLOSE_STEP }];
}

export const makePipe = (flags: number): Op => ({
  call: "pipe2",
  args: [{ memory: new Uint8Array(8), means: "" }, O.O_CLOEXEC | flags],
  step: "make a pipe",
});

/** The id maps, through a descriptor of /proc/PID. */
export function giveMaps({ maps, proc }: ParentPlace): Op[] {
  const step = "open the child's directory in /proc";
  return [
    { call: "digits", args: [slot("child"), proc.end], step },
    { call: "openat", args: [AT_FDCWD, proc, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0], step, save: "proc" },
    ...maps.flatMap(({ file, content }): Op[] => {
      const write = `write '${content.replaceAll("\n", ", ")}' to ${file}`;
      return [
        {
          call: "openat",
          args: [slot("proc"), file, O.O_WRONLY | O.O_CLOEXEC, 0],
          step: write,
          save: "file",
        },
        { call: "write", args: [slot("file"), content, content.length], step: write },
        close(slot("file")),
      ];
    }),
    close(slot("proc")),
  ];
}

/** What the parent does to the child that has its cgroup: priorities, and the score for the OOM killer. */
export function confine({ limits: { priority } }: Spec, { proc }: ParentPlace): Op[] {
  if (priority === null) return [];
  const { oomScoreAdj } = priority;
  const step = `set the OOM score to ${oomScoreAdj} (--oom-score-adj)`;
  const open: Op[] = [
    { call: "digits", args: [slot("child"), proc.end], step },
    { call: "openat", args: [AT_FDCWD, proc, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0], step, save: "proc" },
    {
      call: "openat",
      args: [slot("proc"), "oom_score_adj", O.O_WRONLY | O.O_CLOEXEC, 0],
      step,
      save: "file",
    },
    { call: "write", args: [slot("file"), `${oomScoreAdj}`, `${oomScoreAdj}`.length], step },
    close(slot("file")),
    close(slot("proc")),
  ];
  return [...setPriorities(priority, slot("child")), ...(oomScoreAdj === null ? [] : open)];
}

/** Runs PRE to its end; signals go to its process group meanwhile. It tells of a failure where the child does. */
export function runPre(spec: Spec, place: ParentPlace): Op[] {
  if (spec.pre === null) return [];
  const { rules, rule, pre, preKilled, nobody, pid, descriptors } = place;
  const step = `run the pre script ${show(spec.pre)}`;
  const { signal, grace } = spec.process.stop;
  return [
    { call: "decimal", args: [slot("child"), pid], step },
    { call: "start", args: [pre], step, save: "command" },
    store(preKilled, 0, slot("command")),
    store(rule("who"), slot("command")),
    { call: "supervise", args: [slot("command"), rules, 0], step, save: "ending" },
    { call: "heed", args: [descriptors.report[0]], step },
    { call: "check", args: [slot("ending"), rules], step },
    close(descriptors.report[1]),
    store(preKilled, nobody),
    store(rule("group"), 0),
    store(rule("impatience"), 0),
    store(rule("grace"), grace ?? -1),
    store(rule("stopSignal"), signal),
  ];
}

export const openGate = (gate: number, times: 1 | 2): Op => ({
  call: "write",
  args: [gate, "gg", times],
  step: "open the gate",
  fine: ["EPIPE"],
});

const POLL_IN = 1;
export const pollFor = (fd: number): Arg => {
  const poll = new Uint8Array(8);
  const view = new DataView(poll.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, POLL_IN, true);
  return { memory: poll, means: `[{${fd}, POLLIN}]` };
};
