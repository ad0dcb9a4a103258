/**
 * What the completions of all shells are made from: every option with the ways to write it and what its value may be. The
 * texts are the shells' own languages; the tables are the program's.
 */
import { type Choices, choicesOf } from "../choices.ts";
import type { Command } from "../commands/command.ts";
import type { Flag } from "../flags/flag.ts";
import { FLAGS, flagNamed } from "../flags/table.ts";

export interface Spoken {
  readonly name: string;
  readonly short: string | undefined;
  readonly kind: Flag["kind"];
  readonly help: string;
  readonly hint: string;
  readonly value: Choices | null;
}

const spoken = (flag: Flag): Spoken => ({
  name: flag.name,
  short: flag.short,
  kind: flag.kind,
  help: flag.help,
  hint: flag.kind === "switch" ? "" : flag.hint,
  value: flag.kind === "switch" ? null : choicesOf(flag.hint),
});

/** The options that a command takes; ns's own without one. */
export const optionsOf = (command?: Command): Spoken[] => {
  if (command === undefined) return FLAGS.map(spoken);
  const rest = command.container ? FLAGS : [flagNamed("help")!];
  return [...command.options, ...rest].map(spoken);
};

/** Does a word of its own follow the option? */
export const takesWord = ({ kind }: Spoken): boolean => kind === "value" || kind === "list";
