/** Options about what NEWROOT is and who may write to it. */
import type { Flag } from "./flag.ts";

export const rootFlags: readonly Flag[] = [
  {
    name: "read-only",
    kind: "switch",
    help: "nothing in NEWROOT can be written, nor in what is mounted below it",
    apply: ({ spec }) => {
      spec.rootfs.readOnly = true;
    },
  },
];
