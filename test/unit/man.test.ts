/** docs/ns.1: made from the tables, complete, and without a complaint from those who render it. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { manPage } from "../../scripts/man.ts";
import { COMMANDS } from "../../src/cli/commands/table.ts";
import { FLAGS } from "../../src/cli/flags/table.ts";
import { project } from "../project.ts";

const page = join(project, "docs/ns.1");

test("docs/ns.1 is what scripts/man.ts makes", () => {
  expect(readFileSync(page, "utf8")).toBe(manPage());
});

/** What a renderer shows and what it complains about; skipped with a reason where it is not installed. */
function rendered(name: string, words: string[], body: (out: string, complaints: string) => void): void {
  const here = Bun.which(words[0]!) !== null;
  test.skipIf(!here)(here ? name : `${name} [${words[0]} is not here]`, () => {
    const ran = Bun.spawnSync([...words, page], {
      stdin: "ignore",
      env: { ...process.env, MANWIDTH: "80", MAN_KEEP_FORMATTING: "", LC_ALL: "C.UTF-8" },
    });
    body(`${ran.stdout}`, `${ran.stderr}`);
  });
}

rendered("groff", ["groff", "-ww", "-man", "-Tutf8", "-P-c", "-P-b", "-P-u", "-P-o"], (out, complaints) => {
  expect(complaints).toBe("");
  for (const { name, short } of FLAGS)
    expect(out).toContain(short === undefined ? `--${name}` : `-${short}, --${name}`);
  for (const { name } of COMMANDS) expect(out).toContain(`ns ${name}`);
  for (const title of ["NAME", "SYNOPSIS", "OPTIONS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES"])
    expect(out).toMatch(new RegExp(`^${title}$`, "m"));
  expect(out).toContain("ns -u - /tmp/root /bin/sh $(id -u) $(id -g)");
  expect(out).not.toMatch(/\\f|\\&|`/);
});
rendered("man", ["man", "--warnings", "-E", "UTF-8", "-l"], (out, complaints) => {
  expect(complaints).toBe("");
  expect(out).toContain("ns - start a root file system's init");
});
rendered("mandoc", ["mandoc", "-T", "lint", "-W", "warning"], (out, complaints) => {
  expect(out + complaints).toBe("");
});
