/**
 * The cgroup of a frozen start, in the starter's own or where a name says; its own name has the process id. As in
 * host/cgroup/ it is locked for as long as the run lasts, so that a later start of ns tells it from one that was left behind.
 */
import { type Bytes, show } from "../../sys/bytes.ts";
import { AT_FDCWD, LOCK, O } from "../../sys/constants.ts";
import { type Op, type Place, slot } from "../op.ts";
import { GONE_OR_IN_USE, leaveLeaf, removeDirectory } from "../watch.ts";
import {
  type BranchPlace,
  directoryOf,
  type FrozenBranch,
  isLeftOut,
  isRestricted,
  pathIn,
  type ProgramPlace,
} from "./branch.ts";
import { askPrivilege, INSIDE, openAs, restrict, writeOptional, writeTo } from "./devices.ts";
import { jump, unless, whenever } from "./jump.ts";
import { goThere, handOn, LEAF, RUNS, type Scratch } from "./search.ts";

/** What the name ends with, after the process id. */
export const RUN_ENDING = "-frozen";

/** of a process id's digits, with what closes them */
const PID_SIZE = 11;
/** As often as others that end at this very moment may take the directory away that the run's is to be in. */
const TRIES = 3;
/** So many levels of cgroups that init has made below its own are removed with it (16 KiB of stack). */
const DEPTH = 8;
/** Where a run's directory was never found, its name below a descriptor means nothing. */
const GONE_OR_ELSEWHERE = [...GONE_OR_IN_USE, "ENOTDIR"] as const;
const PATH = O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC;
const DIRECTORY = O.O_RDONLY | O.O_DIRECTORY | O.O_CLOEXEC;

const wordsFor = (branch: FrozenBranch): string => {
  const { own, way, isLimited } = branch;
  const where =
    own === null
      ? show(way.at(-1)!)
      : `${show(own.mount)}, ${branch.isSearched ? "in or above" : "in"} this process's own`;
  return `make a cgroup in ${where}${isLimited ? "" : " (for devices: --cgroup none freezes without it)"}`;
};

/** What the run's is to be in, made as far as it is not there. @param isLast nothing may be in the way any more */
function makeWay(branch: FrozenBranch, place: BranchPlace, step: string, isLast: boolean): Op[] {
  const { way, handing, isSearched, controllers } = branch;
  const content = handOn(controllers);
  const write = (directory: Bytes) =>
    writeTo(
      AT_FDCWD,
      `${directory}/cgroup.subtree_control`,
      content,
      `have ${show(directory)} hand on ${controllers.join(" and ")}`,
    ).map((op): Op => (isLast ? op : { ...op, fine: ["ENOENT", "EBADF"] }));
  const above = handing.filter((directory) => !way.includes(directory)).flatMap(write);
  const made = way.flatMap((directory): Op[] => {
    const path = pathIn(place, directory);
    const make: Op = { call: "mkdirat", args: [AT_FDCWD, path, 0o755], step, fine: ["EEXIST"] };
    return isSearched || handing.includes(directory) ? [make, ...write(path)] : [make];
  });
  return [...above, ...made];
}

/** What is made, and where it is laid out. */
export interface RunPlace {
  /** of the run's directory */
  readonly path: Place;
  readonly place: BranchPlace;
  readonly scratch: Scratch;
  readonly program: ProgramPlace;
}

/** Makes, locks and limits it. */
export function makeCgroup(branch: FrozenBranch, { path, place, scratch, program }: RunPlace): Op[] {
  const { version, own, settings } = branch;
  const { lock } = place;
  const step = wordsFor(branch);
  const tries: Op[] = [];
  for (let i = 0; i < TRIES; i++)
    tries.push(...makeWay(branch, place, step, i + 1 === TRIES), {
      call: "mkdirat",
      args: [AT_FDCWD, path, 0o755],
      step,
      // the second time it is there already
      fine: i === 0 ? ["ENOENT"] : i + 1 < TRIES ? ["EEXIST", "ENOENT"] : ["EEXIST"],
    });
  const forRoot = (ops: readonly Op[]): Op[] => (isLeftOut(branch) ? whenever("privileged", ops) : [...ops]);
  const open = (directory: number, name: Bytes | Place, flags: number): Op => ({
    call: "openat",
    args: [directory, name, flags, 0],
    step,
  });
  const here = open(AT_FDCWD, ".", PATH);
  const inside = isRestricted(branch) ? INSIDE : ".";
  return [
    ...(branch.isRoots ? askPrivilege() : []),
    ...forRoot(goThere(branch, scratch)),
    ...(own === null ? [] : openAs(branch, here, "/proc")),
    ...(place.left === null ? [] : [...unless("moved", [open(AT_FDCWD, "/proc", PATH), jump(1)]), here]),
    ...forRoot([
      // of a process that had this id, and was killed with all that watched it
      { ...removeDirectory(path.means, path), fine: GONE_OR_ELSEWHERE },
      ...tries,
    ]),
    ...openAs(branch, open(AT_FDCWD, path, DIRECTORY), "/proc"),
    ...forRoot([
      { call: "flock", args: [lock, LOCK.LOCK_EX | LOCK.LOCK_NB], step },
      ...settings.flatMap(({ file, value, optional }) =>
        (optional ? writeOptional : writeTo)(lock, file, value, `write ${value} to ${file} of the cgroup`),
      ),
      ...restrict(branch, place, program),
    ]),
    ...(version === 1
      ? openAs(branch, open(lock, `${inside}/tasks`, O.O_WRONLY | O.O_CLOEXEC), "/dev/null")
      : openAs(branch, open(lock, inside, DIRECTORY), "/proc")),
  ];
}

/** The watcher is where the starter is, whose cgroup it would keep in use. @param text memory for its process id */
function bringBack(directory: Bytes, text: Place): Op[] {
  const step = "bring the watcher back";
  const fine = ["ENOENT", "EBUSY", "EACCES", "EPERM", "EROFS", "ENOTDIR", "ESRCH"] as const;
  const [open, write, close] = writeTo(AT_FDCWD, `${directory}/cgroup.procs`, "", step);
  return [
    { call: "decimal", args: [slot("watcher"), text], step },
    { ...open!, fine },
    { ...write!, args: [slot("file"), text, PID_SIZE], fine: [...fine, "EBADF"] },
    { ...close!, fine: ["EBADF"] },
  ];
}

/**
 * Removes it, and the directory that it is in if no other run is there.
 * @param text memory for a process id; null: there is no other to be brought back
 */
export function removeCgroup(
  branch: FrozenBranch,
  path: Place,
  place: BranchPlace,
  text: Place | null,
): Op[] {
  const flags = O.O_RDONLY | O.O_DIRECTORY | O.O_NOFOLLOW | O.O_CLOEXEC;
  const { controllers, goes } = branch;
  const remove: Op = {
    ...removeDirectory(path.means),
    call: "remove",
    args: [path, flags, DEPTH],
    fine: GONE_OR_ELSEWHERE,
  };
  const left = place.left === null ? null : directoryOf(place.left);
  const leave =
    left === null
      ? []
      : leaveLeaf(
          { own: left, leaf: `${left}/${LEAF}`, inner: [`${left}/${RUNS}`, left], controllers },
          text === null ? [] : bringBack(left, text),
        );
  return [
    remove,
    ...leave,
    ...goes.map(
      (directory): Op => ({
        ...removeDirectory(pathIn(place, directory)),
        fine: GONE_OR_ELSEWHERE,
      }),
    ),
  ];
}
