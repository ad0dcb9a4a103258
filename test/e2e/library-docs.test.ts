/** docs/library.md and examples/library: every program in them runs, as somebody who has the package would run it. */
import { beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, isRoot, leavesNothing, ns, project, root, rootTest, runCommand } from "../harness.ts";

leavesNothing();

const home = join(folder, "a-program");
const document = readFileSync(join(project, "docs/library.md"), "utf8");
const blocks = [...document.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text!);
const examples = [...new Bun.Glob("*.ts").scanSync(join(project, "examples/library"))].sort();

beforeAll(() => {
  mkdirSync(join(home, "node_modules"), { recursive: true });
  symlinkSync(project, join(home, "node_modules/ns"));
});

const runProgram = async (name: string, text: string, stdin = "") => {
  writeFileSync(join(home, name), text.replaceAll("/srv/root", root));
  return runCommand([process.execPath, join(home, name), root], { cwd: home, stdin });
};

const OUTPUT: Record<string, string> = {
  "hello.ts": "hello from 1\n\nstatus 0\n",
  "filter.ts": "cba\nfed\n",
  "many.ts": "50 of 100 had another status than 0\n",
};

for (const name of examples)
  rootTest(`examples/library/${name}`, async () => {
    const ran = await runProgram(
      name,
      readFileSync(join(project, "examples/library", name), "utf8"),
      "abc\ndef\n",
    );
    expect(ran).toMatchObject({ status: 0, stderr: "", stdout: OUTPUT[name]! });
  });

rootTest("the programs in docs/library.md", async () => {
  expect(blocks.length).toBe(2);
  expect(await runProgram("one.ts", blocks[0]!)).toMatchObject({
    status: 0,
    stderr: "",
    stdout: "hello\n\n0\n",
  });
  expect(await runProgram("two.ts", blocks[1]!)).toMatchObject({
    status: 0,
    stdout: `127 init /sbin/nothing in ${root} is not there\n`,
  });
});

rootTest("the batch in docs/library.md", async () => {
  const [, transcript] = /```console\n([\s\S]*?)```/.exec(document)!;
  const [, lines, said] = /jobs\.jsonl\n([\s\S]*?)\$ sudo ns batch jobs\.jsonl\n([\s\S]*)/.exec(transcript!)!;
  const ran = await runCommand([ns, "batch", "-"], { stdin: lines!.replaceAll("/tmp/root", root) });
  const plain = (text: string): unknown[] =>
    text
      .trim()
      .split("\n")
      .map((one) => ({ ...JSON.parse(one), pid: 0, ms: 0 }))
      .sort((a, b) => a.line - b.line);
  expect(plain(ran.stdout)).toEqual(plain(said!.replaceAll("/tmp/root", root)));
});

test("every example is known here", () => {
  expect(examples).toEqual(Object.keys(OUTPUT).sort());
  expect(isRoot || examples.length > 0).toBe(true);
});
