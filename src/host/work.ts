/**
 * The directories of --overlay: the one that takes a root's changes, locked so that two runs do not write to it at once,
 * and the kernel's own beside it, which is made for the run and removed at its end. After a SIGKILL the kernel's files may
 * be left in it; the next run with the same directory takes it over and removes it. Others may be able to write where it lies
 * (/tmp), and put something else under its name.
 */
import { NsError } from "../spec/error.ts";
import type { Identity, IdRange } from "../spec/ids.ts";
import type { Work } from "../spec/mounts.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { LOCK, O } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { changeOwner, close, listOpen, makeDirectory, open, removeDirectory, statusOf } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";

/** The kernel makes it in the directory that it is given. */
const INNER = "work";
const OWN_DIRECTORY = O.O_RDONLY | O.O_DIRECTORY | O.O_NOFOLLOW;

/** Locks the directory for as long as the descriptor is open. @throws NsError when another run uses it */
function lock(upper: Bytes): number {
  const fd = open(upper, O.O_RDONLY | O.O_DIRECTORY);
  const locked = fd < 0 ? fd : call("flock", fd, LOCK.LOCK_EX | LOCK.LOCK_NB);
  if (locked >= 0) return fd;
  if (fd >= 0) call("close", fd);
  throw new NsError(`cannot use ${show(upper)} for an overlay: ${errnoText(-locked)}`, {
    errno: -locked,
    note: locked === -errnoNumber("EAGAIN") ? "another container writes to it" : undefined,
  });
}

/** What uid 0 and gid 0 inside are outside; -1, which changes nothing, for what is nobody. */
export function ownerOf(spec: Spec, identity: Identity | null): readonly [number, number] {
  const { user } = spec;
  if (user !== null && "uid" in user) return [user.uid, user.gid];
  const rootOf = (ranges: readonly IdRange[] = []): number =>
    ranges.find(({ inside }) => inside === 0)?.outside ?? -1;
  return [rootOf(identity?.maps?.uids), rootOf(identity?.maps?.gids)];
}

/** What there is already under the name has to be what an earlier run has left. @throws NsError when it may be somebody else's */
function checkLeft(path: Bytes, owners: readonly number[]): void {
  const refuse = (why: string): NsError =>
    new NsError(`cannot use ${show(path)} for the overlay: ${why}`, {
      note: "remove it, or give another directory on the same file system: --overlay UPPER:WORK",
    });
  const fd = open(path, OWN_DIRECTORY);
  if (fd < 0) throw refuse(errnoText(-fd));
  const status = statusOf(fd);
  close(fd);
  if (typeof status === "number") throw refuse(errnoText(-status));
  if (!owners.includes(status.uid)) throw refuse(`it belongs to uid ${status.uid}`);
}

/**
 * @param upper absolute
 * @param given the user's directory for the kernel, absolute; null: one is made
 */
export function takeWork(
  spec: Spec,
  facts: Facts,
  identity: Identity | null,
  upper: Bytes,
  given: Bytes | null,
): Work {
  const held = lock(upper);
  if (given !== null) return { path: given, isOwn: false, lock: held };
  const path = `${upper}.ns-work`;
  const made = makeDirectory(path);
  if (made < 0 && made !== -errnoNumber("EEXIST")) {
    call("close", held);
    throw new NsError(`cannot make ${show(path)} for the overlay: ${errnoText(-made)}`, {
      errno: -made,
      note: "give a directory on the same file system that may be written: --overlay UPPER:WORK",
    });
  }
  const owner = ownerOf(spec, identity);
  try {
    if (made < 0) checkLeft(path, [facts.uid, owner[0]]);
  } catch (error) {
    call("close", held);
    throw error;
  }
  if (made === 0 && spec.user !== null && facts.capabilities.setUid) changeOwner(path, ...owner);
  return { path, isOwn: true, lock: held };
}

/** Opens the kernel's own directory; overlayfs gives nobody a right to it. */
function openInner(directory: number): number {
  const fd = open(INNER, OWN_DIRECTORY, directory);
  if (fd !== -errnoNumber("EACCES")) return fd;
  // an ordinary user's: root would have been let in, so that this follows nobody's link with more rights than he has
  scratch((memory) => call("fchmodat", directory, memory.placeString(INNER), 0o700));
  return open(INNER, OWN_DIRECTORY, directory);
}

function empty(directory: number): void {
  const entries = listOpen(directory);
  if (typeof entries === "number") return;
  for (const { name, isDirectory } of entries)
    if (isDirectory) removeDirectory(name, directory);
    else scratch((memory) => call("unlinkat", directory, memory.placeString(name), 0));
}

/** Removes what overlayfs has left, whiteouts that it keeps for reuse among it. Follows no link. */
export function removeWork({ path, isOwn }: Work): void {
  const directory = open(path, isOwn ? OWN_DIRECTORY : O.O_RDONLY | O.O_DIRECTORY);
  if (directory < 0) return;
  if (removeDirectory(INNER, directory) === -errnoNumber("ENOTEMPTY")) {
    const inner = openInner(directory);
    if (inner >= 0) {
      empty(inner);
      close(inner);
    }
    removeDirectory(INNER, directory);
  }
  close(directory);
  if (isOwn) removeDirectory(path);
}
