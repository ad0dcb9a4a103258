/** What was asked for of capabilities and profiles and cannot be had. Called by check.ts and start.ts. */
import { hasCapability } from "../plan/capabilities.ts";
import { asksForDevices } from "../host/cgroup/devices/rules.ts";
import { isRootInside } from "../plan/ids.ts";
import { CAPABILITIES } from "../spec/capabilities.ts";
import { NsError, usageError } from "../spec/error.ts";
import type { Identity } from "../spec/ids.ts";
import type { Facts, Spec } from "../spec/spec.ts";

/** @throws NsError when init cannot have a capability that --cap-add names */
export function checkCapabilities(spec: Spec, facts: Facts, identity: Identity | null): void {
  for (const { add, which } of spec.security.capabilities) {
    if (!add) continue;
    if (!isRootInside(identity))
      throw new NsError("--cap-add gives nothing to an init that is not uid 0 inside (--as, --map)");
    if (spec.user !== null || which.length === CAPABILITIES.length) continue;
    const missing = which.find((one) => !hasCapability(facts, one));
    if (missing !== undefined)
      throw new NsError(`ns itself has not the capability ${CAPABILITIES[missing]} (--cap-add)`, {
        note: "it can only give what it has: see CapEff in /proc/self/status, and capsh --decode",
      });
  }
}

/** @throws NsError when a list of devices is asked for and cannot be kept to */
export function checkDevices(spec: Spec, { capabilities }: Facts): void {
  if (!asksForDevices(spec)) return;
  if (spec.limits.cgroup === "none")
    throw usageError(
      "--allow-device and --cgroup none exclude each other: devices are restricted by a cgroup",
    );
  if (!capabilities.sysAdmin)
    throw new NsError("only root may restrict devices (--allow-device)", {
      note: "leave it out: your container opens what you may open yourself",
    });
}
