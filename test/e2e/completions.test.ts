/** `ns completions`: driven in the shells themselves; and the table of commands that they, the help and the man page come from. */
import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { COMMANDS } from "../../src/cli/commands/table.ts";
import { SHELLS } from "../../src/cli/commands/completions.ts";
import { FLAGS, flagNamed, flagWithLetter } from "../../src/cli/flags/table.ts";
import { folder, leavesNothing, ns, onTerminal, run, runCommand } from "../harness.ts";

leavesNothing();

const env = { PATH: `${dirname(ns)}:${process.env.PATH}`, TERM: "dumb", HOME: folder };
const fileFor = (shell: string): string => join(folder, shell === "zsh" ? "_ns" : `ns.${shell}`);

beforeAll(async () => {
  for (const shell of Object.keys(SHELLS))
    writeFileSync(fileFor(shell), (await run(["completions", shell])).stdout);
  writeFileSync(join(folder, "some-file.json"), "{}");
});

/** The words that a shell offers at the end of a line. */
const OFFERS: Readonly<Record<string, (line: string) => Promise<string[]>>> = {
  async bash(line) {
    // the words as readline splits them
    const words = line.split(/ |(=)/).filter((word) => word !== undefined);
    const text = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _ns; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const ran = await runCommand(["bash", "-c", text, "bash", fileFor("bash"), ...words], { env });
    expect(ran.stderr).toBe("");
    return ran.stdout.split("\n").filter((word) => word !== "");
  },
  async fish(line) {
    const ran = await runCommand(["fish", "-c", `source ${fileFor("fish")}; complete -C '${line}'`], { env });
    expect(ran.stderr).toBe("");
    return ran.stdout
      .split("\n")
      .map((row) => row.split("\t")[0]!)
      .filter((word) => word !== "");
  },
  async zsh(line) {
    const terminal = onTerminal(["zsh", "-f", "-i"], env);
    terminal.type(
      `fpath=(${folder} $fpath); autoload -Uz compinit; compinit -u -D; PS1='> '; bindkey '^X' list-choices; print rea''dy\n`,
    );
    await terminal.shows(/ready\r?\n/);
    // all that it offers, as a list below the line, whatever the line would become
    terminal.type(`${line}\x18`);
    await terminal.shows(/\n[\s\S]*> .*ns/);
    const shown = terminal.screen();
    terminal.type("\x15exit\n");
    await terminal.ended;
    return shown.split(/\s+/);
  },
};

const there = (shell: string): boolean => Bun.which(shell) !== null;

describe.each(Object.keys(SHELLS))("%s", (shell) => {
  const why = there(shell) ? "" : ` [${shell} is not here]`;
  const it = test.skipIf(!there(shell));
  it(`takes the script without a complaint${why}`, async () => {
    expect(await runCommand([shell, "-n", fileFor(shell)], { env })).toMatchObject({ status: 0, stderr: "" });
  });
  it.each([
    ["ns --prof", ["--profile"], ["--pids"]],
    ["ns --profile ", ["init", "app", "strict"], ["none"]],
    ["ns --net ", ["none", "host", "new", "pasta"], ["strict"]],
    ["ns ba", ["batch"], ["completions"]],
    ["ns batch --", ["--jobs", "--help"], ["--memory"]],
    ["ns completions ", ["bash", "zsh", "fish"], ["--memory"]],
    ["ns -n --mem", ["--memory"], ["--jobs"]],
  ])(`%s${why}`, async (line, wanted, unwanted) => {
    const offered = await OFFERS[shell]!(line);
    for (const word of wanted) expect(offered).toContain(word);
    for (const word of unwanted) expect(offered).not.toContain(word);
  });
  it(`--profile=s${why}`, async () => {
    const offered = await OFFERS[shell]!("ns --profile=s");
    expect(offered.map((word) => word.replace("--profile=", ""))).toContain("strict");
  });
  it(`names every option and command${why}`, () => {
    const text = readFileSync(fileFor(shell), "utf8");
    for (const { name } of [...FLAGS, ...COMMANDS.flatMap(({ options }) => options)])
      expect(text).toMatch(new RegExp(`(--|-l )${name}\\b`));
    for (const { name } of COMMANDS) expect(text).toContain(name);
  });
});

test.skipIf(!there("bash"))("a file where none of the words is meant: readline's own", async () => {
  const terminal = onTerminal(["bash", "--norc", "-i"], { ...env, PS1: "> " });
  terminal.type(`cd ${folder}; source ns.bash; echo rea''dy\n`);
  await terminal.shows(/ready\r?\n/);
  terminal.type("ns --config some-f\t");
  await terminal.shows(/some-file\.json/);
  terminal.type("\x15");
  terminal.type("ns --profile st\t");
  await terminal.shows(/--profile strict/);
  terminal.type("\x15exit\n");
  await terminal.ended;
});

describe("wrong usage", () => {
  test.each([
    [["completions"], "ns: ns completions takes one shell: bash, zsh, fish"],
    [["completions", "bash", "zsh"], "ns: ns completions takes one shell: bash, zsh, fish"],
    [["completions", "csh"], "ns: 'csh' is not one of bash, zsh, fish"],
    [["completions", "constructor"], "ns: 'constructor' is not one of bash, zsh, fish"],
    [["completions", "-m", "1G", "bash"], "ns: unknown option -m"],
  ])("%j", async (words, message) => {
    const ran = await run(words);
    expect(ran).toEqual({
      status: 2,
      signal: null,
      stdout: "",
      stderr: `${message}\nusage: ns completions bash|zsh|fish\n`,
    });
  });
});

describe("every command", () => {
  test.each(COMMANDS.map((command) => [command.name, command] as const))("%s", async (name, command) => {
    const { stdout } = await run([name, "--help"]);
    expect(stdout).toStartWith(`Usage: ${command.usage}\n`);
    expect(command.usage).toStartWith(`ns ${name}`);
    for (const option of command.options) {
      expect(stdout).toContain(`--${option.name}`);
      expect(flagNamed(option.name)).toBeUndefined();
      if (option.short !== undefined && command.container)
        expect(flagWithLetter(option.short)).toBeUndefined();
    }
    expect(command.summary).toMatch(/^[a-z].*[^.]$/);
    expect((await run(["--help"])).stdout).toContain(`  ns ${name}`);
    expect((await run([name, "--nonsense"])).stderr).toContain(`usage: ${command.usage}\n`);
  });
});
