/**
 * The run's cgroup with all that holds in it: its limits (../cgroup.ts), and which devices may be opened. That is for every
 * run that root starts, where the host has a place for it: a list in version 1, a program in version 2. Root inside could
 * lift both in the cgroup that it sees as its own, so the processes are in one below. Used by run/.
 */
import { type DeviceNumbers, USUAL_DEVICES } from "../../../spec/devices.ts";
import { NsError } from "../../../spec/error.ts";
import { wantsCgroup } from "../../../spec/limits.ts";
import type { Facts, Spec } from "../../../spec/spec.ts";
import { O } from "../../../sys/constants.ts";
import { errnoNumber, errnoText } from "../../../sys/errno.ts";
import { close, makeDirectory, open, write, writeFile } from "../../../sys/file.ts";
import {
  type Branch,
  type Cgroup,
  createBranch,
  createCgroup,
  removeCgroup,
  type WriteNow,
} from "../cgroup.ts";
import { enable, fillSet } from "../control.ts";
import type { Location } from "../locate.ts";
import { attachProgram } from "./attach.ts";
import { findDevices } from "./find.ts";
import { deviceProgram } from "./program.ts";
import { asksForDevices, deviceRules, ruleWords } from "./rules.ts";

export interface Restricted {
  /** null: nothing needs one, or there is no place for one */
  readonly cgroup: Cgroup | null;
  /** why devices are not restricted although they should be */
  readonly problem: NsError | null;
}

const WHAT = "cannot restrict devices";
/** The directory below the run's own. */
export const INSIDE = "inside";

const refuse = (why: string, errno: number): NsError =>
  new NsError(`${WHAT}: ${why}: ${errnoText(errno)}`, { errno });

/** What the cgroup above has not got cannot be had; of the usual devices that is right. */
function writeList(directory: string, rules: readonly DeviceNumbers[]): void {
  const denied = writeFile(`${directory}/devices.deny`, "a");
  if (denied < 0) throw refuse(`${directory}/devices.deny`, -denied);
  const path = `${directory}/devices.allow`;
  const list = open(path, O.O_WRONLY);
  if (list < 0) throw refuse(path, -list);
  try {
    for (const rule of rules) {
      const result = write(list, ruleWords(rule));
      if (result >= 0 || (result === -errnoNumber("EPERM") && USUAL_DEVICES.includes(rule))) continue;
      throw refuse(`write ${ruleWords(rule)} to ${path}`, -result);
    }
  } finally {
    close(list);
  }
}

/** Restricts the branch. @returns the same with a place for the processes */
function restrict(branch: Branch, rules: readonly DeviceNumbers[]): Branch {
  const { directory, location, controllers } = branch;
  const inside = `${directory}/${INSIDE}`;
  if (location.version === 1) writeList(directory, rules);
  else {
    const attached = attachProgram(branch.lock, deviceProgram(rules));
    if (attached < 0) throw refuse(`bpf(2) for ${directory}`, -attached);
    // for those who make cgroups of their own inside; it need not be
    if (controllers.length > 0) enable(controllers, directory);
  }
  const made = makeDirectory(inside);
  if (made < 0) throw refuse(inside, -made);
  if (location.version === 1 && controllers.includes("cpuset")) fillSet(inside);
  return { ...branch, inside };
}

/** A process can be in one cgroup of a hierarchy only. */
const isSame = (a: Location, b: Location): boolean =>
  a.mount === b.mount || (a.version === 2 && b.version === 2);

function addDevices(cgroup: Cgroup, spec: Spec, rules: readonly DeviceNumbers[], self: Facts): Cgroup {
  const location = findDevices(cgroup.length > 0);
  if (location === null)
    throw new NsError(`${WHAT}: no cgroup hierarchy is mounted that can`, {
      note: "mount one: mount -t cgroup2 none /sys/fs/cgroup",
    });
  const shared = cgroup.find((branch) => isSame(branch.location, location));
  if (shared !== undefined)
    return cgroup.map((branch) => (branch === shared ? restrict(branch, rules) : branch));
  const hierarchy = { location, controllers: [], settings: [] };
  const branch = createBranch(WHAT, spec.limits.cgroup, hierarchy, self);
  try {
    return [...cgroup, restrict(branch, rules)];
  } catch (error) {
    removeCgroup([branch], self);
    throw error;
  }
}

/**
 * Makes the run's cgroup.
 * @param now which limits are to be written at once
 * @throws NsError when a limit, or a list of devices that was asked for, cannot be had; nothing is left then
 */
export function createRestricted(spec: Spec, facts: Facts, now?: WriteNow): Restricted {
  const rules = deviceRules(spec, facts);
  const limited = wantsCgroup(spec.limits) ? createCgroup(spec.limits, facts, now) : [];
  try {
    const cgroup = rules === null ? limited : addDevices(limited, spec, rules, facts);
    return { cgroup: cgroup.length === 0 ? null : cgroup, problem: null };
  } catch (error) {
    if (error instanceof NsError && !asksForDevices(spec))
      return { cgroup: limited.length === 0 ? null : limited, problem: error };
    removeCgroup(limited, facts);
    throw error;
  }
}
