/**
 * Where a frozen start's cgroup of version 2 is made: the starter's own cgroup is found when it starts and, for limits, the
 * nearest that can hand the controllers on, as host/cgroup/parent.ts finds it. A cgroup with processes cannot: one that has
 * the starter only is left for a leaf below it. Used by cgroup.ts.
 */
import { show } from "../../sys/bytes.ts";
import { AT_FDCWD, O } from "../../sys/constants.ts";
import type { ErrnoName } from "../../sys/errno.ts";
import { type Op, type Place, slot } from "../op.ts";
import { leaveLeaf, removeDirectory } from "../watch.ts";
import type { FrozenBranch } from "./branch.ts";
import { jump, unless, until, whenever } from "./jump.ts";

/** Where runs' cgroups are, and where the starter goes. */
export const RUNS = "ns";
export const LEAF = `${RUNS}/init`;
/** Controllers for which a cgroup with processes may have children, but those could have threads only. */
const THREADED: readonly string[] = ["cpu", "cpuset", "pids"];
const REFUSED: readonly ErrnoName[] = [
  ...(["EACCES", "EPERM", "EROFS", "EBUSY", "ENOENT", "EOPNOTSUPP", "EBADF", "EINVAL"] as const),
];
const MAY_BE_THERE: readonly ErrnoName[] = ["EEXIST", "EACCES", "EPERM", "EROFS", "ENOENT"];

export const handOn = (controllers: readonly string[]): string =>
  controllers.map((name) => `+${name}`).join(" ");

/** Opens a file of the working directory, writes to it and closes it; what is refused is no failure. */
function tryWrite(file: string, content: string, step: string, save: Op["save"]): Op[] {
  const fine = REFUSED;
  return [
    {
      call: "openat",
      args: [AT_FDCWD, file, O.O_WRONLY | O.O_CLOEXEC, 0],
      ...{ step, save: "file", fine },
    },
    {
      call: "write",
      args: [slot("file"), content, content.length],
      ...{ step, fine },
      ...(save && { save }),
    },
    { call: "close", args: [slot("file")], step, fine },
  ];
}

/** Finds whether a cgroup has processes that keep it from having children: the topmost one may have both. */
function askBusy(step: string): Op[] {
  const here = (file: string, more: Partial<Op>): Op => ({
    call: "openat",
    args: [AT_FDCWD, file, O.O_RDONLY | O.O_CLOEXEC, 0],
    step,
    ...more,
  });
  return [
    here("cgroup.procs", { save: "file" }),
    {
      call: "read",
      args: [slot("file"), { memory: new Uint8Array(1), means: "" }, 1],
      ...{ step, save: "busy", fine: ["EOPNOTSUPP"] },
    },
    { call: "close", args: [slot("file")], step },
    here("cgroup.type", { save: "file", fine: ["ENOENT"] }),
    ...unless("file", [{ call: "chdir", args: ["."], step, save: "busy" }]),
    { call: "close", args: [slot("file")], step, fine: ["EBADF"] },
  ];
}

/** Has the working directory, a cgroup, hand controllers on to runs' cgroups. */
function tryHere(controllers: readonly string[], step: string): Op[] {
  const content = handOn(controllers);
  const write = tryWrite("cgroup.subtree_control", content, step, "given");
  const threads = controllers.every((name) => THREADED.includes(name));
  return [
    { call: "chdir", args: ["."], step, save: "given" },
    ...(threads ? [...askBusy(step), ...unless("busy", write)] : write),
    ...whenever("given", [
      { call: "mkdirat", args: [AT_FDCWD, RUNS, 0o755], step, fine: MAY_BE_THERE },
      ...tryWrite(`${RUNS}/cgroup.subtree_control`, content, step, "handed"),
    ]),
  ];
}

/** Moves the starter, if it is alone in its cgroup, one level down. @param list empty memory for its processes */
function moveToLeaf(list: Place, step: string): Op[] {
  const begin: Op[] = [RUNS, LEAF].map((name) => ({
    call: "mkdirat",
    args: [AT_FDCWD, name, 0o755],
    ...{ step, fine: MAY_BE_THERE },
  }));
  const leave = [...begin, ...tryWrite(`${LEAF}/cgroup.procs`, "0", step, "moved")];
  return [
    { call: "openat", args: [AT_FDCWD, "cgroup.procs", O.O_RDONLY | O.O_CLOEXEC, 0], step, save: "file" },
    { call: "read", args: [slot("file"), list, LIST / 2], step, fine: ["EOPNOTSUPP"] },
    { call: "close", args: [slot("file")], step },
    // "./" and what stands in the second line: a file that is there only if that is nothing
    { call: "behind", args: [list, "\n"], step, save: "others", fine: ["ENOENT"] },
    {
      call: "faccessat",
      args: [AT_FDCWD, slot("others"), 0],
      ...{ step, fine: ["ENOENT", "EFAULT"], skipNext: true },
    },
    jump(leave.length),
    ...leave,
  ];
}

/** Memory that nobody has written to: for /proc/self/cgroup, and for a list of processes. */
export interface Scratch {
  readonly text: Place;
  readonly size: number;
  readonly list: Place;
}
export const LIST = 64;

/** Goes to where the starter is. */
function goHome({ mount, word }: NonNullable<FrozenBranch["own"]>, { text, size }: Scratch, step: string) {
  const read: Op[] = [
    {
      call: "openat",
      args: [AT_FDCWD, "/proc/self/cgroup", O.O_RDONLY | O.O_CLOEXEC, 0],
      ...{ step, save: "file" },
    },
    { call: "read", args: [slot("file"), text, size - 1], step },
    { call: "close", args: [slot("file")], step },
    { call: "behind", args: [text, word], step, save: "place" },
  ];
  const go: Op[] = [
    { call: "chdir", args: [mount], step },
    { call: "chdir", args: [slot("place")], step },
  ];
  return { read, go };
}

/** Makes the cgroup that runs' are made in the working directory. */
export function goThere(branch: FrozenBranch, scratch: Scratch): Op[] {
  const { own, controllers, isSearched, isLimited } = branch;
  if (own === null) return [];
  const none = isLimited ? "" : " (for devices: --cgroup none freezes without it)";
  const { read, go } = goHome(own, scratch, `find this process's cgroup in ${show(own.mount)}${none}`);
  if (!isSearched) return [...read, ...go];
  const step = `find a cgroup in ${show(own.mount)} that hands on ${controllers.join(" and ")}`;
  const here = tryHere(controllers, step);
  const leave: Op[] = [
    ...leaveLeaf({ own: ".", leaf: LEAF, inner: [RUNS, "."], controllers }),
    removeDirectory(RUNS),
    { call: "chdir", args: ["."], step, save: "moved" },
  ];
  // those above, until it is no cgroup any more
  const above: Op[] = [
    { call: "chdir", args: [".."], step },
    {
      call: "openat",
      args: [AT_FDCWD, "cgroup.procs", O.O_PATH | O.O_CLOEXEC, 0],
      ...{ step, save: "above", fine: ["ENOENT"] },
    },
    ...whenever("above", [{ call: "close", args: [slot("above")], step }, ...here]),
  ];
  const [open, , close] = tryWrite("cgroup.subtree_control", "", step, undefined);
  const refuse: Op[] = [
    ...go,
    // whoever may not write to it hears that
    { ...open!, fine: [] },
    close!,
    { call: "behind", args: ["", "\n"], step },
  ];
  return [
    ...[...read, ...go, ...moveToLeaf(scratch.list, step), ...here],
    ...unless("handed", [
      ...whenever("moved", leave),
      ...until("handed", "above", above),
      ...unless("handed", refuse),
    ]),
  ];
}
