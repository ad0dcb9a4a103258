/**
 * The attacks of `ns prove` under programs that are not ns: as an executable in a root file system, started by any
 * command. Positive controls for the tests, and the other columns of docs/containment.md.
 */
import { chmodSync, copyFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { probe } from "../../src/host/facts.ts";
import { allAttacks } from "../../src/plan/attack/all.ts";
import type { Bait } from "../../src/plan/attack/attack.ts";
import type { Verdict } from "../../src/plan/attack/verdict.ts";
import { layBait } from "../../src/run/bait.ts";
import { makeAttacker } from "../../src/run/prove.ts";
import { defaultSpec } from "../../src/spec/spec.ts";
import { bytesFrom } from "../../src/sys/bytes.ts";
import { close } from "../../src/sys/file.ts";

/** Where the attacker is in the root. */
export const ATTACKER = "/attacker";

export interface Attacked {
  readonly verdicts: Map<string, Verdict>;
  /** what the command said */
  readonly stderr: string;
}

/**
 * Puts the attacker into the root, has `start` run it there with its standard output, and reads that.
 * @param change makes of what lies on the host what it is for that command
 * @param start returns all that the attacker has written, and what the command said
 */
export async function attackBy(
  root: string,
  change: (bait: Bait) => Bait,
  start: () => Promise<{ stdout: Uint8Array; stderr: string }>,
): Promise<Attacked> {
  const outside = Bun.spawn(["sleep", "300"], { stdin: "ignore" });
  const { bait, takeAway } = layBait({ ...defaultSpec(), root }, probe());
  const commandLine = readFileSync(`/proc/${outside.pid}/cmdline`, "latin1");
  try {
    const attacker = makeAttacker(allAttacks(), change({ ...bait, pid: outside.pid, commandLine }));
    const file = join(root, ATTACKER);
    copyFileSync(`/proc/self/fd/${attacker.program}`, file);
    close(attacker.program);
    chmodSync(file, 0o755);
    const { stdout, stderr } = await start();
    rmSync(file);
    const verdicts = attacker.judge(bytesFrom(stdout));
    return { verdicts: new Map(verdicts.map((one) => [one.attack.name, one])), stderr };
  } finally {
    takeAway();
    outside.kill("SIGKILL");
    await outside.exited;
  }
}

/** Runs a command with nothing to read. */
export async function outputOf(words: string[]): Promise<{ stdout: Uint8Array; stderr: string }> {
  const child = Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([child.stdout.bytes(), child.stderr.text()]);
  await child.exited;
  return { stdout, stderr };
}
