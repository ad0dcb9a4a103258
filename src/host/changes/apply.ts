/**
 * Makes changes in the root that they are changes of. Both sides are hostile: every directory is opened by its name in the
 * one above, through no link; a file is made whole under another name and then renamed. Called by run/try/.
 */
import { NsError } from "../../spec/error.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import {
  chownIn,
  makeFile,
  makeLink,
  makeName,
  makeNode,
  makeOrRemove,
  renameIn,
  setAttribute,
  setTime,
} from "../../sys/change.ts";
import { O, S_IFLNK, S_IFMT, S_IFREG } from "../../sys/constants.ts";
import { errnoNumber, errnoText } from "../../sys/errno.ts";
import { close, open, readLink } from "../../sys/file.ts";
import {
  attributeOf,
  attributesOf,
  chmodOpen,
  type Inode,
  inodeOf,
  isDirectory,
  openOwn,
} from "../../sys/inode.ts";
import { copyContent } from "./content.ts";
import { removeTree } from "./remove.ts";
import type { Change } from "./walk.ts";

export interface Apply {
  add(change: Change): void;
  /** Gives the directories their permissions and times, which what was made in them has touched. */
  finish(): void;
}

/** What a file is to look like. */
interface Look {
  readonly path: Bytes;
  readonly inode: Inode;
  /** extended attributes; null: a directory that has changed in nothing but what lies in it */
  readonly attributes: ReadonlyMap<Bytes, Bytes> | null;
}

const S_IFSOCK = 0o140000;
const PATH_ONLY = O.O_PATH | O.O_DIRECTORY | O.O_NOFOLLOW;

const failed = (path: Bytes, result: number): NsError =>
  new NsError(`cannot apply the change of ${show(path)}: ${errnoText(-result)}`, { errno: -result });

/** @param fine an error number that is none here */
function must(path: Bytes, result: number, fine = 0): number {
  if (result < 0 && result !== -fine) throw failed(path, result);
  return result;
}

const nothing = errnoNumber("ENOENT");

/** Removes whatever has the name. */
function remove(directory: number, name: Bytes, path: Bytes): void {
  const result = makeOrRemove("unlinkat", directory, name, 0);
  if (result === -errnoNumber("EISDIR") || result === -errnoNumber("EPERM"))
    must(path, removeTree(name, directory), nothing);
  else must(path, result, nothing);
}

/** @param root descriptor of the root @param prefix how overlayfs's own attributes begin */
export function createApply(root: number, prefix: string): Apply {
  /** where the first name of a file with several is in the root */
  const first = new Map<string, Bytes>();
  const directories: Look[] = [];
  const temporary = `.ns-apply-${Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString("hex")}`;

  /** Opens the directory of the root that holds the path, for as long as it is used. */
  const inside = <T>(path: Bytes, use: (directory: number, name: Bytes) => T): T => {
    const names = path.split("/").slice(1);
    const name = names.pop()!;
    let at = must(path, open(".", PATH_ONLY, root));
    try {
      for (const one of names) {
        const next = must(path, open(one, PATH_ONLY, at));
        close(at);
        at = next;
      }
      return use(at, name === "" ? "." : name);
    } finally {
      close(at);
    }
  };

  /** Owners, attributes, permissions, times: in this order, because a change of owners takes what makes setuid. */
  const dress = (look: Look, directory: number, name: Bytes): void => {
    const { path, inode, attributes } = look;
    if (attributes !== null) {
      // who is not root has nothing to give away
      if (process.geteuid?.() === 0) must(path, chownIn(directory, name, inode.uid, inode.gid));
      const there = attributesOf(directory, name);
      if (typeof there === "number") throw failed(path, there);
      for (const key of there) if (!attributes.has(key)) must(path, setAttribute(directory, name, key, null));
      for (const [key, value] of attributes)
        if (attributeOf(directory, name, key) !== value)
          must(path, setAttribute(directory, name, key, value));
      if ((inode.mode & S_IFMT) !== S_IFLNK) {
        const fd = must(path, open(name, O.O_PATH | O.O_NOFOLLOW, directory));
        const result = chmodOpen(fd, inode.mode & 0o7777);
        close(fd);
        must(path, result);
      }
    }
    must(path, setTime(directory, name, inode.seconds, inode.nanoseconds));
  };

  const lookOf = ({ path, parent, name, kind }: Change, inode: Inode): Look => {
    if (kind === null) return { path, inode, attributes: null };
    const keys = attributesOf(parent, name);
    if (typeof keys === "number") throw failed(path, keys);
    const attributes = new Map<Bytes, Bytes>();
    for (const key of keys) {
      if (key.startsWith(prefix)) continue;
      const value = attributeOf(parent, name, key);
      if (typeof value === "number") throw failed(path, value);
      if (value !== null) attributes.set(key, value as Bytes);
    }
    return { path, inode, attributes };
  };

  const make = ({ parent, name, path }: Change, inode: Inode, directory: number): void => {
    const type = inode.mode & S_IFMT;
    if (type === S_IFLNK) {
      const target = readLink(name, parent);
      if (typeof target === "number") throw failed(path, target);
      must(path, makeLink(target, directory, temporary));
    } else if (type === S_IFREG) {
      const from = openOwn(parent, name, O.O_RDONLY | O.O_NONBLOCK, 0o400);
      if (typeof from === "number") throw failed(path, from);
      const flags = O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_NOFOLLOW | O.O_CLOEXEC;
      const to = makeFile(directory, temporary, flags, 0o600);
      try {
        must(path, to);
        must(path, copyContent(from.fd, to, inode.size));
      } finally {
        if (to >= 0) close(to);
        if (from.before !== null) chmodOpen(from.fd, from.before);
        close(from.fd);
      }
    } else {
      must(path, makeNode(directory, temporary, type | 0o600, inode.major, inode.minor));
    }
  };

  const file = (change: Change, inode: Inode, directory: number, name: Bytes): void => {
    const { path } = change;
    const other = inode.links > 1 ? first.get(inode.id) : undefined;
    try {
      if (other === undefined) {
        make(change, inode, directory);
        dress(lookOf(change, inode), directory, temporary);
      } else {
        inside(other, (from, old) => must(path, makeName(from, old, directory, temporary)));
      }
      const there = inodeOf(directory, name);
      if (typeof there !== "number" && isDirectory(there)) remove(directory, name, path);
      must(path, renameIn(directory, temporary, name));
    } finally {
      // it is there still if something has failed, or if both names were the same file's
      makeOrRemove("unlinkat", directory, temporary, 0);
    }
    if (inode.links > 1) first.set(inode.id, path);
  };

  const add = (change: Change): void => {
    const { path, parent, inode, implied } = change;
    // with the directory that it lay in it is gone already
    if (inode === null && implied && parent === -1) return;
    if (inode !== null && (inode.mode & S_IFMT) === S_IFSOCK) return;
    inside(path, (directory, name) => {
      if (inode === null) return remove(directory, name, path);
      if (!isDirectory(inode)) return file(change, inode, directory, name);
      const there = inodeOf(directory, name);
      if (typeof there === "number" || !isDirectory(there)) {
        if (typeof there !== "number") remove(directory, name, path);
        must(path, makeOrRemove("mkdirat", directory, name, 0o700));
      }
      directories.push(lookOf(change, inode));
    });
  };

  return {
    add,
    finish() {
      // the innermost first: the times of the outer ones change with it
      for (const look of directories.reverse())
        inside(look.path, (directory, name) => dress(look, directory, name));
    },
  };
}
