/**
 * The Bun executables of other targets, which ns's executables are made of: npm packages, of the versions and with the
 * integrity hashes that package-lock.json pins. npm would not install those of a foreign machine; they are fetched
 * through npm, as it is configured, when a target first needs one, and kept in build/cache.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { BuildError, findProgram, runProgram } from "./tools.ts";

const project = join(import.meta.dir, "../..");
const cache = join(project, "build/cache");

interface Pin {
  readonly version: string;
  readonly integrity: string;
}

/** What package-lock.json says of a package. @throws BuildError when it does not name it, or another Bun's version */
export function pinOf(name: string, lock = readFileSync(join(project, "package-lock.json"), "utf8")): Pin {
  const { packages } = JSON.parse(lock) as { packages: Record<string, Partial<Pin>> };
  const { version, integrity } = packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined)
    throw new BuildError(`package-lock.json does not pin ${name}: run npm install --package-lock-only`);
  if (version !== Bun.version)
    throw new BuildError(`package-lock.json pins ${name} ${version}, but this is Bun ${Bun.version}: npm ci`);
  return { version, integrity };
}

/** @throws BuildError when the file is not the one that was pinned */
export function checkIntegrity(file: string, name: string, integrity: string): void {
  const [algorithm, hash] = [
    integrity.slice(0, integrity.indexOf("-")),
    integrity.slice(integrity.indexOf("-") + 1),
  ];
  if (algorithm !== "sha512")
    throw new BuildError(`package-lock.json pins ${name} by ${algorithm}, not sha512`);
  const found = new Bun.CryptoHasher("sha512").update(readFileSync(file)).digest("base64");
  if (found !== hash)
    throw new BuildError(`${name}: what npm fetched has sha512-${found}, pinned is ${integrity}`);
}

/** The path of a package's Bun executable. @throws BuildError when it is not in the cache and cannot be fetched */
export function fetchBase(name: string): string {
  const { version, integrity } = pinOf(name);
  const kept = join(cache, `${name.replace(/^@oven\//, "")}-${version}`);
  const executable = join(kept, "bin/bun");
  if (existsSync(executable)) return executable;
  const npm = findProgram("npm", "npm", `fetching ${name}`);
  mkdirSync(cache, { recursive: true });
  const draft = mkdtempSync(join(cache, "draft-"));
  try {
    console.log(`fetching ${name} ${version}`);
    try {
      runProgram([npm, "pack", "--silent", "--pack-destination", draft, `${name}@${version}`]);
    } catch (error) {
      throw new BuildError(
        `cannot fetch ${name} ${version}: ${(error as Error).message}\n` +
          "note: the npm registry is needed once for each target; what was fetched stays in build/cache",
      );
    }
    const [tarball] = [...new Bun.Glob("*.tgz").scanSync(draft)];
    checkIntegrity(join(draft, tarball!), name, integrity);
    runProgram([
      "tar",
      "-xzf",
      join(draft, tarball!),
      "-C",
      draft,
      "--strip-components=1",
      "package/bin/bun",
    ]);
    rmSync(join(draft, tarball!));
    renameSync(draft, kept);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return executable;
}
