/** Options about what init starts with, and how it ends. */
import { usageError } from "../../spec/error.ts";
import { show } from "../../sys/bytes.ts";
import type { Flag } from "./flag.ts";

export const processFlags: readonly Flag[] = [
  {
    name: "workdir",
    short: "w",
    kind: "value",
    hint: "DIR",
    help: "INIT's working directory, inside NEWROOT",
    apply: ({ spec }, value, option) => {
      if (!value.startsWith("/")) throw usageError(`${option}: '${show(value)}' is not an absolute path`);
      spec.process.workdir = value;
    },
  },
];
