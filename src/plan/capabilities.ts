/** Which capabilities init has, and the ops that leave it no others (capabilities(7)). */
import { ALL_CAPABILITIES, APP_CAPABILITIES, type Capability, CAPABILITIES } from "../spec/capabilities.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { PR } from "../sys/constants.ts";
import type { Op } from "./op.ts";

const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const VERSION_3 = 0x20080522; // _LINUX_CAPABILITY_VERSION_3 (capget(2))

function profileCapabilities(spec: Spec): readonly Capability[] {
  switch (spec.security.profile) {
    case "strict":
      return [];
    case "app":
      return APP_CAPABILITIES;
    case "init":
      return ALL_CAPABILITIES;
  }
}

/** Has ns itself the capability? */
export const hasCapability = ({ capabilities: { mask } }: Facts, one: Capability): boolean =>
  ((BigInt(`0x${mask}`) >> BigInt(one)) & 1n) === 1n;

/**
 * The capabilities of this container's root, in ascending order. Without a user namespace ns can only give what it has;
 * that it has what --cap-add names is checked before (run/check-security.ts).
 */
export function capabilitiesOf(spec: Spec, facts: Facts): Capability[] {
  const base = profileCapabilities(spec);
  if (spec.security.profile === "init" && spec.security.capabilities.length === 0) return [...base];
  const set = new Set(spec.user === null ? base.filter((one) => hasCapability(facts, one)) : base);
  for (const { add, which } of spec.security.capabilities)
    for (const one of which)
      if (add) set.add(one);
      else set.delete(one);
  return [...set].sort((a, b) => a - b);
}

/** Their names, as CAP_…. */
export const capabilityNames = (which: readonly Capability[]): Set<string> =>
  new Set(which.map((one) => `CAP_${CAPABILITIES[one]}`));

/** A set of capabilities in the two 32-bit halves of capset(2)'s data: effective, permitted, inheritable. */
function capabilityData(which: readonly Capability[]): Uint8Array {
  const data = new Uint32Array(6);
  for (const one of which) {
    const half = one >> 5;
    const bit = (1 << (one & 31)) >>> 0;
    data[half * 3] = (data[half * 3]! | bit) >>> 0;
    data[half * 3 + 1] = (data[half * 3 + 1]! | bit) >>> 0;
  }
  return new Uint8Array(data.buffer);
}

/** Numbers of capabilities that there may be one day (linux/capability.h has room for 64). */
const ROOM = 64;

const isAll = (which: readonly Capability[]): boolean => which.length === ALL_CAPABILITIES.length;

/** Leaves init no way to others than these: the bounding set is what an exec as root gives. */
export function boundCapabilities(which: readonly Capability[]): Op[] {
  if (isAll(which)) return [];
  const ops: Op[] = [];
  for (let one = 0; one < ROOM; one++)
    if (!which.includes(one))
      ops.push({
        call: "prctl",
        args: [PR.PR_CAPBSET_DROP, one],
        step: `drop capability ${CAPABILITIES[one] ?? one}`,
        fine: ["EINVAL"], // the kernel has none of that number
      });
  return ops;
}

/** Gives up all others that the process has. */
export function setCapabilities(which: readonly Capability[]): Op[] {
  if (isAll(which)) return [];
  const step = "drop capabilities";
  const header = new Uint8Array(new Uint32Array([VERSION_3, 0]).buffer);
  const names = which.map((one) => CAPABILITIES[one]).join(" ");
  return [
    { call: "prctl", args: [PR.PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0], step, fine: ["EINVAL"] },
    {
      call: "capset",
      args: [
        { memory: header, means: "{_LINUX_CAPABILITY_VERSION_3, 0}" },
        { memory: capabilityData(which), means: `{${names}}` },
      ],
      step,
    },
  ];
}
