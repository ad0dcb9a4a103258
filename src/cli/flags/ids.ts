/** Options about whose ids the container's are. */
import { usageError } from "../../spec/error.ts";
import { type IdMaps, parseAs, parseIdRange, parseUserns } from "../../spec/ids.ts";
import { show } from "../../sys/bytes.ts";
import type { Draft, Flag } from "./flag.ts";

/** The maps that the options have made so far. */
function mapsOf({ spec }: Draft): IdMaps {
  const { user } = spec;
  return user !== null && "uids" in user ? user : { uids: [], gids: [] };
}

export const idFlags: readonly Flag[] = [
  {
    name: "user",
    short: "u",
    kind: "switch",
    help: "a user namespace: root inside is UID and GID outside",
    apply: (draft) => {
      draft.user = true;
    },
  },
  {
    name: "map",
    kind: "value",
    hint: "auto|keep",
    help: "a user namespace: auto, of the ids in /etc/subuid and /etc/subgid; keep, of one's own",
    excludes: ["map-uid", "map-gid"],
    apply: ({ spec }, value, option) => {
      if (value !== "auto" && value !== "keep")
        throw usageError(`${option}: '${show(value)}' is neither auto nor keep`);
      spec.user = { map: value as "auto" | "keep" };
    },
  },
  {
    name: "map-uid",
    kind: "list",
    hint: "IN:OUT:COUNT",
    help: "a user namespace: uids from IN on are those from OUT on outside",
    apply: (draft, value, option) => {
      const { uids, gids } = mapsOf(draft);
      draft.spec.user = { uids: [...uids, parseIdRange(value, option, uids)], gids: [...gids] };
    },
  },
  {
    name: "map-gid",
    kind: "list",
    hint: "IN:OUT:COUNT",
    help: "the same for gids; one of the two stands for both",
    apply: (draft, value, option) => {
      const { uids, gids } = mapsOf(draft);
      draft.spec.user = { uids: [...uids], gids: [...gids, parseIdRange(value, option, gids)] };
    },
  },
  {
    name: "userns",
    kind: "value",
    hint: "PATH|PID",
    help: "use this user namespace, with its maps: a file, or a process's",
    excludes: ["user", "map", "map-uid", "map-gid", "idmap-root"],
    apply: ({ spec }, value, option) => {
      spec.user = { join: parseUserns(value, option) };
    },
  },
  {
    name: "idmap-root",
    kind: "switch",
    help: "NEWROOT's files belong inside to the ids that they have on the disk",
    needs: ["user", "map", "map-uid", "map-gid"],
    apply: ({ spec }) => {
      spec.ids.idmapRoot = true;
    },
  },
  {
    name: "as",
    kind: "value",
    hint: "USER[:GROUP,...]",
    help: "INIT's user and groups: numbers, or names in NEWROOT's /etc/passwd and /etc/group",
    apply: ({ spec }, value, option) => {
      const { user, group, groups } = parseAs(value, option);
      spec.ids.as = { user, group, groups: [...groups] };
    },
  },
];
