/** Examples of the options in src/cli/flags/ids.ts. */
import type { Examples } from "./example.ts";

export const idExamples: Examples = {
  user: {
    text: "As an ordinary user: root inside is yourself outside.",
    command: "ns -u - ROOT /usr/bin/id UID GID -- -u",
    prints: "0",
  },
};
