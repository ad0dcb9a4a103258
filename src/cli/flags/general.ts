/** Options that say what ns itself does. */
import { parseOwnDescriptor } from "../../spec/process.ts";
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
    name: "status-fd",
    kind: "value",
    hint: "N",
    commandOnly: true,
    excludes: ["status-file"],
    help: "write a line of JSON to descriptor N when INIT runs and when it has ended (docs/status.md)",
    apply: (draft, value, option) => {
      draft.status = { fd: parseOwnDescriptor(value, option) };
    },
  },
  {
    name: "status-file",
    kind: "value",
    hint: "FILE",
    commandOnly: true,
    help: "the same into FILE, which is made or emptied",
    apply: (draft, value) => {
      draft.status = { file: value };
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
