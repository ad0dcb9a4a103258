/**
 * The strict pass over the command line. citty's own parser lets unknown options, repeats and extra words through, which
 * a sandbox must not; this one takes exactly what the flag table and the usage line say, in bytes.
 */
import { usageError } from "../spec/error.ts";
import { parseId } from "../spec/ids.ts";
import type { Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { FLAGS, type Flag, noOptions, type Options } from "./flags.ts";
import { nearest } from "./nearest.ts";

export interface CommandLine {
  readonly options: Options;
  readonly positionals: readonly Bytes[];
  /** what stands behind `--` */
  readonly args: readonly Bytes[];
}

const byName = (name: string): Flag | undefined => FLAGS.find((flag) => flag.name === name);
const byShort = (letter: string): Flag | undefined => FLAGS.find((flag) => flag.short === letter);

function unknownLong(name: string): Error {
  const guess = nearest(
    name,
    FLAGS.map((flag) => flag.name),
  );
  return usageError(`unknown option --${show(name)}${guess === null ? "" : `; did you mean --${guess}?`}`);
}

/** Separates options from positionals. @throws NsError (usage) */
export function parseArgv(argv: readonly Bytes[]): CommandLine {
  const options = noOptions();
  const positionals: Bytes[] = [];
  const seen = new Set<Flag>();
  let at = 0;

  const applyValue = (flag: Flag & { kind: "value" }, value: Bytes | undefined, option: string): void => {
    if (seen.has(flag)) throw usageError(`${option} is given more than once`);
    seen.add(flag);
    if (value === undefined || value === "" || (value.startsWith("-") && !/^-\d/.test(value)))
      throw usageError(`${option} needs a value: ${flag.hint}`);
    flag.apply(options, value, option);
  };
  const takeLong = (word: Bytes): void => {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const flag = byName(name);
    if (flag === undefined) throw unknownLong(name);
    if (flag.kind === "value") {
      applyValue(flag, equals < 0 ? argv[at++] : word.slice(equals + 1), `--${name}`);
    } else {
      if (equals >= 0) throw usageError(`--${name} takes no value`);
      flag.apply(options);
    }
  };
  const takeShort = (word: Bytes): void => {
    for (let i = 1; i < word.length; i++) {
      const letter = word[i]!;
      const flag = byShort(letter);
      if (flag === undefined) {
        const long = byName(word.slice(1));
        const guess = long === undefined ? "" : `; did you mean --${long.name}?`;
        throw usageError(
          `unknown option -${show(letter)}${word.length > 2 ? ` in ${show(word)}` : ""}${guess}`,
        );
      }
      if (flag.kind === "switch") {
        flag.apply(options);
        continue;
      }
      const rest = word.slice(i + 1);
      if (rest.startsWith("="))
        throw usageError(
          `-${letter}${show(rest)}: write -${letter}${show(rest.slice(1))} or --${flag.name}${show(rest)}`,
        );
      applyValue(flag, rest === "" ? argv[at++] : rest, `-${letter}`);
      return;
    }
  };

  while (at < argv.length) {
    const word = argv[at++]!;
    if (word === "--") break;
    if (word.startsWith("--")) takeLong(word);
    else if (word.startsWith("-") && word !== "-") takeShort(word);
    else positionals.push(word);
  }
  return { options, positionals, args: argv.slice(at) };
}

const NAMES = ["PRE", "NEWROOT", "INIT", "UID", "GID"];

/** What the command line asks for. @throws NsError (usage) */
export function specOf(line: CommandLine, debug: boolean): Spec {
  const { options, positionals, args } = line;
  const [pre, root, init, uid, gid] = positionals;
  if (pre === undefined || root === undefined || init === undefined)
    throw usageError(`${NAMES[positionals.length]} is missing`);
  if (positionals.length > 5)
    throw usageError(`too many arguments: '${show(positionals[5]!)}'; init's own go after --`);
  if (pre !== "-" && !pre.startsWith("/"))
    throw usageError(`PRE '${show(pre)}' is not an absolute path; use - for no pre script`);
  if (root === "") throw usageError("NEWROOT is empty");
  if (!init.startsWith("/")) throw usageError(`INIT '${show(init)}' is not an absolute path inside NEWROOT`);
  const path = [pre, root, init].find((name) => name.length >= 4096);
  if (path !== undefined) throw usageError(`'${show(path.slice(0, 40))}…' is too long for a path`);
  return {
    pre: pre === "-" ? null : pre,
    root,
    init,
    args,
    user: userOf(options.user, uid, gid),
    network: options.network,
    memory: options.memory,
    debug,
  };
}

function userOf(wanted: boolean, uid: Bytes | undefined, gid: Bytes | undefined): Spec["user"] {
  if (!wanted) {
    if (uid === undefined) return null;
    if (!/^\d+$/.test(uid)) throw usageError(`too many arguments: '${show(uid)}'; init's own go after --`);
    throw usageError(`UID '${show(uid)}' needs --user: without it init would run as the real root`);
  }
  if (uid === undefined || gid === undefined)
    throw usageError(`--user needs UID and GID: ${uid === undefined ? "both are" : "GID is"} missing`);
  return { uid: parseId(show(uid), "UID"), gid: parseId(show(gid), "GID") };
}
