/** The tasks that run the user's scripts in the parent's context: PRE before init runs, POST when the container is gone. */
import type { Facts, Spec } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { AT_FDCWD, O, PR, SIGNALS } from "../sys/constants.ts";
import { type Op, type Place, slot } from "./op.ts";
import { freshStart, preEnvironment } from "./process.ts";

/** A script of the user's. */
interface Script {
  readonly name: "pre script" | "post script";
  readonly path: Bytes;
  readonly args: readonly (string | Place)[];
  readonly env: readonly Bytes[];
  /** it is killed when ns dies */
  readonly dies: boolean;
}

/**
 * Ops from a fresh child of ns to the exec of the script. Its session and process group are its own, so that all of it can
 * be ended, and it cannot be stopped for asking on a terminal where it is in the background; its standard input is /dev/null, because what comes on ns's own is meant for init.
 * @param caught signals that ns has handlers for: between the last step and the exec they would run in the child
 * @param inherited descriptors to close one by one where the kernel lacks close_range
 */
function scriptPlan(
  { name, path, args, env, dies }: Script,
  facts: Facts,
  inherited: readonly number[],
  caught: readonly number[],
): Op[] {
  const step = `execute the ${name}`;
  const stdin = `give the ${name} /dev/null to read`;
  const die: Op = {
    call: "prctl",
    args: [PR.PR_SET_PDEATHSIG, SIGNALS.SIGKILL],
    step: "die with the parent",
  };
  const strings = { strings: env };
  return [
    { call: "setsid", args: [], step: `give the ${name} a session` },
    ...(dies ? [die] : []),
    { call: "openat", args: [AT_FDCWD, "/dev/null", O.O_RDONLY | O.O_CLOEXEC, 0], step: stdin, save: "null" },
    { call: "dup3", args: [slot("null"), 0, 0], step: stdin },
    { call: "chdir", args: ["/"], step: "enter /" },
    ...freshStart(facts, inherited, caught),
    { call: "execve", args: [path, { strings: [path, ...args] }, strings], step, fine: ["ENOEXEC"] },
    // a script without a #! line, as a shell would run it
    { call: "execve", args: ["/bin/sh", { strings: ["sh", path, ...args] }, strings], step },
  ];
}

/** @param pid init's process id as the host sees it, the script's one argument */
export function prePlan(
  spec: Spec,
  facts: Facts,
  pre: Bytes,
  pid: number | "PID" | Place,
  inherited: readonly number[],
  caught: readonly number[],
): Op[] {
  const script = {
    path: pre,
    args: [typeof pid === "object" ? pid : `${pid}`],
    env: preEnvironment(spec),
    dies: true,
  };
  return scriptPlan({ name: "pre script", ...script }, facts, inherited, caught);
}

/** What is to be run at the end. Survives as JSON. */
export interface Post {
  readonly path: Bytes;
  readonly env: readonly Bytes[];
  /** init's process id, as PRE was told it */
  readonly pid: number | "PID";
}

/** What PRE has made is to be torn down even if ns dies meanwhile: this script does not die with it. */
export function postPlan(
  { path, env, pid }: Post,
  status: number | "STATUS",
  facts: Facts,
  inherited: readonly number[],
  caught: readonly number[],
): Op[] {
  const script = { path, args: [`${pid}`, `${status}`], env, dies: false };
  return scriptPlan({ name: "post script", ...script }, facts, inherited, caught);
}
