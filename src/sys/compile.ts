/**
 * Compiles csrc/launcher.c with bun:ffi's TinyCC and takes the machine code out of its memory. Called when ns is built
 * (scripts/build.ts embeds the result) and when ns runs from its sources; a built executable never compiles anything.
 */
import { cc, type Pointer, toArrayBuffer } from "bun:ffi";
import { join } from "node:path";
import * as arm64 from "./abi/arm64.ts";
import * as x64 from "./abi/x64.ts";
import { CODE_AT, programHead } from "./elf.ts";
import { relax } from "./relax.ts";

export interface Launcher {
  /** the head of a program (elf.ts), with the machine code, which runs at any address */
  head: Uint8Array;
  /** where in it the launcher's entry, launcher(nr, a..f), begins */
  entry: number;
}

const source = join(import.meta.dir, "../../csrc/launcher.c");

interface Code {
  readonly code: Uint8Array;
  /** where in it launcher(nr, a..f) begins */
  readonly entry: number;
}

function compileOnce(flags: readonly string[]): Code {
  const nothing = { args: [], returns: "i64" } as const;
  const { symbols } = cc({
    source,
    flags: ["-nostdlib", "-nostdinc", ...flags],
    symbols: { launcherBegin: nothing, launcher: nothing, launcherEnd: nothing },
  });
  const address = (name: keyof typeof symbols): number =>
    Number((symbols[name] as unknown as { ptr: number }).ptr);
  const begin = address("launcherBegin");
  const size = address("launcherEnd") - begin;
  const code = new Uint8Array(toArrayBuffer(begin as Pointer, 0, size)).slice();
  if (process.arch === "arm64")
    relax(code, begin, (at) => Number(new BigInt64Array(toArrayBuffer(at as Pointer, 0, 8))[0]));
  return { code, entry: address("launcher") - begin };
}

/** @throws Error when it depends on the address it was compiled at */
function compile(...flags: string[]): Code {
  const first = compileOnce(flags);
  const second = compileOnce(flags);
  if (first.entry !== second.entry || Buffer.compare(first.code, second.code) !== 0)
    throw new Error("csrc/launcher.c is not position-independent: two compilations differ");
  return first;
}

/**
 * The launcher's machine code for this architecture.
 * @throws Error when it depends on the address it was compiled at, or is too big to be the small thing it should be
 */
export function compileLauncher(): Launcher {
  const { code, entry } = compile();
  return {
    head: programHead(code, entry, process.arch === "arm64" ? arm64 : x64),
    entry: CODE_AT + entry,
  };
}

/** The same for the files of `ns freeze`. */
export const compileAlone = (): Code => compile("-DALONE");
