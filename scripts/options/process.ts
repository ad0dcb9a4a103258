/** Examples of the options in src/cli/flags/process.ts. */
import type { Examples } from "./example.ts";

export const processExamples: Examples = {
  workdir: {
    text: "Init begins in a directory of the root.",
    command: "ns -w /etc [-u] - ROOT /bin/pwd [UID GID]",
    prints: "/etc",
  },
};
