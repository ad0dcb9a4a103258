/** Parsers for what the user types about mounts: `--bind SRC:DST:ro`, `--mount type=tmpfs,dst=/tmp`, and so on. */
import { type Bytes, show } from "../sys/bytes.ts";
import { usageError } from "./error.ts";
import { KERNEL_MOUNTS, type KernelMount, type Mount, type MountFlags } from "./mounts.ts";
import { parseSource, parseTarget, splitEscaped } from "./path-words.ts";
import { parseSize } from "./size.ts";

/** Permissions as chmod(1) takes them in octal. */
function parseMode(text: Bytes, option: string): number {
  if (!/^[0-7]{3,4}$/.test(text)) throw usageError(`${option}: mode '${show(text)}' is not octal, like 0755`);
  return Number.parseInt(text, 8);
}

type Words = Map<string, Bytes | null>;

/** `ro`, `size=1M` and so on, each once. */
function wordsOf(parts: readonly Bytes[], option: string): Words {
  const words: Words = new Map();
  for (const part of parts) {
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    if (name === "") throw usageError(`${option}: an option in it is empty`);
    if (words.has(name)) throw usageError(`${option}: ${show(name)} is given more than once`);
    words.set(name, equals < 0 ? null : part.slice(equals + 1));
  }
  return words;
}

/** Takes a word without a value. */
function takeSwitch(words: Words, name: string, option: string): boolean {
  const value = words.get(name);
  if (value === undefined) return false;
  if (value !== null && value !== "true" && value !== "false")
    throw usageError(`${option}: ${name} takes no value`);
  words.delete(name);
  return value !== "false";
}

/** Takes whichever of two opposites is there. */
function takeEither(words: Words, yes: string, no: string, otherwise: boolean, option: string): boolean {
  const both = words.has(yes) && words.has(no);
  if (both) throw usageError(`${option}: ${yes} and ${no} exclude each other`);
  if (words.has(yes)) return takeSwitch(words, yes, option);
  return words.has(no) ? !takeSwitch(words, no, option) : otherwise;
}

function takeValue(words: Words, names: readonly string[], option: string): Bytes | undefined {
  let found: Bytes | undefined;
  for (const name of names) {
    const value = words.get(name);
    if (value === undefined) continue;
    if (value === null) throw usageError(`${option}: ${name} needs a value`);
    if (found !== undefined) throw usageError(`${option}: ${names.join(" and ")} are the same`);
    found = value;
    words.delete(name);
  }
  return found;
}

/** As podman has them: no set-user-id programs and no devices unless asked for, and with `noexec` no programs. */
function takeFlags(words: Words, readOnly: boolean, noexec: boolean, option: string): MountFlags {
  if (words.has("readonly")) {
    if (words.has("ro")) throw usageError(`${option}: ro and readonly are the same`);
    words.set("ro", words.get("readonly")!);
    words.delete("readonly");
  }
  return {
    readOnly: takeEither(words, "ro", "rw", readOnly, option),
    nosuid: takeEither(words, "nosuid", "suid", true, option),
    nodev: takeEither(words, "nodev", "dev", true, option),
    noexec: takeEither(words, "noexec", "exec", noexec, option),
  };
}

/** @throws NsError (usage) for what nobody has taken */
function expectNone(words: Words, what: string, option: string): void {
  for (const name of words.keys())
    throw usageError(`${option}: unknown option '${show(name)}' of a ${what} mount`);
}

function bindOf(source: Bytes, target: Bytes, words: Words, optional: boolean, option: string): Mount {
  const flags = takeFlags(words, false, false, option);
  const recursive = takeEither(words, "rec", "norec", true, option);
  expectNone(words, "bind", option);
  return {
    ...{ type: "bind", flags, recursive, optional },
    source: parseSource(source, option),
    target: parseTarget(target, option),
  };
}

function tmpfsOf(target: Bytes, words: Words, option: string): Mount {
  const size = takeValue(words, ["size", "tmpfs-size"], option);
  const mode = takeValue(words, ["mode", "tmpfs-mode"], option);
  const flags = takeFlags(words, false, true, option);
  expectNone(words, "tmpfs", option);
  return {
    ...{ type: "tmpfs", flags, target: parseTarget(target, option) },
    size: size === undefined ? null : parseSize(size, option),
    mode: mode === undefined ? 0o1777 : parseMode(mode, option),
  };
}

/** `SRC:DST[:OPTION,…]` of --bind and --bind-try. @throws NsError (usage) */
export function parseBind(text: Bytes, option: string, optional: boolean): Mount {
  const [source, target, options, more] = splitEscaped(text, ":");
  if (target === undefined) throw usageError(`${option}: '${show(text)}' is not SRC:DST`);
  if (more !== undefined) throw usageError(`${option}: too many colons; write \\: for one in a name`);
  const words = wordsOf(options === undefined ? [] : options.split(","), option);
  return bindOf(source!, target, words, optional, option);
}

/** `DST[:OPTION,…]` of --tmpfs. @throws NsError (usage) */
export function parseTmpfs(text: Bytes, option: string): Mount {
  const [target, options, more] = splitEscaped(text, ":");
  if (more !== undefined) throw usageError(`${option}: too many colons; write \\: for one in a name`);
  return tmpfsOf(target!, wordsOf(options === undefined ? [] : options.split(","), option), option);
}

/** `type=…,src=…,dst=…,…` of --mount. @throws NsError (usage) */
export function parseMount(text: Bytes, option: string): Mount {
  const words = wordsOf(splitEscaped(text, ","), option);
  const type = takeValue(words, ["type"], option);
  if (type === undefined) throw usageError(`${option}: type= is missing`);
  const target = takeValue(words, ["dst", "destination", "target"], option);
  if (target === undefined) throw usageError(`${option}: dst= is missing`);
  if (type === "tmpfs") return tmpfsOf(target, words, option);
  if (type === "bind" || type === "overlay") {
    const source = takeValue(words, ["src", "source"], option);
    if (source === undefined) throw usageError(`${option}: src= is missing`);
    if (type === "bind") return bindOf(source, target, words, false, option);
    const flags = takeFlags(words, false, false, option);
    expectNone(words, "overlay", option);
    const lower = splitEscaped(source, ":").map((path) => parseSource(path, option, "src"));
    return { type: "overlay", flags, lower, target: parseTarget(target, option) };
  }
  if (!(KERNEL_MOUNTS as readonly Bytes[]).includes(type))
    throw usageError(
      `${option}: type '${show(type)}' is none of bind, tmpfs, overlay, ${KERNEL_MOUNTS.join(", ")}`,
    );
  // what belongs to the whole machine can be written only where that is asked for
  const flags = takeFlags(words, ["proc", "sysfs", "cgroup"].includes(type), type !== "devpts", option);
  expectNone(words, type, option);
  return { type: type as KernelMount["type"], flags, target: parseTarget(target, option) };
}

function twoParts(text: Bytes, form: string, option: string): [Bytes, Bytes] {
  const [first, second, more] = splitEscaped(text, ":");
  if (second === undefined || more !== undefined)
    throw usageError(`${option}: '${show(text)}' is not ${form}`);
  return [first!, second];
}

/** `TARGET:LINK` of --symlink. @throws NsError (usage) */
export function parseSymlink(text: Bytes, option: string): Mount {
  const [content, link] = twoParts(text, "TARGET:LINK", option);
  return {
    type: "symlink",
    content: parseSource(content, option, "TARGET"),
    target: parseTarget(link, option, "LINK"),
  };
}

/** `FD:DST` of --file. @throws NsError (usage) */
export function parseCopy(text: Bytes, option: string): Mount {
  const [fd, target] = twoParts(text, "FD:DST", option);
  if (!/^(0|[1-9]\d{0,6})$/.test(fd))
    throw usageError(`${option}: '${show(fd)}' is not a descriptor's number`);
  return { type: "file", descriptor: Number(fd), target: parseTarget(target, option) };
}
