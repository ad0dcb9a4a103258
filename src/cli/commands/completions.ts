/** `ns completions SHELL`: what makes a shell complete ns's commands, options and values, on standard output. */
import { usageError } from "../../spec/error.ts";
import { show } from "../../sys/bytes.ts";
import type { CommandLine } from "../argv.ts";
import { bash } from "../completions/bash.ts";
import { fish } from "../completions/fish.ts";
import { zsh } from "../completions/zsh.ts";
import { print } from "../print.ts";
import type { Command } from "./command.ts";

/** By the shell's name. */
export const SHELLS: Readonly<Record<string, (commands: readonly Command[]) => string>> = { bash, zsh, fish };

function run({ positionals, args }: CommandLine, commands: readonly Command[]): number {
  const [shell, more] = [...positionals, ...args];
  const known = Object.keys(SHELLS).join(", ");
  if (shell === undefined || more !== undefined) throw usageError(`ns completions takes one shell: ${known}`);
  if (!Object.hasOwn(SHELLS, shell)) throw usageError(`'${show(shell)}' is not one of ${known}`);
  print(SHELLS[shell]!(commands));
  return 0;
}

export const completions: Command = {
  name: "completions",
  summary: "what makes bash, zsh or fish complete ns's options",
  usage: "ns completions bash|zsh|fish",
  text: `Prints a script for the shell. To have it in every new one:

  ns completions bash >~/.local/share/bash-completion/completions/ns
  ns completions zsh >~/.zfunc/_ns                (a directory of fpath)
  ns completions fish >~/.config/fish/completions/ns.fish

Exit status: 0; 125 it could not be written; 2 wrong usage.`,
  options: [],
  container: false,
  operands: ["bash", "zsh", "fish"],
  run,
};
