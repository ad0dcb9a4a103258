/** ns --config, for real: files and standard input, as docs/config.md says. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { specOfJson } from "../../src/cli/json.ts";
import { schema } from "../../scripts/schema.ts";
import { violations } from "../schema.ts";
import { callers, folder, leavesNothing, project, root, run, script, userIds } from "../harness.ts";

leavesNothing();

describe.each(callers)("%s", (_, unprivileged) => {
  const who = unprivileged ? { user: true, uid: Number(userIds[0]), gid: userIds[1] } : {};
  const file = (json: object): string =>
    script(`config-${unprivileged}.json`, JSON.stringify({ ...who, ...json }), 0o644);
  const how = { unprivileged };

  test("a file alone is a whole run", async () => {
    const path = file({ root, init: "/bin/sh", args: ["-c", "echo $A; exit 7"], env: ["A=b c"] });
    expect(await run(["-c", path], how)).toMatchObject({ status: 7, stdout: "b c\n", stderr: "" });
  });
  test("the line adds to it", async () => {
    const path = file({ root, init: "/bin/sh", args: ["-c"], env: ["A=1"], hostname: "file" });
    const ran = await run(
      ["--config", path, "-e", "B=2", "--hostname=line", "--", "echo $A $B; hostname"],
      how,
    );
    expect(ran).toMatchObject({ status: 0, stdout: "1 2\nline\n", stderr: "" });
  });
  test("standard input, which init finds at its end", async () => {
    const stdin = JSON.stringify({ ...who, root, init: "/bin/sh", args: ["-c", "cat; echo end"] });
    expect(await run(["-c-"], { ...how, stdin })).toMatchObject({ status: 0, stdout: "end\n", stderr: "" });
    expect(await run(["-c", "-"], { ...how, stdin })).toMatchObject({ status: 0, stdout: "end\n" });
  });
  test("many arguments, as long as they are on a command line", async () => {
    const args = [
      "-c",
      "for last; do :; done; echo $# $last",
      ...Array.from({ length: 2000 }, (_, i) => `${i}`.repeat(20)),
    ];
    const ran = await run(["-c", file({ root, init: "/bin/sh", args })], how);
    expect(ran).toMatchObject({ status: 0, stderr: "", stdout: `1999 ${"1999".repeat(20)}\n` });
  });
  test("--dry-run shows what the line of the same words does", async () => {
    const path = file({ root, init: "/bin/true", "read-only": true });
    const words = unprivileged
      ? ["-u", "--read-only", "-", root, "/bin/true", ...userIds]
      : ["--read-only", "-", root, "/bin/true"];
    const [ran, plain] = await Promise.all([
      run(["-c", path, "--dry-run"], how),
      run([...words, "--dry-run"], how),
    ]);
    expect(ran.status).toBe(0);
    expect(ran.stdout).toBe(plain.stdout);
  });
});

describe("what is wrong: status, one line, where it is, and the usage", () => {
  test.each([
    ['{\n  "root": "/x",\n  "root": "/y"\n}', 'line 3, column 3: "root" stands here a second time'],
    ['{"memory": "1G",}', 'line 1, column 17: expected a key in quotation marks before "}"'],
    ['{"bind": ["/a:/b", 7.5]}', '"bind[1]": has to be a string'],
    ['{"mem": "1G"}', '"mem": unknown key; did you mean memory?'],
    ['{"verbose": true}', '"verbose": belongs on the command line'],
  ])("%j", async (text, message) => {
    const path = script("wrong.json", text, 0o644);
    const ran = await run(["-c", path, "-", root, "/bin/true"]);
    expect(ran).toMatchObject({ status: 2, stdout: "" });
    expect(ran.stderr).toMatch(/^.*\nusage: .*\n$/);
    expect(ran.stderr.split("\n")[0]).toBe(`ns: ${path}: ${message}`);
  });
  test("a directory, and nothing", async () => {
    expect((await run(["-c", folder])).stderr).toBe(`ns: cannot read ${folder}: is a directory\n`);
    expect((await run(["-c", join(folder, "none")])).status).toBe(125);
  });
});

test("the example of docs/config.md is valid, for the schema and for ns", () => {
  const text = readFileSync(join(project, "docs/config.md"), "utf8");
  const json = JSON.parse(/```json\n([\s\S]*?)```/.exec(text)![1]!) as object;
  expect(violations(schema(), json)).toEqual([]);
  expect(specOfJson(json)).toMatchObject({ root: "/srv/web", args: ["-g", "daemon off;"] });
});
