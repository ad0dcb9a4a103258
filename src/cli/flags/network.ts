/** Options about the container's network. */
import type { Flag } from "./flag.ts";

export const networkFlags: readonly Flag[] = [
  {
    name: "network",
    short: "n",
    kind: "switch",
    help: "a network namespace of its own; its loopback is up, the rest is PRE's",
    apply: ({ spec }) => {
      spec.network.mode = "new";
    },
  },
];
