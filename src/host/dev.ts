/**
 * Finds which /dev a run is to have (--dev), before anything is started: the root's own if it can be used, or a fresh one.
 * Called by sources.ts; plan/mounts/dev.ts makes it.
 */
import { NsError } from "../spec/error.ts";
import { type Identity, isMapped } from "../spec/ids.ts";
import type { DevSource, SysSource } from "../spec/mounts.ts";
import { isOverlay } from "../spec/rootfs.ts";
import { DEV_NODES } from "../spec/security.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { O, S_IFCHR, S_IFMT } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { access, close, fileSystemOf, open, readLink, statusOf } from "../sys/file.ts";
import { hasBit } from "./status.ts";
import { findSys } from "./sysfs.ts";

const ST_RDONLY = 1;
const ST_NODEV = 4;
const X_OK = 1;
const CAP_MKNOD = 27;
/** The user namespace that the machine starts with (PROC_USER_INIT_INO). */
const FIRST_USER_NAMESPACE = "user:[4026531837]";

/** Is it this character device, where devices work? A name is not followed if it is a link. */
function isDevice(name: Bytes, device: string, directory?: number): boolean {
  const fd = open(name, O.O_PATH | O.O_NOFOLLOW, directory);
  if (fd < 0) return false;
  const status = statusOf(fd);
  const fileSystem = fileSystemOf(fd);
  close(fd);
  if (typeof status === "number" || typeof fileSystem === "number") return false;
  return (
    (status.mode & S_IFMT) === S_IFCHR && status.device === device && (fileSystem.flags & ST_NODEV) === 0
  );
}

/** What NEWROOT has: a directory /dev in which null is what it should be, another /dev, or none. */
function look(root: number): "usable" | "directory" | "other" | "nothing" {
  const dev = open("dev", O.O_PATH | O.O_NOFOLLOW | O.O_DIRECTORY, root);
  if (dev < 0) return dev === -errnoNumber("ENOENT") ? "nothing" : "other";
  const usable = isDevice("null", "1:3", dev);
  close(dev);
  return usable ? "usable" : "directory";
}

/** Can the child make a directory in NEWROOT? */
function mayMake({ rootfs, user }: Spec, identity: Identity | null, root: number): boolean {
  if (rootfs.changes !== null) return true;
  if (rootfs.readOnly || rootfs.image !== null) return false;
  const fileSystem = fileSystemOf(root);
  if (typeof fileSystem !== "number" && (fileSystem.flags & ST_RDONLY) !== 0) return false;
  if (user === null) return true;
  const status = statusOf(root);
  if (typeof status === "number" || (status.mode & 0o002) !== 0) return true;
  if ("uid" in user) return status.uid === user.uid;
  const uids = identity?.maps?.uids ?? [];
  return isMapped(
    uids.map(({ inside, outside, count }) => ({ inside: outside, outside: inside, count })),
    status.uid,
  );
}

/** Has the user a mount of his own there? */
const isMountedOn = ({ mounts }: Spec): boolean =>
  mounts.some(({ target }) => target === "/dev" || target === "/dev/");

/** Nodes can be made by real root alone. */
const makesNodes = ({ user }: Spec, { capabilities }: Facts): boolean =>
  user === null &&
  hasBit(capabilities.mask, CAP_MKNOD) &&
  readLink("/proc/self/ns/user") === FIRST_USER_NAMESPACE;

/** @throws NsError when one of the host's is not what its name says */
function checkNodes(): void {
  for (const [name, major, minor] of DEV_NODES) {
    const path = `/dev/${name}`;
    if (isDevice(path, `${major}:${minor}`)) continue;
    throw new NsError(
      `cannot take ${path} from the host: it is not the character device ${major}:${minor}, or devices do not work there`,
      { note: "let the container have the /dev that its root brings: --dev=keep" },
    );
  }
}

/** Where there is a /dev it has to be a directory. @throws NsError when it is not */
function checkDirectory(root: number): void {
  const dev = open("dev", O.O_PATH | O.O_NOFOLLOW | O.O_DIRECTORY, root);
  if (dev >= 0) return void close(dev);
  if (dev === -errnoNumber("EMFILE") || dev === -errnoNumber("ENFILE"))
    throw new NsError(`cannot look at /dev in the root: ${errnoText(-dev)}`, { errno: -dev });
  throw new NsError(`cannot make /dev: in the root it is not a directory (${errnoText(-dev)})`, {
    errno: -dev,
    note: "ns mounts on nothing else; leave it as it is: --dev=keep",
  });
}

/** @param root a descriptor of NEWROOT @throws NsError */
export function findDev(spec: Spec, facts: Facts, root: number, identity: Identity | null): DevSource {
  const { dev, profile } = spec.security;
  if (isMountedOn(spec)) return "left";
  const there = look(root);
  const isUsed =
    profile === "init" &&
    there === "usable" &&
    spec.rootfs.image === null &&
    // what a user namespace has mounted has no devices
    (spec.user === null || !isOverlay(spec.rootfs));
  if (dev === "keep" || (dev === "auto" && isUsed))
    return spec.user === null && (there === "usable" || there === "directory") ? "own" : "left";
  if (there === "other") checkDirectory(root);
  // a root without one that cannot get one has no devices either
  if (dev === "auto" && there === "nothing" && !mayMake(spec, identity, root)) return "left";
  if (makesNodes(spec, facts)) return "made";
  checkNodes();
  return "bound";
}

/**
 * The same, and for /sys, for a plan that is only shown or frozen: a root that is not there, or cannot be entered, gets
 * a fresh /dev.
 */
export function assumeDevices(
  spec: Spec,
  facts: Facts,
  identity: Identity | null,
): { dev: DevSource; sys: SysSource } {
  const isThere = spec.rootfs.image === null && access(spec.root, X_OK) === 0;
  const root = isThere ? open(spec.root, O.O_PATH | O.O_DIRECTORY) : -1;
  if (root < 0) {
    const fresh = makesNodes(spec, facts) ? "made" : "bound";
    const isLeft = spec.security.dev === "keep" || isMountedOn(spec);
    return { dev: isLeft ? "left" : fresh, sys: spec.security.sys ?? "none" };
  }
  try {
    return { dev: findDev(spec, facts, root, identity), sys: findSys(spec, root) };
  } finally {
    close(root);
  }
}
