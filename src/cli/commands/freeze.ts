/**
 * `ns freeze [options] PRE NEWROOT INIT [UID GID] -o FILE [-- ARG...]`: writes the whole start as one small static executable.
 * `ns freeze --show FILE` prints what such a file will do.
 */
import { freeze, notFrozen, showFrozen } from "../../index.ts";
import { NsError, usageError } from "../../spec/error.ts";
import { type Bytes, bufferOf, show } from "../../sys/bytes.ts";
import { O } from "../../sys/constants.ts";
import { errnoText } from "../../sys/errno.ts";
import { close, open, readAll } from "../../sys/file.ts";
import { call, scratch } from "../../sys/kernel.ts";
import { parseArgv, specOf } from "../argv.ts";
import { print, printBytes } from "../print.ts";
import { isDebug, versionLine } from "../version.ts";
import { machineFor, TARGET_NAMES } from "../../run/frozen/targets.ts";

const USAGE = `Usage: ns freeze [options] -o FILE PRE NEWROOT INIT [UID GID] [-- ARG...]
       ns freeze --show FILE

Writes the whole start of a container into FILE: a static executable of some 20 kB that does what ns with the same words
would do, and needs nothing else: no ns, no C library. It is run as

  FILE [-- ARG...]      start the container; the arguments are appended to INIT's
  FILE --ns-show        print every system call that it will make
  FILE --ns-version     print what made it

  -o, --output FILE     where to write it
      --target TARGET   the machine that it is for: ${TARGET_NAMES.join(", ")}
      --show FILE       print what a frozen file will do

Everything else is one of ns's own options. Some cannot be frozen, because they need ns at the start; they are refused by
name. A limit's cgroup will be where it would be now.`;

const MODE = 0o755;
const LIMIT = 1 << 20;

interface Words {
  output: Bytes | null;
  target: Bytes | null;
  shown: Bytes | null;
  /** those of ns itself */
  readonly rest: Bytes[];
}

/** Takes the command's own words out. @throws NsError (usage) */
function parseWords(words: readonly Bytes[]): Words {
  const taken: Words = { output: null, target: null, shown: null, rest: [] };
  const set = (key: "output" | "target" | "shown", option: string, value: Bytes | undefined): void => {
    if (value === undefined || value === "") throw usageError(`${option} needs a value`);
    if (taken[key] !== null) throw usageError(`${option} is given more than once`);
    taken[key] = value;
  };
  const names = { "-o": "output", "--output": "output", "--target": "target", "--show": "shown" } as const;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "--") {
      taken.rest.push(...words.slice(i));
      break;
    }
    const equals = word.startsWith("--") ? word.indexOf("=") : -1;
    const option = equals < 0 ? word : word.slice(0, equals);
    if (Object.hasOwn(names, option))
      set(names[option as keyof typeof names], option, equals < 0 ? words[++i] : word.slice(equals + 1));
    else taken.rest.push(word);
  }
  return taken;
}

/** Writes the file beside its place and then puts it there: nobody runs half of it. @throws NsError */
function writeExecutable(path: Bytes, content: Uint8Array): void {
  const beside = `${path}.${call("getpid")}`;
  const refuse = (errno: number) => {
    scratch((memory) => call("unlinkat", -100, memory.placeString(beside), 0));
    return new NsError(`cannot write ${show(path)}: ${errnoText(errno)}`, { errno });
  };
  const written = scratch((memory) => {
    const flags = O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_CLOEXEC;
    const fd = call("openat", -100, memory.placeString(beside), flags, MODE);
    if (fd < 0) return fd;
    const n = call("write", fd, memory.placeBuffer(content), content.length);
    close(fd);
    return n;
  });
  if (written < 0) throw refuse(-written);
  const renamed = scratch((memory) =>
    call("renameat2", -100, memory.placeString(beside), -100, memory.placeString(path), 0),
  );
  if (renamed < 0) throw refuse(-renamed);
}

function showFile(path: Bytes): void {
  const fd = open(path, O.O_RDONLY);
  const content = fd < 0 ? fd : readAll(fd, LIMIT);
  if (fd >= 0) close(fd);
  if (typeof content === "number")
    throw new NsError(`cannot read ${show(path)}: ${errnoText(-content)}`, { errno: -content });
  const text = showFrozen(bufferOf(content));
  if (text === null) throw notFrozen(path);
  printBytes(text);
}

/** Runs the command. @returns the exit status @throws NsError for words that are wrong, or what cannot be frozen */
export async function freezeCommand(words: readonly Bytes[]): Promise<number> {
  const before = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
  if (before.some((word) => word === "--help" || word === "-h")) {
    print(USAGE);
    return 0;
  }
  const { output, target, shown, rest } = parseWords(words);
  if (shown !== null) {
    if (rest.length > 0 || output !== null || target !== null)
      throw usageError("--show takes a file and nothing else");
    showFile(shown);
    return 0;
  }
  const line = parseArgv(rest);
  if (line.draft.verbose || line.draft.dryRun)
    throw usageError(
      `--${line.draft.verbose ? "verbose" : "dry-run"} cannot be frozen: see ns freeze --show FILE`,
    );
  const spec = specOf(line, isDebug);
  if (output === null) throw usageError("-o FILE is missing: where to write it");
  const machine = await machineFor(target);
  writeExecutable(output, freeze(spec, { version: versionLine(), machine }));
  return 0;
}
