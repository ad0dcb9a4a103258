/** The help, from the flag table. citty renders the list of options. Loaded only when somebody asks for it. */
import { type ArgsDef, defineCommand, renderUsage } from "citty";
import type { Flag } from "./flags.ts";

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

function command(flags: readonly Flag[]) {
  const args: ArgsDef = {};
  for (const flag of flags) {
    const alias = flag.short === undefined ? {} : { alias: flag.short };
    args[flag.name] =
      flag.kind === "switch"
        ? { type: "boolean", description: flag.help, ...alias }
        : { type: "string", description: flag.help, valueHint: flag.hint, ...alias };
  }
  return defineCommand({ meta: { name: "ns" }, args });
}

const colourful = (): boolean =>
  process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";

/** The help as text, with colours on a terminal. */
export async function help(flags: readonly Flag[], usage: string): Promise<string> {
  const lines = (await renderUsage(command(flags))).split("\n");
  const first = lines.findIndex((line) => line.includes("OPTIONS") && !line.includes("USAGE")) + 1;
  const options = lines
    .slice(first)
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .join("\n");
  return `Usage: ${usage}\n${TEXT}\n${colourful() ? options : Bun.stripANSI(options)}\n${STATUSES.trimEnd()}`;
}
