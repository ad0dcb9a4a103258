/** The words of the command line as bytes. */
import { ENVIRONMENT_ROOM } from "../host/environment.ts";
import { type Bytes, bytesOf } from "../sys/bytes.ts";
import { readFile } from "../sys/file.ts";
import { makeRoom } from "../sys/kernel.ts";

/** As much as a file of --config may hold. */
export const CONFIG_LIMIT = 1 << 20;

const REPLACEMENT = "\ufffd";

/** Is there a --config among the options, or something that could be one? */
function mayHaveConfig(words: readonly string[]): boolean {
  for (const word of words) {
    if (word === "--") return false;
    if (word.startsWith("--config") || (word.startsWith("-") && word[1] !== "-" && word.includes("c")))
      return true;
  }
  return false;
}

/**
 * The user's arguments. JavaScript has them as text, in which bytes that are not UTF-8 are lost; only then they are read
 * from the kernel again.
 */
export function commandLine(): Bytes[] {
  const words = process.argv.slice(2);
  // each is kept twice at most: its bytes (three at most a character), alignment and a pointer; an option may ask for ops
  let room = 0;
  for (let i = 0; i < words.length; i++) room += 6 * words[i]!.length + (i < 1000 ? 4096 : 160);
  // variables of files and of the caller are no words
  if (words.some((word) => word.startsWith("--env-file") || word.startsWith("--keep-env")))
    room += 2 * ENVIRONMENT_ROOM;
  if (mayHaveConfig(words)) room += 6 * CONFIG_LIMIT + 1000 * 4096;
  makeRoom(room);
  if (!words.some((word) => word.includes(REPLACEMENT))) return words.map(bytesOf);
  const raw = readFile("/proc/self/cmdline", 1 << 23);
  if (typeof raw !== "string") return words.map(bytesOf);
  return raw.split("\0").slice(0, -1).slice(-words.length);
}
