/** Completions for fish. */
import type { Command } from "../commands/command.ts";
import { optionsOf, type Spoken, takesWord } from "./spoken.ts";

const quoted = (text: string): string => `'${text.replace(/['\\]/g, "\\$&")}'`;

function line(option: Spoken, condition: string): string {
  const { name, short, help, value } = option;
  const words: string[] = ["complete -c ns", `-n ${quoted(condition)}`];
  if (short !== undefined) words.push(`-s ${short}`);
  words.push(`-l ${name}`);
  if (takesWord(option)) words.push(value!.isPath ? "-r -F" : "-x");
  if (value !== null && value.words.length > 0) words.push(`-a ${quoted(value.words.join(" "))}`);
  words.push(`-d ${quoted(help)}`);
  return words.join(" ");
}

export function fish(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const lines = commands.flatMap((one) => {
    const condition = `__ns_command ${one.name}`;
    const operands = Array.isArray(one.operands)
      ? [`complete -c ns -n ${quoted(condition)} -f -a ${quoted(one.operands.join(" "))}`]
      : [];
    return [...operands, ...optionsOf(one).map((option) => line(option, condition))];
  });
  return `# fish completion for ns; made by: ns completions fish
function __ns_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; and contains -- $words[2] $argv
end
function __ns_first
    test (count (commandline -opc)) -eq 1
end
${commands.map(({ name, summary }) => `complete -c ns -n __ns_first -a ${name} -d ${quoted(summary)}`).join("\n")}
${optionsOf()
  .map((option) => line(option, `not __ns_command ${names}`))
  .join("\n")}
${lines.join("\n")}`;
}
