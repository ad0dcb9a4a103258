/** `ns check`: the table, the JSON, the profile, and what it finds where something is missing. Run by `bun test`. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FLAGS } from "../../src/cli/flags/table.ts";
import type { Survey } from "../../src/index.ts";
import {
  asOrdinary,
  callers,
  isRoot,
  leavesNothing,
  ns,
  onTerminal,
  project,
  rootTest,
  run,
  runCommand,
} from "../harness.ts";
import { violations } from "../schema.ts";

leavesNothing();

const schema = JSON.parse(readFileSync(join(project, "docs/check.schema.json"), "utf8"));
const surveyOf = (text: string): Survey => JSON.parse(text);
const find = (text: string, id: string) => surveyOf(text).features.find((one) => one.id === id)!;

describe.each(callers)("%s", (_, unprivileged) => {
  test("the JSON is what the schema says, and the job works here", async () => {
    const { status, stdout, stderr } = await run(["check", "--json"], { unprivileged });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(violations(schema, JSON.parse(stdout))).toEqual([]);
    const { works, caller, features } = surveyOf(stdout);
    expect(works).toBe(true);
    expect(caller.root).toBe(!unprivileged);
    for (const { id, works: one, needed } of features) expect(`${id} ${one || !needed}`).toBe(`${id} true`);
    expect(new Set(features.map(({ id }) => id)).size).toBe(features.length);
    // one thing that this caller cannot have, and says why
    const veth = find(stdout, "veth");
    if (unprivileged)
      expect(veth).toMatchObject({
        works: false,
        problem: "--net=veth: only root may make interfaces in the host's network",
        note: "as an ordinary user: --net=pasta",
      });
  });

  test("in a pipe the table is plain, one line a row", async () => {
    const { status, stdout } = await run(["check"], { unprivileged, env: { TERM: "xterm-256color" } });
    expect(status).toBe(0);
    expect(stdout).not.toContain("\x1b");
    expect(stdout).toMatch(/^ns \S+ on Linux \S+ \((x64|arm64)\); cgroups: /);
    expect(stdout).toMatch(/^ {2}yes {2}the plain job +ns /m);
    expect(stdout).toMatch(/^ {2}(yes|no ) {2}a pair of interfaces +\S/m);
    for (const line of stdout.split("\n")) expect(line).toMatch(/^$|^\S|^ {2}(yes|no ) {2}\S|^ {7}note: \S/);
  });

  test.each([
    ["colours", {}, true],
    ["no colours with NO_COLOR", { NO_COLOR: "1" }, false],
    ["no colours on a dumb terminal", { TERM: "dumb" }, false],
  ])("on a terminal: its width, and %s", async (_, env, coloured) => {
    const words = unprivileged ? asOrdinary([ns, "check"]) : [ns, "check"];
    const terminal = onTerminal(words, { TERM: "xterm-256color", ...env });
    expect(await terminal.ended).toBe(0);
    const screen = await terminal.shows(/containers can be started|all of this works/);
    expect(screen.includes("\x1b[32myes\x1b[0m")).toBe(coloured);
    const lines = Bun.stripANSI(screen).split("\r\n");
    // a path is one word, which may be longer than the rest of the line
    for (const line of lines) if (!/\S{50}/.test(line)) expect(line.length).toBeLessThanOrEqual(100);
    expect(lines).toContain("a container");
  });
});

test("the options that it names are ns's", async () => {
  const { stdout } = await run(["check", "--json"]);
  const names = surveyOf(stdout).features.flatMap(({ detail }) => detail?.match(/--[a-z-]+/g) ?? []);
  expect(names.length).toBeGreaterThan(10);
  const known = FLAGS.map(({ name }) => `--${name}`);
  for (const name of names) expect(known).toContain(name);
});

test("in a user namespace that may have none below it, no container can be started", async () => {
  const words = ["unshare", "-U", "-r", "sh", "-c"];
  const act = `echo 0 >/proc/sys/user/max_user_namespaces && exec ${ns} check --json`;
  const { status, stdout, stderr } = await runCommand([...words, act], { unprivileged: true });
  expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
  expect(surveyOf(stdout).works).toBe(false);
  expect(find(stdout, "job-user")).toMatchObject({
    works: false,
    problem: "cannot make a user namespace: user.max_user_namespaces is 0",
    note: "allow them: sysctl -w user.max_user_namespaces=10000",
  });
  expect(find(stdout, "namespace-user")).toMatchObject({ works: false });
  expect(find(stdout, "namespace-net")).toMatchObject({ works: true });
});

const memfd = "/proc/sys/vm/memfd_noexec";
rootTest(
  `programs in memory forbidden${existsSync(memfd) ? "" : " [this kernel has no vm.memfd_noexec]"}`,
  async () => {
    if (!existsSync(memfd)) return;
    // the switch is a pid namespace's own
    const act = `echo 2 >${memfd} && exec ${ns} check --json`;
    const { stdout } = await runCommand(["unshare", "-p", "-f", "--mount-proc", "sh", "-c", act]);
    expect(find(stdout, "memory-programs")).toMatchObject({
      works: false,
      problem: "cannot execute a program in memory: permission denied",
      note: expect.stringContaining("sysctl -w vm.memfd_noexec=0"),
    });
    expect(find(stdout, "job").works).toBe(true);
  },
);

rootTest("a /proc that is covered in part", async () => {
  const act = `mount -t tmpfs tmpfs /proc/irq && exec ${asOrdinary([ns, "check", "--json"]).join(" ")}`;
  const { status, stdout } = await runCommand(["unshare", "-m", "sh", "-c", act]);
  expect(status).toBe(1);
  expect(find(stdout, "job")).toMatchObject({
    works: false,
    problem: "cannot mount proc on /proc: operation not permitted",
    note: expect.stringContaining("covered in part"),
  });
  expect(find(stdout, "namespace-mnt").works).toBe(true);
});

test("an AppArmor profile for where ns is", async () => {
  const { status, stdout } = await run(["check", "--apparmor"]);
  expect(status).toBe(0);
  expect(stdout).toContain(`profile ns "${ns}" flags=(unconfined) {\n  userns,\n`);
  const documented = readFileSync(join(project, "docs/check.md"), "utf8").replaceAll(/^ {4}/gm, "");
  expect(documented).toContain(stdout.replace(ns, "/usr/local/bin/ns").trim());
});

test("wrong words", async () => {
  for (const words of [["x"], ["--json", "--apparmor"], ["--memory=1G"]]) {
    const { status, stdout, stderr } = await run(["check", ...words]);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr.split("\n")).toHaveLength(3);
    expect(stderr).toContain("usage: ns check");
  }
});

test("a full disk is an error", async () => {
  const { status, stderr } = await runCommand(["sh", "-c", `exec ${ns} check >/dev/full`], {
    unprivileged: !isRoot,
  });
  expect({ status, stderr }).toEqual({
    status: 125,
    stderr: "ns: cannot write to standard output: no space left\n",
  });
});
