/** What cannot be frozen, because at the start it needs more than system calls that are known before. Called by freeze.ts. */
import { usageError } from "../../spec/error.ts";
import { joinedUser, type Spec } from "../../spec/spec.ts";

/** An option, whether it was given, and why it cannot be frozen. */
type Refusal = readonly [option: string, given: boolean, why: string];

const isNumber = (word: string): boolean => /^\d+$/.test(word);

function refusals(spec: Spec): Refusal[] {
  const { rootfs, user, ids, network, limits, process, mounts } = spec;
  const { as } = ids;
  const namesInRoot =
    as !== null && (as.group === null || ![as.user, as.group, ...as.groups].every(isNumber));
  const atStart = "it is looked up at the start";
  return [
    ["--image", rootfs.image !== null, "a loop device is found at the start"],
    ["--overlay", rootfs.changes?.to === "directory", "directories are locked and made at the start"],
    ["--file", mounts.some(({ type }) => type === "file"), "its content is read at the start"],
    ["--userns", joinedUser(spec) !== null, atStart],
    ["--map", user !== null && "map" in user, "what the caller may map is looked up at the start"],
    [
      "--as with names, or without a group",
      namesInRoot,
      "the root's files are read at the start: give UID:GID",
    ],
    ["--idmap-root", ids.idmapRoot, "a process has to hold its user namespace"],
    ["--net=pasta", network.mode === "pasta", "another program makes the network"],
    ["--net=veth", network.mode === "veth", "addresses are chosen at the start"],
    ["--resolv-conf=copy", network.resolvConf === "copy", "the host's file is read at the start"],
    ["--systemd", limits.systemd === true, "systemd is asked at the start"],
    [
      "--keep-env",
      process.env.kept.length > 0,
      "the caller's variables are known at the start only: use --env",
    ],
    ["--reaper", process.reaper, "process 1 would be the frozen file itself"],
    ["--post", process.post !== null, "it would have to outlive the file's own process"],
  ];
}

/** @throws NsError (usage) for the first option that cannot be frozen */
export function refuseUnfreezable(spec: Spec): void {
  for (const [option, given, why] of refusals(spec))
    if (given) throw usageError(`${option} cannot be frozen: ${why}`);
}
