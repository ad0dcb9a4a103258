/** The new root: bind it, pivot into it, and later let go of the old one. */
import type { Facts, Spec } from "../../spec/spec.ts";
import type { Bytes } from "../../sys/bytes.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  F,
  MOUNT_ATTR,
  MNT,
  MOVE_MOUNT,
  MS,
  OPEN_TREE,
} from "../../sys/constants.ts";
import { type Op, type Slot, slot } from "../op.ts";

/**
 * Binds the working directory, which the parent has made NEWROOT and the clone has carried into the new mount
 * namespace, and enters the bind. No path is looked up: NEWROOT is the directory that was checked, whatever its name
 * has come to mean since.
 * @param path where NEWROOT is, for kernels that cannot mount onto descriptors
 * @param tree descriptor of NEWROOT as a detached tree, if the parent has made one
 */
export function bindRoot(spec: Spec, facts: Facts, path: Bytes, tree?: number): Op[] {
  const step = "bind the root";
  const isolate: Op = {
    call: "mount",
    args: [0, "/", 0, MS.MS_REC | MS.MS_PRIVATE, 0],
    step: "make mounts private",
  };
  if (!facts.kernel.mountDescriptors)
    return [
      isolate,
      { call: "mount", args: [".", ".", 0, MS.MS_BIND | MS.MS_REC, 0], step },
      { call: "chdir", args: [path], step: "enter the root" },
    ];
  const { OPEN_TREE_CLONE, AT_RECURSIVE, OPEN_TREE_CLOEXEC } = OPEN_TREE;
  return [
    isolate,
    tree === undefined
      ? {
          call: "open_tree",
          args: [AT_FDCWD, ".", OPEN_TREE_CLONE | AT_RECURSIVE | OPEN_TREE_CLOEXEC],
          step,
          save: "root",
        }
      : { call: "fcntl", args: [tree, F.F_DUPFD_CLOEXEC, 0], step, save: "root" },
    ...(spec.rootfs.readOnly ? [readOnlyTree("root", "make the root read-only")] : []),
    {
      call: "move_mount",
      args: [slot("root"), "", AT_FDCWD, ".", MOVE_MOUNT.MOVE_MOUNT_F_EMPTY_PATH],
      step: "mount the root",
    },
    { call: "fchdir", args: [slot("root")], step: "enter the root" },
  ];
}

/** Makes a tree of mounts read-only, all of it (mount_setattr(2)). */
export function readOnlyTree(tree: Slot, step: string): Op {
  const attributes = new Uint8Array(32); // struct mount_attr: what to set comes first
  attributes[0] = MOUNT_ATTR.MOUNT_ATTR_RDONLY;
  return {
    call: "mount_setattr",
    args: [
      slot(tree),
      "",
      AT_EMPTY_PATH | OPEN_TREE.AT_RECURSIVE,
      { memory: attributes, means: "{attr_set=MOUNT_ATTR_RDONLY}" },
      attributes.length,
    ],
    step,
  };
}

/**
 * Makes the working directory the root. pivot_root(".", ".") needs no directory for the old root: it ends up stacked on
 * the new one, until leaveOldRoot() (pivot_root(2), NOTES). The kernel refuses that on an initramfs; there the new root
 * is moved over the old, which nothing can reach any more, as switch_root(8) does.
 */
export function pivotRoot(facts: Facts): Op[] {
  if (!facts.onRootfs) return [{ call: "pivot_root", args: [".", "."], step: "pivot into the root" }];
  return [
    { call: "mount", args: [".", "/", 0, MS.MS_MOVE, 0], step: "move the root over the initramfs" },
    { call: "chroot", args: ["."], step: "change into the root" },
  ];
}

/**
 * Lets go of the old root and everything mounted below it. After the mount of proc: in a user namespace the kernel
 * allows that only while another proc is in sight.
 */
export function leaveOldRoot(facts: Facts): Op[] {
  const enter: Op = { call: "chdir", args: ["/"], step: "enter the new root" };
  if (facts.onRootfs) return [enter];
  return [enter, { call: "umount2", args: [".", MNT.MNT_DETACH], step: "let go of the old root" }, enter];
}
