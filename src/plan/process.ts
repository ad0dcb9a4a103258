/**
 * What a program that ns executes starts with: environment, signals, limits and descriptors. The same for init and for
 * pre.sh, so that neither inherits what Bun or the caller happened to have.
 */
import type { Facts, Spec } from "../spec/spec.ts";
import { mergeVariables } from "../spec/env.ts";
import { hasOwnNetwork } from "./namespaces.ts";
import type { Bytes } from "../sys/bytes.ts";
import { CLOSE_RANGE, F, RLIMIT_NOFILE, SIG_SETMASK, signalName } from "../sys/constants.ts";
import type { Op } from "./op.ts";
import type { Terminal } from "./terminal.ts";

const SIGSET_SIZE = 8;
const LAST_DESCRIPTOR = 0xffffffff;

/** The documented environment of pre.sh. CLONE_USERNS and CLONE_NETNS are what the first ns really exported. */
export function preEnvironment(spec: Spec): Bytes[] {
  const env = ["PATH=/sbin:/bin:/usr/sbin:/usr/bin"];
  if (spec.user !== null) env.push("CLONE_NEWUSER=1", "CLONE_USERNS=1");
  if (hasOwnNetwork(spec)) env.push("CLONE_NEWNET=1", "CLONE_NETNS=1");
  if (spec.debug) env.push("DEBUG=1");
  return env;
}

/** The documented environment of init, with what the user has changed about it. */
export function initEnvironment(spec: Spec, facts: Facts, terminal: Terminal | null): Bytes[] {
  const { clear, kept, fromFiles, set } = spec.process.env;
  const own = clear
    ? []
    : ownEnvironment(spec, terminal === null ? (facts.terminal?.type ?? null) : terminal.type);
  if (kept.length === 0 && fromFiles.length === 0 && set.length === 0) return own;
  return mergeVariables(own, kept, fromFiles, set);
}

function ownEnvironment(spec: Spec, type: Bytes | null): Bytes[] {
  return [...preEnvironment(spec), ...(type === null ? [] : [`TERM=${type}`]), "container=ns"];
}

function limitOpenFiles(facts: Facts): Op[] {
  if (facts.openFiles === null) return [];
  const { soft, hard } = facts.openFiles;
  const memory = new Uint8Array(16);
  const view = new DataView(memory.buffer);
  view.setBigInt64(0, BigInt(soft), true);
  view.setBigInt64(8, BigInt(hard), true);
  return [
    {
      call: "prlimit64",
      args: [0, RLIMIT_NOFILE, { memory, means: `{rlim_cur=${soft}, rlim_max=${hard}}` }, 0],
      step: "give back the caller's limit of open files",
    },
  ];
}

/**
 * What the launcher itself needs until the exec is close-on-exec, so everything above 2 may be made so.
 * @param passFds what is to stay open
 */
export function closeDescriptors(
  facts: Facts,
  inherited: readonly number[],
  passFds: readonly number[] = [],
): Op[] {
  const step = "close every descriptor above 2";
  const others = inherited.filter((fd) => fd > 2 && !passFds.includes(fd));
  return [
    ...(facts.kernel.closeRange
      ? [{ call: "close_range", args: [3, LAST_DESCRIPTOR, CLOSE_RANGE.CLOSE_RANGE_CLOEXEC], step } as const]
      : others.map((fd): Op => ({ call: "close", args: [fd], step, fine: ["EBADF"] }))),
    ...passFds.map(
      (fd): Op => ({ call: "fcntl", args: [fd, F.F_SETFD, 0], step: `keep descriptor ${fd} open` }),
    ),
  ];
}

/** Ignored signals stay ignored at an exec, unless this is done. */
export function byDefault(signals: readonly number[]): Op[] {
  const action = { memory: new Uint8Array(32), means: "{sa_handler=SIG_DFL}" };
  return signals.map((signal) => ({
    call: "rt_sigaction",
    args: [signal, action, 0, SIGSET_SIZE],
    step: `let ${signalName(signal)} do what it does by default`,
  }));
}

/** What a program does not have as every other. */
export interface Own {
  readonly umask: number;
  /** descriptors above 2 that it keeps */
  readonly passFds: readonly number[];
}

const UMASK = 0o022;

/**
 * The last steps before an exec. Signals come last: from there on they may end the process.
 * @param inherited descriptors to close one by one where the kernel lacks close_range
 * @param caught signals that this process has handlers for
 */
export function freshStart(
  facts: Facts,
  inherited: readonly number[],
  caught: readonly number[] = [],
  { umask, passFds }: Own = { umask: UMASK, passFds: [] },
): Op[] {
  const none = { memory: new Uint8Array(SIGSET_SIZE), means: "[]" };
  return [
    { call: "umask", args: [umask], step: "set the umask" },
    ...limitOpenFiles(facts),
    ...closeDescriptors(facts, inherited, passFds),
    ...byDefault([...facts.ignoredSignals, ...caught]),
    { call: "rt_sigprocmask", args: [SIG_SETMASK, none, 0, SIGSET_SIZE], step: "let signals in" },
  ];
}
