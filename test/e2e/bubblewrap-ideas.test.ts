/** What bubblewrap's tests look at and no other file here does (docs/bubblewrap-tests.md has the list). */
import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { leavesNothing, line, makeRoot, runCommand, rootTest } from "../harness.ts";

leavesNothing();

const box = makeRoot("ideas");
mkdirSync(join(box, "closed"));
writeFileSync(join(box, "closed/secret"), "secret\n");
writeFileSync(join(box, "own"), "secret\n");
chmodSync(join(box, "own"), 0o600);

rootTest("root inside an ordinary user's container reads nothing that he may not", async () => {
  chmodSync(join(box, "closed"), 0o700);
  const text = "cat /closed/secret /own; chmod 777 /own; id -u";
  const words = line(true, ["/bin/sh", "-c", text], { root: box });
  const ran = await runCommand(words, { unprivileged: true });
  expect(ran).toMatchObject({ status: 0, stdout: "0\n" });
  expect(ran.stderr.match(/denied|not permitted/g)).toHaveLength(3);
  // the control: without --user it is readable
  const control = await runCommand(line(false, ["/bin/cat", "/closed/secret"], { root: box }));
  expect(control).toMatchObject({ status: 0, stdout: "secret\n" });
});

test("a word that looks like an option is init's behind --, and is refused before it", async () => {
  const words = line(true, ["/bin/echo", "--net=pasta", "-m", "--"], { root: box });
  expect(await runCommand(words, { unprivileged: true })).toMatchObject({
    status: 0,
    stdout: "--net=pasta -m --\n",
  });
});
