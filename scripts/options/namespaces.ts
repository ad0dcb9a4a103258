/** Examples of the options in src/cli/flags/namespaces.ts. */
import type { Examples } from "./example.ts";

export const namespaceExamples: Examples = {
  hostname: {
    text: "The container has a name of its own.",
    command: "ns --hostname box [-u] - ROOT /bin/hostname [UID GID]",
    prints: "box",
  },
};
