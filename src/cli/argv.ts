/** What a command line asks for: its options applied, what goes together and what does not, and the spec that comes of it. */
import { usageError } from "../spec/error.ts";
import { completeMaps, parseId } from "../spec/ids.ts";
import { checkNamespaces } from "../spec/namespaces.ts";
import { checkRootfs, parseRoot } from "../spec/rootfs.ts";
import type { Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { type Draft, type Flag, newDraft } from "./flags/flag.ts";
import { type Split, splitArgv, type Taking } from "./split.ts";

export interface CommandLine {
  /** what the options say */
  readonly draft: Draft;
  /** the options that say it */
  readonly given: readonly Flag[];
  readonly positionals: readonly Bytes[];
  /** what stands behind `--` */
  readonly args: readonly Bytes[];
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
  if (spec.rootfs.changes === null) spec.rootfs.readOnly = true;
  if (!has("net", "network", "join-net")) spec.network.mode = "none";
}

/** What a line adds to: a draft, and the options that have made it. */
export interface Base {
  readonly draft: Draft;
  readonly given: readonly Flag[];
}

/** Applies the options of a line, in their order. @throws NsError (usage) */
export function applyLine({ given, positionals, args }: Split, base: Base | null = null): CommandLine {
  const draft = base?.draft ?? newDraft();
  const flags: Flag[] = base === null ? [] : [...base.given];
  for (const { flag, value, option } of given) {
    flags.push(flag);
    if (flag.kind === "switch") flag.apply(draft);
    else if (flag.kind === "optional") flag.apply(draft, value, option);
    else flag.apply(draft, value!, option);
  }
  checkTogether(flags);
  applyProfile(draft, flags);
  return { draft, given: flags, positionals, args };
}

/** A line without a file of options (config.ts has those). @throws NsError (usage) */
export const parseArgv = (argv: readonly Bytes[], taking?: Taking): CommandLine =>
  applyLine(splitArgv(argv, taking));

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
