/** What lies in the working directory and in the environment cannot do anything to ns. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  folder,
  ids,
  isRoot,
  leavesNothing,
  ns,
  root,
  rootTest,
  run,
  runCommand,
  script,
  user,
} from "../harness.ts";

leavesNothing();

describe("what lies in the working directory and in the environment is not loaded", () => {
  const cwd = join(folder, "cwd");
  const owned = join(folder, "owned");
  mkdirSync(cwd);
  const preload = `require("node:fs").writeFileSync(${JSON.stringify(owned)}, "");\n`;
  for (const name of ["preload.ts", "preload.js", "index.ts"]) writeFileSync(join(cwd, name), preload);
  writeFileSync(join(cwd, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
  writeFileSync(join(cwd, ".env"), "TERM=planted\nNS_PLANTED=1\nBUN_OPTIONS=--preload ./preload.ts\n");
  writeFileSync(join(cwd, "package.json"), '{"scripts": {"-": "false"}, "imports": {"#x": "./index.ts"}}\n');
  writeFileSync(join(cwd, "libc.so.6"), "not a library");
  writeFileSync(join(cwd, "libc.so"), "not a library");

  const words = ["/usr/bin/env"];
  const runIn = (env: Record<string, string>) =>
    runCommand([ns, ...user, "-", root, ...words, ...ids], { cwd, env });

  test("planted files", async () => {
    const ran = await runIn({});
    expect(ran).toMatchObject({
      status: 0,
      stderr: "",
      stdout: `PATH=/sbin:/bin:/usr/sbin:/usr/bin\n${isRoot ? "" : "CLONE_NEWUSER=1\nCLONE_USERNS=1\n"}container=ns\n`,
    });
    expect(existsSync(owned)).toBe(false);
  });
  test("BUN_OPTIONS and its like", async () => {
    for (const env of [
      { BUN_OPTIONS: `--preload ${cwd}/preload.ts` },
      { BUN_OPTIONS: `--config=${cwd}/bunfig.toml` },
      { NODE_OPTIONS: `--require ${cwd}/preload.js` },
      { BUN_CONFIG_PRELOAD: `${cwd}/preload.ts` },
    ]) {
      expect(await runIn(env as unknown as Record<string, string>)).toMatchObject({ status: 0, stderr: "" });
      expect(existsSync(owned)).toBe(false);
    }
  });
  test("the same files do get bun itself, so that this test could fail", async () => {
    await runCommand([process.execPath, "run", join(cwd, "package.json")], { cwd });
    await runCommand([process.execPath, "-e", "0"], { cwd });
    expect(existsSync(owned)).toBe(true);
    rmSync(owned);
  });
  test.skipIf(Bun.which("strace") === null)("no file of the working directory is opened", async () => {
    const out = join(folder, "opened");
    await runCommand(
      [
        "strace",
        "-f",
        "-e",
        "trace=open,openat,openat2",
        "-o",
        out,
        ns,
        ...user,
        "-",
        root,
        "/bin/true",
        ...ids,
      ],
      { cwd },
    );
    const opened = readFileSync(out, "utf8");
    expect(opened).toContain("libc.so.6");
    const suspicious = opened
      .split("\n")
      .filter(
        (text) =>
          /AT_FDCWD, "(?!\/)(\.\/)?(libc|bunfig|\.env|preload|package|index)/.test(text) ||
          text.includes(cwd),
      );
    expect(suspicious).toEqual([]);
  });
});

rootTest("a secret environment of the caller reaches neither the pre script nor init", async () => {
  const pre = script(
    "env",
    "#!/bin/sh\nenv | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort; echo --\n",
  );
  const ran = await run(["-n", pre, root, "/usr/bin/env"], {
    env: { SECRET: "1", LD_PRELOAD: "", HOME: "/root" },
  });
  const own = ["CLONE_NETNS=1", "CLONE_NEWNET=1", "PATH=/sbin:/bin:/usr/sbin:/usr/bin"];
  const [before, inside] = ran.stdout.split("--\n");
  expect(before!.trimEnd().split("\n")).toEqual(own);
  expect(inside!.trimEnd().split("\n").sort()).toEqual([...own, "container=ns"]);
});
