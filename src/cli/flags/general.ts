/** Options that say what ns itself does. */
import type { Flag } from "./flag.ts";

export const generalFlags: readonly Flag[] = [
  {
    name: "config",
    short: "c",
    kind: "value",
    hint: "FILE|-",
    commandOnly: true,
    help: "take options, PRE, NEWROOT and INIT from this JSON file (-: standard input); what the line says is added",
    apply: () => {}, // before all others: cli/config.ts
  },
  {
    name: "verbose",
    short: "v",
    kind: "switch",
    commandOnly: true,
    help: "say each step on standard error",
    apply: (draft) => {
      draft.verbose = true;
    },
  },
  {
    name: "dry-run",
    kind: "switch",
    commandOnly: true,
    help: "print every system call of the plan and run nothing",
    apply: (draft) => {
      draft.dryRun = true;
    },
  },
  {
    name: "help",
    short: "h",
    kind: "switch",
    commandOnly: true,
    help: "print this help",
    apply: (draft) => {
      draft.help = true;
    },
  },
  {
    name: "version",
    kind: "switch",
    commandOnly: true,
    help: "print version, build, target and Bun's version",
    apply: (draft) => {
      draft.version = true;
    },
  },
];
