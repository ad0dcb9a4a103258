/** The file system in an image as a tree of mounts that is nowhere yet. Called by image.ts. */
import { NsError } from "../spec/error.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  CLONE,
  FSCONFIG,
  FSOPEN,
  MOUNT_ATTR,
  MOVE_MOUNT,
  MS,
  O,
  OPEN_TREE,
  RESOLVE_IN_ROOT,
} from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { close, open, openResolved } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";
import type { FileSystem } from "./image-format.ts";

const MESSAGE = 1024;

/** What the kernel has to say about a mount that failed; fsopen(2) keeps that, newer drivers use it. */
function complaints(context: number): Bytes[] {
  return scratch((memory) => {
    const buffer = memory.reserve(MESSAGE);
    const lines: Bytes[] = [];
    for (;;) {
      const n = call("read", context, buffer, MESSAGE);
      if (n <= 0) return lines;
      const line = memory.takeBytes(buffer, n);
      if (line.startsWith("e ")) lines.push(line.slice(2).trimEnd());
    }
  });
}

const NOTES: Readonly<Record<number, (type: string) => string>> = {
  [errnoNumber("ENODEV")]: (type) => `this kernel has no ${type}: modprobe ${type}`,
  [errnoNumber("EPERM")]: () => "ns may be confined here (a container, seccomp, AppArmor or SELinux)",
};

/**
 * A new mount of the device, read-only and without devices. ext4 does not replay its journal, which it would write to; and
 * what the image wants done about errors in it (a panic of the kernel?) is not asked.
 */
export function mountDevice(device: Bytes, type: FileSystem["type"]): number {
  const context = scratch((memory) => call("fsopen", memory.placeString(type), FSOPEN.FSOPEN_CLOEXEC));
  const set = (command: number, name: Bytes | null, value: Bytes | null): number =>
    scratch((memory) => {
      const [key, text] = [name, value].map((word) => (word === null ? 0 : memory.placeString(word)));
      return call("fsconfig", context, command, key, text, 0);
    });
  const { FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE } = FSCONFIG;
  const steps: [number, Bytes | null, Bytes | null][] = [
    [FSCONFIG_SET_STRING, "source", device],
    [FSCONFIG_SET_FLAG, "ro", null],
  ];
  if (type === "ext4")
    steps.push([FSCONFIG_SET_FLAG, "noload", null], [FSCONFIG_SET_STRING, "errors", "continue"]);
  steps.push([FSCONFIG_CMD_CREATE, null, null]);
  let result = context;
  for (const step of steps) if (result >= 0) result = set(...step);
  const { MOUNT_ATTR_RDONLY, MOUNT_ATTR_NODEV } = MOUNT_ATTR;
  if (result >= 0)
    result = call("fsmount", context, FSOPEN.FSOPEN_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
  const said = result < 0 && context >= 0 ? complaints(context) : [];
  if (context >= 0) close(context);
  if (result >= 0) return result;
  const why = said.length === 0 ? "" : ` (${said.map(show).join("; ")})`;
  throw new NsError(`cannot mount its ${type}: ${errnoText(-result)}${why}`, {
    errno: -result,
    note:
      NOTES[-result]?.(type) ??
      "it is damaged, or of a later version than this kernel's; the kernel log says more (dmesg)",
  });
}

/** In a mount namespace that nobody else sees. @returns a descriptor or -errno */
function divideHere(tree: number, path: Bytes): number {
  const mounted = scratch((memory) => {
    const [root, empty] = [memory.placeString("/"), memory.placeString("")];
    const isolated = call("mount", 0, root, 0, MS.MS_REC | MS.MS_PRIVATE, 0);
    if (isolated < 0) return isolated;
    return call("move_mount", tree, empty, AT_FDCWD, root, MOVE_MOUNT.MOVE_MOUNT_F_EMPTY_PATH);
  });
  if (mounted < 0) return mounted;
  const directory = openResolved(tree, path, O.O_PATH | O.O_DIRECTORY, RESOLVE_IN_ROOT);
  if (directory < 0) return directory;
  const flags = OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  const divided = scratch((memory) => call("open_tree", directory, memory.placeString(""), flags));
  close(directory);
  return divided;
}

/**
 * A directory in a tree of mounts as a tree of its own. Only what is mounted somewhere can be divided (before Linux 6.15),
 * and so it is for a moment.
 * @returns a descriptor or -errno
 * @throws NsError when this process cannot come back to where it was
 */
export function divideTree(tree: number, path: Bytes): number {
  const own = open("/proc/thread-self/ns/mnt", O.O_RDONLY);
  const here = open(".", O.O_PATH | O.O_DIRECTORY);
  const left = Math.min(own, here) < 0 ? Math.min(own, here) : call("unshare", CLONE.CLONE_NEWNS);
  let result = left;
  let back = 0;
  if (left >= 0) {
    result = divideHere(tree, path);
    back = call("setns", own, CLONE.CLONE_NEWNS);
    if (back >= 0) back = call("fchdir", here);
  }
  for (const fd of [own, here]) if (fd >= 0) close(fd);
  if (back >= 0) return result;
  // everything that follows would happen in the wrong place
  throw new NsError(`cannot come back from a mount namespace: ${errnoText(-back)}`, { errno: -back });
}
