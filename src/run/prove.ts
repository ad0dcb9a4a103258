/**
 * `ns prove`: a container just as the options say, with an attacker in INIT's place. That is a program in memory of the
 * launcher's code and the attacks' calls (plan/attack/), so it needs nothing in the root; it runs behind the same last
 * steps as INIT would, with the same ids, capabilities and filter.
 */
import { probe } from "../host/facts.ts";
import { allAttacks } from "../plan/attack/all.ts";
import type { Attack, Bait, Setting } from "../plan/attack/attack.ts";
import { type Attempt, encodeAttacks, MARK_SIZE, PROGRAM_ROOM, readResults } from "../plan/attack/program.ts";
import { settingOf, type Verdict, verdicts } from "../plan/attack/verdict.ts";
import { NsError } from "../spec/error.ts";
import type { Spec } from "../spec/spec.ts";
import { type Bytes, bytesFrom } from "../sys/bytes.ts";
import { nativeArch } from "../sys/calls/table.ts";
import { MFD } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { access, close, readAll } from "../sys/file.ts";
import { arena, call, scratch } from "../sys/kernel.ts";
import { layBait } from "./bait.ts";
import { draftProgram, writeProgram } from "./program.ts";
import { run, type RunOptions } from "./start.ts";

export interface Proof {
  readonly setting: Setting;
  readonly verdicts: readonly Verdict[];
  /** those that are open though ns promises that they are not */
  readonly broken: readonly Verdict[];
}

const MAX_RECORD = 1 << 22;

/** The attackers' program, and how to read what it writes. */
export interface Attacker {
  /** descriptor of the executable in memory */
  readonly program: number;
  /** what became of each attack, from all that the program has written */
  readonly judge: (record: Bytes) => Verdict[];
}

/** Makes the program. @throws NsError where programs in memory are forbidden */
export function makeAttacker(attacks: readonly Attack[], bait: Bait): Attacker {
  const machine = process.arch === "arm64" ? "arm64" : "x64";
  const mark = crypto.getRandomValues(new Uint8Array(MARK_SIZE));
  const exists = (path: Bytes): boolean => access(path, 0) === 0;
  let attempts: readonly Attempt[] = [];
  const program = scratch(() => {
    const draft = draftProgram(PROGRAM_ROOM, arena());
    const { calls } = nativeArch(machine);
    const encoded = encodeAttacks(attacks, bait, exists, mark, calls, draft.memory);
    attempts = encoded.attempts;
    return writeProgram(draft, encoded.address);
  });
  if (program < 0)
    throw new NsError(`cannot make a program in memory: ${errnoText(-program)}`, {
      errno: -program,
      note: "the attacker is one; allow them: sysctl -w vm.memfd_noexec=0",
    });
  return {
    program,
    judge: (record) => verdicts(attempts, readResults(record, bytesFrom(mark), attempts), bait),
  };
}

/**
 * Runs the attacks in a container made by this spec.
 * @throws NsError when it cannot be started, or the attacker did not come to its end
 */
export function prove(spec: Spec, options: Pick<RunOptions, "progress" | "status"> = {}): Proof {
  const facts = probe();
  const { bait, takeAway } = layBait(spec, facts);
  const output = scratch((memory) => call("memfd_create", memory.placeString("ns-prove"), MFD.MFD_CLOEXEC));
  if (output < 0)
    throw new NsError(`cannot make memory for the results: ${errnoText(-output)}`, { errno: -output });
  let attacker: Attacker | null = null;
  try {
    attacker = makeAttacker(allAttacks(), bait);
    const { status, cause } = run(spec, { ...options, payload: { program: attacker.program, output } });
    if (status !== 0)
      throw new NsError(cause ?? `the attacker ended early, with status ${status}`, {
        note: "a limit of the container may be too tight for it",
      });
    call("lseek", output, 0, 0);
    const record = readAll(output, MAX_RECORD);
    if (typeof record === "number")
      throw new NsError(`cannot read the results: ${errnoText(-record)}`, { errno: -record });
    const found = attacker.judge(record);
    const setting = settingOf(spec.security.profile, spec.user !== null, found);
    const broken = found.filter(
      ({ attack, verdict }) =>
        verdict === "open" && attack.promised.includes(setting) && attack.excused?.(bait) !== true,
    );
    return { setting, verdicts: found, broken };
  } finally {
    takeAway();
    close(output);
    if (attacker !== null) close(attacker.program);
  }
}
