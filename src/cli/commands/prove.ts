/** `ns prove [--json] …`: attacks a container that is made just as the rest of the line says, and tells what held. */
import { type Proof, prove } from "../../index.ts";
import { attackGroups } from "../../plan/attack/all.ts";
import { usageError } from "../../spec/error.ts";
import { type CommandLine, specOf } from "../argv.ts";
import { print } from "../print.ts";
import { isDebug } from "../version.ts";
import { type Command, ownSwitch } from "./command.ts";

const TEXT = `Starts a container just as ns would with these words, but with an attacker in INIT's place, and prints what became of each
attack: held, open, or untestable here. An open one is followed by the option that closes it. The attacks need nothing in
the root, and do no harm where they succeed: they open and do not write, and what they make in the root they remove.

Exit status: 0 nothing is open that the profile promises to hold; 1 something is; 125 ns failed; 2 wrong usage.`;

const BROKEN = 1;
const PROMISERS: Readonly<Record<Proof["setting"], string>> = {
  root: "profile init as real root",
  user: "profile init in a user namespace",
  app: "profile app",
  strict: "profile strict",
};

function table({ setting, verdicts, broken }: Proof): string {
  const width = Math.max(...verdicts.map(({ attack }) => attack.name.length));
  const out: string[] = [];
  for (const { title, attacks } of attackGroups()) {
    out.push(`${title}:`);
    for (const { name } of attacks) {
      const found = verdicts.find(({ attack }) => attack.name === name)!;
      const { attack, verdict, why } = found;
      const promise = broken.includes(found) ? "against the promise; " : "";
      const more = verdict === "open" ? ` (${promise}${attack.closes})` : why === null ? "" : ` (${why})`;
      out.push(`  ${verdict.padEnd(10)}  ${name.padEnd(width)}  ${attack.does}${more}`);
    }
    out.push("");
  }
  const count = (which: string): number => verdicts.filter(({ verdict }) => verdict === which).length;
  out.push(
    `${count("held")} held, ${count("open")} open, ${count("untestable")} untestable; ` +
      (broken.length === 0
        ? `nothing is open that ${PROMISERS[setting]} promises to hold`
        : `open against the promise of ${PROMISERS[setting]}: ${broken.map(({ attack }) => attack.name).join(", ")}`),
  );
  return out.join("\n");
}

const json = ({ setting, verdicts, broken }: Proof): string =>
  JSON.stringify({
    setting,
    ok: broken.length === 0,
    attacks: verdicts.map((found) => {
      const { attack, verdict, why } = found;
      const { name, does, closes } = attack;
      return {
        ...{ name, does, verdict },
        ...(why === null ? {} : { why }),
        ...(verdict === "open" ? { closes } : {}),
        promised: attack.promised.includes(setting),
        broken: broken.includes(found),
      };
    }),
  });

async function run(line: CommandLine): Promise<number> {
  const { draft } = line;
  if (draft.version || draft.dryRun)
    throw usageError("ns prove runs what it is given: --dry-run and --version do not go with it");
  const progress = draft.verbose ? (await import("../log.ts")).sayProgress : null;
  const proof = prove(specOf(line, isDebug), { progress, status: draft.status });
  print(draft.own.json === true ? json(proof) : table(proof));
  return proof.broken.length === 0 ? 0 : BROKEN;
}

export const proveCommand: Command = {
  name: "prove",
  summary: "attacks a container that is made with these words, and tells what held",
  usage: "ns prove [--json] [options] PRE NEWROOT INIT [UID GID] [-- ARG...]",
  text: TEXT,
  options: [ownSwitch({ name: "json", help: "as one object of JSON" })],
  container: true,
  run,
};
