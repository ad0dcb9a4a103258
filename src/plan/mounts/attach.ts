/**
 * The pieces that mounts are made of: a new file system as a tree that is nowhere yet, its flags, and the way to a place
 * inside the root, which is made where it is missing. Used by the other files in this folder.
 */
import type { MountFlags } from "../../spec/mounts.ts";
import type { Facts } from "../../spec/spec.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import {
  AT_EMPTY_PATH,
  FSCONFIG,
  FSOPEN,
  MOUNT_ATTR,
  MOVE_MOUNT,
  O,
  OPEN_TREE,
  S_IFREG,
} from "../../sys/constants.ts";
import { components, openInside } from "../inside.ts";
import { type Arg, type Op, type Slot, slot } from "../op.ts";

/** MOUNT_ATTR_ flags. */
export function attributesOf({ readOnly, nosuid, nodev, noexec }: MountFlags): number {
  let attributes = 0;
  if (readOnly) attributes |= MOUNT_ATTR.MOUNT_ATTR_RDONLY;
  if (nosuid) attributes |= MOUNT_ATTR.MOUNT_ATTR_NOSUID;
  if (nodev) attributes |= MOUNT_ATTR.MOUNT_ATTR_NODEV;
  if (noexec) attributes |= MOUNT_ATTR.MOUNT_ATTR_NOEXEC;
  return attributes;
}

const namesOf = (attributes: number): string =>
  Object.entries(MOUNT_ATTR)
    .filter(([, bit]) => (attributes & bit) !== 0)
    .map(([name]) => name)
    .join("|");

/** Sets flags of a tree of mounts, all of it if `recursive` (mount_setattr(2), Linux 5.12). */
export function setAttributes(tree: Arg, attributes: number, recursive: boolean, step: string): Op {
  const memory = new Uint8Array(32); // struct mount_attr: what to set comes first
  new DataView(memory.buffer).setUint32(0, attributes, true);
  const flags = AT_EMPTY_PATH | (recursive ? OPEN_TREE.AT_RECURSIVE : 0);
  const means = `{attr_set=${namesOf(attributes)}}`;
  return { call: "mount_setattr", args: [tree, "", flags, { memory, means }, memory.length], step };
}

/** A new file system as a tree that is nowhere yet. @param options what fsconfig(2) sets; null: a word without value */
export function newTree(
  type: string,
  options: readonly (readonly [string, Bytes | null])[],
  attributes: number,
  save: Slot,
  step: string,
): Op[] {
  const { FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE } = FSCONFIG;
  const context = slot("context");
  return [
    { call: "fsopen", args: [type, FSOPEN.FSOPEN_CLOEXEC], step, save: "context" },
    ...[["source", type] as const, ...options].map(
      ([name, value]): Op => ({
        call: "fsconfig",
        args: [context, value === null ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, name, value ?? 0, 0],
        step: value === null ? step : `${step} with ${name}=${show(value)}`,
      }),
    ),
    { call: "fsconfig", args: [context, FSCONFIG_CMD_CREATE, 0, 0, 0], step },
    { call: "fsmount", args: [context, FSOPEN.FSOPEN_CLOEXEC, attributes], step, save },
    closing(context, step),
  ];
}

export const closing = (descriptor: Arg, step: string): Op => ({ call: "close", args: [descriptor], step });

/** What a missing place is made as. */
export type Kind = "directory" | "file" | "nothing";

/**
 * The directory that a path inside is in, kept open as `parent`, and those above it, all made where they are missing. A
 * link on the way is followed inside the root; nothing is made through one that leads to nothing. The working directory is
 * the root.
 */
export function makeParent(facts: Facts, path: Bytes): Op[] {
  const names = components(path);
  const ops = openInside(facts, "/", O.O_DIRECTORY, "parent", "open the root");
  for (let i = 1; i < names.length; i++) {
    const above = `/${names.slice(0, i).join("/")}`;
    const step = `make the directory ${show(above)} in the root`;
    ops.push(
      { call: "mkdirat", args: [slot("parent"), names[i - 1]!, 0o755], step, fine: ["EEXIST"] },
      closing(slot("parent"), step),
      ...openInside(facts, above, O.O_DIRECTORY, "parent", `enter ${show(above)} in the root`),
    );
  }
  return ops;
}

/** The last name of a path inside. */
export const lastName = (path: Bytes): Bytes => components(path).pop()!;

/** Opens a place to mount on as `target`, made where it is missing. */
export function makeTarget(facts: Facts, path: Bytes, kind: Exclude<Kind, "nothing">): Op[] {
  const step = `make the ${kind} ${show(path)} in the root`;
  const name = lastName(path);
  return [
    ...makeParent(facts, path),
    kind === "directory"
      ? { call: "mkdirat", args: [slot("parent"), name, 0o755], step, fine: ["EEXIST"] }
      : { call: "mknodat", args: [slot("parent"), name, S_IFREG | 0o644, 0], step, fine: ["EEXIST"] },
    closing(slot("parent"), step),
    ...openInside(
      facts,
      path,
      kind === "directory" ? O.O_DIRECTORY : 0,
      "target",
      `open ${show(path)} in the root`,
    ),
  ];
}

/** Mounts a tree on the place that is open as `target`. */
export function attach(tree: Arg, step: string): Op[] {
  const flags = MOVE_MOUNT.MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT.MOVE_MOUNT_T_EMPTY_PATH;
  return [
    { call: "move_mount", args: [tree, "", slot("target"), "", flags], step },
    closing(slot("target"), step),
  ];
}
