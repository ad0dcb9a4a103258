/**
 * What a directory for changes (the upper one of an overlay) says of the root below it: what is new, changed or gone. Both
 * are hostile: they are walked by descriptors, and no link is followed. Called by run/try/.
 */
import { NsError } from "../../spec/error.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import { O } from "../../sys/constants.ts";
import { errnoNumber, errnoText } from "../../sys/errno.ts";
import { close, listOpen, open } from "../../sys/file.ts";
import {
  attributeOf,
  attributesOf,
  chmodOpen,
  type Inode,
  inodeOf,
  isDirectory,
  isWhiteout,
  openDirectory,
} from "../../sys/inode.ts";

/** Added, changed, deleted. */
export type Kind = "A" | "C" | "D";

export interface Layer {
  /** descriptor of the directory for changes */
  readonly upper: number;
  /** descriptor of the root that it lies over */
  readonly root: number;
  /** how overlayfs's own attributes begin */
  readonly prefix: "trusted.overlay." | "user.overlay.";
  /** what the directory itself was like in the beginning */
  readonly before: Inode;
}

export interface Change {
  /** null: a directory that is only there for what lies in it */
  readonly kind: Kind | null;
  /** as the container sees it, from / on */
  readonly path: Bytes;
  readonly name: Bytes;
  /** descriptor of the layer's directory that it lies in; -1: it has none */
  readonly parent: number;
  /** null: it is gone */
  readonly inode: Inode | null;
  /** the layer does not say itself that it is gone, but something in whose place it was */
  readonly implied: boolean;
  /** a directory through which nothing of the root's own is to be seen */
  readonly opaque: boolean;
}

/** Names of the host's paths are no longer (limits.h); what lies deeper can only be counted. */
const PATH_MAX = 4096;

/** Told of every change, in the order of the names; a directory before what is in it. */
export type Visit = (change: Change) => void;

const failed = (path: Bytes, result: number): NsError =>
  new NsError(`cannot look at the change of ${show(path)}: ${errnoText(-result)}`, { errno: -result });

function must(path: Bytes, result: Inode | number): Inode {
  if (typeof result === "number") throw failed(path, result);
  return result;
}

/** null where there is none. */
function inRoot(below: number, name: Bytes, path: Bytes): Inode | null {
  if (below < 0) return null;
  const found = inodeOf(below, name);
  return found === -errnoNumber("ENOENT") ? null : must(path, found);
}

function namesIn(directory: number, path: Bytes): Set<Bytes> {
  const entries = listOpen(directory);
  if (typeof entries === "number") throw failed(path, entries);
  return new Set(entries.map(({ name }) => name));
}

/** A directory's attributes as one text; overlayfs's own are not the container's. */
function attributesText(directory: number, path: Bytes, prefix: string): string {
  const keys = attributesOf(directory, ".");
  if (typeof keys === "number") throw failed(path, keys);
  const own = keys.filter((key) => !key.startsWith(prefix)).sort();
  return JSON.stringify(own.map((key) => [key, attributeOf(directory, ".", key)]));
}

const sameOwner = (a: Inode, b: Inode): boolean => a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;

const readDirectory = (below: number, name: Bytes, path: Bytes): number => {
  const fd = open(name, O.O_RDONLY | O.O_DIRECTORY | O.O_NOFOLLOW, below);
  if (fd < 0) throw failed(path, fd);
  return fd;
};

/**
 * Walks a layer.
 * @returns how many directories are so deep that they have not been looked at
 * @throws NsError when something of it, or what it lies over, cannot be read
 */
export function walkChanges({ upper, root, prefix, before }: Layer, visit: Visit): number {
  let tooDeep = 0;

  /** @param hides nothing of the root's directory is to be seen through it */
  const directory = (fd: number, below: number, path: Bytes, hides: boolean): void => {
    const names = namesIn(fd, path);
    const gone = hides && below >= 0 ? namesIn(below, path) : [];
    for (const name of [...new Set([...names, ...gone])].sort()) {
      const at = `${path}/${name}`;
      if (names.has(name)) entry(fd, below, name, at, hides);
      else visit({ kind: "D", path: at, name, parent: fd, inode: null, implied: true, opaque: false });
    }
  };

  const entry = (parent: number, below: number, name: Bytes, path: Bytes, hides: boolean): void => {
    const inode = must(path, inodeOf(parent, name));
    const there = inRoot(below, name, path);
    const whole = { path, name, parent, implied: false, opaque: false };
    if (isWhiteout(inode)) {
      if (there !== null) visit({ ...whole, kind: "D", inode: null });
      return;
    }
    const kind = there === null ? "A" : "C";
    const merges = there !== null && isDirectory(there);
    const deep = isDirectory(inode) && path.length >= PATH_MAX;
    if (deep) tooDeep++;
    if (!isDirectory(inode) || deep) {
      // before it is told: whoever applies it removes them
      const hidden = merges && !deep ? inDirectory(below, name, path) : [];
      visit({ ...whole, kind, inode });
      for (const gone of hidden)
        visit({
          ...whole,
          kind: "D",
          path: `${path}/${gone}`,
          name: gone,
          parent: -1,
          inode: null,
          implied: true,
        });
      return;
    }
    const opened = openDirectory(parent, name);
    if (typeof opened === "number") throw failed(path, opened);
    const { fd, before: mode } = opened;
    const merged = merges ? readDirectory(below, name, path) : -1;
    try {
      const opaque = attributeOf(fd, ".", `${prefix}opaque`);
      if (typeof opaque === "number") throw failed(path, opaque);
      const anew = !merges || hides || opaque === "y";
      const same =
        !anew &&
        sameOwner(inode, there) &&
        attributesText(fd, path, prefix) === attributesText(merged, path, prefix);
      visit({ ...whole, kind: same ? null : kind, inode, opaque: merges && anew && !hides });
      directory(fd, merged, path, anew);
    } finally {
      if (merged >= 0) close(merged);
      if (mode !== null) chmodOpen(fd, mode);
      close(fd);
    }
  };

  /** What is in a directory of the root's that something else stands in the place of. */
  const inDirectory = (below: number, name: Bytes, path: Bytes): Bytes[] => {
    const fd = readDirectory(below, name, path);
    try {
      return [...namesIn(fd, path)].sort();
    } finally {
      close(fd);
    }
  };

  const opened = open(".", O.O_RDONLY | O.O_DIRECTORY, upper);
  if (opened < 0) throw failed("/", opened);
  try {
    const inode = must("/", inodeOf(opened, ""));
    const kind = sameOwner(inode, before) ? null : "C";
    visit({ kind, path: "/", name: ".", parent: opened, inode, implied: false, opaque: false });
    directory(opened, root, "", false);
  } finally {
    close(opened);
  }
  return tooDeep;
}
