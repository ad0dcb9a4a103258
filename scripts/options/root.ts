/** Examples of the options in src/cli/flags/root.ts. */
import type { Examples } from "./example.ts";

export const rootExamples: Examples = {
  "read-only": {
    text: "Nothing in the root can be written.",
    command: "ns --read-only [-u] - ROOT /bin/sh [UID GID] -- -c 'touch /x 2>/dev/null || echo read-only'",
    prints: "read-only",
  },
};
