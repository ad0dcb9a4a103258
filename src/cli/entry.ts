#!/usr/bin/env bun
/**
 * Where the executable begins. `ns --version` alone is answered here, by one call of the C library, so that it costs no
 * more than an empty program; everything else is main.ts, a piece of its own that is loaded then.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { LIBC } from "../sys/libc.ts";
import { versionLine } from "./version.ts";

/** Writes the line to standard output. @returns whether all of it is written; why not is for main.ts to say */
function writeLine(text: string): boolean {
  const bytes = new Uint8Array(new ArrayBuffer(text.length + 1));
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  bytes[text.length] = 10;
  try {
    const args = [FFIType.i32, FFIType.ptr, FFIType.i32];
    const libc = dlopen(LIBC, { write: { args, returns: FFIType.i32 } });
    return libc.symbols.write(1, ptr(bytes), bytes.length) === bytes.length;
  } catch {
    return false;
  }
}

const { argv } = process;
// an end by its own would compile what the runtime calls then
if (argv.length === 3 && argv[2] === "--version" && writeLine(versionLine())) process.exit(0);
try {
  await import("./main.ts");
} catch (error) {
  // before main.ts could begin: a library that it needs is not to be had
  (await import("./log.ts")).sayInternal(error);
  process.exit(125);
}
