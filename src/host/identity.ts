/**
 * The ids of a run on this host: which are mapped (/etc/subuid and /etc/subgid), and what init runs as (the root's own
 * /etc/passwd and /etc/group). The root is hostile: its files are opened inside it, have to be regular, and small.
 */
import { NsError } from "../spec/error.ts";
import {
  type As,
  type Identity,
  type IdMaps,
  type InitIds,
  type UserMaps,
  isMapped,
  numberOf,
  showRange,
} from "../spec/ids.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { show } from "../sys/bytes.ts";
import { readInLayers, withLayers } from "./layers.ts";
import { type Account, accountNamed, accountOfId, groupNamed, groupsOf } from "./passwd.ts";
import { foreignRange, type Kind, mapGranted, notGranted, subidsOf } from "./subid.ts";

/** as many as the kernel takes (NGROUPS_MAX) */
const MAX_GROUPS = 65536;

/** What --as says, by the root's files. @throws NsError when it names nobody */
function findInit(
  { user, group, groups }: As,
  layers: readonly number[],
): InitIds & { readonly implied: boolean } {
  const uid = numberOf(user);
  let account: Account | null = null;
  // a number with a group says it all, but for the home
  if (uid === null || group === null) {
    const passwd = readInLayers(layers, "etc/passwd") ?? "";
    account = uid === null ? accountNamed(passwd, user) : accountOfId(passwd, uid);
    if (uid === null && account === null)
      throw new NsError(`--as: the root's /etc/passwd has no user ${show(user)}`, {
        note: "name one that it has, or give numbers: --as UID:GID",
      });
  }
  const words = [...(group === null ? [] : [group]), ...groups];
  const named = words.some((word) => numberOf(word) === null);
  const file = named || (group === null && account !== null) ? (readInLayers(layers, "etc/group") ?? "") : "";
  const [gid, ...more] = words.map((word) => {
    const id = numberOf(word) ?? groupNamed(file, word)?.gid;
    if (id === undefined) throw new NsError(`--as: the root's /etc/group has no group ${show(word)}`);
    return id;
  });
  return {
    uid: uid ?? account!.uid,
    gid: gid ?? account?.gid ?? 0,
    groups: group === null && account !== null ? groupsOf(file, account.name) : more,
    home: account?.home.startsWith("/") ? account.home : null,
    implied: group === null,
  };
}

/** Maps of one kind that the kernel or newuidmap(1) will refuse. @throws NsError */
function checkGranted(kind: Kind, maps: IdMaps, facts: Facts): void {
  const ranges = kind === "uid" ? maps.uids : maps.gids;
  if (kind === "uid" ? facts.capabilities.setUid : facts.capabilities.setGid) return;
  const own = kind === "uid" ? facts.uid : facts.gid;
  const range = foreignRange(ranges, own, subidsOf(kind, facts.uid));
  if (range === undefined) return;
  throw notGranted(
    kind,
    facts.uid,
    `--map-${kind} ${showRange(range)}: those ${kind}s outside are not yours`,
  );
}

function findMaps(spec: Spec, facts: Facts, joined: UserMaps | null): Identity["maps"] {
  const { user } = spec;
  if (user === null || "join" in user) return joined;
  const { setUid, setGid } = facts.capabilities;
  if ("uid" in user) {
    const one = (outside: number) => [{ inside: 0, outside, count: 1 }];
    return { uids: one(user.uid), gids: one(user.gid), setgroups: "deny" };
  }
  let maps: IdMaps;
  if ("uids" in user) maps = user;
  else if (user.map === "keep")
    maps = {
      uids: [{ inside: facts.uid, outside: facts.uid, count: 1 }],
      gids: [{ inside: facts.gid, outside: facts.gid, count: 1 }],
    };
  else
    maps = {
      uids: mapGranted("uid", facts.uid, setUid ? null : facts.uid),
      gids: mapGranted("gid", facts.uid, setGid ? null : facts.gid),
    };
  checkGranted("uid", maps, facts);
  checkGranted("gid", maps, facts);
  // who has not been granted any gid must not be able to drop a group (CVE-2014-8989)
  return { ...maps, setgroups: setGid || !isOwn(maps.gids, facts.gid) ? "allow" : "deny" };
}

/** Is it a map of nothing but the caller's own id, which he may write himself? */
export const isOwn = (ranges: IdMaps["uids"], own: number): boolean =>
  ranges.length === 1 && ranges[0]!.count === 1 && ranges[0]!.outside === own;

/** What init can have of the ids that it is to have. @throws NsError for one that was asked for and is not mapped */
function fitInit(init: ReturnType<typeof findInit>, maps: Identity["maps"]): InitIds {
  const { uid, gid, groups, home, implied } = init;
  if (groups.length > MAX_GROUPS)
    throw new NsError(`--as: ${groups.length} groups are more than the kernel takes`);
  if (maps === null) return { uid, gid, groups, home };
  const need = (kind: Kind, id: number): void => {
    if (isMapped(kind === "uid" ? maps.uids : maps.gids, id)) return;
    throw new NsError(`--as: ${kind} ${id} has no ${kind} outside`, {
      note: `map it: --map=auto, or --map-${kind} ${id}:OUT:1`,
    });
  };
  need("uid", uid);
  need("gid", gid);
  // memberships that the root's files give are taken as far as they can be had
  if (implied)
    return {
      ...{ uid, gid, home },
      groups: maps.setgroups === "deny" ? [] : groups.filter((id) => isMapped(maps.gids, id)),
    };
  if (groups.length > 0 && maps.setgroups === "deny")
    throw new NsError(
      "--as: more groups than one cannot be had: setgroups is denied in this user namespace",
      {
        note: "gids that /etc/subgid grants allow it: --map=auto",
      },
    );
  for (const id of groups) need("gid", id);
  return { uid, gid, groups, home };
}

/**
 * The ids of this run; null when they are as always: no options about ids, and at most `-u UID GID`.
 * @param root descriptor of NEWROOT
 * @param joined what the user namespace has that it is to join
 * @throws NsError when they cannot be had
 */
export function findIdentity(
  spec: Spec,
  facts: Facts,
  root: number,
  joined: UserMaps | null = null,
): Identity | null {
  const { user, ids } = spec;
  const usual = ids.as === null && (user === null || "uid" in user);
  if (usual && !ids.idmapRoot) return null;
  const maps = findMaps(spec, facts, joined);
  const { as } = ids;
  if (as !== null)
    return {
      maps,
      init: fitInit(
        withLayers(spec, root, (layers) => findInit(as, layers)),
        maps,
      ),
    };
  const keep = user !== null && "map" in user && user.map === "keep";
  return { maps, init: keep ? { uid: facts.uid, gid: facts.gid, groups: [], home: null } : null };
}
