#!/usr/bin/env bun
/**
 * The program: reads the command line, runs what it says, prints errors and ends the process. The only place that exits.
 * What is not needed to start a container is imported when it is.
 */
import { EXIT, NsError } from "../spec/error.ts";
import { commandLine } from "./words.ts";
import { start } from "../index.ts";
import { parseArgv, specOf } from "./argv.ts";
import { isDebug } from "./version.ts";

async function run(): Promise<number> {
  const line = parseArgv(await commandLine());
  if (line.options.help) {
    await (await import("./help.ts")).printHelp();
    return 0;
  }
  if (line.options.version) {
    (await import("./version.ts")).printVersion();
    return 0;
  }
  const spec = specOf(line, isDebug);
  if (line.options.dryRun) {
    (await import("./commands/dry-run.ts")).dryRun(spec);
    return 0;
  }
  const progress = line.options.verbose ? (await import("./log.ts")).sayProgress : null;
  const { status, cause } = await start(spec, progress);
  if (cause !== null) (await import("./log.ts")).sayError(cause);
  return status;
}

async function explain(error: unknown): Promise<number> {
  const { sayError, sayNote } = await import("./log.ts");
  if (!(error instanceof NsError)) {
    const reason = error instanceof Error ? error.message : String(error);
    const noJit = /JIT|executable memory/.test(reason);
    sayError(
      noJit
        ? "this process may not make memory executable, which ns needs to start"
        : `internal error: ${reason}`,
    );
    sayNote(
      noJit
        ? "lift RLIMIT_AS (ulimit -v unlimited), BUN_JSC_* variables and SELinux or systemd restrictions (MemoryDenyWriteExecute)"
        : "please report it with the command line that led to it",
    );
    return EXIT.failed;
  }
  sayError(error.message);
  if (error.note !== undefined) sayNote(error.note);
  if (error.status === EXIT.usage) (await import("./help.ts")).printUsage();
  return error.status;
}

let status: number;
try {
  status = await run();
} catch (error) {
  status = await explain(error);
}
process.exit(status);
