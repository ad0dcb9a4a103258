/** Environment variables as the user gives them: on the command line, in files, by name from the caller's own. */
import { type Bytes, show } from "../sys/bytes.ts";
import { usageError } from "./error.ts";

/** What is changed about init's environment: NAME=VALUE each. Later lists override earlier ones, and ns's own variables. */
export interface Environment {
  /** nothing but what is said here */
  readonly clear: boolean;
  readonly kept: readonly Bytes[];
  readonly fromFiles: readonly Bytes[];
  readonly set: readonly Bytes[];
}

export const defaultEnvironment = (): Environment => ({ clear: false, kept: [], fromFiles: [], set: [] });

const NAME = /^[^=\0-\x20\x7f]+$/;

/** NAME=VALUE; the value may be empty. @throws NsError (usage) */
export function parseVariable(text: Bytes, option: string): Bytes {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === "") throw usageError(`${option}: '${show(text)}' has no name; write NAME=VALUE`);
  if (!NAME.test(name)) throw usageError(`${option}: '${show(name)}' is not a variable's name`);
  if (equals < 0)
    throw usageError(
      `${option}: '${show(name)}' has no value; write ${show(name)}=VALUE, or --keep-env ${show(name)} for the caller's`,
    );
  return text;
}

/**
 * The variables of a file: NAME=VALUE lines, taken as they are, without quotes or escapes; empty lines and lines that begin
 * with # are left out, blanks before a name and a carriage return at the end too.
 * @param file its name, for messages
 * @throws NsError (usage) that names the line
 */
export function parseEnvFile(content: Bytes, file: Bytes, option: string): Bytes[] {
  const out: Bytes[] = [];
  content.split("\n").forEach((raw, i) => {
    const line = raw.replace(/^[ \t]+/, "").replace(/\r$/, "");
    if (line === "" || line.startsWith("#")) return;
    const where = `${option}: ${show(file)} line ${i + 1}`;
    if (line.includes("\0")) throw usageError(`${where} holds a zero byte`);
    out.push(parseVariable(line, where));
  });
  return out;
}

/** The name of a variable to keep; with * at its end, of all that begin with it. @throws NsError (usage) */
export function parseKeptName(text: Bytes, option: string): Bytes {
  if (NAME.test(text) && !text.slice(0, -1).includes("*")) return text;
  throw usageError(`${option}: '${show(text)}' is not a variable's name; a * may stand at its end`);
}

/** Those of the variables that have this name. @param pattern as `parseKeptName()` takes it */
export function selectVariables(variables: readonly Bytes[], pattern: Bytes): Bytes[] {
  const prefix = pattern.endsWith("*") ? pattern.slice(0, -1) : `${pattern}=`;
  return variables.filter((text) => text.startsWith(prefix) && text.indexOf("=") > 0);
}

/** All of them with each name once: where it stood first, with the value that it was given last. */
export function mergeVariables(...lists: readonly (readonly Bytes[])[]): Bytes[] {
  const byName = new Map<Bytes, Bytes>();
  for (const list of lists) for (const text of list) byName.set(text.slice(0, text.indexOf("=")), text);
  return [...byName.values()];
}
