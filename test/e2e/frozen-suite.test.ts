/**
 * The tests of ns itself, with what `ns freeze` writes in its place (test/harness.ts): each run is frozen and then started.
 * What a frozen start does differently is listed here, with the reason; a test that is listed and passes is an error too.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { folder, ids, isFrozen, isRoot, project, root, run, user } from "../harness.ts";

const VERBOSE = "it reads what -v says, and there is nobody to say it";
const SHORT = "a frozen start says less";

/** By file: which tests fail, and why that is right. */
const DIFFERENT: Readonly<Record<string, readonly (readonly [RegExp, string])[]>> = {
  container: [],
  planted: [],
  dev: [[/^where it is asked for and cannot be made/, SHORT]],
  devices: [
    [/^also with a limit, with --reaper/, "--reaper is refused"],
    [/^is one in the hierarchy for devices alone/, VERBOSE],
    [/^of a run that was killed with its watcher/, "it does not sweep"],
    [/^a list from an ordinary user$/, SHORT],
    [/^--dry-run shows it$/, "--dry-run is refused"],
  ],
  "status-sets": [[/^\["--reaper"\]$/, "--reaper is refused"]],
  life: [
    [/^init killed from outside$/, VERBOSE],
    [/^at each of its steps$/, VERBOSE],
    [/^very few descriptors/, "the shell in front of it has too few"],
  ],
  escape: [
    [/\(reaper\)$/, "--reaper is refused"],
    [
      /^tells an ordinary user nothing, though/,
      "it tells even less: the file's descriptors cannot be counted",
    ],
  ],
  hostile: [
    [/^a link chain of 40/, SHORT],
    [/^a root of nothing but init works/, SHORT],
  ],
  faults: [
    [/^read-only: works/, SHORT],
    [/^a program whose loader is missing$/, SHORT],
    [/^a deleted working directory$/, "the shell in front of it has something to say"],
    [/^an ordinary user without --user is told how$/, SHORT],
    [/^an ordinary user cannot take another's id$/, SHORT],
    [/^user namespaces switched off/, SHORT],
    [/^in a chroot/, "the shell in front of it is not in the chroot"],
  ],
  terminal: [[/^an interactive shell: prompt/, "TERM is not passed"]],
};

interface Case {
  readonly name: string;
  readonly failed: boolean;
}

/** What bun test has reported of a file's tests. */
function casesOf(report: string): Case[] {
  const text = readFileSync(report, "utf8");
  return [...text.matchAll(/<testcase name="([^"]*)"[^>]*?(\/>|>([\s\S]*?)<\/testcase>)/g)].map((found) => ({
    name: found[1]!
      .replaceAll("&quot;", '"')
      .replaceAll("&apos;", "'")
      .replaceAll("&#39;", "'")
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&amp;", "&"),
    failed: (found[3] ?? "").includes("<failure") || (found[3] ?? "").includes("<error"),
  }));
}

test.skipIf(isFrozen || !isRoot).each(Object.keys(DIFFERENT))(
  "%s.test.ts with frozen starts",
  async (name) => {
    const report = join(folder, `${name}.xml`);
    const ran = Bun.spawn(
      [
        ...[process.execPath, "test", "--reporter=junit", `--reporter-outfile=${report}`],
        join(project, `test/e2e/${name}.test.ts`),
      ],
      {
        ...{ cwd: project, stdin: "ignore", stdout: "ignore", stderr: "ignore" },
        env: { ...process.env, NS_UNDER_TEST: "frozen" },
      },
    );
    await ran.exited;
    // what a frozen start that was killed with its watcher has left goes with the next start of ns
    expect((await run([...user, "-", root, "/bin/true", ...ids])).status).toBe(0);
    const different = DIFFERENT[name]!;
    const cases = casesOf(report);
    const failed = cases.filter((one) => one.failed).map((one) => one.name);
    expect(cases.length).toBeGreaterThan(3);
    expect(failed.filter((one) => !different.some(([pattern]) => pattern.test(one)))).toEqual([]);
    for (const [pattern, why] of different) {
      expect(
        failed.some((one) => pattern.test(one)),
        `${pattern} passes, but is listed: ${why}`,
      ).toBe(true);
      console.log(`frozen ${name}: without ${pattern.source}: ${why}`);
    }
  },
  180_000,
);
