/**
 * The child of a frozen start: the very plan of every other (plan/child.ts), in one piece, because it has memory of its own
 * from the clone on. Two things that ns itself finds out before are left to its last steps: whether there is a terminal,
 * and what is wrong when init cannot be executed.
 */
import type { Identity } from "../../spec/ids.ts";
import type { Sources } from "../../spec/mounts.ts";
import type { Spec } from "../../spec/spec.ts";
import { AT_FDCWD, O, RESOLVE_NO_MAGICLINKS } from "../../sys/constants.ts";
import { childPlan, enterPlan } from "../child.ts";
import { isolateMounts } from "../mounts/root.ts";
import type { Op, Place } from "../op.ts";
import type { Descriptors } from "./descriptors.ts";
import { FROZEN_FACTS } from "./facts.ts";
import { closeStart, openStart } from "./sources.ts";

const TIOCGPGRP = 0x540f;
/** three sets of 64 bits (capset(2)) */
const CAPABILITY_WORDS = 6;

/** The step that tells a missing init from one that cannot be executed. */
export const FIND_INIT = "find init";
export const EXECUTE_INIT = "execute init";

const ISOLATE = isolateMounts().step;

/** On a terminal init has to stay in its foreground group. */
const unlessOnTerminal = (setsid: Op): Op[] => [
  {
    call: "ioctl",
    args: [0, TIOCGPGRP, { memory: new Uint8Array(4), means: "" }],
    step: "look for a terminal",
    fine: ["ENOTTY", "EBADF", "EINVAL", "EIO", "EOPNOTSUPP", "ENODEV", "EACCES", "EPERM"],
    skipNext: true,
  },
  setsid,
];

/** An init that is there lacks its interpreter: the second exec fails as the first, and says so. */
const executeOrTell = (execute: Op, init: Spec["init"], argv: Place): Op[] => {
  const [path, , environment] = execute.args;
  const again: Op = { ...execute, args: [path!, argv, environment!] };
  const how = new Uint8Array(24); // struct open_how: flags, mode, resolve
  const view = new DataView(how.buffer);
  view.setUint32(0, O.O_PATH | O.O_CLOEXEC, true);
  view.setUint32(16, RESOLVE_NO_MAGICLINKS, true);
  return [
    // a link to /proc/self/exe would be this file, which is the host's
    {
      call: "openat2",
      args: [AT_FDCWD, init, { memory: how, means: "{O_PATH, RESOLVE_NO_MAGICLINKS}" }, how.length],
      step: EXECUTE_INIT,
      fine: ["ENOENT", "ENOTDIR", "EACCES", "EAGAIN"],
    },
    { ...again, fine: ["ENOENT", "ENOTDIR"] },
    { call: "faccessat", args: [AT_FDCWD, init, 0], step: FIND_INIT },
    again,
  ];
};

/** Nobody can be given a capability that the caller has not: what he has is asked, and no more than that is kept. */
const keepWhatIsThere = (set: Op, there: Place): Op[] => {
  const [header, wanted] = set.args;
  return [
    { ...set, call: "capget", args: [header!, there] },
    { ...set, call: "both", args: [there, wanted!, CAPABILITY_WORDS] },
    { ...set, args: [header!, there] },
  ];
};

/**
 * @param found the compiled filter, and what becomes of /dev and /sys
 * @param argv where init's arguments are
 * @param capabilities memory for the caller's
 * @param start where the name of the directory is in which it was started
 */
export function frozenChild(
  spec: Spec,
  identity: Identity | null,
  found: { readonly filter: Uint8Array | null; readonly sources: Sources },
  { gate, life, report, told, branches }: Descriptors,
  argv: Place,
  capabilities: Place,
  start: Place,
): Op[] {
  const tasks = branches.flatMap((branch) => (branch.tasks === null ? [] : [branch.tasks]));
  const place = {
    ...{ gate, life: life[1], report: report[1], rootPath: spec.root, inherited: [], ...found },
    ...(identity === null ? {} : { identity }),
    ...(tasks.length === 0 ? {} : { join: { tasks, told: told?.[1] ?? null } }),
  };
  return [...enterPlan(spec, place), ...childPlan(spec, FROZEN_FACTS, place)].flatMap((op) => {
    if (op.call === "capset" && spec.user === null) return keepWhatIsThere(op, capabilities);
    if (op.step === ISOLATE) return [op, ...openStart(spec, start)];
    if (op.call === "pivot_root") return [...closeStart(spec), op];
    if (op.call === "setsid") return unlessOnTerminal(op);
    if (op.step === EXECUTE_INIT) return executeOrTell(op, spec.init, argv);
    return [op];
  });
}
