/**
 * What a program that ns executes starts with: environment, signals, limits and descriptors. The same for init and for
 * pre.sh, so that neither inherits what Bun or the caller happened to have.
 */
import type { Facts, Spec } from "../spec/spec.ts";
import { hasOwnNetwork } from "./namespaces.ts";
import type { Bytes } from "../sys/bytes.ts";
import { CLOSE_RANGE, RLIMIT_NOFILE, SIG_SETMASK, signalName } from "../sys/constants.ts";
import type { Op } from "./op.ts";

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

/** The documented environment of init. */
export function initEnvironment(spec: Spec, facts: Facts): Bytes[] {
  return [
    ...preEnvironment(spec),
    ...(facts.terminal?.type == null ? [] : [`TERM=${facts.terminal.type}`]),
    "container=ns",
  ];
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

/** What the launcher itself needs until the exec is close-on-exec, so everything above 2 may be made so. */
export function closeDescriptors(facts: Facts, inherited: readonly number[]): Op[] {
  const step = "close every descriptor above 2";
  if (facts.kernel.closeRange)
    return [{ call: "close_range", args: [3, LAST_DESCRIPTOR, CLOSE_RANGE.CLOSE_RANGE_CLOEXEC], step }];
  return inherited.filter((fd) => fd > 2).map((fd) => ({ call: "close", args: [fd], step, fine: ["EBADF"] }));
}

/**
 * The last steps before an exec. Signals come last: from there on they may end the process.
 * @param inherited descriptors to close one by one where the kernel lacks close_range
 * @param caught signals that this process has handlers for
 */
export function freshStart(facts: Facts, inherited: readonly number[], caught: readonly number[] = []): Op[] {
  const byDefault = { memory: new Uint8Array(32), means: "{sa_handler=SIG_DFL}" };
  const none = { memory: new Uint8Array(SIGSET_SIZE), means: "[]" };
  return [
    { call: "umask", args: [0o022], step: "set the umask" },
    ...limitOpenFiles(facts),
    ...closeDescriptors(facts, inherited),
    ...[...facts.ignoredSignals, ...caught].map(
      (signal): Op => ({
        call: "rt_sigaction",
        args: [signal, byDefault, 0, SIGSET_SIZE],
        step: `let ${signalName(signal)} do what it does by default`,
      }),
    ),
    { call: "rt_sigprocmask", args: [SIG_SETMASK, none, 0, SIGSET_SIZE], step: "let signals in" },
  ];
}
