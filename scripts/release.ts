/**
 * Makes a release: `bun run release` builds every target from a clean checkout into build/release, as
 * ns-<version>-<target> and compressed beside it, with the man page, completions, the JSON schema, a bill of materials and
 * SHA256SUMS. The same commit gives the same
 * files wherever it is built. Refuses a dirty tree and a version that CHANGELOG.md does not tell of. `--plain` leaves the
 * compressing out, `--target=NAME` the other targets (for tests).
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { name, version } from "../package.json";
import { SHELLS } from "../src/cli/commands/completions.ts";
import { COMMANDS } from "../src/cli/commands/table.ts";
import { buildTarget } from "./build/executable.ts";
import { billOfMaterials } from "./build/sbom.ts";
import { type TargetName, targetNames } from "./build/targets.ts";
import { BuildError, findProgram, runProgram } from "./build/tools.ts";

const project = join(import.meta.dir, "..");
const folder = join(project, "build/release");

const git = (...words: string[]): string =>
  `${runProgram([findProgram("git", "git", "a release"), "-C", project, ...words])}`.trim();

/** @throws BuildError when what would be released is not what was committed and told of */
function checkTree(): void {
  const changed = git("status", "--porcelain");
  if (changed !== "") throw new BuildError(`the tree has changes that are not committed:\n${changed}`);
  const heading = new RegExp(`^## ${version.replaceAll(".", "\\.")}\\b.*\\n+[^#\\s]`, "m");
  if (!heading.test(readFileSync(join(project, "CHANGELOG.md"), "utf8")))
    throw new BuildError(
      `CHANGELOG.md has no entry for this version: a heading '## ${version}' and what is new`,
    );
}

const sha256 = (file: string): string =>
  new Bun.CryptoHasher("sha256").update(readFileSync(join(folder, file))).digest("hex");

/** Compresses files with xz, as many at a time as there are processors; one thread each: more give other bytes. */
async function compress(files: readonly string[]): Promise<void> {
  const xz = findProgram("xz", "xz-utils", "a release");
  const waiting = [...files];
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const status = await Bun.spawn([xz, "-6", "-T1", "-k", join(folder, file)], { stdin: "ignore" }).exited;
      if (status !== 0) throw new BuildError(`xz could not compress ${file}`);
      console.log(`compressed ${file}.xz`);
    }
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, work));
}

/** The files for people and their shells, under the names by which these find them. */
function writeWords(): string[] {
  const words: Record<string, string> = {};
  for (const file of ["ns.1", "ns.schema.json"])
    words[file] = readFileSync(join(project, "docs", file), "utf8");
  for (const [shell, script] of Object.entries(SHELLS))
    words[shell === "zsh" ? "_ns" : `ns.${shell}`] = `${script(COMMANDS)}\n`;
  for (const [file, text] of Object.entries(words)) writeFileSync(join(folder, file), text);
  return Object.keys(words);
}

async function release(targets: readonly TargetName[], plain: boolean): Promise<void> {
  checkTree();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const files: string[] = [];
  for (const target of targets) {
    const file = `${name}-${version}-${target}`;
    const outfile = join(folder, file);
    console.log((await buildTarget(target, { release: true, pinned: true, outfile })).says);
    files.push(file);
  }
  const bill = `${name}-${version}.cdx.json`;
  const committed = Number(git("log", "-1", "--format=%ct"));
  writeFileSync(join(folder, bill), billOfMaterials(project, name, version, committed));
  if (!plain) await compress(files);
  const all = [...files, ...(plain ? [] : files.map((file) => `${file}.xz`)), ...writeWords(), bill].sort();
  writeFileSync(join(folder, "SHA256SUMS"), all.map((file) => `${sha256(file)}  ${file}\n`).join(""));
  console.log(readFileSync(join(folder, "SHA256SUMS"), "utf8").trimEnd());
}

try {
  const { values } = parseArgs({
    options: { target: { type: "string" }, plain: { type: "boolean", default: false } },
    strict: true,
  });
  const chosen = targetNames.filter((target) => values.target === undefined || target === values.target);
  if (chosen.length === 0) throw new BuildError(`no target ${values.target}`);
  await release(chosen, values.plain);
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`release: ${error.message}`);
  process.exit(1);
}
