/**
 * Compiles csrc/launcher.c with clang: for Android, whose Bun has no TinyCC, for the tests that both compilers' code
 * does the same, and for 32 bits, where there is no Bun at all. Neither headers nor libraries are used, so that the NDK's
 * sysroot is not needed. The result is checked: code only, nothing from outside, the same bytes wherever it is linked.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CODE_AT } from "../../src/sys/elf.ts";
import { readElf, SHF_ALLOC } from "./readelf.ts";
import { BuildError, type Clang, runProgram } from "./tools.ts";

export type ClangArchitecture = "x64" | "arm64" | "armv7" | "i686";

const MACHINES: Readonly<Record<ClangArchitecture, readonly string[]>> = {
  x64: ["--target=x86_64-linux-android24", "-mgeneral-regs-only"],
  arm64: ["--target=aarch64-linux-android24", "-mgeneral-regs-only"],
  armv7: ["--target=armv7a-linux-androideabi24", "-marm", "-mfloat-abi=soft"],
  i686: ["--target=i686-linux-android24", "-mgeneral-regs-only"],
};
const FLAGS = [
  ...[
    "-std=gnu11",
    "-Os",
    "-ffreestanding",
    "-fno-builtin",
    "-nostdlib",
    "-nostdinc",
    "-Wall",
    "-Wextra",
    "-Werror",
  ],
  // by distances, never by addresses
  ...[
    "-fpie",
    "-fdirect-access-external-data",
    "-fvisibility=hidden",
    "-fno-jump-tables",
    "-ffunction-sections",
  ],
  ...[
    "-fno-stack-protector",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-fomit-frame-pointer",
  ],
];
/** Two places, as far into a page as the code will be (elf.ts): arm64 code counts in pages. */
const PLACES = [0x10000 + CODE_AT, 0x7654000 + CODE_AT];
/** by anchor() the code knows where it is: it has to be in the first page, and clang would emit it later */
const ORDER = "*(.text.anchor) *(.text .text.*)";
const DISCARDED = "*(.comment .note* .ARM.exidx* .ARM.attributes)";
/** i686 code counts from where this would be, and reads nothing of it. */
const NEVER_READ = ".got.plt";

export const launcherSource = join(import.meta.dir, "../../csrc/launcher.c");

export interface Code {
  readonly code: Uint8Array;
  /** where in it launcher(nr, a..f) begins */
  readonly entry: number;
}

function linkAt(object: string, place: number, clang: Clang, folder: string): Code {
  const script = join(folder, "link.ld");
  const output = join(folder, "launcher.elf");
  writeFileSync(script, `SECTIONS { .text ${place} : { ${ORDER} } /DISCARD/ : { ${DISCARDED} } }\n`);
  runProgram([clang.lld, "--build-id=none", "-e", "launcher", "-T", script, object, "-o", output]);
  const elf = readElf(readFileSync(output));
  const text = elf.sections.find(({ name }) => name === ".text")!;
  const others = elf.sections.filter(
    ({ name, flags, size }) => flags & SHF_ALLOC && size > 0 && name !== ".text" && name !== NEVER_READ,
  );
  if (others.length > 0)
    throw new BuildError(`csrc/launcher.c has data, in ${others.map(({ name }) => name).join(" and ")}`);
  return { code: elf.bytesOf(text).slice(), entry: elf.symbol("launcher")! - place };
}

/** @throws BuildError when clang refuses the source, or the code is not what it has to be */
export function compileWithClang(
  arch: ClangArchitecture,
  clang: Clang,
  source: string = launcherSource,
  defines: readonly string[] = [],
): Code {
  const folder = mkdtempSync(join(tmpdir(), "ns-clang-"));
  try {
    const object = join(folder, "launcher.o");
    // relative names: paths must not matter for the result
    runProgram([clang.clang, ...MACHINES[arch], ...FLAGS, ...defines, "-c", source, "-o", object]);
    const [first, second] = PLACES.map((place) => linkAt(object, place, clang, folder)) as [Code, Code];
    if (first.entry !== second.entry || Buffer.compare(first.code, second.code) !== 0)
      throw new BuildError("csrc/launcher.c is not position-independent: linked at two places it differs");
    return first;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
