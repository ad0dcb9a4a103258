/**
 * /etc/resolv.conf inside (--resolv-conf): a file of ns's own on a small tmpfs, or the host's file, mounted read-only over
 * the root's. The root's content is left alone, and its links may lead to another file inside, never out.
 */
import type { Facts, Spec } from "../../spec/spec.ts";
import type { Bytes } from "../../sys/bytes.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  FSCONFIG,
  FSOPEN,
  MNT,
  MOUNT_ATTR,
  MOVE_MOUNT,
  MS,
  O,
  OPEN_TREE,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "../../sys/constants.ts";
import { openInside } from "../inside.ts";
import { type Op, slot } from "../op.ts";

const PATH = "/etc/resolv.conf";
const NAME = "resolv.conf";
/** bytes that the copy may have (host/network/resolv-conf.ts), and the tmpfs with it */
const SIZE = "65536";
const { MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH } = MOVE_MOUNT;
const ONTO = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
const CLONE_TREE = OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC;

/** Before the pivot, while names are still the host's: a mount of the host's file, attached to nothing. */
export function openHostResolvConf(spec: Spec): Op[] {
  if (spec.network.resolvConf !== "host") return [];
  const step = `open the host's ${PATH}`;
  const attributes = new Uint8Array(32); // struct mount_attr: what to set comes first
  attributes[0] =
    MOUNT_ATTR.MOUNT_ATTR_RDONLY |
    MOUNT_ATTR.MOUNT_ATTR_NOSUID |
    MOUNT_ATTR.MOUNT_ATTR_NODEV |
    MOUNT_ATTR.MOUNT_ATTR_NOEXEC;
  const means = "{attr_set=MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID|MOUNT_ATTR_NODEV|MOUNT_ATTR_NOEXEC}";
  return [
    { call: "open_tree", args: [AT_FDCWD, PATH, CLONE_TREE], step, save: "resolvTree" },
    {
      call: "mount_setattr",
      args: [slot("resolvTree"), "", AT_EMPTY_PATH, { memory: attributes, means }, attributes.length],
      step: `make the host's ${PATH} read-only`,
    },
  ];
}

/**
 * A mount of a new file with this content. A file of a tmpfs can be cloned only from a tmpfs that is mounted in this
 * namespace: it is for a moment, over the fresh proc, where no name of the root's is in the way.
 */
function copyTree(content: Bytes): Op[] {
  const step = `make a copy of the host's ${PATH}`;
  const files = slot("resolvFiles");
  const { FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE } = FSCONFIG;
  const context = slot("resolvContext");
  const flags = O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_CLOEXEC;
  const { MS_REMOUNT, MS_BIND, MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC } = MS;
  return [
    { call: "fsopen", args: ["tmpfs", FSOPEN.FSOPEN_CLOEXEC], step, save: "resolvContext" },
    { call: "fsconfig", args: [context, FSCONFIG_SET_STRING, "size", SIZE, 0], step },
    { call: "fsconfig", args: [context, FSCONFIG_SET_STRING, "mode", "755", 0], step },
    { call: "fsconfig", args: [context, FSCONFIG_CMD_CREATE, 0, 0, 0], step },
    { call: "fsmount", args: [context, FSOPEN.FSOPEN_CLOEXEC, 0], step, save: "resolvFiles" },
    { call: "close", args: [context], step },
    // everybody inside may read it, whatever the caller's umask
    { call: "umask", args: [0o022], step },
    { call: "openat", args: [files, NAME, flags, 0o644], step, save: "file" },
    { call: "write", args: [slot("file"), content, content.length], step },
    { call: "close", args: [slot("file")], step },
    { call: "move_mount", args: [files, "", slot("procTree"), "", ONTO], step },
    { call: "fchdir", args: [files], step },
    {
      call: "mount",
      args: [0, ".", 0, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, 0],
      step: `make the copy of ${PATH} read-only`,
    },
    { call: "open_tree", args: [files, NAME, CLONE_TREE], step, save: "resolvTree" },
    { call: "umount2", args: [".", MNT.MNT_DETACH], step },
    { call: "close", args: [files], step },
    { call: "chdir", args: ["/"], step },
  ];
}

/** Makes an empty file in the root; a link that is there, to whatever, is in the way (O_EXCL). */
function makeInside(): Op {
  const how = new Uint8Array(24); // struct open_how: flags, mode, resolve
  const view = new DataView(how.buffer);
  view.setUint32(0, O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_CLOEXEC, true);
  view.setUint32(8, 0o644, true);
  view.setUint32(16, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, true);
  const means = "{O_CREAT|O_EXCL, 0644, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}";
  return {
    call: "openat2",
    args: [AT_FDCWD, PATH, { memory: how, means }, how.length],
    step: `make ${PATH} in the root`,
    save: "resolvTarget",
    tryAgain: true,
  };
}

/** After the pivot, in the root's own directory: puts the file over the root's. */
export function resolvConf(spec: Spec, facts: Facts, content: Bytes | undefined): Op[] {
  if (spec.network.resolvConf === undefined) return [];
  const step = `mount on ${PATH}`;
  const [open] = openInside(facts, PATH, 0, "resolvTarget", `open ${PATH} in the root`);
  return [
    ...(spec.network.resolvConf === "copy" ? copyTree(content ?? "") : []),
    { ...open!, fine: ["ENOENT"], skipNext: true },
    // none yet: an empty one is made, if /etc is a directory of the root's, never through a link
    makeInside(),
    { call: "move_mount", args: [slot("resolvTree"), "", slot("resolvTarget"), "", ONTO], step },
    ...(["resolvTree", "resolvTarget"] as const).map(
      (name): Op => ({ call: "close", args: [slot(name)], step }),
    ),
  ];
}
