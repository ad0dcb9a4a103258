/**
 * The plan of a run as a rehearsal: the same calls in the same order, over an empty root in memory, and without the exec of
 * init. Used by run/survey/rehearse.ts to find out what works here.
 */
import type { Bytes } from "../sys/bytes.ts";
import { AT_FDCWD, MS, PR } from "../sys/constants.ts";
import { isolateMounts } from "./mounts/root.ts";
import type { Op } from "./op.ts";

/** What a root file system has of directories: mounts are made on these. */
const DIRECTORIES = ["proc", "sys", "dev", "etc", "mnt"];

/** In the mount namespace of the rehearsal alone: covers a directory with an empty root, and enters that. */
function emptyRoot(place: Bytes): Op[] {
  const step = "make an empty root in memory";
  const flags = MS.MS_NOSUID | MS.MS_NODEV;
  return [
    { call: "mount", args: ["tmpfs", place, "tmpfs", flags, "mode=0755"], step },
    { call: "chdir", args: [place], step },
    ...DIRECTORIES.map((name): Op => ({ call: "mkdirat", args: [AT_FDCWD, name, 0o755], step })),
  ];
}

/**
 * A run's program belongs to the container's user namespace, whose owner may look into it all the same, as pasta has to.
 * Without its exec it would belong to the host's.
 */
const isUntraceable = ({ call, args }: Op): boolean => call === "prctl" && args[0] === PR.PR_SET_DUMPABLE;

/**
 * @param enter the plan's first part
 * @param main and its second
 * @param place directory of the host's to cover, whatever it holds
 */
export function rehearsalPlan(enter: readonly Op[], main: readonly Op[], place: Bytes): Op[] {
  const isolate = isolateMounts().step;
  const ops: Op[] = [...enter];
  for (const op of main) {
    if (op.call === "execve" || isUntraceable(op)) continue;
    ops.push(op);
    if (op.step === isolate) ops.push(...emptyRoot(place));
  }
  return ops;
}

const SECCOMP_SET_MODE_FILTER = 1;
const KEYCTL_JOIN_SESSION_KEYRING = 1;
/** one instruction: allow whatever it is (SECCOMP_RET_ALLOW) */
const ALLOW = Uint8Array.of(6, 0, 0, 0, 0, 0, 0xff, 0x7f);

/** A filter that filters nothing. */
export const filterTrial = (): Op[] => [
  { call: "prctl", args: [PR.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0], step: "set no_new_privs" },
  {
    call: "seccomp",
    args: [SECCOMP_SET_MODE_FILTER, 0, { filter: ALLOW }],
    step: "install a seccomp filter",
  },
];

export const keyringTrial = (): Op[] => [
  { call: "keyctl", args: [KEYCTL_JOIN_SESSION_KEYRING, 0], step: "make a session keyring" },
];
