/**
 * The cgroup of a frozen start: for limits where it was found when it was frozen, for devices in the starter's own; its name
 * has the process id. As in host/cgroup/ it
 * is locked for as long as the run lasts, so that a later start of ns tells it from one that was left behind.
 */
import { type Bytes, show } from "../../sys/bytes.ts";
import { AT_FDCWD, LOCK, O } from "../../sys/constants.ts";
import type { Op, Place } from "../op.ts";
import { type BranchPlace, type FrozenBranch, parentOf } from "./branch.ts";
import { askPrivilege, INSIDE, openAs, openOwn, restrict, writeTo } from "./devices.ts";
import { GONE_OR_IN_USE, removeDirectory } from "../watch.ts";

/** What the name ends with, after the process id. */
export const RUN_ENDING = "-frozen";

/** As often as others that end at this very moment may take the directory away that the run's is to be in. */
const TRIES = 3;
/** So many levels of cgroups that init has made below its own are removed with it (16 KiB of stack). */
const DEPTH = 8;
/** Where a run's directory was never found, its name below a descriptor means nothing. */
const GONE_OR_ELSEWHERE = [...GONE_OR_IN_USE, "ENOTDIR"] as const;
/** A file that may be missing: then what is opened is /dev/null. */
function writeOptional(directory: number, path: Bytes, content: string, step: string): Op[] {
  const [open, ...rest] = writeTo(directory, path, content, step);
  return [
    { ...open!, fine: ["ENOENT"], skipNext: true },
    { ...open!, args: [AT_FDCWD, "/dev/null", O.O_WRONLY | O.O_CLOEXEC, 0] },
    ...rest,
  ];
}

const wordsFor = ({ own, parent, devices, isLimited }: FrozenBranch): string => {
  const where = own === null ? show(parent) : `${show(own.mount)}, in this process's own`;
  return `make a cgroup in ${where}${devices === null || isLimited ? "" : " (for devices: --cgroup none freezes without it)"}`;
};

/**
 * Makes, locks and limits it.
 * @param path of the run's directory
 * @param text empty memory of so many bytes
 */
export function makeCgroup(
  branch: FrozenBranch,
  path: Place,
  place: BranchPlace,
  text: Place,
  size: number,
): Op[] {
  const { version, handing, controllers, settings, devices } = branch;
  const parent = parentOf(branch, place);
  const { lock } = place;
  const step = wordsFor(branch);
  const make = (where: Bytes | Place, fine: Op["fine"]): Op => ({
    call: "mkdirat",
    args: [AT_FDCWD, where, 0o755],
    step,
    ...(fine && { fine }),
  });
  const handOn = handing.flatMap((directory) => [
    ...(directory === parent ? [make(parent, ["EEXIST"])] : []),
    ...writeTo(
      AT_FDCWD,
      `${directory}/cgroup.subtree_control`,
      controllers,
      `have ${show(directory)} hand on ${controllers.replaceAll("+", "")}`,
    ),
  ]);
  const tries: Op[] = [];
  for (let i = 0; i < TRIES; i++)
    tries.push(
      make(parent, ["EEXIST"]),
      // the second time it is there already
      make(path, i === 0 ? ["ENOENT"] : i + 1 < TRIES ? ["EEXIST", "ENOENT"] : ["EEXIST"]),
    );
  const forRoot = (ops: readonly Op[]): Op[] =>
    branch.isRoots ? ops.map((op) => ({ ...op, onlyIf: "privileged" })) : [...ops];
  const tasks = devices === null ? "tasks" : `${INSIDE}/tasks`;
  return [
    ...(branch.isRoots ? askPrivilege() : []),
    ...openOwn(branch, text, size),
    ...forRoot([
      ...handOn,
      // of a process that had this id, and was killed with all that watched it
      { ...removeDirectory(path.means, path), fine: GONE_OR_ELSEWHERE },
      ...tries,
    ]),
    ...openAs(
      branch,
      { call: "openat", args: [AT_FDCWD, path, O.O_RDONLY | O.O_DIRECTORY | O.O_CLOEXEC, 0], step },
      "/proc",
    ),
    ...forRoot([
      { call: "flock", args: [lock, LOCK.LOCK_EX | LOCK.LOCK_NB], step },
      ...settings.flatMap(({ file, value, optional }) =>
        (optional ? writeOptional : writeTo)(lock, file, value, `write ${value} to ${file} of the cgroup`),
      ),
      ...restrict(branch, lock),
    ]),
    ...(version === 1
      ? openAs(
          branch,
          { call: "openat", args: [lock, tasks, O.O_WRONLY | O.O_CLOEXEC, 0], step },
          "/dev/null",
        )
      : []),
  ];
}

/** Removes it, and the directory that it is in if no other run is there. */
export function removeCgroup(branch: FrozenBranch, path: Place, place: Pick<BranchPlace, "own">): Op[] {
  const flags = O.O_RDONLY | O.O_DIRECTORY | O.O_NOFOLLOW | O.O_CLOEXEC;
  const remove: Op = {
    ...removeDirectory(path.means),
    call: "remove",
    args: [path, flags, DEPTH],
    fine: GONE_OR_ELSEWHERE,
  };
  return [
    remove,
    ...(branch.stays ? [] : [{ ...removeDirectory(parentOf(branch, place)), fine: GONE_OR_ELSEWHERE }]),
  ];
}
