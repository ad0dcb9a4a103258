/**
 * `ns freeze`: writes the whole start of a container as one small static executable (docs/frozen.md), or prints what such a
 * file will do.
 */
import { freeze, notFrozen, showFrozen } from "../../index.ts";
import { machineFor, TARGET_NAMES } from "../../run/frozen/targets.ts";
import { NsError, usageError } from "../../spec/error.ts";
import { type Bytes, bufferOf, show } from "../../sys/bytes.ts";
import { AT_FDCWD, O } from "../../sys/constants.ts";
import { errnoText } from "../../sys/errno.ts";
import { close, open, readAll } from "../../sys/file.ts";
import { call, scratch } from "../../sys/kernel.ts";
import { type CommandLine, specOf } from "../argv.ts";
import { printBytes } from "../print.ts";
import { isDebug, versionLine } from "../version.ts";
import { type Command, ownValue } from "./command.ts";

const TEXT = `Writes the whole start of a container into FILE: a static executable of some 35 kB that does what ns with the same words
would do, and needs nothing else: no ns, no C library. It is run as

  FILE [-- ARG...]      start the container; the arguments are appended to INIT's
  FILE --ns-show        print every system call that it will make
  FILE --ns-version     print what made it

Some options cannot be frozen, because they need ns at the start; they are refused by name. A limit's cgroup will be where it
would be now.

Exit status: 0 FILE is written; 2 a word is wrong, or cannot be frozen; 125 FILE cannot be written or read.`;

const MODE = 0o755;
const LIMIT = 1 << 20;

/** Writes the file beside its place and then puts it there: nobody runs half of it. @throws NsError */
function writeExecutable(path: Bytes, content: Uint8Array): void {
  const beside = `${path}.${call("getpid")}`;
  const refuse = (errno: number) => {
    scratch((memory) => call("unlinkat", AT_FDCWD, memory.placeString(beside), 0));
    return new NsError(`cannot write ${show(path)}: ${errnoText(errno)}`, { errno });
  };
  const written = scratch((memory) => {
    const flags = O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_CLOEXEC;
    const fd = call("openat", AT_FDCWD, memory.placeString(beside), flags, MODE);
    if (fd < 0) return fd;
    const n = call("write", fd, memory.placeBuffer(content), content.length);
    close(fd);
    return n;
  });
  if (written < 0) throw refuse(-written);
  const renamed = scratch((memory) =>
    call("renameat2", AT_FDCWD, memory.placeString(beside), AT_FDCWD, memory.placeString(path), 0),
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

async function run(line: CommandLine): Promise<number> {
  const { output, target = null, show: shown } = line.draft.own as Record<string, Bytes | undefined>;
  if (shown !== undefined) {
    if (line.positionals.length > 0) throw usageError("ns freeze --show takes one FILE and nothing else");
    showFile(shown);
    return 0;
  }
  if (line.draft.verbose || line.draft.dryRun)
    throw usageError(
      `--${line.draft.verbose ? "verbose" : "dry-run"} cannot be frozen: see ns freeze --show FILE`,
    );
  const spec = specOf(line, isDebug);
  if (output === undefined) throw usageError("-o FILE is missing: where to write it");
  const machine = await machineFor(target);
  writeExecutable(output, freeze(spec, { version: versionLine(), machine }));
  return 0;
}

export const freezeCommand: Command = {
  name: "freeze",
  summary: "write a whole start as one small static executable",
  usage: "ns freeze [options] -o FILE PRE NEWROOT INIT [UID GID] [-- ARG...] | ns freeze --show FILE",
  text: TEXT,
  options: [
    ownValue({ name: "output", short: "o", hint: "FILE", help: "where to write it", excludes: ["show"] }),
    ownValue({
      name: "target",
      hint: "TARGET",
      help: `the machine that it is for: ${TARGET_NAMES.join(", ")}`,
      excludes: ["show"],
    }),
    ownValue({ name: "show", hint: "FILE", help: "print what a frozen file will do" }),
  ],
  container: true,
  operands: "files",
  run,
};
