/**
 * `--config FILE`: a JSON file (json.ts) of options and words, to which the command line adds. A value on the line stands
 * for the file's, a list's come after the file's; PRE, NEWROOT and INIT stand on the line or in the file. Everything that
 * reads a command line calls readLine().
 */
import { NsError, usageError } from "../spec/error.ts";
import { type Bytes, bufferOf, show } from "../sys/bytes.ts";
import { O } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { close, open, readAll } from "../sys/file.ts";
import { applyLine, type Base, type CommandLine } from "./argv.ts";
import { applyKeys, type Json, objectOf, OTHERS, wordsOfJson } from "./json.ts";
import { parseJson } from "./json-text.ts";
import { type Split, splitArgv, type Taking } from "./split.ts";
import { CONFIG_LIMIT } from "./words.ts";

/** The text of UTF-8 bytes; null when they are none. */
export function textOf(bytes: Bytes): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bufferOf(bytes));
  } catch {
    return null;
  }
}

/** @throws NsError when it cannot be read or is no JSON object */
function readConfig(file: Bytes): Json {
  const fd = file === "-" ? 0 : open(file, O.O_RDONLY);
  const content = fd < 0 ? fd : readAll(fd, CONFIG_LIMIT + 1);
  if (fd > 0) close(fd);
  if (typeof content === "number")
    throw new NsError(`cannot read ${nameOf(file)}: ${errnoText(-content)}`, { errno: -content });
  if (content.length > CONFIG_LIMIT) throw usageError("larger than a mebibyte");
  const text = textOf(content);
  if (text === null) throw usageError("not UTF-8");
  return objectOf(parseJson(text));
}

const nameOf = (file: Bytes): string => (file === "-" ? "standard input" : show(file));

/** The words of the file, if it has any and the line has none. @throws NsError (usage) */
function wordsOf(json: Json, { positionals, args }: Split): Pick<Split, "positionals" | "args"> {
  const key = OTHERS.find((name) => name !== "$schema" && json[name] !== undefined);
  if (key === undefined || positionals.length > 0) return { positionals, args };
  const { pre, root, init, uid, gid, args: before } = wordsOfJson(json);
  if (uid === undefined && gid !== undefined) throw usageError('"gid": needs "uid"');
  const ids = [uid, gid].filter((id) => id !== undefined);
  return { positionals: [pre, root, init, ...ids], args: [...before, ...args] };
}

/** A command line, with what its file says. @throws NsError (usage), which names the file where that is wrong */
export function readLine(argv: readonly Bytes[], taking?: Taking): CommandLine {
  const split = splitArgv(argv, taking);
  const file = split.given.find(({ flag }) => flag.name === "config")?.value;
  if (typeof file !== "string") return applyLine(split);
  let base: Base;
  let words: Pick<Split, "positionals" | "args">;
  try {
    const json = readConfig(file);
    const onLine = split.given.map(({ flag }) => flag).filter(({ kind }) => kind !== "list");
    base = applyKeys(json, onLine);
    words = wordsOf(json, split);
  } catch (error) {
    if (!(error instanceof NsError) || error.errno !== undefined) throw error;
    throw new NsError(`${nameOf(file)}: ${error.message}`, { note: error.note, status: error.status });
  }
  return applyLine({ given: split.given, ...words }, base);
}
