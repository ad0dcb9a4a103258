/**
 * What a row of the table of commands (table.ts) is: `ns NAME` with its own options. Dispatch, help, completions and the
 * man page are made from the rows.
 */
import type { CommandLine } from "../argv.ts";
import type { Flag } from "../flags/flag.ts";

export interface Command {
  readonly name: string;
  /** one line for the lists of commands: lower case, no full stop */
  readonly summary: string;
  /** the whole line, from "ns NAME" on */
  readonly usage: string;
  /** what `ns NAME --help` says below the usage: paragraphs with an empty line between them, then the exit statuses */
  readonly text: string;
  /** its own options; a container's (below) come on top, and --help */
  readonly options: readonly Flag[];
  /** it is about a container: it takes all of ns's options */
  readonly container: boolean;
  /** options end with so many words: the rest are another command's, whatever they look like */
  readonly wordsAtMost?: number;
  /** what its operands are, for completions: words to choose from, files, or nothing that can be known */
  readonly operands?: readonly string[] | "files";
  /**
   * Runs it. @param line its options (`draft.own` for its own) and words @param commands the whole table
   * @returns the exit status @throws NsError
   */
  readonly run: (line: CommandLine, commands: readonly Command[]) => Promise<number> | number;
}

interface Row {
  readonly name: string;
  readonly short?: string;
  readonly help: string;
  readonly excludes?: readonly string[];
}

/** A switch of a command's own: `draft.own[name]` is true if it was given. */
export const ownSwitch = (row: Row): Flag => ({
  ...row,
  kind: "switch",
  commandOnly: true,
  apply: ({ own }) => {
    own[row.name] = true;
  },
});

/** An option of a command's own with a value, which is in `draft.own[name]` then. */
export const ownValue = (row: Row & { readonly hint: string }): Flag => ({
  ...row,
  kind: "value",
  commandOnly: true,
  apply: ({ own }, value) => {
    own[row.name] = value;
  },
});
