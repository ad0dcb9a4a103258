/**
 * Writes docs/ns.schema.json, the JSON Schema of --config's files and of ns batch's lines, from the flag table.
 * `bun run scripts/schema.ts`; a test compares.
 */
import { join } from "node:path";
import { choicesOf } from "../src/cli/choices.ts";
import type { Flag } from "../src/cli/flags/flag.ts";
import { FLAGS } from "../src/cli/flags/table.ts";

const WORD = { type: ["string", "integer"] };

/** What the value of an option's key may be. */
function typeOfValue(flag: Flag): object {
  if (flag.kind === "switch") return { type: "boolean" };
  const { words, open } = choicesOf(flag.hint);
  if (flag.kind === "list") return { type: "array", items: WORD };
  if (flag.kind === "optional")
    return open || words.length === 0
      ? { type: ["boolean", ...WORD.type] }
      : { enum: [true, false, ...words] };
  return open || words.length === 0 ? WORD : { enum: words };
}

function describe(flag: Flag): string {
  const hint = flag.kind === "switch" ? "" : ` (${flag.hint})`;
  const excludes = flag.excludes === undefined ? "" : `; not with ${flag.excludes.join(", ")}`;
  const needs = flag.needs === undefined ? "" : `; needs ${flag.needs.join(" or ")}`;
  return `${flag.help}${hint}${excludes}${needs}`;
}

export const schema = (): Record<string, unknown> => ({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "ns",
  description: "What ns starts: a file of ns --config, a line of ns batch (which has id and capture besides)",
  type: "object",
  properties: {
    $schema: { type: "string", description: "for editors; ns does not read it" },
    pre: {
      type: "string",
      description: "script to run on the host before init starts; - for none, as without it",
    },
    root: { type: "string", description: "directory that holds the root file system" },
    init: { type: "string", description: "absolute path inside root of what becomes process 1" },
    args: { type: "array", items: WORD, description: "init's arguments" },
    uid: { ...WORD, description: "with user: what root inside is outside" },
    gid: { ...WORD, description: "with user: what root's group inside is outside" },
    ...Object.fromEntries(
      FLAGS.filter(({ commandOnly }) => !commandOnly).map((flag) => [
        flag.name,
        { ...typeOfValue(flag), description: describe(flag) },
      ]),
    ),
  },
  additionalProperties: false,
  dependentRequired: {
    root: ["init"],
    init: ["root"],
    ...Object.fromEntries(["pre", "args", "uid"].map((key) => [key, ["root", "init"]])),
    gid: ["root", "init", "uid"],
  },
});

export const schemaText = (): string => `${JSON.stringify(schema(), null, 2)}\n`;

if (import.meta.main) await Bun.write(join(import.meta.dir, "../docs/ns.schema.json"), schemaText());
