/** Examples of the options in src/cli/flags/limits.ts. */
import type { Examples } from "./example.ts";

export const limitExamples: Examples = {
  memory: {
    text: "A limit of 64 MiB; the cgroup that has it is the root of what init sees.",
    command: "ns -m 64M - ROOT /bin/sh -- -c 'echo limited'",
    prints: "limited",
    root: true,
  },
};
