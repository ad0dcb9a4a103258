/** Options about what NEWROOT is and who may write to it. */
import { parseChanges } from "../../spec/rootfs.ts";
import { parseSize } from "../../spec/size.ts";
import type { Flag } from "./flag.ts";

export const rootFlags: readonly Flag[] = [
  {
    name: "read-only",
    kind: "switch",
    help: "nothing in NEWROOT can be written, nor in what is mounted below it",
    excludes: ["ephemeral"],
    apply: ({ spec }) => {
      spec.rootfs.readOnly = true;
    },
  },
  {
    name: "ephemeral",
    kind: "optional",
    hint: "SIZE",
    help: "what is written to NEWROOT goes to memory, SIZE at most, and is gone afterwards",
    excludes: ["overlay"],
    apply: ({ spec }, value, option) => {
      const size = value === null ? null : parseSize(value, option);
      spec.rootfs.changes = { to: "memory", size };
    },
  },
  {
    name: "overlay",
    kind: "value",
    hint: "UPPER[:WORK]",
    help: "what is written to NEWROOT goes to the directory UPPER; WORK is for the kernel",
    apply: ({ spec }, value, option) => {
      spec.rootfs.changes = parseChanges(value, option);
    },
  },
  {
    name: "image",
    kind: "value",
    hint: "FILE",
    help: "NEWROOT is a directory in this image of a file system (squashfs, erofs, ext4) or a disk (partition 1), read-only",
    apply: ({ spec }, value) => {
      spec.rootfs.image = value;
    },
  },
];
