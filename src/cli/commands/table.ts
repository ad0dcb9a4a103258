/**
 * The one table of commands: a new one is a file here that exports its row, and a line below. All are imported at once
 * (by import() the bundle would break into pieces), so a command's file does nothing until it is called.
 */
import type { Bytes } from "../../sys/bytes.ts";
import { batch } from "./batch.ts";
import { check } from "./check.ts";
import type { Command } from "./command.ts";
import { completions } from "./completions.ts";
import { freezeCommand } from "./freeze.ts";
import { proveCommand } from "./prove.ts";
import { tryCommand } from "./try.ts";

/** In the order of the help. */
export const COMMANDS: readonly Command[] = [
  batch,
  check,
  completions,
  freezeCommand,
  proveCommand,
  tryCommand,
];

/** The command that a line begins with; a PRE, which it might begin with otherwise, is an absolute path or -. */
export const commandNamed = (name: Bytes | undefined): Command | undefined => {
  if (name === undefined || name.startsWith("-") || name.startsWith("/")) return undefined;
  for (const command of COMMANDS) if (command.name === name) return command;
  return undefined;
};
