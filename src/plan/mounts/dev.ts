/**
 * A small /dev of the container's own (--dev): the nodes that every program counts on, its own terminals, shared memory
 * and message queues, and nothing of the machine. Whether a run has one is decided by host/dev.ts.
 *
 * It is put together before the pivot, over the /proc of the host, whose names nobody inside can change, and then moved
 * onto the root's directory /dev, which is held open: whatever that name comes to mean meanwhile redirects nothing.
 */
import { type Identity, isMapped } from "../../spec/ids.ts";
import type { DevSource, Sources } from "../../spec/mounts.ts";
import { DEV_NODES } from "../../spec/security.ts";
import type { Spec } from "../../spec/spec.ts";
import type { Bytes } from "../../sys/bytes.ts";
import { AT_FDCWD, MS, O, S_IFCHR, S_IFREG } from "../../sys/constants.ts";
import { type Op, slot } from "../op.ts";

const { MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_MOVE, MS_REC, MS_REMOUNT, MS_RDONLY } = MS;
const QUIET = MS_NOSUID | MS_NODEV | MS_NOEXEC;
const TTY_GROUP = 5;

const LINKS: readonly (readonly [name: string, content: string])[] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["ptmx", "pts/ptmx"],
];

/** Is /dev a fresh one of ns's? Then its instance of devpts is open as `devpts`, from devMount() on. */
export const hasOwnDev = ({ dev }: Pick<Sources, "dev">): boolean => dev === "made" || dev === "bound";

const WHERE = "/proc";
const STEP = "make /dev";

const mount = (
  type: string,
  target: string,
  flags: number,
  options: Bytes | 0,
  more: Partial<Op> = {},
): Op => ({
  call: "mount",
  args: [type, target, type, flags, options],
  step: `mount ${type} on ${target === WHERE ? "/dev" : `/dev/${target}`}`,
  ...more,
});

const directory = (name: string): Op => ({ call: "mkdirat", args: [AT_FDCWD, name, 0o755], step: STEP });

/** A directory as a descriptor; a link is none. */
const hold = (name: string, save: "dev" | "devTree" | "devpts" | "here", step = STEP): Op => ({
  call: "openat",
  args: [AT_FDCWD, name, O.O_PATH | O.O_NOFOLLOW | O.O_DIRECTORY | O.O_CLOEXEC, 0],
  step,
  save,
});

/** The host's nodes cannot be changed through their mounts; what is written to them is no change. */
function nodes(dev: DevSource): Op[] {
  const ops: Op[] = [];
  for (const [name, major, minor] of DEV_NODES) {
    if (dev === "made") {
      const step = `make the device /dev/${name}`;
      ops.push({ call: "mknodat", args: [AT_FDCWD, name, S_IFCHR | 0o666, major * 256 + minor], step });
      continue;
    }
    const step = `take /dev/${name} from the host`;
    ops.push(
      { call: "mknodat", args: [AT_FDCWD, name, S_IFREG | 0o444, 0], step },
      { call: "mount", args: [`/dev/${name}`, name, 0, MS_BIND, 0], step },
      {
        call: "mount",
        args: [0, name, 0, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, 0],
        step: `make /dev/${name} read-only`,
      },
    );
  }
  return ops;
}

/** An instance of devpts: with the group of terminals where it has an id inside. */
function terminals(spec: Spec, identity: Identity | null): Op[] {
  const gids = identity?.maps?.gids;
  const hasGroup = spec.user === null || (gids !== undefined && isMapped(gids, TTY_GROUP));
  const options = `newinstance,ptmxmode=0666,mode=0620${hasGroup ? `,gid=${TTY_GROUP}` : ""}`;
  return [directory("pts"), mount("devpts", "pts", MS_NOSUID | MS_NOEXEC, options), hold("pts", "devpts")];
}

/** As much shared memory as other containers have; a whole system has what the kernel gives. */
const sharedMemory = ({ security }: Spec): Bytes =>
  security.profile === "init" ? "mode=1777" : "mode=1777,size=64m";

/** In a user namespace the queues of somebody else's ipc namespace cannot be mounted; a kernel may have none. */
function queues({ user, namespaces }: Spec): Op[] {
  if (user !== null && namespaces.share.includes("ipc")) return [];
  return [directory("mqueue"), mount("mqueue", "mqueue", QUIET, 0, { fine: ["ENODEV"] })];
}

/**
 * Makes /dev. Before the pivot, with the new root as the working directory, and afterwards too.
 * @param dev what host/dev.ts has found
 */
export function devMount(spec: Spec, dev: DevSource, identity: Identity | null): Op[] {
  if (dev === "left") return [];
  const here: Op = hold(".", "here");
  const back: Op = { call: "fchdir", args: [slot("here")], step: "enter the root" };
  const onto: Op = { call: "fchdir", args: [slot("dev")], step: STEP };
  const open = hold("dev", "dev", "open the directory /dev");
  // a systemd that is real root mounts the machine's only devtmpfs on a /dev on which nothing is mounted
  if (dev === "own") {
    const bind: Op = {
      call: "mount",
      args: [".", ".", 0, MS_BIND | MS_REC, 0],
      step: "bind the root's /dev",
    };
    return [open, here, onto, bind, back];
  }
  return [
    { call: "mkdirat", args: [AT_FDCWD, "dev", 0o755], step: "make the directory /dev", fine: ["EEXIST"] },
    open,
    here,
    mount("tmpfs", WHERE, MS_NOSUID | MS_NOEXEC, "mode=0755,size=4m,nr_inodes=64k"),
    { call: "chdir", args: [WHERE], step: STEP },
    hold(".", "devTree"),
    { call: "umask", args: [0], step: STEP },
    ...nodes(dev),
    ...terminals(spec, identity),
    directory("shm"),
    mount("tmpfs", "shm", QUIET, sharedMemory(spec)),
    ...queues(spec),
    ...LINKS.map(
      ([name, content]): Op => ({ call: "symlinkat", args: [content, AT_FDCWD, name], step: STEP }),
    ),
    { call: "umask", args: [0o022], step: STEP },
    onto,
    { call: "mount", args: [WHERE, ".", 0, MS_MOVE, 0], step: "mount /dev" },
    back,
  ];
}

/** When everything that belongs into /dev is there: where nothing may be written, not in it either. */
export function sealDev({ security }: Spec, sources: Sources): Op[] {
  if (security.profile !== "strict" || !hasOwnDev(sources)) return [];
  const step = "make /dev read-only";
  return [
    { call: "fchdir", args: [slot("devTree")], step },
    {
      call: "mount",
      args: [0, ".", 0, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, 0],
      step,
    },
    { call: "chdir", args: ["/"], step: "enter the new root" },
  ];
}
