/**
 * The strict pass over the command line. citty's own parser lets unknown options, repeats and extra words through, which
 * a sandbox must not; this one takes exactly what the flag table and the usage line say, in bytes.
 */
import { usageError } from "../spec/error.ts";
import { completeMaps, parseId } from "../spec/ids.ts";
import { checkNamespaces } from "../spec/namespaces.ts";
import { checkRootfs, parseRoot } from "../spec/rootfs.ts";
import type { Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { type Draft, type Flag, newDraft } from "./flags/flag.ts";
import { FLAGS, flagNamed, flagWithLetter } from "./flags/table.ts";
import { nearest } from "./nearest.ts";

export interface CommandLine {
  /** what the options say */
  readonly draft: Draft;
  readonly positionals: readonly Bytes[];
  /** what stands behind `--` */
  readonly args: readonly Bytes[];
}

/** Which options a command takes: its own, and, where it is about a container, all of ns's. */
export interface Taking {
  readonly options: readonly Flag[];
  readonly container: boolean;
}

/** The end of a message about a name that is no option: the one that may be meant. */
export function suggestion(name: string, dashes: string, known: readonly Flag[] = FLAGS): string {
  const guess = nearest(
    name,
    known.map((flag) => flag.name),
  );
  return guess === null ? "" : `; did you mean ${dashes}${guess}?`;
}

/** Options that exclude each other, or that need another. @throws NsError (usage) */
export function checkTogether(given: readonly Flag[], dashes = "--"): void {
  const has = (name: string): boolean => given.some((flag) => flag.name === name);
  for (const { name, excludes, needs } of given) {
    if (excludes === undefined && needs === undefined) continue;
    const other = excludes?.find(has);
    if (other !== undefined) throw usageError(`${dashes}${name} and ${dashes}${other} exclude each other`);
    if (needs !== undefined && !needs.some(has))
      throw usageError(`${dashes}${name} needs ${needs.map((need) => dashes + need).join(" or ")}`);
  }
}

/** What profile strict says of the root and the network, where no option says something else. */
export function applyProfile({ spec }: Draft, given: readonly Flag[]): void {
  if (spec.security.profile !== "strict") return;
  const has = (...names: string[]): boolean => given.some((flag) => names.includes(flag.name));
  if (!has("ephemeral", "overlay")) spec.rootfs.readOnly = true;
  if (!has("net", "network", "join-net")) spec.network.mode = "none";
}

/** Every command has --help. */
const knownTo = ({ options, container }: Taking): readonly Flag[] =>
  container ? [...options, ...FLAGS] : [...options, flagNamed("help")!];

/**
 * Separates options from positionals.
 * @param taking a command's own options; without it the line is ns's own
 * @throws NsError (usage)
 */
export function parseArgv(argv: readonly Bytes[], taking?: Taking): CommandLine {
  const draft = newDraft();
  const known = taking === undefined ? FLAGS : knownTo(taking);
  const positionals: Bytes[] = [];
  const given: Flag[] = [];
  let at = 0;

  const applyValue = (flag: Flag, value: Bytes | undefined, joined: boolean, option: string): void => {
    if (flag.kind === "switch") return;
    if (flag.kind !== "list" && given.includes(flag)) throw usageError(`${option} is given more than once`);
    given.push(flag);
    if (value === undefined && flag.kind === "optional") {
      flag.apply(draft, null, option);
      return;
    }
    if (value === undefined || value === "" || (!joined && value.startsWith("-") && !/^-\d/.test(value)))
      throw usageError(`${option} needs a value: ${flag.hint}`);
    flag.apply(draft, value, option);
  };
  const takeLong = (word: Bytes): void => {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const flag = flagNamed(name, known);
    if (flag === undefined)
      throw usageError(`unknown option --${show(name)}${suggestion(name, "--", known)}`);
    if (flag.kind === "switch") {
      if (equals >= 0) throw usageError(`--${name} takes no value`);
      given.push(flag);
      flag.apply(draft);
    } else if (equals >= 0) {
      applyValue(flag, word.slice(equals + 1), true, `--${name}`);
    } else {
      applyValue(flag, flag.kind === "optional" ? undefined : argv[at++], false, `--${name}`);
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
        given.push(flag);
        flag.apply(draft);
        continue;
      }
      const rest = word.slice(i + 1);
      if (rest.startsWith("="))
        throw usageError(
          `-${letter}${show(rest)}: write -${letter}${show(rest.slice(1))} or --${flag.name}${show(rest)}`,
        );
      applyValue(flag, rest === "" ? argv[at++] : rest, rest !== "", `-${letter}`);
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
  checkTogether(given);
  applyProfile(draft, given);
  return { draft, positionals, args: argv.slice(at) };
}

const NAMES = ["PRE", "NEWROOT", "INIT", "UID", "GID"];

/** What the command line asks for. @throws NsError (usage) */
export function specOf(line: CommandLine, debug: boolean): Spec {
  const { draft, positionals, args } = line;
  const [pre, root, init, uid, gid] = positionals;
  if (pre === undefined || root === undefined || init === undefined)
    throw usageError(`${NAMES[positionals.length]} is missing`);
  if (positionals.length > 5)
    throw usageError(`too many arguments: '${show(positionals[5]!)}'; init's own go after --`);
  checkPaths(pre, root, init);
  return finishSpec(draft, {
    pre: pre === "-" ? null : pre,
    ...{ root, init, args, debug },
    user: userOf(draft, uid, gid),
  });
}

/** @throws NsError (usage) when one of the three cannot be what it has to be */
export function checkPaths(pre: Bytes, root: Bytes, init: Bytes): void {
  if (pre !== "-" && !pre.startsWith("/"))
    throw usageError(`PRE '${show(pre)}' is not an absolute path; use - for no pre script`);
  if (root === "") throw usageError("NEWROOT is empty");
  if (!init.startsWith("/")) throw usageError(`INIT '${show(init)}' is not an absolute path inside NEWROOT`);
  const path = [pre, root, init].find((name) => name.length >= 4096);
  if (path !== undefined) throw usageError(`'${show(path.slice(0, 40))}…' is too long for a path`);
}

/** Puts together what the options say and what stands beside them. */
export const finishSpec = (
  draft: Draft,
  rest: Pick<Spec, "pre" | "root" | "init" | "args" | "debug" | "user">,
): Spec => {
  checkNamespaces(draft.spec.namespaces, draft.spec.network.mode !== "host");
  const { root, lower } = parseRoot(rest.root);
  if (lower.length > 0) draft.spec.rootfs.lower = lower;
  checkRootfs(draft.spec.rootfs);
  return { ...draft.spec, ...rest, root };
};

/** Whose ids the container's are: what stands behind INIT, or what the options say instead. @throws NsError (usage) */
export function userOf(draft: Draft, uid: Bytes | undefined, gid: Bytes | undefined): Spec["user"] {
  const { user } = draft.spec;
  if (user !== null) {
    if (uid !== undefined || gid !== undefined)
      throw usageError(
        `UID and GID '${show(uid ?? gid!)}' are not needed: the options say which ids are mapped`,
      );
    return "uids" in user ? completeMaps(user, draft.spec.ids.as) : user;
  }
  if (!draft.user) {
    if (uid === undefined) return null;
    if (!/^\d+$/.test(uid)) throw usageError(`too many arguments: '${show(uid)}'; init's own go after --`);
    throw usageError(`UID '${show(uid)}' needs --user: without it init would run as the real root`);
  }
  if (uid === undefined || gid === undefined)
    throw usageError(`--user needs UID and GID: ${uid === undefined ? "both are" : "GID is"} missing`);
  return { uid: parseId(show(uid), "UID"), gid: parseId(show(gid), "GID") };
}
