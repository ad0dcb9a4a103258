/**
 * --image: mounts the file system in an image as a tree that is nowhere yet. Nothing has to be undone: whoever ends, and
 * however, the kernel unmounts what nobody has any more, and unbinds the loop device with it. Called by run/check.ts.
 */
import { NsError } from "../spec/error.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { O, S_IFDIR, S_IFMT, S_IFREG } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { close, open, readAll, statusOf } from "../sys/file.ts";
import { call } from "../sys/kernel.ts";
import { findFileSystem } from "./image-format.ts";
import { divideTree, mountDevice } from "./image-mount.ts";
import { attachLoop } from "./loop.ts";

const SEEK_SET = 0;
const SEEK_END = 2;

/** Opens the image; it is looked at before it is opened for reading, which for a device or a fifo may do things. */
function openFile(path: Bytes, refuse: (why: string, errno?: number) => NsError): number {
  const found = open(path, O.O_PATH);
  const status = found < 0 ? found : statusOf(found);
  const isRegular = typeof status !== "number" && (status.mode & S_IFMT) === S_IFREG;
  // the file itself, not its name again
  const fd = isRegular ? open(`/proc/self/fd/${found}`, O.O_RDONLY) : -1;
  if (found >= 0) close(found);
  if (typeof status === "number") throw refuse(errnoText(-status), -status);
  if (!isRegular)
    throw refuse((status.mode & S_IFMT) === S_IFDIR ? "it is a directory" : "it is not a regular file");
  if (fd < 0) throw refuse(errnoText(-fd), -fd);
  return fd;
}

/**
 * Mounts an image.
 * @param root NEWROOT, a directory in it
 * @returns a descriptor of NEWROOT, as a tree of mounts that is nowhere yet
 * @throws NsError when it cannot be used; nothing is left then
 */
export function openImage(path: Bytes, root: Bytes): number {
  const refuse = (why: string, errno?: number, note?: string): NsError =>
    new NsError(`cannot use the image ${show(path)}: ${why}`, {
      note,
      ...(errno === undefined ? {} : { errno }),
    });
  const file = openFile(path, refuse);
  let tree = -1;
  try {
    const size = call("lseek", file, 0, SEEK_END);
    const found = findFileSystem((offset, length) => {
      call("lseek", file, offset, SEEK_SET);
      const bytes = readAll(file, length);
      if (typeof bytes === "number") throw new NsError(errnoText(-bytes), { errno: -bytes });
      return bytes;
    }, size);
    const loop = attachLoop(file, found);
    try {
      tree = mountDevice(loop.path, found.type);
    } finally {
      close(loop.fd); // the mount has the device now
    }
  } catch (error) {
    if (error instanceof NsError) throw refuse(error.message, error.errno, error.note);
    throw error;
  } finally {
    close(file);
  }
  if (root.split("/").every((name) => [".", "..", ""].includes(name))) return tree;
  const divided = divideTree(tree, root);
  close(tree);
  if (divided >= 0) return divided;
  throw new NsError(`cannot use the root ${show(root)} in ${show(path)}: ${errnoText(-divided)}`, {
    errno: -divided,
  });
}
