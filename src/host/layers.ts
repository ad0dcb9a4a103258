/**
 * Small files of NEWROOT as the container will see it: where the root is an overlay, of the topmost directory that has the
 * file. They are hostile. Called by identity.ts.
 */
import { NsError } from "../spec/error.ts";
import type { Spec } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { O, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, S_IFCHR, S_IFMT, S_IFREG } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { close, open, openResolved, readAll, type Status, statusOf } from "../sys/file.ts";

const LIMIT = 1 << 20;

/** How overlayfs notes in a directory for changes that a file is gone (overlayfs.rst). */
const isWhiteout = ({ mode, device }: Status): boolean => (mode & S_IFMT) === S_IFCHR && device === "0:0";

/** A file of one directory; null when it has none, nothing in it when an overlay has removed it. @throws NsError when it is something else than a small regular file */
function readIn(root: number, path: string): Bytes | null {
  const refuse = (why: string) =>
    new NsError(`cannot use the root's /${path}: ${why}`, { note: "give numbers: --as UID:GID" });
  const fd = openResolved(root, path, O.O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  if (fd === -errnoNumber("ENOENT")) return null;
  if (fd < 0) throw refuse(errnoText(-fd));
  const status = statusOf(fd);
  if (typeof status !== "number" && isWhiteout(status)) {
    close(fd);
    return "";
  }
  const regular = typeof status !== "number" && (status.mode & S_IFMT) === S_IFREG;
  // the file itself, not its name again
  const file = regular ? open(`/proc/self/fd/${fd}`, O.O_RDONLY | O.O_NONBLOCK) : -1;
  close(fd);
  if (!regular) throw refuse("it is not a regular file");
  if (file < 0) throw refuse(errnoText(-file));
  const text = readAll(file, LIMIT + 1);
  close(file);
  if (typeof text === "number") throw refuse(errnoText(-text));
  if (text.length > LIMIT) throw refuse("it is larger than 1 MiB");
  return text;
}

/** A file of the root's; null when there is none. @param layers the topmost first @throws NsError as `readIn()` does */
export function readInLayers(layers: readonly number[], path: string): Bytes | null {
  for (const layer of layers) {
    const text = readIn(layer, path);
    if (text !== null) return text;
  }
  return null;
}

/** Calls `use` with the directories that the root is made of, the topmost first. @param root descriptor of NEWROOT */
export function withLayers<T>({ rootfs }: Spec, root: number, use: (layers: readonly number[]) => T): T {
  const { changes, lower } = rootfs;
  // one that is not there is sources.ts's to explain
  const openAll = (paths: readonly Bytes[]): number[] =>
    paths.map((path) => open(path, O.O_PATH | O.O_DIRECTORY)).filter((fd) => fd >= 0);
  const above = openAll(changes?.to === "directory" ? [changes.upper] : []);
  const below = openAll(lower);
  try {
    return use([...above, root, ...below]);
  } finally {
    for (const fd of [...above, ...below]) close(fd);
  }
}
