/**
 * The cgroups of a frozen start: of its limits, whose place is found when it is frozen, and the one by which devices are
 * restricted when root starts it, whose place is found at the start. As host/cgroup/devices/restrict.ts has them.
 */
import { findDevices } from "../../host/cgroup/devices/find.ts";
import { asksForDevices, deviceRules, ruleWords } from "../../host/cgroup/devices/rules.ts";
import { hierarchiesOf } from "../../host/cgroup/hierarchies.ts";
import type { Location } from "../../host/cgroup/locate.ts";
import type { FrozenBranch } from "../../plan/frozen/branch.ts";
import { FROZEN_FACTS } from "../../plan/frozen/facts.ts";
import { USUAL_DEVICES } from "../../spec/devices.ts";
import { NsError, usageError } from "../../spec/error.ts";
import { type Limits, wantsCgroup } from "../../spec/limits.ts";
import type { Spec } from "../../spec/spec.ts";
import type { Bytes } from "../../sys/bytes.ts";
import { O } from "../../sys/constants.ts";
import { close, open, readFile, statusOf } from "../../sys/file.ts";

interface Found {
  readonly location: Location;
  readonly branch: FrozenBranch;
}

/** A directory for runs that was made for us is not ours to take away. */
function isSomebodyElses(directory: Bytes): boolean {
  const fd = open(directory, O.O_RDONLY | O.O_DIRECTORY);
  if (fd < 0) return false;
  const status = statusOf(fd);
  close(fd);
  return typeof status !== "number" && status.uid !== process.geteuid?.();
}

/** Of its limits: below the one that this process is in now, or the one that --cgroup names. */
function limitedBranches(limits: Limits): Found[] {
  if (!wantsCgroup(limits)) return [];
  const { cgroup } = limits;
  if (cgroup === "none") throw usageError("--cgroup none excludes limits that a cgroup has");
  return hierarchiesOf(limits).map(({ location, controllers, settings }) => {
    const { version, mount, own } = location;
    const named = cgroup === null ? null : cgroup.startsWith("/") ? `${mount}${cgroup}` : `${own}/${cgroup}`;
    const parent = named ?? `${own}/ns`;
    const unset = settings.find(({ value }) => value === null);
    if (unset !== undefined)
      throw usageError(
        `--cpuset cannot be frozen for cgroup version 1: ${unset.file} is filled at the start`,
      );
    const branch: FrozenBranch = {
      ...{ version, own: null, parent, devices: null, isLimited: true, isRoots: false },
      stays: isSomebodyElses(parent),
      handing: version === 1 || controllers.length === 0 ? [] : named === null ? [own, parent] : [parent],
      controllers: controllers.map((name) => `+${name}`).join(" "),
      settings: settings.map(({ file, value, optional }) => ({
        file,
        value: value!,
        optional: optional === true,
      })),
    };
    return { location, branch };
  });
}

/** Where the starter's own will be found; null: a part of the hierarchy is mounted, and only its place now is known. */
function ownOf({ version, mount, own }: Location): FrozenBranch["own"] {
  const text = readFile("/proc/self/cgroup");
  const word = version === 1 ? ":devices:/" : "0::/";
  const at = typeof text === "string" ? text.indexOf(word) : -1;
  if (typeof text !== "string" || at < 0) return null;
  const path = text.slice(at + word.length - 1, text.indexOf("\n", at));
  return own === `${mount}${path}`.replace(/\/+$/, "") ? { mount, word } : null;
}

/** The cgroup in which devices are restricted; null: they are not. @throws NsError when that was asked for */
function deviceBranch(spec: Spec, isNative: boolean, limited: readonly Found[]): FrozenBranch[] | null {
  const rules = deviceRules(spec, FROZEN_FACTS);
  if (rules === null) return null;
  const asked = asksForDevices(spec);
  if (asked && !isNative)
    throw usageError("--allow-device cannot be frozen for another machine: freeze it there");
  const location = isNative ? findDevices(limited.length > 0) : null;
  if (location === null || location.version === 2) {
    if (!asked) return null;
    const why =
      location === null ? "no cgroup hierarchy is mounted that can" : "that takes a cgroup of version 1";
    throw new NsError(`cannot freeze a restriction of devices: ${why}`);
  }
  const devices = rules.map((rule) => ({ words: ruleWords(rule), isUsual: USUAL_DEVICES.includes(rule) }));
  const shared = limited.find((one) => one.location.mount === location.mount);
  if (shared !== undefined)
    return limited.map(({ branch }) => (branch === shared.branch ? { ...branch, devices } : branch));
  const { cgroup } = spec.limits;
  const isAbsolute = cgroup?.startsWith("/") === true;
  const own = isAbsolute ? null : ownOf(location);
  const below = cgroup ?? "ns";
  const fixed = isAbsolute ? `${location.mount}${cgroup}` : `${location.own}/${below}`;
  const branch: FrozenBranch = {
    ...{ version: 1, own, parent: own === null ? fixed : below, devices, isLimited: false },
    ...{ isRoots: spec.user !== null && !asked, stays: isSomebodyElses(fixed) },
    ...{ handing: [], controllers: "", settings: [] },
  };
  return [...limited.map((one) => one.branch), branch];
}

/**
 * All of them.
 * @param isNative is the file for this machine? Of others nothing is known
 * @throws NsError for what cannot be frozen
 */
export function branchesOf(spec: Spec, isNative: boolean): FrozenBranch[] {
  const limited = limitedBranches(spec.limits);
  return deviceBranch(spec, isNative, limited) ?? limited.map(({ branch }) => branch);
}
