/** Gives a new user namespace its id maps, and NEWROOT's files the same. Called by run/start.ts. */
import { idMaps, type MapStep, writeIdMap } from "../host/idmap.ts";
import { parseMountinfo } from "../host/status.ts";
import { encodeTask } from "../plan/encode.ts";
import { holderPlan, mapperPlan } from "../plan/idmap.ts";
import { NsError } from "../spec/error.ts";
import type { Identity } from "../spec/ids.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { AT_EMPTY_PATH, CLONE, F, MOUNT_ATTR, O, OPEN_TREE, SIGNALS } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { close, open, readAll, readFile } from "../sys/file.ts";
import { call, scratch, startTask } from "../sys/kernel.ts";
import type { Progress } from "./end.ts";
import type { Listener } from "./listen.ts";
import { awaitReport, cannotStart, makePipe, reapNow, startReported, statusOf } from "./task.ts";

/** What all that is done for a run's ids needs to know of it. */
export interface IdRun {
  readonly spec: Spec;
  readonly facts: Facts;
  readonly identity: Identity | null;
  readonly inherited: readonly number[];
  /** null: a program that goes on, whose maps need no mapper here (giveMapsBeside) */
  readonly listener: Listener | null;
}

/** Runs newuidmap(1) or newgidmap(1), which are setuid root. @throws NsError with what it says when it fails */
function runMapper({ facts, inherited, listener }: IdRun, program: string, args: readonly string[]): void {
  if (listener === null) throw new NsError("shifting a root's ids needs the right to map any id");
  const output = makePipe(`from ${program}`);
  const caught = [...listener.signals, SIGNALS.SIGCHLD];
  const ops = mapperPlan(facts, program, args, output[1], inherited, caught);
  const started = startReported(ops, CLONE.CLONE_VM);
  close(output[1]);
  try {
    if (typeof started === "number") throw cannotStart(program, -started);
    const failure = awaitReport(started, listener.waitForInput);
    const said = readAll(output[0], 4096);
    const status = statusOf(listener.waitFor(started.pid));
    if (failure !== null)
      throw new NsError(`cannot ${ops[failure.op]!.step}: ${errnoText(failure.errno)}`, {
        errno: failure.errno,
      });
    if (status === 0) return;
    throw mapperError(program, typeof said === "string" ? said : "", status);
  } finally {
    close(output[0]);
  }
}

/** @param said by the program */
export function mapperError(program: string, said: string, status: number): NsError {
  const why = said === "" ? `exit status ${status}` : said.trim().split("\n")[0]!.replace(/\.$/, "");
  return new NsError(`cannot map ids: ${why}`, {
    note: `${program} has to be setuid root, on a file system without nosuid, and not be run with no_new_privs`,
  });
}

const describe = (step: MapStep): string =>
  "path" in step ? `write '${step.content}' to ${step.path}` : [step.program, ...step.args].join(" ");

/** Gives a process's new user namespace its maps. @throws NsError when that is refused */
export function giveMaps(run: IdRun, pid: number, progress: Progress | null): void {
  const { spec, identity, facts } = run;
  for (const step of idMaps(pid, spec.user!, identity, facts)) {
    progress?.(`map: ${describe(step)}`);
    if ("path" in step) writeIdMap(step.path, step.content);
    else runMapper(run, step.program, step.args);
  }
}

/** Runs `use` with the descriptor of a user namespace that has the run's maps; no process is left in it. */
function withUserNamespace<T>(run: IdRun, use: (fd: number) => T): T {
  const step = "make a user namespace for the root's ids";
  const pipe = makePipe("to the user namespace's holder");
  const task = encodeTask(holderPlan(pipe), { flags: CLONE.CLONE_VM | CLONE.CLONE_NEWUSER, report: -1 });
  const pid = startTask(task.address);
  let fd = -1;
  try {
    if (pid < 0) throw new NsError(`cannot ${step}: ${errnoText(-pid)}`, { errno: -pid });
    giveMaps(run, pid, null);
    fd = open(`/proc/${pid}/ns/user`, O.O_RDONLY);
    if (fd < 0) throw new NsError(`cannot ${step}: ${errnoText(-fd)}`, { errno: -fd });
    return use(fd);
  } finally {
    if (pid > 0) {
      call("kill", pid, SIGNALS.SIGKILL);
      reapNow(pid);
    }
    for (const open of [...pipe, fd]) if (open >= 0) close(open);
  }
}

const mountsBelow = (path: Bytes): Bytes[] => {
  const text = readFile("/proc/self/mountinfo", 1 << 24);
  const points = typeof text === "string" ? parseMountinfo(text).map(({ point }) => point) : [];
  return points.filter((point) => point.startsWith(path === "/" ? "/" : `${path}/`) && point !== path);
};

/**
 * NEWROOT as a detached tree of mounts in which an id on the disk is the id inside (mount_setattr(2), MOUNT_ATTR_IDMAP).
 * Only real root may make it, and only here: the child has no right to it. What is mounted below NEWROOT would come without
 * the kernel's lock that keeps a user namespace's root from unmounting it, to see what lies beneath.
 * @param path where NEWROOT is
 * @returns its descriptor, of an image also without shifted ids; undefined when neither was asked for
 * @throws NsError when a file system in it cannot do that
 */
export function idmappedRoot(run: IdRun, root: number, path: Bytes): number | undefined {
  const { image } = run.spec.rootfs;
  // an image's tree is the run's own already
  const ownTree = (): number => call("fcntl", root, F.F_DUPFD_CLOEXEC, 0);
  if (!run.spec.ids.idmapRoot) return image === null ? undefined : ownTree();
  const below = image === null ? mountsBelow(path) : [];
  if (below.length > 0)
    throw new NsError(`cannot shift the ids of the root: ${show(below[0]!)} is mounted below it`, {
      note: "unmount it, or let ns mount it inside",
    });
  const { OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC } = OPEN_TREE;
  return withUserNamespace(run, (namespace) =>
    scratch((memory) => {
      const empty = memory.placeString("");
      const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
      const tree = image === null ? call("open_tree", root, empty, flags) : ownTree();
      const attributes = memory.reserve(32); // struct mount_attr: set, clear, propagation, user namespace
      memory.clear(attributes, 32);
      memory.putI64(attributes, MOUNT_ATTR.MOUNT_ATTR_IDMAP);
      memory.putI64(attributes + 24, namespace);
      const result = tree < 0 ? tree : call("mount_setattr", tree, empty, AT_EMPTY_PATH, attributes, 32);
      if (result >= 0) return tree;
      if (tree >= 0) close(tree);
      throw new NsError(`cannot shift the ids of the root: ${errnoText(-result)}`, {
        errno: -result,
        note:
          result === -errnoNumber("EINVAL")
            ? "its file system cannot be mounted with other ids: ext4, xfs, btrfs and newer kernels' tmpfs can"
            : undefined,
      });
    }),
  );
}
