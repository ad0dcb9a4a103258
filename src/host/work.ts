/**
 * The directories of --overlay: the one that takes a root's changes, locked so that two runs do not write to it at once,
 * and the kernel's own beside it, which is made for the run and removed at its end. After a SIGKILL the kernel's files may
 * be left in it; the next run with the same directory takes it over and removes it.
 */
import { NsError } from "../spec/error.ts";
import type { Identity, IdRange } from "../spec/ids.ts";
import type { Work } from "../spec/mounts.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { AT_FDCWD, LOCK, O } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { changeOwner, list, makeDirectory, open, removeDirectory } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";

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
function ownerOf(spec: Spec, identity: Identity | null): readonly [number, number] {
  const { user } = spec;
  if (user !== null && "uid" in user) return [user.uid, user.gid];
  const rootOf = (ranges: readonly IdRange[] = []): number =>
    ranges.find(({ inside }) => inside === 0)?.outside ?? -1;
  return [rootOf(identity?.maps?.uids), rootOf(identity?.maps?.gids)];
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
  if (made === 0 && spec.user !== null && facts.capabilities.setUid)
    changeOwner(path, ...ownerOf(spec, identity));
  return { path, isOwn: true, lock: held };
}

/** Removes what overlayfs has left, whiteouts that it keeps for reuse among it. */
export function removeWork({ path, isOwn }: Work): void {
  const inner = `${path}/work`;
  if (removeDirectory(inner) === -errnoNumber("ENOTEMPTY")) {
    // overlayfs gives nobody a right to it
    scratch((memory) => call("fchmodat", AT_FDCWD, memory.placeString(inner), 0o700));
    const entries = list(inner);
    if (typeof entries !== "number")
      for (const { name, isDirectory } of entries) {
        const file = `${inner}/${name}`;
        if (isDirectory) removeDirectory(file);
        else scratch((memory) => call("unlinkat", AT_FDCWD, memory.placeString(file), 0));
      }
    removeDirectory(inner);
  }
  if (isOwn) removeDirectory(path);
}
