/** The command line of the real executable: what is printed, and where. What lies around it: planted.test.ts. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FLAGS, USAGE } from "../../src/cli/flags/table.ts";
import {
  ids,
  isRoot,
  leavesNothing,
  ns,
  onTerminal,
  project,
  root,
  run,
  runCommand,
  user,
} from "../harness.ts";

leavesNothing();

const ESCAPE = "\x1b";

describe("--help and --version", () => {
  test.each([["--help"], ["-h"], ["-vh"], ["--help", "--nonsense-after", "-"].slice(0, 1)])(
    "%s: on standard output, every option in it",
    async (...words) => {
      const ran = await run(words);
      expect(ran).toMatchObject({ status: 0, stderr: "" });
      expect(ran.stdout).toStartWith(`Usage: ${USAGE}\n`);
      const text = ran.stdout.replaceAll(/\s+/g, " ");
      for (const flag of FLAGS) {
        const name = flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
        const value = "hint" in flag ? `=<${flag.hint}>` : "";
        expect(text).toContain(` ${name}${value} ${flag.help.slice(0, 40)}`);
      }
      expect(ran.stdout).not.toContain(ESCAPE);
      for (const text of ran.stdout.split("\n")) expect(text.length).toBeLessThanOrEqual(120);
    },
  );
  test("colours on a terminal, none with NO_COLOR, none on a dumb one", async () => {
    const shown = async (env: Record<string, string>): Promise<string> => {
      const terminal = onTerminal([ns, "--help"], env);
      await terminal.shows(/id -g\)/);
      expect(await terminal.ended).toBe(0);
      return terminal.screen();
    };
    expect(await shown({ TERM: "xterm" })).toContain(`${ESCAPE}[`);
    expect(await shown({ TERM: "xterm", NO_COLOR: "1" })).not.toContain(ESCAPE);
    expect(await shown({ TERM: "dumb" })).not.toContain(ESCAPE);
  });
  test("the version: number, build, target, Bun", async () => {
    const { version } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
    const ran = await run(["--version"]);
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    const [before, after] = [`ns ${version} (release, linux-x64, launcher `, `, Bun ${Bun.version})\n`];
    expect(ran.stdout).toStartWith(before);
    expect(ran.stdout).toEndWith(after);
    expect(ran.stdout.slice(before.length, -after.length)).toMatch(/^[0-9a-f]{12}$/);
  });
  test("to a full disk or a closed descriptor: no crash", async () => {
    for (const redirect of [">/dev/full", ">&-"]) {
      const ran = await runCommand(["sh", "-c", `exec "$1" --version ${redirect}`, "sh", ns]);
      expect(ran.signal).toBe(null);
      expect(ran.stderr).not.toMatch(/internal error|at .*\.ts/);
    }
  });
});

describe("wrong usage: status 2, what is wrong and the usage on standard error, nothing on standard output", () => {
  const wrong: [string, string[]][] = [
    ["PRE is missing", []],
    ["NEWROOT is missing", ["-"]],
    ["INIT is missing", ["-", root]],
    ["unknown option --memroy; did you mean --memory?", ["--memroy", "1G", "-", root, "/bin/true"]],
    ["unknown option --netwrok; did you mean --network?", ["--netwrok", "-", root, "/bin/true"]],
    ["unknown option --dryrun; did you mean --dry-run?", ["--dryrun", "-", root, "/bin/true"]],
    ["unknown option -x in -vx", ["-vx", "-", root, "/bin/true"]],
    ["unknown option --frobnicate", ["--frobnicate", "-", root, "/bin/true"]],
    ["-m needs a value: SIZE", ["-", root, "/bin/true", "-m"]],
    ["--memory needs a value: SIZE", ["--memory=", "-", root, "/bin/true"]],
    ["-m is given more than once", ["-m1G", "-m1G", "-", root, "/bin/true"]],
    ["--verbose takes no value", ["--verbose=1", "-", root, "/bin/true"]],
    ["INIT 'bin/true' is not an absolute path inside NEWROOT", ["-", root, "bin/true"]],
    ["PRE 'pre.sh' is not an absolute path; use - for no pre script", ["pre.sh", root, "/bin/true"]],
    ["UID '0' needs --user: without it init would run as the real root", ["-", root, "/bin/true", "0", "0"]],
    ["--user needs UID and GID: GID is missing", ["-u", "-", root, "/bin/true", "0"]],
    ["too many arguments: 'x'; init's own go after --", ["-u", "-", root, "/bin/true", "0", "0", "x"]],
    ["NEWROOT is empty", ["-", "", "/bin/true"]],
  ];
  test.each(wrong)("%s", async (message, words) => {
    expect(await run(words)).toEqual({
      status: 2,
      signal: null,
      stdout: "",
      stderr: `ns: ${message}\nusage: ${USAGE}\n`,
    });
  });
  test.each(["0", "-1", "1.5G", "1x", "", "9999999T", "0x10", "1 G", "１"])("-m %j", async (size) => {
    const ran = await run([...user, "-m", size, "-", root, "/bin/true", ...ids]);
    expect(ran).toMatchObject({ status: 2, stdout: "" });
    expect(ran.stderr).toMatch(/^ns: -m.*\nusage: .*\n$/);
  });
  test.each(["-1", "01", "1x", "", "4294967295", "4294967296", "0x1", "+1", "1e3", " 1"])(
    "UID %j",
    async (id) => {
      for (const pair of [
        [id, "0"],
        ["0", id],
      ]) {
        const ran = await run(["-u", "-", root, "/bin/true", ...pair]);
        expect(ran).toMatchObject({ status: 2, stdout: "" });
        expect(ran.stderr.split("\n").length).toBe(3);
      }
    },
  );
  test("control characters in a word are shown, not sent to the terminal", async () => {
    const ran = await run([`--\x1b[31mred\nns: all is well`, "-", root, "/bin/true"]);
    expect(ran.status).toBe(2);
    expect(ran.stderr).not.toContain(ESCAPE);
    expect(ran.stderr.split("\n").length).toBe(3);
  });
});

describe("options in every form, for real", () => {
  const show = ["/bin/sh", ...ids, "--", "-c", "ls /sys/class/net 2>&-; [ $CLONE_NEWNET ] && echo net; true"];
  const forms = isRoot
    ? [
        ["-vnm1G"],
        ["-vnm", "1G"],
        ["-nv", "--memory=1GiB"],
        ["--memory", "1024M", "--network", "-v"],
        ["-v", "-n", "-m", "1048576k"],
      ]
    : [["-vn"], ["-nv"], ["--network", "--verbose"]];
  test.each(forms.map((form) => [form]))("%j, before and after the positionals", async (form) => {
    const before = await run([...user, ...form, "-", root, ...show]);
    const after = await run([...user, "-", root, "/bin/sh", ...ids, ...form, "--", ...show.slice(-2)]);
    for (const ran of [before, after]) {
      expect(ran).toMatchObject({ status: 0, stdout: "net\n" });
      expect(ran.stderr).toContain("ns: namespaces: mnt pid uts ipc cgroup net");
      if (isRoot) expect(ran.stderr).toMatch(/^ns: cgroup: \S+, memory 1G$/m);
    }
  });
  test("what stands after -- is init's, whatever it looks like", async () => {
    const words = ["-h", "--help", "-v", "--version", "--", "-m", "--dry-run", "-", ""];
    const ran = await run([...user, "-", root, "/usr/bin/printf", ...ids, "--", "[%s]\n", ...words]);
    expect(ran).toMatchObject({ status: 0, stderr: "", stdout: words.map((word) => `[${word}]\n`).join("") });
  });
});

describe("standard output that takes nothing", () => {
  test.each(["--help", "--version", "--dry-run"])("%s: says so", async (option) => {
    const words = option === "--dry-run" ? [option, "-", root, "/bin/sh"] : [option];
    const ran = await runCommand(["sh", "-c", 'exec "$@" >/dev/full', "sh", ns, ...words]);
    expect(ran).toMatchObject({
      status: 125,
      stderr: "ns: cannot write to standard output: no space left\n",
    });
  });
  test("a reader that has seen enough is no failure", async () => {
    const ran = await runCommand(["sh", "-c", '{ "$@"; echo $? >&2; } | true', "sh", ns, "--help"]);
    expect(ran.stderr).toBe("0\n");
  });
});
