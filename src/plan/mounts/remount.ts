/**
 * Flags of a whole tree of mounts on kernels that cannot set them at once (before Linux 5.12): one remount for each mount
 * that the parent has found, keeping what it has already.
 */
import type { MountFlags, Submount } from "../../spec/mounts.ts";
import { show } from "../../sys/bytes.ts";
import { MS, O } from "../../sys/constants.ts";
import { components } from "../inside.ts";
import { type Arg, type Op, slot } from "../op.ts";

/** A number that no other descriptor of the child has: its own are counted from 3. */
const NUMBER = 300;

const { MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REMOUNT } = MS;

function wanted({ readOnly, nosuid, nodev, noexec }: MountFlags): number {
  return (
    (readOnly ? MS_RDONLY : 0) | (nosuid ? MS_NOSUID : 0) | (nodev ? MS_NODEV : 0) | (noexec ? MS_NOEXEC : 0)
  );
}

/**
 * @param tree a descriptor of the tree, which is mounted by now
 * @param below its mounts
 * @param where before the pivot the host's /proc names descriptors; after it the fresh one, by its descriptor, and / is
 * the working directory again afterwards
 */
export function remountWalk(
  tree: Arg,
  below: readonly Submount[],
  { flags, recursive }: { readonly flags: MountFlags; readonly recursive: boolean },
  where: "host" | "inside",
): Op[] {
  const set = wanted(flags);
  if (set === 0) return [];
  const mounts = recursive ? below : below.filter(({ path }) => path === "");
  const step = "protect what is mounted";
  const inside = where === "inside";
  const name = inside ? `self/fd/${NUMBER}` : `/proc/self/fd/${NUMBER}`;
  const ops: Op[] = inside ? [{ call: "fchdir", args: [slot("procTree")], step }] : [];
  for (const { path, flags: has } of mounts) {
    let from = tree;
    const names = components(path);
    names.forEach((part, i) => {
      const directory = i < names.length - 1 ? O.O_DIRECTORY : 0;
      const how = O.O_PATH | O.O_NOFOLLOW | O.O_CLOEXEC | directory;
      ops.push({
        call: "openat",
        args: [from, part, how, 0],
        step: `find the mount ${show(path)}`,
        save: "target",
      });
      from = slot("target");
    });
    ops.push(
      { call: "dup3", args: [from, NUMBER, O.O_CLOEXEC], step },
      { call: "mount", args: [0, name, 0, MS_REMOUNT | MS_BIND | set | has, 0], step },
    );
  }
  ops.push({ call: "close", args: [NUMBER], step });
  if (inside) ops.push({ call: "chdir", args: ["/"], step: "enter the new root" });
  return ops;
}
