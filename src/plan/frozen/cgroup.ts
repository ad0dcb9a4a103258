/**
 * The cgroup of a frozen start: where it is was found when it was frozen, its name has the process id. As in host/cgroup/ it
 * is locked for as long as the run lasts, so that a later start of ns tells it from one that was left behind.
 */
import { type Bytes, show } from "../../sys/bytes.ts";
import { AT_FDCWD, LOCK, O } from "../../sys/constants.ts";
import { type Op, type Place, slot } from "../op.ts";
import { removeDirectory } from "../watch.ts";

/** In one hierarchy. */
export interface FrozenBranch {
  readonly version: 1 | 2;
  /** the directory that runs' cgroups are in */
  readonly parent: Bytes;
  /** that directory is somebody else's: it is not removed */
  readonly stays: boolean;
  /** cgroups that have to hand controllers on (version 2), outermost first, and which: "+memory +pids" */
  readonly handing: readonly Bytes[];
  readonly controllers: string;
  readonly settings: readonly { readonly file: string; readonly value: string; readonly optional: boolean }[];
}

/** What the name ends with, after the process id. */
export const RUN_ENDING = "-frozen";

/** As often as others that end at this very moment may take the directory away that the run's is to be in. */
const TRIES = 3;
/** So many levels of cgroups that init has made below its own are removed with it (16 KiB of stack). */
const DEPTH = 8;
/** Milliseconds that the kernel may take to let go of the last process. */
const LETTING_GO = 20;

/** Writes a file that is named below a directory. @param directory descriptor, or AT_FDCWD */
export function writeTo(directory: number, path: Bytes | Place, content: string, step: string): Op[] {
  return [
    {
      call: "openat",
      args: [directory, path, O.O_WRONLY | O.O_CLOEXEC, 0],
      step,
      save: "file",
    },
    { call: "write", args: [slot("file"), content, content.length], step },
    { call: "close", args: [slot("file")], step },
  ];
}

/** A file that may be missing: then what is opened is /dev/null. */
function writeOptional(directory: number, path: Bytes, content: string, step: string): Op[] {
  const [open, ...rest] = writeTo(directory, path, content, step);
  return [
    { ...open!, fine: ["ENOENT"], skipNext: true },
    { ...open!, args: [AT_FDCWD, "/dev/null", O.O_WRONLY | O.O_CLOEXEC, 0] },
    ...rest,
  ];
}

/** Makes, locks and limits it. @param path of the run's directory @param lock descriptor that its lock will have */
export function makeCgroup(branch: FrozenBranch, path: Place, lock: number): Op[] {
  const { version, parent, handing, controllers, settings } = branch;
  const step = `make a cgroup in ${show(parent)}`;
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
  return [
    ...handOn,
    // of a process that had this id, and was killed with all that watched it
    removeDirectory(path.means, path),
    ...tries,
    { call: "openat", args: [AT_FDCWD, path, O.O_RDONLY | O.O_DIRECTORY | O.O_CLOEXEC, 0], step },
    { call: "flock", args: [lock, LOCK.LOCK_EX | LOCK.LOCK_NB], step },
    ...settings.flatMap(({ file, value, optional }) =>
      (optional ? writeOptional : writeTo)(lock, file, value, `write ${value} to ${file} of the cgroup`),
    ),
    ...(version === 1
      ? [{ call: "openat", args: [lock, "tasks", O.O_WRONLY | O.O_CLOEXEC, 0], step } satisfies Op]
      : []),
  ];
}

/** Removes it, and the directory that it is in if no other run is there. */
export function removeCgroup({ parent, stays }: FrozenBranch, path: Place): Op[] {
  const flags = O.O_RDONLY | O.O_DIRECTORY | O.O_NOFOLLOW | O.O_CLOEXEC;
  const remove: Op = {
    ...removeDirectory(path.means),
    call: "remove",
    args: [path, flags, DEPTH],
  };
  const time = new Uint8Array(16);
  new DataView(time.buffer).setUint32(8, LETTING_GO * 1e6, true);
  return [
    { ...remove, skipNext: true },
    { call: "ppoll", args: [0, 0, { memory: time, means: "{20 ms}" }, 0, 0], step: remove.step },
    remove,
    ...(stays ? [] : [removeDirectory(parent)]),
  ];
}
