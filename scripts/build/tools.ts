/** Other programs that a build runs: found, or an error that names the Debian package; run, or an error with their words. */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** An error that a person can act on; build.ts and release.ts print it without a stack. */
export class BuildError extends Error {}

/** The path of a program. @throws BuildError that names its Debian package */
export function findProgram(name: string, debian: string, what: string): string {
  const path = Bun.which(name);
  if (path === null)
    throw new BuildError(`${what} needs ${name}, which is not here (Debian: apt-get install ${debian})`);
  return path;
}

/** Runs a program to its end; its standard output. @throws BuildError with its last words */
export function runProgram(argv: readonly string[], env: Record<string, string> = {}, cwd?: string): Buffer {
  const ran = Bun.spawnSync([...argv], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, LC_ALL: "C", ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (ran.exitCode === 0) return ran.stdout;
  const how = ran.exitCode === null ? `was killed (${ran.signalCode})` : `failed (status ${ran.exitCode})`;
  const words = `${ran.stderr}`.trim().split("\n").slice(-8).join("\n  ");
  throw new BuildError(`${argv[0]} ${how}:\n  ${words}`);
}

export interface Clang {
  readonly clang: string;
  readonly lld: string;
  /** for people: whose it is and its version */
  readonly says: string;
}

/** The NDK's clang if there is an NDK, else the machine's. @throws BuildError when there is neither */
export function findClang(what: string): Clang {
  const ndk = process.env.ANDROID_NDK_HOME ?? process.env.ANDROID_NDK_ROOT;
  let clang: string;
  let lld: string;
  if (ndk !== undefined && ndk !== "") {
    const bin = join(ndk, "toolchains/llvm/prebuilt/linux-x86_64/bin");
    clang = join(bin, "clang");
    lld = join(bin, "ld.lld");
    for (const path of [clang, lld])
      if (!existsSync(path))
        throw new BuildError(`${path} is not there: ANDROID_NDK_HOME has to be an NDK for Linux`);
  } else {
    clang = findProgram("clang", "clang", what);
    lld = findProgram("ld.lld", "lld", what);
  }
  const version = `${runProgram([clang, "--version"])}`.split("\n")[0]!.trim();
  return { clang, lld, says: `${ndk ? "the NDK's " : ""}${version}` };
}
