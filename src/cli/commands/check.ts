/** `ns check`: what this host offers, what is missing for which feature, and how to get it. */
import { appArmorProfile, type Finding, NsError, type Survey, survey } from "../../index.ts";
import { usageError } from "../../spec/error.ts";
import { show } from "../../sys/bytes.ts";
import { errnoText } from "../../sys/errno.ts";
import { readLink } from "../../sys/file.ts";
import type { CommandLine } from "../argv.ts";
import { print } from "../print.ts";
import { type Screen, screen, wrap } from "../terminal.ts";
import { buildVersion } from "../version.ts";
import { type Command, ownSwitch } from "./command.ts";

const TEXT = `Tries everything that a container may need here, as the caller: makes namespaces, mounts, cgroups and interfaces, and takes
them away again at once. A feature that does not work is told in the words of the run that would fail, with what to do.

Exit status: 0 a container can be started; 1 none can.`;

const NOT_HERE = 1;
const NAME = 34;
const MARK = 5;

/** A text from a column on, in as many lines as it takes. */
function column(text: string, at: number, width: number | null): string {
  const lines = width === null ? [text] : wrap(text, Math.max(20, width - at));
  return lines.join(`\n${" ".repeat(at)}`);
}

const row = ({ works, needed, name, detail, problem }: Finding, { width, paint }: Screen): string => {
  const mark = works ? paint("green", "yes") : paint(needed ? "red" : "yellow", "no ");
  const text = works ? (detail ?? "") : problem!;
  if (text === "") return `  ${mark}  ${name}`;
  return `  ${mark}  ${name.padEnd(NAME)}  ${column(text, MARK + NAME + 4, width)}`;
};

/** What to do, said once for rows that follow each other. */
const noteOf = ({ note }: Finding, before: Finding | undefined, { width, paint }: Screen): string[] => {
  if (note === null || before?.note === note) return [];
  const at = MARK + 2;
  return [`${" ".repeat(at)}${paint("bold", "note:")} ${column(note, at + 6, width)}`];
};

const about = ({ host, caller }: Survey): string => {
  const parts = [
    `ns ${buildVersion} on Linux ${host.kernel} (${host.machine})`,
    `cgroups: ${host.cgroups}`,
    `AppArmor: ${host.appArmor ?? "none"}`,
    caller.root
      ? `as root${caller.uid === 0 ? "" : `, uid ${caller.uid}`}`
      : `as an ordinary user, uid ${caller.uid}`,
  ];
  return parts.join("; ");
};

const last = ({ works, features }: Survey, { paint }: Screen): string => {
  const missing = features.filter((one) => !one.works).length;
  if (!works) return paint("red", "no container can be started here: see the first row");
  if (missing === 0) return paint("green", "all of this works");
  return `containers can be started; ${missing} of ${features.length} features ${missing === 1 ? "does" : "do"} not work`;
};

/** The survey as a table, in colours and as wide as the terminal if it is for one. */
export function table(found: Survey, to: Screen): string {
  const lines = [column(about(found), 0, to.width)];
  found.features.forEach((one, i) => {
    const before = found.features[i - 1];
    if (one.group !== before?.group) lines.push("", to.paint("bold", one.group));
    lines.push(row(one, to), ...noteOf(one, before, to));
  });
  return [...lines, "", last(found, to)].join("\n");
}

function profile(): string {
  const path = readLink("/proc/self/exe");
  if (typeof path === "number")
    throw new NsError(`cannot read /proc/self/exe: ${errnoText(-path)}`, { errno: -path });
  return appArmorProfile(path);
}

async function run({ draft, positionals, args }: CommandLine): Promise<number> {
  const [word] = [...positionals, ...args];
  if (word !== undefined) throw usageError(`ns check takes no '${show(word)}'`);
  if (draft.own.apparmor === true) {
    print(profile());
    return 0;
  }
  const found = survey();
  print(
    draft.own.json === true
      ? JSON.stringify({ version: buildVersion, ...found }, null, 2)
      : table(found, await screen()),
  );
  return found.works ? 0 : NOT_HERE;
}

export const check: Command = {
  name: "check",
  summary: "what this host offers, and how to get what is missing",
  usage: "ns check [--json | --apparmor]",
  text: TEXT,
  options: [
    ownSwitch({ name: "json", help: "as JSON (docs/check.schema.json)", excludes: ["apparmor"] }),
    ownSwitch({
      name: "apparmor",
      help: "print an AppArmor profile that allows ns user namespaces",
      excludes: ["json"],
    }),
  ],
  container: false,
  run,
};
