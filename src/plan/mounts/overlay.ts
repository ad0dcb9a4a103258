/**
 * Overlays: directories over one another, and where what is written goes. Made before the pivot, while the host's
 * directories can be reached, as a tree that is nowhere yet.
 */
import type { Facts, Spec } from "../../spec/spec.ts";
import type { Sources } from "../../spec/mounts.ts";
import type { Bytes } from "../../sys/bytes.ts";
import { AT_FDCWD, MNT, MOUNT_ATTR, MOVE_MOUNT, O } from "../../sys/constants.ts";
import { type Arg, type Op, type Slot, slot } from "../op.ts";
import { closing, newTree } from "./attach.ts";

export interface Layers {
  /** trees that are nowhere yet, the topmost first */
  readonly lower: readonly Arg[];
  /** where changes go: memory, two directories on one file system of the host's, or nowhere (it is read-only then) */
  readonly changes: { readonly to: "memory"; readonly size: bigint | null } | Sources["changes"];
}

const { MOVE_MOUNT_F_EMPTY_PATH } = MOVE_MOUNT;
const { MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC } = MOUNT_ATTR;

/**
 * Makes an overlay. overlayfs takes its directories by name, so they get names without anything to escape, in a tmpfs over
 * the working directory that is taken away again; what is written to memory goes there too. The working directory stays.
 */
export function overlayTree(
  spec: Spec,
  facts: Facts,
  { lower, changes }: Layers,
  attributes: number,
  save: Slot,
  step: string,
): Op[] {
  const memory = changes !== null && "to" in changes ? changes : null;
  const directory = (name: string): Op => ({ call: "mkdirat", args: [AT_FDCWD, name, 0o755], step });
  const size: [string, string][] =
    memory !== null && memory.size !== null ? [["size", `${memory.size}`]] : [];
  const own = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const names = lower.map((_, i) => `lower${i}`);
  // the kernel wants two where nothing can be written
  const empty = changes === null && lower.length === 1 ? ["empty"] : [];
  const options: [string, Bytes | null][] = [["lowerdir", [...names, ...empty].join(":")]];
  if (changes !== null) {
    const [upper, work] = "to" in changes ? ["upper", "work"] : [changes.upper, changes.work.path];
    options.push(["upperdir", upper!], ["workdir", work!]);
    // an overlay's own notes are attributes that only real root may write
    if (spec.user !== null || !facts.capabilities.sysAdmin) options.push(["userxattr", null]);
    const { changes: wanted } = spec.rootfs;
    if (memory === null && wanted?.to === "directory" && wanted.alone === true)
      options.push(["redirect_dir", "nofollow"], ["metacopy", "off"]);
  }
  return [
    { call: "umask", args: [0o022], step },
    { call: "openat", args: [AT_FDCWD, ".", O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0], step, save: "here" },
    ...newTree("tmpfs", [["mode", "0755"], ...size], own, "memory", step),
    { call: "move_mount", args: [slot("memory"), "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH], step },
    { call: "fchdir", args: [slot("memory")], step },
    ...[...names, ...empty].map(directory),
    ...lower.flatMap((tree, i): Op[] => [
      { call: "move_mount", args: [tree, "", AT_FDCWD, names[i]!, MOVE_MOUNT_F_EMPTY_PATH], step },
      closing(tree, step),
    ]),
    ...(memory !== null ? [directory("upper"), directory("work")] : []),
    ...newTree("overlay", options, attributes, save, step),
    { call: "umount2", args: [".", MNT.MNT_DETACH], step },
    { call: "fchdir", args: [slot("here")], step },
    closing(slot("here"), step),
    closing(slot("memory"), step),
  ];
}
