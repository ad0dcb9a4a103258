/** Options that limit what the container may use. */
import { parseSize } from "../../spec/size.ts";
import type { Flag } from "./flag.ts";

export const limitFlags: readonly Flag[] = [
  {
    name: "memory",
    short: "m",
    kind: "value",
    hint: "SIZE",
    help: "limit memory, without swap on top: bytes, or with k, M, G, T (powers of 1024)",
    apply: ({ spec }, value, option) => {
      spec.limits.memory = parseSize(value, option);
    },
  },
];
