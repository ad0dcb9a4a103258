/** `ns try [options] ROOT CMD...`: runs CMD on a throw-away overlay of ROOT, and tells what it has added, changed and deleted. */
import { type Change, type Spec, tryRun } from "../../index.ts";
import { EXIT, NsError, usageError } from "../../spec/error.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import { errnoNumber, errnoText } from "../../sys/errno.ts";
import { close, openNew, poll, write } from "../../sys/file.ts";
import { type CommandLine, finishSpec, userOf } from "../argv.ts";
import { isDebug } from "../version.ts";
import { type Command, ownSwitch, ownValue } from "./command.ts";

const TEXT = `Runs CMD, an absolute path inside ROOT, in a container like ns - ROOT CMD, but ROOT stays as it is: what is written goes to
a directory of its own, which is removed at the end. Options come first; what follows CMD is CMD's. With -u, which an
ordinary user needs, root inside is the caller.

When CMD has ended, standard error gets a line for each change of ROOT: A for what was added, C changed, D deleted, and the
path. Of a directory that was deleted only itself is told. A file counts as changed when it was opened for writing, a
directory when its owners, permissions or attributes are others.

With --apply they are made in ROOT if CMD has ended with 0: each file whole or not at all. If one cannot be made, ns says
where all of them are. Nothing else should change ROOT meanwhile.

Exit status: CMD's, as with ns; 125 if the changes cannot be told, kept or made.`;

/** Options about what is written to the root: that is this command's to say. */
const OTHERS = ["read-only", "ephemeral", "overlay", "image", "idmap-root", "dry-run", "version"];

/** @throws NsError (usage) */
function specOfLine({ draft, given, positionals, args }: CommandLine): Spec {
  const other = given.find(({ name }) => OTHERS.includes(name));
  if (other !== undefined) throw usageError(`--${other.name} does not go with ns try`);
  if (positionals.length > 2) throw usageError("ns try takes ROOT and CMD from the command line alone");
  const [root, init, ...more] = [...positionals, ...args];
  if (root === undefined || init === undefined)
    throw usageError(`${root === undefined ? "ROOT" : "CMD"} is missing`);
  if (root === "") throw usageError("ROOT is empty");
  if (!init.startsWith("/")) throw usageError(`CMD '${show(init)}' is not an absolute path inside ROOT`);
  const own = draft.user ? [process.geteuid!(), process.getegid!()].map(String) : [];
  return finishSpec(draft, {
    ...{ pre: null, root, init, args: more, debug: isDebug },
    user: userOf(draft, own[0], own[1]),
  });
}

/** Lines for a descriptor, gathered into few writes. */
function lines(fd: number): { add(line: string): void; end(): void } {
  let text = "";
  const flush = (): void => {
    let rest = Buffer.from(text).toString("latin1");
    text = "";
    while (rest !== "") {
      const n = write(fd, rest.slice(0, 32768));
      if (n === -errnoNumber("EAGAIN")) poll([fd], 10);
      else if (n === -errnoNumber("EPIPE")) return;
      else if (n < 0) throw new NsError(`cannot write the list of changes: ${errnoText(-n)}`, { errno: -n });
      else rest = rest.slice(n);
    }
  };
  return {
    add(line) {
      text += `${line}\n`;
      if (text.length > 16384) flush();
    },
    end: flush,
  };
}

const plural = (count: number, what: string): string[] => (count === 0 ? [] : [`${count} ${what}`]);

async function run(line: CommandLine): Promise<number> {
  const { draft } = line;
  const spec = specOfLine(line);
  const { sayError, sayNote, sayProgress } = await import("../log.ts");
  const keep = typeof draft.own.keep === "string" ? draft.own.keep : null;
  const list = typeof draft.own.list === "string" ? openNew(draft.own.list) : 2;
  if (list < 0)
    throw new NsError(`cannot write to ${show(draft.own.list as Bytes)}: ${errnoText(-list)}`, {
      errno: -list,
    });
  const out = lines(list);
  const counts = { A: 0, C: 0, D: 0 };
  let status: number = EXIT.failed;
  const onChange = ({ kind, path }: Change): void => {
    if (kind === null) return;
    counts[kind]++;
    out.add(`${kind} ${show(path)}`);
  };
  try {
    ({ status } = tryRun(spec, {
      ...{ keep, onChange, export: typeof draft.own.export === "string" ? draft.own.export : null },
      apply: draft.own.apply === true,
      progress: draft.verbose ? sayProgress : null,
      status: draft.status,
      onEnded({ cause, note }) {
        if (cause !== null) sayError(cause);
        if (cause !== null && note !== undefined) sayNote(note);
      },
      onListed(tooDeep, sockets) {
        out.end();
        const told = [
          ...plural(counts.A, "added"),
          ...plural(counts.C, "changed"),
          ...plural(counts.D, "deleted"),
          ...plural(tooDeep, "so deep that what is in them is not told"),
        ];
        sayProgress(told.length === 0 ? "nothing was changed" : told.join(", "));
        if (sockets > 0) sayNote(`sockets cannot be exported: ${sockets} left out`);
      },
    }));
    if (draft.own.apply === true && status !== 0) sayNote("nothing is applied: CMD has not ended with 0");
  } finally {
    out.end();
    if (list !== 2) close(list);
  }
  return status;
}

export const tryCommand: Command = {
  name: "try",
  summary: "runs a command on a throw-away overlay of a root, and tells what it changed",
  usage: "ns try [--apply] [--keep DIR] [--export FILE] [--list FILE] [options] ROOT CMD [ARG...]",
  text: TEXT,
  options: [
    ownValue({
      name: "keep",
      hint: "DIR",
      help: "make DIR and leave the changes in DIR/upper, as overlayfs has them (for --overlay)",
    }),
    ownValue({
      name: "export",
      hint: "FILE",
      help: "make FILE, a tar file of the changes: a layer of an OCI image, with .wh.NAME for what was deleted",
    }),
    ownSwitch({ name: "apply", help: "make the changes in ROOT, if CMD has ended with 0" }),
    ownValue({ name: "list", hint: "FILE", help: "write the list of changes to FILE" }),
  ],
  container: true,
  wordsAtMost: 2,
  operands: "files",
  run,
};
