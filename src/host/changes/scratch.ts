/**
 * The directory of one `ns try`: `upper` in it takes the root's changes, and nobody else may look into it, because what a
 * container's root writes may be setuid. It is locked as long as its maker lives; one that nobody holds is what a SIGKILL
 * has left, and the next `ns try` of the same user removes it.
 */
import { NsError } from "../../spec/error.ts";
import { type Bytes, bytesOf, show } from "../../sys/bytes.ts";
import { renameIn } from "../../sys/change.ts";
import { AT_FDCWD, LOCK, O } from "../../sys/constants.ts";
import { errnoNumber, errnoText } from "../../sys/errno.ts";
import { close, listOpen, open, removeDirectory } from "../../sys/file.ts";
import { chmodOpen, chownOpen, type Inode, inodeOf } from "../../sys/inode.ts";
import { call, scratch } from "../../sys/kernel.ts";
import { removeTree } from "./remove.ts";

export const UPPER = "upper";
const OWN = O.O_RDONLY | O.O_DIRECTORY | O.O_NOFOLLOW;

export interface Scratch {
  readonly path: Bytes;
  /** descriptor of the directory that it lies in */
  readonly place: number;
  readonly name: Bytes;
  /** its own descriptor, which holds the lock */
  readonly fd: number;
  /** descriptor of `upper` */
  readonly upper: number;
  /** what `upper` was like in the beginning */
  readonly before: Inode;
}

/** Who may reach `upper`, and whose it is. */
export interface Wanted {
  /** permissions, and owners where the caller may give files away */
  readonly like: Pick<Inode, "mode" | "uid" | "gid">;
  /** its owner is somebody else, who has to find it */
  readonly searchable: boolean;
}

const failed = (path: Bytes, result: number, note?: string): NsError =>
  new NsError(`cannot make ${show(path)} for the changes: ${errnoText(-result)}`, { errno: -result, note });

const make = (place: number, name: Bytes): number =>
  scratch((memory) => call("mkdirat", place, memory.placeString(name), 0o700));

/** Opens and locks it; -EAGAIN when somebody else has the lock. */
function openLocked(place: number, name: Bytes): number {
  const fd = open(name, OWN, place);
  if (fd < 0) return fd;
  const locked = call("flock", fd, LOCK.LOCK_EX | LOCK.LOCK_NB);
  if (locked < 0) close(fd);
  return locked < 0 ? locked : fd;
}

/** The directory that temporary files go to: large ones, so that it is not memory where there is a choice. */
function findPlace(): { path: Bytes; fd: number } {
  const given = process.env.TMPDIR;
  const paths = given === undefined || !given.startsWith("/") ? ["/var/tmp", "/tmp"] : [bytesOf(given)];
  let result = 0;
  for (const path of paths) {
    const fd = open(path, O.O_RDONLY | O.O_DIRECTORY);
    if (fd >= 0) return { path, fd };
    result = fd;
  }
  throw failed(paths.at(-1)!, result, "TMPDIR names a directory that may be written, or --keep does");
}

/** Removes what this user's runs that were killed have left. */
function sweep(place: number, prefix: Bytes, uid: number): void {
  const entries = listOpen(place);
  if (typeof entries === "number") return;
  for (const { name } of entries) {
    if (!name.startsWith(prefix)) continue;
    const fd = openLocked(place, name);
    if (fd < 0) continue;
    const inode = inodeOf(fd, "");
    // another's could be moved while it is removed
    if (typeof inode !== "number" && inode.uid === uid) removeTree(name, place);
    close(fd);
  }
}

const random = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString("hex");

/** Makes `upper` in it. @throws NsError */
function fill(path: Bytes, place: number, name: Bytes, fd: number, { like, searchable }: Wanted): Scratch {
  const made = make(fd, UPPER);
  const upper = made < 0 ? made : open(UPPER, OWN, fd);
  if (upper < 0) throw failed(path, upper);
  const results = [
    process.geteuid?.() === 0 ? chownOpen(upper, like.uid, like.gid) : 0,
    chmodOpen(upper, like.mode & 0o7777),
    searchable ? chmodOpen(fd, 0o711) : 0,
  ];
  const before = inodeOf(upper, "");
  const problem = typeof before === "number" ? before : Math.min(...results);
  if (problem < 0 || typeof before === "number") throw failed(path, problem);
  return { path, place, name, fd, upper, before };
}

/** Makes one where temporary files go. @param uid the caller's @throws NsError */
export function makeScratch(uid: number, wanted: Wanted): Scratch {
  const { path: where, fd: place } = findPlace();
  const prefix = `ns-try-${uid}-`;
  sweep(place, prefix, uid);
  for (;;) {
    const name = `${prefix}${random()}`;
    const path = `${where}/${name}`;
    const made = make(place, name);
    if (made < 0) throw failed(path, made, "TMPDIR names a directory that may be written, or --keep does");
    const fd = openLocked(place, name);
    // another one's sweep was faster than the lock: it has removed it, or is about to
    if (fd === -errnoNumber("EAGAIN") || fd === -errnoNumber("ENOENT")) continue;
    if (fd < 0) throw failed(path, fd);
    const inode = inodeOf(fd, "");
    if (typeof inode !== "number" && inode.links === 0) {
      close(fd);
      continue;
    }
    return fill(path, place, name, fd, wanted);
  }
}

/** Makes the user's own. @param path absolute; nothing may be there yet @throws NsError */
export function makeKept(path: Bytes, wanted: Wanted): Scratch {
  const made = make(AT_FDCWD, path);
  const note =
    made === -errnoNumber("EEXIST")
      ? "--keep makes the directory: name one that is not there yet"
      : undefined;
  const fd = made < 0 ? made : openLocked(AT_FDCWD, path);
  if (fd < 0) throw failed(path, fd, note);
  return fill(path, AT_FDCWD, path, fd, wanted);
}

/** Leaves it, and nobody but its owner may look into it. */
export function keepScratch({ fd, upper, place }: Scratch): void {
  chmodOpen(fd, 0o700);
  for (const one of [upper, fd, place]) if (one >= 0) close(one);
}

/** Gives it a name that no sweep takes. @returns where it is now */
export function rescueScratch({ path, place, name }: Scratch): Bytes {
  if (place === AT_FDCWD) return path;
  const kept = `ns-try-kept-${random()}`;
  return renameIn(place, name, kept) < 0 ? path : `${path.slice(0, path.length - name.length)}${kept}`;
}

/** Removes it. @returns 0, or -errno of what could not be removed */
export function removeScratch({ name, fd, upper, place }: Scratch): number {
  close(upper);
  const result = removeTree(name, place);
  removeDirectory(name, place);
  close(fd);
  if (place >= 0) close(place);
  return result;
}
