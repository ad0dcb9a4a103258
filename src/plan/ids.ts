/**
 * Ids in the child: what it has while it makes its mounts, and at the very end what init is to have. Called by child.ts,
 * whose order is the security.
 */
import { type Identity, type InitIds, isMapped } from "../spec/ids.ts";
import type { Bytes } from "../sys/bytes.ts";
import { LAST_CAPABILITY, PR, PR_CAP_AMBIENT_RAISE } from "../sys/constants.ts";
import type { Op } from "./op.ts";

const CAPABILITY_VERSION_3 = 0x20080522;

/** capset(2) for this process. */
function setCapabilities(all: boolean, step: string): Op {
  const header = new Uint8Array(8);
  new DataView(header.buffer).setUint32(0, CAPABILITY_VERSION_3, true);
  const sets = { memory: new Uint8Array(24).fill(all ? 0xff : 0), means: all ? "{all}" : "{none}" };
  return {
    call: "capset",
    args: [{ memory: header, means: "{_LINUX_CAPABILITY_VERSION_3, 0}" }, sets],
    step,
  };
}

/**
 * Where no id outside is 0 inside, the exec of the child's own program would take its capabilities (capabilities(7)):
 * ambient ones stay.
 */
function keepCapabilities(): Op[] {
  const step = "keep capabilities for the mounts";
  return [
    setCapabilities(true, step),
    ...Array.from(
      { length: LAST_CAPABILITY + 1 },
      (_, capability): Op => ({
        call: "prctl",
        args: [PR.PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0],
        step,
        fine: ["EINVAL"], // an older kernel has fewer
      }),
    ),
  ];
}

/** Has the container's user namespace no uid 0? */
const hasNoRoot = (identity: Identity | null): boolean =>
  identity !== null && identity.maps !== null && !isMapped(identity.maps.uids, 0);

/** Is init uid 0 inside? */
export const isRootInside = (identity: Identity | null | undefined): boolean =>
  identity == null || identity.init === null || identity.init.uid === 0;

/** The ids to make the mounts with: 0 where there is one, init's otherwise. */
export function becomeRoot(identity: Identity | null): Op[] {
  const gids = identity?.maps?.gids;
  const gid = gids === undefined || isMapped(gids, 0) ? 0 : identity!.init!.gid;
  const uid = hasNoRoot(identity) ? identity!.init!.uid : 0;
  return [
    { call: "setresgid", args: [gid, gid, gid], step: `become gid ${gid}` },
    { call: "setresuid", args: [uid, uid, uid], step: `become uid ${uid}` },
    ...(hasNoRoot(identity) ? keepCapabilities() : []),
  ];
}

function groupList(groups: readonly number[]): Op["args"] {
  const list = new Uint32Array(groups);
  const memory = new Uint8Array(list.buffer);
  return [groups.length, groups.length === 0 ? 0 : { memory, means: `[${groups.join(", ")}]` }];
}

/** init's own ids: after everything that needs a capability, for the kernel takes those with uid 0. */
export function becomeInit({ maps, init }: Identity): Op[] {
  if (init === null) return [];
  const { uid, gid, groups } = init;
  return [
    ...(maps?.setgroups === "deny"
      ? []
      : [{ call: "setgroups", args: groupList(groups), step: "give init its groups" } satisfies Op]),
    { call: "setresgid", args: [gid, gid, gid], step: `become gid ${gid} for init` },
    { call: "setresuid", args: [uid, uid, uid], step: `become uid ${uid} for init` },
    // the kernel does it only when uid 0 is left, not where the caller's securebits forbid it, and never of inheritable ones
    ...(uid === 0 ? [] : [setCapabilities(false, "give up capabilities")]),
  ];
}

/** HOME as the root's /etc/passwd says, unless it is set already. */
export function withHome(environment: Bytes[], init: InitIds | null | undefined): Bytes[] {
  const home = init?.home ?? null;
  if (home === null || environment.some((entry) => entry.startsWith("HOME="))) return environment;
  return [...environment, `HOME=${home}`];
}
