/** The help, from the flag table. citty renders the lists of options, one for each group. Loaded only when somebody asks for it. */
import { type ArgsDef, defineCommand, renderUsage } from "citty";
import type { Command } from "./commands/command.ts";
import type { Flag, Group } from "./flags/flag.ts";

const TEXT = `
Starts a root file system's init as an isolated container: in namespaces of its own, with NEWROOT as its root, a fresh
/proc, and nothing of the caller's but standard input, output and error.

  PRE      script to run on the host before INIT starts, with INIT's process id as its argument; - for none
  NEWROOT  directory that holds the root file system
  INIT     absolute path inside NEWROOT of what becomes process 1; ARGs are passed to it
  UID GID  with --user: what root inside is outside
`;

const STATUSES = `
Exit status: INIT's own; 128+N if signal N ended it; 124 its --timeout; 125 ns failed; 126 INIT cannot be executed;
127 INIT is not there; 2 wrong usage.

  sudo ns -m 1G -n /tmp/pre.sh /tmp/root /init.sh
  ns -u - /tmp/root /bin/sh $(id -u) $(id -g)
`;

const describe = (flag: Flag): string => (flag.kind === "list" ? `${flag.help} (repeatable)` : flag.help);

function cittyCommand(flags: readonly Flag[]) {
  const args: ArgsDef = {};
  for (const flag of flags) {
    const alias = flag.short === undefined ? {} : { alias: flag.short };
    args[flag.name] =
      flag.kind === "switch"
        ? { type: "boolean", description: flag.help, ...alias }
        : { type: "string", description: describe(flag), valueHint: flag.hint, ...alias };
  }
  return defineCommand({ meta: { name: "ns" }, args });
}

const colourful = (): boolean =>
  process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";

const INDENT = "  ";
/** Where the second column begins; a longer name has its text on the lines below it. */
const COLUMN = 30;
const WIDTH = 110;

/** The words in lines of at most so many characters. */
function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** citty's rows, in two columns of our own: its own are as wide as the longest name. */
async function rowsOf(
  flags: readonly Flag[],
  width: number,
  bold: (text: string) => string,
): Promise<string> {
  const lines = Bun.stripANSI(await renderUsage(cittyCommand(flags))).split("\n");
  const rows: string[] = [];
  for (const line of lines.slice(lines.findIndex((text) => text.startsWith("OPTIONS")) + 1)) {
    const match = /^ *(-\S.*?) {2,}(\S.*?) *$/.exec(line);
    if (match === null) continue;
    const name = match[1]!.startsWith("--") ? `    ${match[1]}` : match[1]!;
    const text = wrap(match[2]!, width - COLUMN).map((part) => `${" ".repeat(COLUMN)}${part}`);
    const head = `${INDENT}${bold(name)}`;
    const gap = COLUMN - INDENT.length - name.length;
    rows.push(
      gap < 2
        ? [head, ...text].join("\n")
        : [head + text[0]!.slice(COLUMN - gap), ...text.slice(1)].join("\n"),
    );
  }
  return rows.join("\n");
}

interface Page {
  readonly width: number;
  readonly bold: (text: string) => string;
}

/** With colours and as wide as the terminal, if it is one. */
const page = (): Page => ({
  width: Math.max(60, Math.min(WIDTH, process.stdout.columns ?? WIDTH)),
  bold: colourful() ? (text) => `\x1b[1m${text}\x1b[0m` : (text) => text,
});

/** ns's own help as text. */
export async function help(
  groups: readonly Group[],
  usage: string,
  commands: readonly Command[],
): Promise<string> {
  const { width, bold } = page();
  const parts: string[] = [];
  for (const { title, flags } of groups)
    if (flags.length > 0) parts.push(`${title}:\n${await rowsOf(flags, width, bold)}`);
  const list = commands.map(({ name, summary }) => {
    const words = `ns ${name}`;
    return `${INDENT}${bold(words)}${" ".repeat(Math.max(2, COLUMN - INDENT.length - words.length))}${summary}`;
  });
  parts.push(`Commands; each has a --help of its own:\n${list.join("\n")}`);
  return `Usage: ${usage}\n${TEXT}\n${parts.join("\n\n")}\n${STATUSES.trimEnd()}`;
}

/** A command's help as text. */
export async function commandHelp({ usage, text, options, container }: Command): Promise<string> {
  const { width, bold } = page();
  const own = options.length === 0 ? "" : `\n\nOptions:\n${await rowsOf(options, width, bold)}`;
  const rest = container ? "\n\nThe options of a container are those of ns --help." : "";
  return `Usage: ${usage}\n\n${text}${own}${rest}`;
}
