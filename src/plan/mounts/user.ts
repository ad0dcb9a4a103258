/**
 * What the user wants mounted and made in the container, in the order given. What comes from the host is opened before the
 * pivot, as trees that are nowhere yet; after it they are mounted onto descriptors of places inside the root.
 */
import type { CopiedFile, Found, Mount, Sources, Symlink, Tmpfs } from "../../spec/mounts.ts";
import type { Facts, Spec } from "../../spec/spec.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import { O } from "../../sys/constants.ts";
import { type Op, slot } from "../op.ts";
import { attach, attributesOf, closing, lastName, makeParent, makeTarget, newTree } from "./attach.ts";
import { bindMount, openBind, stepOf, takeTree, treeOf } from "./bind.ts";
import { isKernelMount, kernelTree } from "./kernel.ts";
import { overlayTree } from "./overlay.ts";

/**
 * Before the pivot, with mounts private: what comes from the host, and what the kernel gives a user namespace only while
 * another of its kind is in sight.
 */
export function openSources(spec: Spec, facts: Facts, sources: Sources): Op[] {
  const ops: Op[] = [];
  spec.mounts.forEach((mount, index) => {
    const found = sources.mounts[index] ?? [];
    if (mount.type === "bind" && found.length > 0) ops.push(...openBind(mount, found[0]!, facts, index));
    if (isKernelMount(mount))
      ops.push(...kernelTree(mount, spec, treeOf(index), stepOf(mount.type, mount.target)));
    if (mount.type !== "overlay") return;
    const taken = found.map((layer, i) => takeTree(layer, false, `layer${i}`));
    const layers = {
      lower: taken.map(({ tree }) => tree),
      // of one directory alone, read-only, the kernel makes no overlay
      changes: mount.flags.readOnly && found.length > 1 ? null : ({ to: "memory", size: null } as const),
    };
    ops.push(
      ...taken.flatMap((layer) => layer.ops),
      ...overlayTree(
        spec,
        facts,
        layers,
        attributesOf(mount.flags),
        treeOf(index),
        stepOf("overlay", mount.target),
      ),
    );
  });
  return ops;
}

function mountTree(facts: Facts, target: Bytes, tree: readonly Op[], index: number, step: string): Op[] {
  return [
    ...makeTarget(facts, target, "directory"),
    ...tree,
    ...attach(slot(treeOf(index)), step),
    closing(slot(treeOf(index)), step),
  ];
}

function tmpfsTree({ flags, mode, size, target }: Tmpfs, index: number): Op[] {
  const options: [string, string][] = [["mode", `0${mode.toString(8)}`]];
  if (size !== null) options.push(["size", `${size}`]);
  return newTree("tmpfs", options, attributesOf(flags), treeOf(index), stepOf("tmpfs", target));
}

/** Replaces a link, and nothing but a link. */
function makeLink({ target, content }: Symlink, facts: Facts): Op[] {
  const step = `make the link ${show(target)} in the root`;
  const parent = slot("parent");
  const name = lastName(target);
  const buffer = { memory: new Uint8Array(1), means: "" };
  return [
    ...makeParent(facts, target),
    // EINVAL: it is there and no link
    { call: "readlinkat", args: [parent, name, buffer, 1], step, fine: ["ENOENT"] },
    { call: "unlinkat", args: [parent, name, 0], step, fine: ["ENOENT"] },
    { call: "symlinkat", args: [content, parent, name], step },
    closing(parent, step),
  ];
}

/** Makes the file anew: what lies there may be a device, a pipe or a link to somewhere. */
function copyFile({ target }: CopiedFile, { descriptor, size }: Found, facts: Facts): Op[] {
  const step = `write ${show(target)} in the root`;
  const parent = slot("parent");
  const name = lastName(target);
  const flags = O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_NOFOLLOW | O.O_CLOEXEC;
  return [
    ...makeParent(facts, target),
    { call: "unlinkat", args: [parent, name, 0], step, fine: ["ENOENT"] },
    { call: "openat", args: [parent, name, flags, 0o644], step, save: "target" },
    // the second is for the error when the first came to the end of the disk
    { call: "sendfile", args: [slot("target"), descriptor!, 0, size], step },
    { call: "sendfile", args: [slot("target"), descriptor!, 0, size], step },
    closing(slot("target"), step),
    closing(parent, step),
    closing(descriptor!, step),
  ];
}

function mountOps(mount: Mount, found: readonly Found[], facts: Facts, index: number): Op[] {
  const { target } = mount;
  switch (mount.type) {
    case "bind":
      return bindMount(mount, found[0], facts, index);
    case "tmpfs":
      return mountTree(facts, target, tmpfsTree(mount, index), index, stepOf("tmpfs", target));
    case "overlay":
      return mountTree(facts, target, [], index, stepOf("overlay", target));
    case "symlink":
      return makeLink(mount, facts);
    case "directory":
      return [...makeTarget(facts, target, "directory"), closing(slot("target"), "close the directory")];
    case "file":
      return copyFile(mount, found[0]!, facts);
    default:
      return mountTree(facts, target, [], index, stepOf(mount.type, target));
  }
}

/** In the new root, which is the working directory, when the old one is gone. */
export function userMounts(spec: Spec, facts: Facts, sources: Sources): Op[] {
  if (spec.mounts.length === 0) return [];
  return [
    { call: "umask", args: [0o022], step: "set the umask" },
    ...spec.mounts.flatMap((mount, index) => mountOps(mount, sources.mounts[index] ?? [], facts, index)),
  ];
}
