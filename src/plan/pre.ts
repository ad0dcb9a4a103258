/** The task that runs pre.sh in the parent's context. */
import type { Facts, Spec } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { AT_FDCWD, O, PR, SIGNALS } from "../sys/constants.ts";
import { type Op, slot } from "./op.ts";
import { freshStart, preEnvironment } from "./process.ts";

/**
 * Ops from a fresh child of ns to the exec of the script. Its session and process group are its own, so that all of it can
 * be ended, and it cannot be stopped for asking on a terminal where it is in the background; its standard input is /dev/null, because what comes on ns's own is meant for init.
 * @param pid init's process id as the host sees it, the script's one argument
 * @param caught signals that ns has handlers for: between the last step and the exec they would run in the child
 * @param inherited descriptors to close one by one where the kernel lacks close_range
 */
export function prePlan(
  spec: Spec,
  facts: Facts,
  pre: Bytes,
  pid: number | "PID",
  inherited: readonly number[],
  caught: readonly number[],
): Op[] {
  const env = { strings: preEnvironment(spec) };
  const step = "execute the pre script";
  const stdin = "give the pre script /dev/null to read";
  return [
    { call: "setsid", args: [], step: "give the pre script a session" },
    { call: "prctl", args: [PR.PR_SET_PDEATHSIG, SIGNALS.SIGKILL], step: "die with the parent" },
    { call: "openat", args: [AT_FDCWD, "/dev/null", O.O_RDONLY | O.O_CLOEXEC, 0], step: stdin, save: "null" },
    { call: "dup3", args: [slot("null"), 0, 0], step: stdin },
    { call: "chdir", args: ["/"], step: "enter /" },
    ...freshStart(facts, inherited, caught),
    { call: "execve", args: [pre, { strings: [pre, `${pid}`] }, env], step, fine: ["ENOEXEC"] },
    // a script without a #! line, as a shell would run it
    { call: "execve", args: ["/bin/sh", { strings: ["sh", pre, `${pid}`] }, env], step },
  ];
}
