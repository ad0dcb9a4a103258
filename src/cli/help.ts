/** The help, from the flag table. citty renders the list of options. Loaded only when somebody asks for it. */
import { type ArgsDef, defineCommand, renderUsage } from "citty";
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
Exit status: INIT's own; 128+N if signal N ended it; 125 ns failed; 126 INIT cannot be executed; 127 INIT is not there;
2 wrong usage.

  sudo ns -m 1G -n /tmp/pre.sh /tmp/root /init.sh
  ns -u - /tmp/root /bin/sh $(id -u) $(id -g)
`;

const describe = (flag: Flag): string =>
  flag.kind === "list" ? `${flag.help} (may be repeated)` : flag.help;

function command(flags: readonly Flag[]) {
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

async function rowsOf(flags: readonly Flag[]): Promise<string> {
  const lines = (await renderUsage(command(flags))).split("\n");
  const first = lines.findIndex((line) => line.includes("OPTIONS") && !line.includes("USAGE")) + 1;
  return lines
    .slice(first)
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .join("\n");
}

/** The help as text, with colours on a terminal. */
export async function help(groups: readonly Group[], usage: string): Promise<string> {
  const parts: string[] = [];
  for (const { title, flags } of groups)
    if (flags.length > 0) parts.push(`${title}:\n${await rowsOf(flags)}`);
  const options = parts.join("\n\n");
  return `Usage: ${usage}\n${TEXT}\n${colourful() ? options : Bun.stripANSI(options)}\n${STATUSES.trimEnd()}`;
}
