/** README.md is typed in by hand: every command of its transcript, with the output that it shows. */
import { describe, expect, test } from "bun:test";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { FLAGS, USAGE } from "../../src/cli/flags/table.ts";
import { folder, isRoot, leavesNothing, ns, project, root, runCommand } from "../harness.ts";

leavesNothing();

const readme = readFileSync(join(project, "README.md"), "utf8");
const transcript = /```console\n([\s\S]*?)```/.exec(readme)![1]!;
const steps = transcript
  .split(/^\$ /m)
  .slice(1)
  .map((step) => {
    const [command, ...output] = step.split("\n");
    return { command: command!, output: output.join("\n") };
  });

// the reader has ns on the PATH
if (ns !== join(folder, "ns")) symlinkSync(ns, join(folder, "ns"));

describe("the transcript", () => {
  test.each(steps.slice(1))("$command", async ({ command, output }) => {
    const asRoot = command.startsWith("sudo ");
    if (asRoot && !isRoot) return console.log("not typed in: needs root");
    const line = command.replace(/^sudo /, "").replaceAll("/tmp/root", root);
    const ran = await runCommand(["sh", "-c", `PATH=${folder}:$PATH; ${line}`], { unprivileged: !asRoot });
    expect(ran.stdout + ran.stderr).toBe(output.replaceAll("/tmp/root", root));
  });
});

test("the reference names the letters, no option that is not there, and the program's usage line", () => {
  for (const flag of FLAGS) if (flag.short !== undefined) expect(readme).toContain(`\`-${flag.short}\``);
  const known = FLAGS.map(({ name }) => name);
  for (const [, name] of readme.matchAll(/`(?:-\w, )?--([a-z0-9-]+)/g)) expect(known).toContain(name!);
  expect(readme).toContain(`    ${USAGE}\n`);
});

test("what the README points to is there", () => {
  for (const [, path] of readme.matchAll(/\]\(([^)#]+)\)/g))
    expect(readFileSync(join(project, path!)).length).toBeGreaterThan(0);
});
