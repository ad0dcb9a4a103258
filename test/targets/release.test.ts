/** A release: what it refuses, and that two checkouts in different places give the same files. */
import { beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../package.json";
import { TARGETS } from "../../scripts/build/targets.ts";
import { folder, project } from "../harness.ts";
import { run } from "../vm/cache.ts";

const cache = join(project, "build/cache");

/** A checkout of what is committed and what is not, with a changelog entry for this version. */
async function checkOut(path: string): Promise<string> {
  const git = (...words: string[]) =>
    run(["git", "-C", path, "-c", "user.name=t", "-c", "user.email=t@t", ...words]);
  mkdirSync(path, { recursive: true });
  await run([
    "sh",
    "-c",
    `git -C "$1" ls-files -co --exclude-standard -z | (cd "$1" && xargs -0 tar -c) | tar -x -C "$2"`,
    "sh",
    project,
    path,
  ]);
  await run(["rm", "-rf", join(path, "node_modules")]);
  symlinkSync(join(project, "node_modules"), join(path, "node_modules"));
  mkdirSync(cache, { recursive: true });
  mkdirSync(join(path, "build"));
  symlinkSync(cache, join(path, "build/cache"));
  writeFileSync(join(path, "CHANGELOG.md"), `# Changelog\n\n## ${version}\n\nAll of it.\n`);
  await git("init", "-q");
  writeFileSync(join(path, ".git/info/exclude"), "node_modules\n");
  await git("add", "-A");
  const date = { GIT_AUTHOR_DATE: "2026-01-02T03:04:05Z", GIT_COMMITTER_DATE: "2026-01-02T03:04:05Z" };
  await run(["git", "-C", path, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "test: all"], {
    env: date,
  });
  return path;
}

const release = (checkout: string, ...words: string[]) => {
  const ran = Bun.spawnSync([process.execPath, "run", join(checkout, "scripts/release.ts"), ...words], {
    cwd: checkout,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  return { status: ran.exitCode, out: `${ran.stdout}`, err: `${ran.stderr}` };
};
const sums = (checkout: string): string => readFileSync(join(checkout, "build/release/SHA256SUMS"), "utf8");

describe("a release", () => {
  let first: string;
  let second: string;
  beforeAll(async () => {
    first = await checkOut(join(folder, "one"));
    second = await checkOut(join(folder, "a/second one"));
  });

  const WORDS = ["ns.1", "ns.schema.json", "ns.bash", "_ns", "ns.fish"];

  test("of all targets, from two places, gives the same files", async () => {
    for (const checkout of [first, second])
      expect(release(checkout, "--plain")).toMatchObject({ status: 0, err: "" });
    const names = Object.keys(TARGETS).map((target) => `ns-${version}-${target}`);
    expect(readdirSync(join(first, "build/release")).sort()).toEqual(
      [...names, `ns-${version}.cdx.json`, "SHA256SUMS", ...WORDS].sort(),
    );
    expect(sums(first)).toBe(sums(second));
    await run(["sh", "-c", 'cd "$1" && sha256sum --quiet -c SHA256SUMS', "sh", join(first, "build/release")]);
  }, 300_000);

  test("its bill of materials names what is inside, and no registry", () => {
    const bill = readFileSync(join(first, `build/release/ns-${version}.cdx.json`), "utf8");
    const { metadata, components } = JSON.parse(bill);
    expect(metadata.component).toMatchObject({ name: "ns", version, type: "application" });
    const names = components.map(({ name }: { name: string }) => name);
    expect(names).toEqual(["citty", "consola", ...Object.values(TARGETS).map(({ base }) => base)]);
    expect(bill.replaceAll("http://cyclonedx.org/schema/", "")).not.toContain("://");
  });

  test("is refused when something is not committed", () => {
    writeFileSync(join(first, "README.md"), "changed\n");
    const { status, err } = release(first, "--plain");
    expect(status).toBe(1);
    expect(err).toBe("release: the tree has changes that are not committed:\nM README.md\n");
  });
  test("is refused without a changelog entry", async () => {
    writeFileSync(join(second, "CHANGELOG.md"), `# Changelog\n\n## Unreleased (${version})\n\nAll of it.\n`);
    await run([
      "git",
      "-C",
      second,
      "-c",
      "user.name=t",
      "-c",
      "user.email=t@t",
      "commit",
      "-qam",
      "docs: changes",
    ]);
    const { status, err } = release(second, "--plain");
    expect(status).toBe(1);
    expect(err).toBe(
      `release: CHANGELOG.md has no entry for this version: a heading '## ${version}' and what is new\n`,
    );
  });
});
