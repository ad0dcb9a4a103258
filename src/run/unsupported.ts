/**
 * What the command can do and the library cannot yet: said before anything is started, never left out in silence. Every
 * part of a Spec has a line here, so that a new one does not compile before somebody has decided.
 */
import { usageError } from "../spec/error.ts";
import type { Spec } from "../spec/spec.ts";
import { SIGNALS } from "../sys/constants.ts";

/** What to do instead, or null for what the library can. */
type Instead = string | null;
type Parts<T> = { readonly [K in keyof Required<T>]: (value: T[K]) => Instead };
const can = (): null => null;

const LIMITS: Parts<Spec["limits"]> = {
  ...{ memory: can, memorySwap: can, memoryHigh: can, cpuQuota: can, cpuWeight: can, cpusetCpus: can },
  ...{ cpusetMems: can, pids: can, io: can, hugePages: can, cgroup: can, rlimits: can },
  systemd: (wanted) =>
    wanted === true ? "start the whole program in a scope: systemd-run --user --scope -p Delegate=yes" : null,
  priority: (wanted) => (wanted === null ? null : "set it from inside, or for the whole program"),
};

const NETWORK: Parts<Spec["network"]> = {
  ...{ bridge: can, publish: can, resolvConf: can },
  mode: (mode) =>
    mode === "pasta" || mode === "veth" ? "give a pre script that makes the network, and the mode new" : null,
};

const PROCESS: Parts<Spec["process"]> = {
  ...{ workdir: can, env: can, umask: can, arg0: can, reaper: can, passFds: can },
  tty: (tty) => (tty === "yes" ? "give pipes for what init reads and writes" : null),
  post: (script) => (script === null ? null : "wait for the end, and run it then"),
  stop: ({ signal, grace, timeout }) =>
    signal === SIGNALS.SIGTERM && grace === null && timeout === null
      ? null
      : "abort the container by a signal, or send init what it is to get",
};

const ROOTFS: Parts<Spec["rootfs"]> = {
  ...{ readOnly: can, lower: can, changes: can },
  image: (image) => (image === null ? null : "mount it, and give the directory"),
};

const NAMESPACES: Parts<Spec["namespaces"]> = {
  ...{ hostname: can, domainname: can, share: can, time: can, joinNet: can },
};

const IDS: Parts<Spec["ids"]> = { as: can, idmapRoot: can };

const PARTS: Parts<Spec> = {
  ...{ pre: can, root: can, init: can, args: can, debug: can, mounts: can, security: can },
  user: (user) =>
    user === null || "uid" in user || "map" in user || "uids" in user
      ? null
      : "let the program itself join it: nsenter --user",
  ids: (group) => checkGroup("ids", IDS, group),
  namespaces: (group) => checkGroup("namespaces", NAMESPACES, group),
  network: (group) => checkGroup("network", NETWORK, group),
  limits: (group) => checkGroup("limits", LIMITS, group),
  process: (group) => checkGroup("process", PROCESS, group),
  rootfs: (group) => checkGroup("rootfs", ROOTFS, group),
};

function checkGroup<T extends object>(name: string, parts: Parts<T>, group: T): null {
  for (const key of Object.keys(group) as (keyof T & string)[]) {
    const instead = parts[key](group[key]);
    if (instead === null) continue;
    const path = name === "" ? key : `${name}.${key}`;
    throw usageError(`${path}: only the command can do this so far; ${instead}`);
  }
  return null;
}

/** @throws NsError (usage) for the first that was asked for */
export const checkSupported = (spec: Spec): void => {
  checkGroup("", PARTS, spec);
};
