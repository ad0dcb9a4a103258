/** Which hierarchies a run needs a cgroup in, and what is to be written there: from the limits and from /proc. */
import { NsError } from "../../spec/error.ts";
import { hasCgroupLimits, type Limits } from "../../spec/limits.ts";
import { errnoNumber, errnoText } from "../../sys/errno.ts";
import { readFile } from "../../sys/file.ts";
import { parseMountinfo } from "../status.ts";
import { CONTROLLERS } from "./controllers/all.ts";
import type { Controller, Setting } from "./controllers/controller.ts";
import { pids } from "./controllers/pids.ts";
import { type Location, locate } from "./locate.ts";

/** One hierarchy: on v2 there is one for all controllers, on v1 often one for each. */
export interface Hierarchy {
  readonly location: Location;
  /** by their names in it; none when the run has a cgroup but no limits */
  readonly controllers: string[];
  readonly settings: Setting[];
}

/** What /proc says of this process. @throws NsError when it cannot be read: that is not "no cgroups" */
function procText(name: string): string {
  const content = readFile(`/proc/self/${name}`);
  if (typeof content === "string") return content;
  if (content === -errnoNumber("ENOENT")) return "";
  throw new NsError(`cannot read /proc/self/${name}: ${errnoText(-content)}`, { errno: -content });
}

/** How an error begins: "cannot limit memory, processes". */
export function refusal(limits: Limits): string {
  const named = CONTROLLERS.filter((controller) => controller.needed(limits));
  return named.length === 0 ? "cannot use --cgroup" : `cannot limit ${named.map((c) => c.limits).join(", ")}`;
}

function noHierarchy(limits: Limits, { name, limits: what }: Controller): NsError {
  const begin = hasCgroupLimits(limits) ? `cannot limit ${what}` : "cannot use --cgroup";
  return new NsError(`${begin}: no cgroup hierarchy with the ${name} controller is mounted`, {
    note: `mount one (mount -t cgroup2 none /sys/fs/cgroup); some boards need cgroup_enable=${name} on the kernel's command line`,
  });
}

/**
 * Where a run with these limits needs cgroups. Reads, changes nothing.
 * @throws NsError when a controller is nowhere, or cannot do what is asked in the version that is mounted
 */
export function hierarchiesOf(limits: Limits): Hierarchy[] {
  const limited = hasCgroupLimits(limits);
  const needed = limited ? CONTROLLERS.filter((controller) => controller.needed(limits)) : [pids];
  const cgroups = procText("cgroup");
  const mounts = parseMountinfo(procText("mountinfo"));
  const out: Hierarchy[] = [];
  for (const controller of needed) {
    const location = locate(controller.v1, cgroups, mounts);
    if (location === null) throw noHierarchy(limits, controller);
    let found = out.find((one) => one.location.mount === location.mount);
    if (found === undefined) {
      found = { location, controllers: [], settings: [] };
      out.push(found);
    }
    if (!limited) continue;
    found.controllers.push(location.version === 1 ? controller.v1 : controller.name);
    found.settings.push(...controller.settings(location.version, limits));
  }
  return out;
}
