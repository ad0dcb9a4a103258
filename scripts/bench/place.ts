/**
 * What every measurement needs, made once in a folder of its own and removed at the end: a busybox root with stamp.c as
 * its init, the compiled programs, ns and an empty Bun program, each written in one piece so that all find the page cache
 * alike.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { alignCode } from "../align.ts";

const project = join(import.meta.dir, "../..");

export interface Place {
  readonly folder: string;
  readonly root: string;
  readonly ns: string;
  /** a Bun program that does nothing but one call of the C library */
  readonly empty: string;
  readonly timer: string;
  readonly reference: string;
}

/** The init of the measured containers, as they see it. */
export const INIT = "/bin/stamp";

const EMPTY = `import { dlopen, FFIType } from "bun:ffi";
dlopen("libc.so.6", { getpid: { args: [], returns: FFIType.i32 } }).symbols.getpid();
`;

function run(words: string[]): void {
  const ran = Bun.spawnSync(words, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  if (ran.exitCode !== 0) throw new Error(`${words[0]}: ${ran.stderr.toString().trim()}`);
}

function compile(source: string, to: string, ...flags: string[]): string {
  run(["cc", "-O2", "-Wall", ...flags, "-o", to, join(project, source)]);
  return to;
}

async function buildEmpty(folder: string): Promise<string> {
  const source = join(folder, "empty.ts");
  const outfile = join(folder, "empty-built");
  writeFileSync(source, EMPTY);
  const compile = {
    outfile,
    autoloadDotenv: false,
    autoloadBunfig: false,
    execArgv: ["--"],
    jitPolicy: 1000,
  };
  const options = {
    format: "esm",
    splitting: true,
    minify: true,
    bytecode: true,
    sourcemap: "none",
  } as const;
  const built = await Bun.build({ entrypoints: [source], compile, ...options });
  if (!built.success) throw new Error(`the empty program: ${built.logs.join("; ")}`);
  return outfile;
}

/** Copies a program as scripts/build.ts writes it: in one write, its code where it can be mapped in large pieces. */
function copyProgram(from: string, to: string): string {
  writeFileSync(to, alignCode(readFileSync(from)), { mode: 0o755 });
  return to;
}

/** @throws Error when there is no C compiler, no release build, or no busybox */
export async function makePlace(): Promise<Place> {
  if (Bun.which("cc") === null) throw new Error("cc is missing (Debian: apt-get install gcc libc6-dev)");
  const folder = mkdtempSync(join(tmpdir(), "ns-bench-"));
  try {
    chmodSync(folder, 0o755);
    const root = join(folder, "root");
    run(["sh", join(project, "scripts/mk-test-root.sh"), root]);
    mkdirSync(join(root, "bin"), { recursive: true });
    compile("scripts/bench/stamp.c", join(root, INIT), "-static", "-nostdlib", "-fno-stack-protector");
    return {
      folder,
      root,
      timer: compile("scripts/bench/timer.c", join(folder, "timer")),
      reference: compile("scripts/reference.c", join(folder, "reference"), "-static"),
      ns: copyProgram(join(project, "build/linux-x64-rel/ns"), join(folder, "ns")),
      empty: copyProgram(await buildEmpty(folder), join(folder, "empty")),
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

export const removePlace = ({ folder }: Place): void => rmSync(folder, { recursive: true, force: true });
