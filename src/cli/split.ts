/**
 * The strict pass over the command line. citty's own parser lets unknown options, repeats and extra words through, which
 * a sandbox must not; this one takes exactly what the flag table and the usage line say, in bytes. It takes a line apart;
 * argv.ts says what it means.
 */
import { usageError } from "../spec/error.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import type { Flag } from "./flags/flag.ts";
import { FLAGS, flagNamed, flagWithLetter } from "./flags/table.ts";
import { nearest } from "./nearest.ts";

/** Which options a command takes: its own, and, where it is about a container, all of ns's. */
export interface Taking {
  readonly options: readonly Flag[];
  readonly container: boolean;
  /** options end with so many words: the rest are another command's, whatever they look like */
  readonly wordsAtMost?: number;
}

/** The end of a message about a name that is no option: the one that may be meant. */
export function suggestion(name: string, dashes: string, known: readonly Flag[] = FLAGS): string {
  const guess = nearest(
    name,
    known.map((flag) => flag.name),
  );
  return guess === null ? "" : `; did you mean ${dashes}${guess}?`;
}

/** An option as it was written. */
export interface Given {
  readonly flag: Flag;
  /** null: none, of a switch or an optional one */
  readonly value: Bytes | null;
  /** the name as the user wrote it */
  readonly option: string;
}

/** A line taken apart: nothing of it has been applied yet. */
export interface Split {
  readonly given: readonly Given[];
  readonly positionals: readonly Bytes[];
  readonly args: readonly Bytes[];
}

/** Every command has --help. */
const knownTo = ({ options, container }: Taking): readonly Flag[] =>
  container ? [...options, ...FLAGS] : [...options, flagNamed("help")!];

/**
 * Separates options from positionals.
 * @param taking a command's own options; without it the line is ns's own
 * @throws NsError (usage)
 */
export function splitArgv(argv: readonly Bytes[], taking?: Taking): Split {
  const known = taking === undefined ? FLAGS : knownTo(taking);
  const positionals: Bytes[] = [];
  const given: Given[] = [];
  let at = 0;

  const takeValue = (flag: Flag, value: Bytes | undefined, joined: boolean, option: string): void => {
    if (flag.kind === "switch") return;
    if (flag.kind !== "list" && given.some((one) => one.flag === flag))
      throw usageError(`${option} is given more than once`);
    if (value === undefined && flag.kind === "optional") {
      given.push({ flag, value: null, option });
      return;
    }
    const isOption = !joined && value?.startsWith("-") && !/^-\d/.test(value);
    if (value === undefined || value === "" || (isOption && !(value === "-" && flag.hint.endsWith("|-"))))
      throw usageError(`${option} needs a value: ${flag.hint}`);
    given.push({ flag, value, option });
  };
  const takeLong = (word: Bytes): void => {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const flag = flagNamed(name, known);
    if (flag === undefined)
      throw usageError(`unknown option --${show(name)}${suggestion(name, "--", known)}`);
    if (flag.kind === "switch") {
      if (equals >= 0) throw usageError(`--${name} takes no value`);
      given.push({ flag, value: null, option: `--${name}` });
    } else if (equals >= 0) {
      takeValue(flag, word.slice(equals + 1), true, `--${name}`);
    } else {
      takeValue(flag, flag.kind === "optional" ? undefined : argv[at++], false, `--${name}`);
    }
  };
  const takeShort = (word: Bytes): void => {
    for (let i = 1; i < word.length; i++) {
      const letter = word[i]!;
      const flag = flagWithLetter(letter, known);
      if (flag === undefined) {
        const long = flagNamed(word.slice(1), known);
        const guess = long === undefined ? "" : `; did you mean --${long.name}?`;
        throw usageError(
          `unknown option -${show(letter)}${word.length > 2 ? ` in ${show(word)}` : ""}${guess}`,
        );
      }
      if (flag.kind === "switch") {
        given.push({ flag, value: null, option: `-${letter}` });
        continue;
      }
      const rest = word.slice(i + 1);
      if (rest.startsWith("="))
        throw usageError(
          `-${letter}${show(rest)}: write -${letter}${show(rest.slice(1))} or --${flag.name}${show(rest)}`,
        );
      takeValue(flag, rest === "" ? argv[at++] : rest, rest !== "", `-${letter}`);
      return;
    }
  };

  while (at < argv.length) {
    const word = argv[at++]!;
    if (word === "--") break;
    if (word.startsWith("--")) takeLong(word);
    else if (word.startsWith("-") && word !== "-") takeShort(word);
    else if (positionals.push(word) === taking?.wordsAtMost) break;
  }
  return { given, positionals, args: argv.slice(at) };
}
