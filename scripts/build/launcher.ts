/**
 * The launcher's machine code for a target: by TinyCC, which is part of Bun and compiles for its own architecture only,
 * so that for another one that architecture's Bun does it under qemu-user; or by clang.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { compileAlone, compileLauncher, type Launcher } from "../../src/sys/compile.ts";
import { CODE_AT, programHead } from "../../src/sys/elf.ts";
import { fetchBase } from "./base.ts";
import { type Code, compileWithClang } from "./clang.ts";
import { ABI, type Architecture, type Compiler, TARGETS } from "./targets.ts";
import { BuildError, findClang, findProgram, runProgram } from "./tools.ts";

export interface Compiled extends Launcher {
  /** for people: which compiler it was */
  readonly by: string;
}

/** The cross C library that an emulated Bun is linked to, and its Debian package. */
const SYSROOT = "/usr/aarch64-linux-gnu";
const SYSROOT_PACKAGE = "libc6-arm64-cross";

/** What print-launcher.ts writes. */
export interface Printed {
  readonly head: string;
  readonly entry: number;
}

function emulated(): Launcher {
  const what = "compiling the launcher for arm64 on another machine";
  const qemu = findProgram("qemu-aarch64-static", "qemu-user-static", what);
  if (!existsSync(join(SYSROOT, "lib/ld-linux-aarch64.so.1")))
    throw new BuildError(`${what} needs ${SYSROOT} (Debian: apt-get install ${SYSROOT_PACKAGE})`);
  const bun = fetchBase(TARGETS["linux-arm64"].base);
  const printed = runProgram([qemu, "-L", SYSROOT, bun, join(import.meta.dir, "print-launcher.ts")]);
  const { head, entry } = JSON.parse(`${printed}`) as Printed;
  return { head: new Uint8Array(Buffer.from(head, "base64")), entry };
}

const compiled = new Map<string, Compiled>();

/** Compiles it, once a run of this program. @throws BuildError when a tool is missing, or the code is not what it has to be */
export function launcherFor(arch: Architecture, compiler: Compiler): Compiled {
  const key = `${arch} ${compiler}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  let made: Compiled;
  if (compiler === "clang") {
    const clang = findClang(`compiling the launcher for Android, without an NDK (ANDROID_NDK_HOME),`);
    const { code, entry } = compileWithClang(arch, clang);
    made = { head: programHead(code, entry, ABI[arch]), entry: CODE_AT + entry, by: clang.says };
  } else if (arch === process.arch) made = { ...compileLauncher(), by: "TinyCC" };
  else if (arch === "arm64") made = { ...emulated(), by: "TinyCC under qemu-user" };
  else
    throw new BuildError(
      `the launcher for ${arch} cannot be compiled on ${process.arch}: build on an x86-64 host`,
    );
  compiled.set(key, made);
  return made;
}

/** By a machine's name: its launcher in base64 for `ns freeze`, and where in it its entry begins. */
type Frozen = Record<string, { code: string; entry: number }>;

const inText = ({ code, entry }: Code): Frozen[string] => ({
  code: Buffer.from(code).toString("base64"),
  entry,
});

/**
 * The launchers of all machines, by clang, whose code is half as large (src/sys/launchers.ts).
 * @throws BuildError when there is no clang
 */
export function launchersToFreeze(): Frozen {
  const clang = findClang("compiling the launchers that ns freeze takes");
  const made: Frozen = {};
  for (const arch of ["x64", "arm64", "armv7", "i686"] as const)
    made[arch] = inText(compileWithClang(arch, clang, undefined, ["-DALONE"]));
  return made;
}

/** The one of this machine alone, without clang; none in a build for another. */
export const ownLauncherToFreeze = (arch: Architecture): Frozen =>
  arch === process.arch ? { [arch]: inText(compileAlone()) } : {};

/** What `ns --version` and the build show of it: the first 12 digits of its SHA-256. */
export const launcherHash = ({ head }: Launcher): string =>
  new Bun.CryptoHasher("sha256").update(head).digest("hex").slice(0, 12);
