/** The new root: bind it, pivot into it, and later let go of the old one. */
import type { Sources } from "../../spec/mounts.ts";
import { isOverlay } from "../../spec/rootfs.ts";
import type { Facts, Spec } from "../../spec/spec.ts";
import type { Bytes } from "../../sys/bytes.ts";
import { AT_FDCWD, F, MOUNT_ATTR, MNT, MOVE_MOUNT, MS, OPEN_TREE } from "../../sys/constants.ts";
import { type Op, slot } from "../op.ts";
import { setAttributes } from "./attach.ts";
import { takeTree } from "./bind.ts";
import { type Layers, overlayTree } from "./overlay.ts";
import { remountWalk } from "./remount.ts";

/** Nothing that is mounted from here on is seen outside, nor the other way round. */
export const isolateMounts = (): Op => ({
  call: "mount",
  args: [0, "/", 0, MS.MS_REC | MS.MS_PRIVATE, 0],
  step: "make mounts private",
});

/**
 * Is the root an overlay? In a user namespace an image always is: a mount that the parent made could be changed there, by
 * a remount, and let devices in the image work. An overlay that the namespace itself has made has no devices, ever.
 */
const rootIsOverlay = ({ rootfs, user }: Spec): boolean =>
  isOverlay(rootfs) || (rootfs.image !== null && user !== null);

const READ_ONLY = { readOnly: true, nosuid: false, nodev: false, noexec: false };

/**
 * Binds the working directory, which the parent has made NEWROOT and the clone has carried into the new mount
 * namespace, and enters the bind. No path is looked up: NEWROOT is the directory that was checked, whatever its name
 * has come to mean since.
 * @param path where NEWROOT is, for kernels that cannot mount onto descriptors
 * @param tree descriptor of NEWROOT as a detached tree, if the parent has made one; it is closed
 */
export function bindRoot(spec: Spec, facts: Facts, path: Bytes, sources: Sources, tree?: number): Op[] {
  const step = "bind the root";
  if (!facts.kernel.mountDescriptors)
    return [
      { call: "mount", args: [".", ".", 0, MS.MS_BIND | MS.MS_REC, 0], step },
      { call: "chdir", args: [path], step: "enter the root" },
    ];
  const { OPEN_TREE_CLONE, AT_RECURSIVE, OPEN_TREE_CLOEXEC } = OPEN_TREE;
  const { image } = spec.rootfs;
  const readOnly = spec.rootfs.readOnly && image === null; // an image is anyway
  const overlay = rootIsOverlay(spec);
  const atOnce = facts.kernel.mountSetattr;
  return [
    // the working directory is in the image, which is not mounted yet: it goes over /, out of everybody's way
    ...(image === null ? [] : [{ call: "chdir", args: ["/"], step } as const]),
    tree === undefined
      ? {
          call: "open_tree",
          // an overlay shows its directories' own file systems and not what is mounted below them
          args: [AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (overlay ? 0 : AT_RECURSIVE)],
          step: overlay ? "take the root without what is mounted below it" : step,
          save: overlay ? "layer0" : "root",
        }
      : {
          call: "fcntl",
          args: [tree, F.F_DUPFD_CLOEXEC, 0],
          step,
          save: overlay ? "layer0" : "root",
        },
    ...(tree === undefined ? [] : [{ call: "close", args: [tree], step } as const]),
    ...(overlay ? overlayRoot(spec, facts, sources) : []),
    ...(readOnly && !overlay && atOnce
      ? [setAttributes(slot("root"), MOUNT_ATTR.MOUNT_ATTR_RDONLY, true, "make the root read-only")]
      : []),
    {
      call: "move_mount",
      args: [slot("root"), "", AT_FDCWD, ".", MOVE_MOUNT.MOVE_MOUNT_F_EMPTY_PATH],
      step: "mount the root",
    },
    ...(readOnly && !overlay && !atOnce
      ? remountWalk(slot("root"), sources.root[0]?.below ?? [], { flags: READ_ONLY, recursive: true }, "host")
      : []),
    { call: "fchdir", args: [slot("root")], step: "enter the root" },
  ];
}

/** The root as an overlay over NEWROOT, whose tree is layer0 already, and what else lies below it. */
function overlayRoot(spec: Spec, facts: Facts, sources: Sources): Op[] {
  const { readOnly, changes, image } = spec.rootfs;
  const below = sources.root.slice(1).map((found, i) => takeTree(found, false, `layer${i + 1}`));
  const lower = [slot("layer0"), ...below.map(({ tree }) => tree)];
  const { MOUNT_ATTR_RDONLY, MOUNT_ATTR_NODEV } = MOUNT_ATTR;
  const attributes = (readOnly ? MOUNT_ATTR_RDONLY : 0) | (image === null ? 0 : MOUNT_ATTR_NODEV);
  const layers: Layers = { lower, changes: changes?.to === "memory" ? changes : sources.changes };
  return [
    ...below.flatMap(({ ops }) => ops),
    ...overlayTree(spec, facts, layers, attributes, "root", "make the root's overlay"),
  ];
}

/**
 * Makes the working directory the root. pivot_root(".", ".") needs no directory for the old root: it ends up stacked on
 * the new one, until leaveOldRoot() (pivot_root(2), NOTES). The kernel refuses that on an initramfs; there the new root
 * is moved over the old, which nothing can reach any more, as switch_root(8) does.
 */
export function pivotRoot({ rootfs }: Spec, facts: Facts): Op[] {
  if (!facts.onRootfs) return [{ call: "pivot_root", args: [".", "."], step: "pivot into the root" }];
  const move: Op = {
    call: "mount",
    args: [".", "/", 0, MS.MS_MOVE, 0],
    step: "move the root over the initramfs",
  };
  return [
    ...(rootfs.image === null ? [move] : []), // an image is mounted there
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
