/** docs/options.md: made from the flag table, complete, and every example in it does what it says. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { optionsDoc } from "../../scripts/options-doc.ts";
import { examples } from "../../scripts/options/examples.ts";
import { FLAGS } from "../../src/cli/flags/table.ts";
import {
  callers,
  folder,
  isRoot,
  leavesNothing,
  ns,
  project,
  root,
  runCommand,
  userIds,
} from "../harness.ts";

leavesNothing();

test("docs/options.md is what scripts/options-doc.ts makes", () => {
  expect(readFileSync(join(project, "docs/options.md"), "utf8")).toBe(optionsDoc());
});

test("every option has an example, and every example an option", () => {
  expect(Object.keys(examples).sort()).toEqual(FLAGS.map(({ name }) => name).sort());
});

/** The command as this caller types it. */
function typed(command: string, unprivileged: boolean): string {
  const [uid, gid] = userIds;
  return command
    .replaceAll("[-u]", unprivileged ? "-u" : "")
    .replaceAll("[UID GID]", unprivileged ? "UID GID" : "")
    .replaceAll(/\bUID GID\b/g, `${uid} ${gid}`)
    .replaceAll(/\bROOT\b/g, root)
    .replaceAll(/\bFOLDER\b/g, folder);
}

describe.each(callers)("the examples, %s", (_, unprivileged) => {
  for (const [name, example] of Object.entries(examples)) {
    const skipped = example.elsewhere ?? (example.root && unprivileged ? "needs root" : null);
    test.skipIf(skipped !== null)(skipped === null ? `--${name}` : `--${name} [${skipped}]`, async () => {
      const command = typed(example.command, unprivileged);
      const ran = await runCommand(["sh", "-c", command], {
        unprivileged: unprivileged && isRoot,
        env: { PATH: `${dirname(ns)}:${process.env.PATH}` },
      });
      const shown = { ...ran, stdout: ran.stdout.trimEnd() };
      expect(shown).toMatchObject({ status: example.status ?? 0 });
      if (typeof example.prints === "string") expect(shown.stdout).toBe(example.prints);
      else expect(shown.stdout).toMatch(example.prints);
    });
  }
});
