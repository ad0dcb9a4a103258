/** Makes one executable: the launcher, the bundled program, and the target's Bun. */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { version } from "../../package.json";
import { alignFile } from "../align.ts";
import { fetchBase } from "./base.ts";
import { launcherFor, launcherHash, launchersToFreeze, ownLauncherToFreeze } from "./launcher.ts";
import { type Architecture, type Compiler, nativeTarget, TARGETS, type TargetName } from "./targets.ts";
import { BuildError } from "./tools.ts";

const project = join(import.meta.dir, "../..");

export interface BuildOptions {
  readonly release: boolean;
  /** instead of the target's own compiler, for tests */
  readonly compiler?: Compiler | undefined;
  /** where to put it, instead of build/<target>-<dbg|rel>/ns */
  readonly outfile?: string;
  /** take the pinned Bun for the native target too, not the one that runs this */
  readonly pinned?: boolean;
}

/** @param must a release has to have them all; what somebody builds for himself may have no clang */
function launchersIfPossible(arch: Architecture, must: boolean): ReturnType<typeof launchersToFreeze> {
  try {
    return launchersToFreeze();
  } catch (error) {
    if (must || !(error instanceof BuildError)) throw error;
    console.error(`build: ns freeze makes files for its own machine only: ${error.message}`);
    return ownLauncherToFreeze(arch);
  }
}

/** Builds a target; the path and, for people, what was built. @throws BuildError when something is missing */
export async function buildTarget(
  name: TargetName,
  options: BuildOptions,
): Promise<{ outfile: string; says: string }> {
  const { arch, bun, base, compiler } = TARGETS[name];
  const type = options.release ? "rel" : "dbg";
  const outfile = options.outfile ?? join(project, "build", `${name}-${type}`, "ns");
  const native = name === nativeTarget && !options.pinned;
  const launcher = launcherFor(arch, options.compiler ?? compiler);
  const hash = launcherHash(launcher);
  // as 32-bit words: a quarter of the constants that a start has to load
  const words = new Int32Array(launcher.head.buffer);
  mkdirSync(dirname(outfile), { recursive: true });
  const frozen = options.release
    ? launchersIfPossible(arch, options.pinned === true)
    : ownLauncherToFreeze(arch);
  const result = await Bun.build({
    entrypoints: [join(project, "src/cli/entry.ts")],
    compile: {
      outfile,
      ...(native ? {} : { executablePath: fetchBase(base), target: bun as Bun.Build.CompileTarget }),
      autoloadDotenv: false,
      autoloadBunfig: false,
      // without a "--" of our own, BUN_OPTIONS=--preload=x.ts would run a stranger's code
      execArgv: ["--"],
      jitPolicy: 1000,
    },
    define: {
      NS_LAUNCHER: JSON.stringify([...words]),
      NS_LAUNCHER_ENTRY: String(launcher.entry),
      NS_LAUNCHERS: JSON.stringify(frozen),
      NS_BUILD: JSON.stringify({ version, type, target: name, launcher: hash }),
      "process.arch": JSON.stringify(arch),
      "process.platform": JSON.stringify(name.startsWith("android") ? "android" : "linux"),
    },
    format: "esm",
    splitting: true,
    // the usual names have a hash of the path that it is built on
    naming: { chunk: "[name].[ext]" },
    minify: options.release,
    bytecode: options.release,
    sourcemap: "none",
  });
  if (!result.success) throw new BuildError(result.logs.map(String).join("\n"));
  if (options.release) alignFile(outfile);
  return { outfile, says: `${outfile}: launcher ${hash}, by ${launcher.by}` };
}
