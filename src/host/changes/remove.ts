/** Removes a tree that somebody else has made, however deep and whatever its permissions, and goes through no link. */
import type { Bytes } from "../../sys/bytes.ts";
import { O } from "../../sys/constants.ts";
import { errnoNumber } from "../../sys/errno.ts";
import { close, listOpen, open, removeDirectory } from "../../sys/file.ts";
import { inodeOf, openDirectory } from "../../sys/inode.ts";
import { call, scratch } from "../../sys/kernel.ts";

const ALL = 0o700;

const unlink = (directory: number, name: Bytes): number =>
  scratch((memory) => call("unlinkat", directory, memory.placeString(name), 0));

/** Where the walk is in a directory: its name, which file it is, and the directories in it that are still there. */
interface Frame {
  readonly name: Bytes;
  readonly id: string;
  readonly left: Bytes[];
}

/**
 * Only one directory is open at a time, so that the limit of open files is none of the depth.
 * @returns 0, or -errno of the first thing that could not be removed; the rest is gone then
 */
export function removeTree(name: Bytes, directory: number): number {
  let problem = 0;
  const note = (result: number): number => {
    if (result < 0 && problem === 0) problem = result;
    return result;
  };
  const frames: Frame[] = [];
  let fd = -1;
  const enter = (child: Bytes, parent: number): boolean => {
    const opened = openDirectory(parent, child, ALL);
    if (typeof opened === "number") {
      note(opened);
      return false;
    }
    const inode = inodeOf(opened.fd, "");
    const entries = listOpen(opened.fd);
    if (typeof inode === "number" || typeof entries === "number") {
      note(typeof inode === "number" ? inode : (entries as number));
      close(opened.fd);
      return false;
    }
    const left: Bytes[] = [];
    for (const entry of entries) {
      if (entry.isDirectory) left.push(entry.name);
      // some file systems do not tell what an entry is
      else if (noteFile(unlink(opened.fd, entry.name)) === -errnoNumber("EISDIR")) left.push(entry.name);
    }
    frames.push({ name: child, id: inode.id, left });
    fd = opened.fd;
    return true;
  };
  const noteFile = (result: number): number => (result === -errnoNumber("EISDIR") ? result : note(result));
  if (!enter(name, directory)) return problem;
  while (frames.length > 0) {
    const frame = frames.at(-1)!;
    const child = frame.left.pop();
    if (child !== undefined) {
      const parent = fd;
      if (enter(child, parent)) close(parent);
      continue;
    }
    frames.pop();
    const outer = frames.at(-1);
    if (outer === undefined) break;
    const up = open("..", O.O_RDONLY | O.O_DIRECTORY, fd);
    const inode = up < 0 ? up : inodeOf(up, "");
    if (typeof inode === "number" || inode.id !== outer.id) {
      // somebody has moved it: what is there now is not ours to remove
      if (up >= 0) close(up);
      note(typeof inode === "number" ? inode : -errnoNumber("ESTALE"));
      break;
    }
    close(fd);
    fd = up;
    note(removeDirectory(frame.name, fd));
  }
  close(fd);
  note(removeDirectory(name, directory));
  return problem;
}
