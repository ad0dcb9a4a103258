/**
 * The cgroups of a frozen start: of its limits, and the one by which devices are restricted when root starts it. As
 * host/cgroup/devices/restrict.ts has them; which of them there are and where they are mounted is fixed, and what they are in
 * is found at the start.
 */
import { findDevices } from "../../host/cgroup/devices/find.ts";
import { deviceProgram } from "../../host/cgroup/devices/program.ts";
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
import { access, close, open, readFile, statusOf } from "../../sys/file.ts";

interface Found {
  readonly location: Location;
  readonly branch: FrozenBranch;
}

/** A process can be in one cgroup of a hierarchy only. */
const isSame = (a: Location, b: Location): boolean =>
  a.mount === b.mount || (a.version === 2 && b.version === 2);

/** A directory for runs that was made for us is not ours to take away. */
function isSomebodyElses(directory: Bytes): boolean {
  const fd = open(directory, O.O_RDONLY | O.O_DIRECTORY);
  if (fd < 0) return false;
  const status = statusOf(fd);
  close(fd);
  return typeof status !== "number" && status.uid !== process.geteuid?.();
}

/** The directories on the way to one, below where it begins, outermost first, and it. */
function wayTo(begin: Bytes, path: Bytes): Bytes[] {
  const names = path.split("/").filter((name) => name !== "");
  return names.map((_, i) => [...(begin === "" ? [] : [begin]), ...names.slice(0, i + 1)].join("/"));
}

/** Where runs' cgroups are: as --cgroup names it, or else found at the start if that can be. */
function wayIn(location: Location, own: FrozenBranch["own"], name: Bytes | null) {
  const isAbsolute = name?.startsWith("/") === true;
  const begin = isAbsolute ? location.mount : location.own;
  const now = wayTo(begin, name ?? "ns");
  const way = own === null ? now : wayTo("", name ?? "ns");
  // what is there when it is frozen is somebody else's, but for that of other runs
  const goes = way.filter((_, i) => (name === null ? !isSomebodyElses(now[i]!) : access(now[i]!, 0) !== 0));
  return { begin, way, goes: goes.toReversed() };
}

/** Where the starter's own will be found; null: a part of the hierarchy is mounted, and only its place now is known. */
function ownOf({ version, mount, own }: Location, controller: string): FrozenBranch["own"] {
  const text = readFile("/proc/self/cgroup");
  if (typeof text !== "string") return null;
  for (const line of text.split("\n")) {
    const [, names, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (names === undefined || path === undefined) continue;
    if (version === 2 ? names !== "" : !names.split(",").includes(controller)) continue;
    const word = version === 2 ? "0::/" : `:${names}:/`;
    return own === `${mount}${path}`.replace(/\/+$/, "") ? { mount, word } : null;
  }
  return null;
}

/** Of its limits: in the starter's own or above it, or in the one that --cgroup names. */
function limitedBranches(limits: Limits): Found[] {
  if (!wantsCgroup(limits)) return [];
  const { cgroup } = limits;
  if (cgroup === "none") throw usageError("--cgroup none excludes limits that a cgroup has");
  return hierarchiesOf(limits).map(({ location, controllers, settings }) => {
    const { version } = location;
    const unset = settings.find(({ value }) => value === null);
    if (unset !== undefined)
      throw usageError(
        `--cpuset cannot be frozen for cgroup version 1: ${unset.file} is filled at the start`,
      );
    const own = cgroup === null ? ownOf(location, controllers[0]!) : null;
    const { begin, way, goes } = wayIn(location, own, cgroup);
    const handsOn = version === 2 && controllers.length > 0;
    const branch: FrozenBranch = {
      ...{ version, own, way, goes, devices: null, program: null, isLimited: true, isRoots: false },
      isSearched: handsOn && own !== null,
      handing: handsOn && own === null ? [begin, ...way] : [],
      controllers: version === 2 ? controllers : [],
      settings: settings.map(({ file, value, optional }) => ({
        file,
        value: value!,
        optional: optional === true,
      })),
    };
    return { location, branch };
  });
}

/** Where devices are restricted on another machine, if that was asked for: its own is taken to be as most are. */
const ELSEWHERE: Location = {
  ...{ version: 2, mount: "/sys/fs/cgroup", own: "/sys/fs/cgroup", readOnly: false },
};

/** The cgroup in which devices are restricted; null: they are not. @throws NsError when that was asked for */
function deviceBranch(spec: Spec, isNative: boolean, limited: readonly Found[]): FrozenBranch[] | null {
  const rules = deviceRules(spec, FROZEN_FACTS);
  if (rules === null) return null;
  const asked = asksForDevices(spec);
  if (!isNative && !asked) return null;
  const location = isNative ? findDevices(limited.length > 0) : ELSEWHERE;
  if (location === null) {
    if (!asked) return null;
    throw new NsError("cannot freeze a restriction of devices: no cgroup hierarchy is mounted that can");
  }
  const { version } = location;
  const restriction = {
    devices:
      version === 1
        ? rules.map((rule) => ({ words: ruleWords(rule), isUsual: USUAL_DEVICES.includes(rule) }))
        : null,
    program:
      version === 2 ? { instructions: deviceProgram(rules), allows: rules.map(ruleWords).join(", ") } : null,
    isRoots: spec.user !== null && !asked,
  };
  const shared = limited.find((one) => isSame(one.location, location));
  if (shared !== undefined)
    return limited.map(({ branch }) => (branch === shared.branch ? { ...branch, ...restriction } : branch));
  const { cgroup } = spec.limits;
  const isAbsolute = cgroup?.startsWith("/") === true;
  const own = isAbsolute
    ? null
    : isNative
      ? ownOf(location, "devices")
      : { mount: location.mount, word: "0::/" };
  const { way, goes } = wayIn(location, own, cgroup);
  const branch: FrozenBranch = {
    ...{ version, own, way, goes, ...restriction, isLimited: false, isSearched: false },
    ...{ handing: [], controllers: [], settings: [] },
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
