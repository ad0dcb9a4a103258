/** File systems that are views of the kernel's: proc, sysfs, devpts, mqueue, cgroup. */
import { KERNEL_MOUNTS, type KernelMount, type Mount } from "../../spec/mounts.ts";
import type { Spec } from "../../spec/spec.ts";
import type { Bytes } from "../../sys/bytes.ts";
import type { Op, Slot } from "../op.ts";
import { attributesOf, newTree } from "./attach.ts";

const TTY = "5";

export const isKernelMount = (mount: Mount): mount is KernelMount =>
  (KERNEL_MOUNTS as readonly string[]).includes(mount.type);

/** The name that the kernel has for it, and its options. */
export function kernelOptions(
  type: KernelMount["type"],
  spec: Spec,
): readonly (readonly [string, Bytes | null])[] {
  if (type !== "devpts") return [];
  return [
    ["newinstance", null],
    ["ptmxmode", "0666"],
    ["mode", "0620"],
    // the group tty; with a user namespace it may have no id inside
    ...(spec.user === null ? [["gid", TTY] as const] : []),
  ];
}

/** The file system as a tree that is nowhere yet. */
export function kernelTree(mount: KernelMount, spec: Spec, save: Slot, step: string): Op[] {
  const name = mount.type === "cgroup" ? "cgroup2" : mount.type;
  return newTree(name, kernelOptions(mount.type, spec), attributesOf(mount.flags), save, step);
}
