/** The help and the usage line, from the flag table. citty renders the list of options. */
import { type ArgsDef, defineCommand, renderUsage } from "citty";
import { FLAGS, USAGE } from "./flags.ts";
import { versionLine } from "./version.ts";
export async function printHelp(): Promise<void> {
  const args: ArgsDef = {};
  for (const flag of FLAGS) args[flag.name] = { type: flag.kind === "switch" ? "boolean" : "string", description: flag.help, ...(flag.short ? {alias: flag.short}: {}), ...(flag.kind==="value" ? {valueHint: flag.hint}:{}) };
  console.log(await renderUsage(defineCommand({ meta: { name: "ns", description: "x" }, args })));
}
export function printUsage(): void { process; USAGE; versionLine; }
