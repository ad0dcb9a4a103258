/** Where init's variables come from besides the command line: files, and the environment that ns itself was started with. */
import { type Environment, parseEnvFile, selectVariables } from "../spec/env.ts";
import { NsError } from "../spec/error.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { errnoText } from "../sys/errno.ts";
import { readFile } from "../sys/file.ts";

/** As much as an environment may take in memory; src/cli/words.ts makes room for it. */
export const ENVIRONMENT_ROOM = 1 << 20;
/** What each variable takes besides its bytes (plan/encode.ts). */
const EACH = 48;

const read = (path: Bytes): Bytes => {
  const content = readFile(path, ENVIRONMENT_ROOM);
  if (typeof content === "string") return content;
  throw new NsError(`cannot read the variables in ${show(path)}: ${errnoText(-content)}`, {
    errno: -content,
  });
};

/** @throws NsError when these are more than there is room for */
function checkSize(...lists: readonly (readonly Bytes[])[]): void {
  let size = 0;
  for (const list of lists) for (const text of list) size += text.length + EACH;
  if (size > ENVIRONMENT_ROOM)
    throw new NsError("the environment is too large: 1 MiB at most, 48 bytes a variable included");
}

/** The environment with what the file adds. @throws NsError when it cannot be read or understood */
export function addEnvFile(env: Environment, path: Bytes, option: string): Bytes[] {
  const fromFiles = [...env.fromFiles, ...parseEnvFile(read(path), path, option)];
  checkSize(fromFiles, env.kept);
  return fromFiles;
}

/** The caller's variables that have this name, as bytes: what JavaScript makes of them is text. */
export function addKept(env: Environment, pattern: Bytes): Bytes[] {
  const kept = [...env.kept, ...selectVariables(read("/proc/self/environ").split("\0"), pattern)];
  checkSize(env.fromFiles, kept);
  return kept;
}
