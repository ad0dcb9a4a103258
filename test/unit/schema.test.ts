/** docs/ns.schema.json: made from the flag table, and says the same as the code that reads such files. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { examples } from "../../scripts/options/examples.ts";
import { schema, schemaText } from "../../scripts/schema.ts";
import { choicesOf } from "../../src/cli/choices.ts";
import { FLAGS } from "../../src/cli/flags/table.ts";
import { specOfJson } from "../../src/cli/json.ts";
import { splitArgv } from "../../src/cli/split.ts";
import { specOf, parseArgv } from "../../src/cli/argv.ts";
import { NsError } from "../../src/spec/error.ts";
import { project } from "../project.ts";
import { violations } from "../schema.ts";

test("docs/ns.schema.json is what scripts/schema.ts makes", () => {
  expect(readFileSync(join(project, "docs/ns.schema.json"), "utf8")).toBe(schemaText());
});

/** The words of the first run of ns in an example's shell command; null when the line starts none. */
function wordsOf(command: string): string[] | null {
  const plain = command
    .replace(/\[-u\]|\[UID GID\]/g, "")
    .replace(/\bUID GID\b/g, "5 6")
    .replace(/\bFOLDER\b/g, "/tmp");
  const match = /(?:^|[;&|] *)(?:[A-Z]+=\S* )*ns ([^;|&>]*)/.exec(plain);
  if (match === null || !/ROOT/.test(match[1]!)) return null;
  return [...match[1]!.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2] ?? m[3]!);
}

/** A line of words as JSON. */
function jsonOf(words: string[]): Record<string, unknown> | null {
  const { given, positionals, args } = splitArgv(words);
  if (given.some(({ flag }) => flag.commandOnly)) return null;
  const [pre, root, init, uid, gid] = positionals;
  const json: Record<string, unknown> = { pre, root, init, args, ...(uid && { uid }), ...(gid && { gid }) };
  for (const { flag, value } of given)
    if (flag.kind === "list") json[flag.name] = [...((json[flag.name] as string[]) ?? []), value];
    else json[flag.name] = value ?? true;
  return json;
}

describe("the examples of docs/options.md as JSON", () => {
  const seen = new Set<string>();
  for (const [name, { command }] of Object.entries(examples)) {
    const words = wordsOf(command);
    const json = words === null ? null : jsonOf(words);
    if (json === null) continue;
    seen.add(name);
    test(`--${name}`, () => {
      expect(violations(schema(), json)).toEqual([]);
      let plain: unknown;
      try {
        plain = specOf(parseArgv(words!), false);
      } catch (error) {
        // a file of the example's own that is not there yet
        if (!(error instanceof NsError)) throw error;
        expect(error.message).toMatch(/^cannot read|no such|\$/);
        return;
      }
      expect(specOfJson(json)).toEqual(plain as ReturnType<typeof specOfJson>);
    });
  }
  test("are most of them; the others are more of a shell script than of a command", () => {
    const options = FLAGS.filter(({ commandOnly }) => !commandOnly).map(({ name }) => name);
    expect(options.filter((name) => !seen.has(name)).length).toBeLessThan(options.length / 6);
  });
});

describe("what the schema refuses, ns refuses", () => {
  const base = { root: "R", init: "/i" };
  const cases: [string, object][] = FLAGS.filter(({ commandOnly }) => !commandOnly).flatMap(
    (flag): [string, object][] => [
      [flag.name, { ...base, [flag.name]: {} }],
      [flag.name, { ...base, [flag.name]: flag.kind === "list" ? "x" : ["x"] }],
      ...(flag.kind !== "switch" && !choicesOf(flag.hint).open && choicesOf(flag.hint).words.length > 0
        ? ([[flag.name, { ...base, [flag.name]: "other" }]] as [string, object][])
        : []),
    ],
  );
  test.each([
    ...cases,
    ["unknown", { ...base, memroy: 1 }],
    ["commandOnly", { ...base, verbose: true }],
    ["no init", { root: "R" }],
    ["no uid", { ...base, user: true, gid: 5 }],
    ["args", { ...base, args: "x" }],
    ["root", { ...base, root: 5 }],
  ])("%s %j", (_, json) => {
    expect(violations(schema(), json)).not.toEqual([]);
    expect(() => specOfJson(json)).toThrow(NsError);
  });
});

test("the validator refuses what it does not know", () => {
  expect(() => violations({ maxLength: 3 }, "x")).toThrow("does not know maxLength");
});
