/**
 * The program: reads the command line, runs what it says, prints errors and ends the process. The only place that exits, but for entry.ts.
 * What is not needed to start a container (consola, citty) is imported when it is; those modules import none of ours, so
 * that the bundler puts all that a start needs into one piece.
 */
import "./builtins.ts"; // first: the others use them
import { END_NAME, endAfterWaiting, type Ended, run as runSpec } from "../index.ts";
import { EXIT, NsError } from "../spec/error.ts";
import type { Bytes } from "../sys/bytes.ts";
import { specOf } from "./argv.ts";
import type { Command } from "./commands/command.ts";
import { dryRun } from "./commands/dry-run.ts";
import { COMMANDS, commandNamed } from "./commands/table.ts";
import { readLine } from "./config.ts";
import { GROUPS, USAGE } from "./flags/table.ts";
import { print } from "./print.ts";
import { isDebug, versionLine } from "./version.ts";
import { commandLine } from "./words.ts";

async function finish({ status, cause, note }: Ended): Promise<number> {
  if (cause === null) return status;
  const { sayError, sayNote } = await import("./log.ts");
  sayError(cause);
  if (note !== undefined) sayNote(note);
  return status;
}

/** The usage line of what was called. */
let usage = USAGE;

async function runCommand(command: Command, words: readonly Bytes[]): Promise<number> {
  usage = command.usage;
  // what fails while the event loop runs, where nobody waits for it
  process.on("uncaughtException", (error) => {
    explain(error).then((failed) => process.exit(failed));
  });
  const line = readLine(words, command);
  if (!line.draft.help) return command.run(line, COMMANDS);
  print(await (await import("./help.ts")).commandHelp(command));
  return 0;
}

async function run(): Promise<number> {
  if (process.argv0 === END_NAME)
    return finish(endAfterWaiting(process.argv.slice(2), (await import("./log.ts")).sayProgress));
  const words = commandLine();
  const command = commandNamed(words[0]);
  if (command !== undefined) return runCommand(command, words.slice(1));
  const line = readLine(words);
  if (line.draft.help) {
    print(await (await import("./help.ts")).help(GROUPS, USAGE, COMMANDS));
    return 0;
  }
  if (line.draft.version) {
    print(versionLine());
    return 0;
  }
  const spec = specOf(line, isDebug);
  if (line.draft.dryRun) {
    print(dryRun(spec));
    return 0;
  }
  const progress = line.draft.verbose ? (await import("./log.ts")).sayProgress : null;
  return finish(runSpec(spec, { progress, become: ["ns", ...words], status: line.draft.status }));
}

async function explain(error: unknown): Promise<number> {
  const { sayError, sayInternal, sayNote, sayUsage } = await import("./log.ts");
  if (!(error instanceof NsError)) {
    if (/JIT|executable memory|no memory for the launcher/.test(String(error))) {
      sayError("this process may not make memory executable, which ns needs to start");
      sayNote(
        "lift RLIMIT_AS (ulimit -v unlimited), BUN_JSC_* variables, MemoryDenyWriteExecute or SELinux's execmem",
      );
    } else sayInternal(error);
    return EXIT.failed;
  }
  sayError(error.message);
  if (error.note !== undefined) sayNote(error.note);
  if (error.status === EXIT.usage) sayUsage(usage);
  return error.status;
}

let status: number;
try {
  status = await run();
} catch (error) {
  status = await explain(error);
}
process.exit(status);
