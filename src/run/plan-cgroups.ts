/** What `--dry-run` says of a run's cgroups: where they are, what is written to them, and how devices are restricted. */
import { findDevices } from "../host/cgroup/devices/find.ts";
import { INSIDE } from "../host/cgroup/devices/restrict.ts";
import { deviceRules, ruleWords } from "../host/cgroup/devices/rules.ts";
import { hierarchiesOf } from "../host/cgroup/hierarchies.ts";
import type { Location } from "../host/cgroup/locate.ts";
import { wantsCgroup } from "../spec/limits.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { quote } from "../sys/bytes.ts";

/** The run's directory in one hierarchy. */
export interface PlannedCgroup {
  readonly directory: string;
  /** where the child is put */
  readonly inside: string;
  readonly version: 1 | 2;
  /** the child begins in it */
  readonly into: boolean;
  /** the calls that make it */
  readonly calls: readonly string[];
}

export const showWrite = (file: string, content: string): string =>
  `write(${quote(file)}, ${quote(content)})`;

const makeDirectory = (path: string): string => `mkdirat(AT_FDCWD, ${quote(path)}, 0755)`;

/** @param scoped systemd makes a scope for it */
export function plannedCgroups(spec: Spec, facts: Facts, scoped: boolean): PlannedCgroup[] {
  const { limits } = spec;
  const { cgroup } = limits;
  const limited = wantsCgroup(limits) ? hierarchiesOf(limits) : [];
  const rules = deviceRules(spec, facts);
  const devices = rules === null ? null : findDevices(limited.length > 0);
  const all = limited.map(({ location, settings }) => ({ location, settings }));
  const isDevices = (one: Location): boolean =>
    devices !== null && (one.mount === devices.mount || (one.version === 2 && devices.version === 2));
  if (devices !== null && !all.some(({ location }) => isDevices(location)))
    all.push({ location: devices, settings: [] });
  return all.map(({ location, settings }) => {
    const { own, mount, version } = location;
    const named = cgroup?.startsWith("/") ? `${mount}${cgroup}` : `${own}/${cgroup}`;
    const parent = scoped ? `${mount}/SCOPE/ns` : cgroup === null ? `${own}/ns` : named;
    const directory = `${parent}/RUN`;
    const written = settings.filter(({ value }) => value !== null);
    const calls = [
      makeDirectory(directory),
      ...written.map(({ file, value }) => showWrite(`${directory}/${file}`, value!)),
    ];
    if (!isDevices(location)) return { directory, inside: directory, version, into: false, calls };
    const inside = `${directory}/${INSIDE}`;
    if (version === 1) {
      calls.push(showWrite(`${directory}/devices.deny`, "a"));
      const words = rules!.map((rule) => quote(ruleWords(rule))).join(", ");
      calls.push(`write(${quote(`${directory}/devices.allow`)}, each of ${words})`);
    } else {
      const words = rules!.map(ruleWords).join(", ");
      calls.push(
        `bpf(BPF_PROG_LOAD, {BPF_PROG_TYPE_CGROUP_DEVICE, allow ${words}}) = program`,
        `bpf(BPF_PROG_ATTACH, {${quote(directory)}, program, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI})`,
      );
    }
    calls.push(makeDirectory(inside));
    return { directory, inside, version, into: version === 2 && limited.length === 0, calls };
  });
}
