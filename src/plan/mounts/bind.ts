/**
 * What is bound from the host: taken before the pivot as a tree that is nowhere yet, and mounted onto a descriptor after it.
 * A frozen start does not know what a source is, nor, with --bind-try, whether it is there: its child looks. Used by user.ts.
 */
import type { Bind, Found } from "../../spec/mounts.ts";
import type { Facts } from "../../spec/spec.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import { AT_FDCWD, O, OPEN_TREE, S_IFREG } from "../../sys/constants.ts";
import { openInside } from "../inside.ts";
import { type Arg, type Op, type Slot, slot } from "../op.ts";
import { attach, attributesOf, closing, lastName, makeParent, makeTarget, setAttributes } from "./attach.ts";
import { remountWalk } from "./remount.ts";

export const treeOf = (index: number): Slot => `tree${index}`;
/** Above 0 if the source is a directory, by what a frozen start's child has seen. */
const directoryOf = (index: number): Slot => `directory${index}`;

/** What is said of a mount: "mount tmpfs on /tmp". */
export const stepOf = (what: Bytes, target: Bytes): string => `mount ${show(what)} on ${show(target)}`;

/** From where a name leads: a frozen start has opened where it was started as `start`. */
const fromOf = ({ path, isDirectory }: Found): Arg =>
  isDirectory === null && !path.startsWith("/") ? slot("start") : AT_FDCWD;

/** A tree of mounts from the host: the parent's, or taken by name and kept as `save`. */
export function takeTree(found: Found, recursive: boolean, save: Slot): { ops: Op[]; tree: Arg } {
  const { path, descriptor } = found;
  if (descriptor !== null) return { ops: [], tree: descriptor };
  const { OPEN_TREE_CLONE, AT_RECURSIVE, OPEN_TREE_CLOEXEC } = OPEN_TREE;
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  const step = `take ${show(path)} from the host`;
  return { ops: [{ call: "open_tree", args: [fromOf(found), path, flags], step, save }], tree: slot(save) };
}

/** With --bind-try these are left out if the source is not there. */
const ifThere = (ops: readonly Op[], { optional }: Bind, index: number): Op[] =>
  ops.map((op) => (optional && op.onlyIf === undefined ? { ...op, onlyIf: treeOf(index) } : op));

/** By the name, as its last part need not be searched then; what is swapped meanwhile fails to be mounted. */
function lookAtKind(found: Found, index: number): Op[] {
  const step = `look at ${show(found.path)} on the host`;
  const flags = O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC;
  const save = directoryOf(index);
  return [
    {
      call: "openat",
      args: [fromOf(found), found.path, flags, 0],
      step,
      save,
      fine: ["ENOTDIR"],
    },
    { ...closing(slot(save), step), onlyIf: save },
  ];
}

/** Before the pivot. */
export function openBind(mount: Bind, found: Found, facts: Facts, index: number): Op[] {
  const { ops, tree } = takeTree(found, mount.recursive, treeOf(index));
  const attributes = attributesOf(mount.flags);
  const protect =
    attributes === 0 || !facts.kernel.mountSetattr
      ? []
      : [setAttributes(tree, attributes, mount.recursive, `protect ${show(found.path)}`)];
  if (found.isDirectory !== null) return [...ops, ...protect];
  return [
    ...ops.map((op): Op => (mount.optional ? { ...op, fine: ["ENOENT"] } : op)),
    ...ifThere([...protect, ...lookAtKind(found, index)], mount, index),
  ];
}

/** Opens a place for a file or directory, whichever the source is, as `target`; it is made as that where it is missing. */
function makeEither(facts: Facts, { target }: Bind, index: number): Op[] {
  const step = `make ${show(target)} in the root`;
  const name = lastName(target);
  const parent = slot("parent");
  const directory: Op = { call: "mkdirat", args: [parent, name, 0o755], step, fine: ["EEXIST"] };
  const open = (flags: number): Op =>
    openInside(facts, target, flags, "target", `open ${show(target)} in the root`)[0]!; // openat2 is there
  return [
    ...makeParent(facts, target),
    { ...directory, onlyIf: directoryOf(index) },
    // what is there by now, as a directory also for a file, is opened below
    { call: "mknodat", args: [parent, name, S_IFREG | 0o644, 0], step, fine: ["EEXIST"] },
    closing(parent, step),
    { ...open(O.O_DIRECTORY), onlyIf: directoryOf(index), skipNext: true },
    open(0),
  ];
}

/** After the pivot. */
export function bindMount(mount: Bind, found: Found | undefined, facts: Facts, index: number): Op[] {
  if (found === undefined) return []; // --bind-try
  const { target } = mount;
  const tree = found.descriptor ?? slot(treeOf(index));
  const step = stepOf(found.path, target);
  if (found.isDirectory === null)
    return ifThere(
      [...makeEither(facts, mount, index), ...attach(tree, step), closing(tree, step)],
      mount,
      index,
    );
  const walk = facts.kernel.mountSetattr ? [] : remountWalk(tree, found.below, mount, "inside");
  return [
    ...makeTarget(facts, target, found.isDirectory ? "directory" : "file"),
    ...attach(tree, step),
    ...walk,
    closing(tree, step),
  ];
}
