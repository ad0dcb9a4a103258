/** Which capabilities init has, and the ops that leave it no others (capabilities(7)). */
import {
  ALL_CAPABILITIES,
  APP_CAPABILITIES,
  type Capability,
  CAPABILITIES,
  MACHINE_CAPABILITIES,
  NETWORK_CAPABILITIES,
} from "../spec/capabilities.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { PR } from "../sys/constants.ts";
import type { Op } from "./op.ts";

const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const VERSION_3 = 0x20080522; // _LINUX_CAPABILITY_VERSION_3 (capget(2))

/** Is the network one that others have set up for the container, or its own? */
const hasOwnNetwork = ({ network, namespaces }: Spec): boolean =>
  network.mode !== "host" || namespaces.joinNet !== null;

/** In a user namespace all of them are about that namespace alone. */
function initCapabilities(spec: Spec): readonly Capability[] {
  if (spec.user !== null) return ALL_CAPABILITIES;
  const shares = !hasOwnNetwork(spec);
  return ALL_CAPABILITIES.filter(
    (one) => !MACHINE_CAPABILITIES.includes(one) && !(shares && NETWORK_CAPABILITIES.includes(one)),
  );
}

function profileCapabilities(spec: Spec): readonly Capability[] {
  switch (spec.security.profile) {
    case "strict":
      return [];
    case "app":
      return APP_CAPABILITIES;
    case "init":
      return initCapabilities(spec);
  }
}

const holds = (mask: string, one: Capability): boolean =>
  ((Number.parseInt(mask[mask.length - 1 - (one >> 2)] ?? "0", 16) >> (one & 3)) & 1) === 1;

/** Has ns itself the capability? */
export const hasCapability = ({ capabilities }: Facts, one: Capability): boolean =>
  holds(capabilities.mask, one);

/**
 * The capabilities of this container's root, in ascending order. Without a user namespace ns can only give what it has;
 * that it has what --cap-add names is checked before (run/check-security.ts).
 */
export function capabilitiesOf(spec: Spec, facts: Facts): Capability[] {
  const set = new Set(profileCapabilities(spec));
  for (const { add, which } of spec.security.capabilities)
    for (const one of which)
      if (add) set.add(one);
      else set.delete(one);
  const sorted = [...set].sort((a, b) => a - b);
  return spec.user === null ? sorted.filter((one) => hasCapability(facts, one)) : sorted;
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

/** A new user namespace has all of them, and nothing in the sets that are handed on. */
const isAll = (which: readonly Capability[]): boolean => which.length === ALL_CAPABILITIES.length;

/**
 * Leaves init no way to others than these: the bounding set is what an exec as root gives. A new user namespace begins with
 * all that the kernel has.
 */
export function boundCapabilities({ user }: Spec, facts: Facts, which: readonly Capability[]): Op[] {
  const bounding = user === null ? facts.capabilities.bounding : undefined;
  if (bounding === undefined && isAll(which)) return [];
  const ops: Op[] = [];
  for (let one = 0; one < ROOM; one++)
    if (!which.includes(one) && (bounding === undefined || holds(bounding, one)))
      ops.push({
        call: "prctl",
        args: [PR.PR_CAPBSET_DROP, one],
        step: `drop capability ${CAPABILITIES[one] ?? one}`,
        fine: ["EINVAL"], // the kernel has none of that number
      });
  return ops;
}

/** Gives up all others that the process has, and what it could hand on. */
export function setCapabilities({ user }: Spec, which: readonly Capability[]): Op[] {
  if (user !== null && isAll(which)) return [];
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
