/**
 * What a program hands to the library: a Spec of which only root and init have to be there, with names as JavaScript's
 * strings. The only place where such text becomes bytes. A misspelt key or a value that nobody has a check for is an
 * error, because a limit that is not applied would not be seen.
 */
import { parseDevice } from "./devices.ts";
import { DEVS, PROFILES, SYSES } from "./security.ts";
import { type Bytes, bytesOf, show } from "../sys/bytes.ts";
import { usageError } from "./error.ts";
import { completeMaps, type IdRange, parseAs, parseId, parseIdRange, showRange } from "./ids.ts";
import { checkNamespaces, parseHostname, parseJoinNet, parseOffset, parseShare } from "./namespaces.ts";
import { parseCgroup, parseMemorySwap, parseNumber, parseSet } from "./limits.ts";
import { parseDescriptor } from "./process.ts";
import { parseVariable } from "./env.ts";
import { parseRlimit } from "./rlimit.ts";
import { parseSize } from "./size.ts";
import { defaultSpec, type Spec } from "./spec.ts";

type Some<T> = T extends string | number | bigint | boolean | null | readonly unknown[]
  ? T
  : { readonly [K in keyof T]?: Some<T[K]> };

/** A Spec in which everything but root and init may be left out. */
export type Wanted = Some<Omit<Spec, "root" | "init" | "limits" | "ids">> & {
  readonly root: string;
  readonly init: string;
  readonly ids?: Some<Omit<Spec["ids"], "as">> & {
    /** USER[:GROUP[,GROUP...]], numbers or names in the root's files */
    readonly as?: string | null;
  };
  readonly limits?: Some<Omit<Spec["limits"], "memory" | "memorySwap" | "memoryHigh" | "rlimits">> & {
    /** a number of bytes, or text like "64M" */
    readonly memory?: bigint | number | string | null;
    /** the same, or "unlimited" */
    readonly memorySwap?: bigint | number | string | null;
    readonly memoryHigh?: bigint | number | string | null;
    /** "nofile=1024:4096" */
    readonly rlimits?: readonly string[] | null;
  };
};

type Group = Record<string, unknown>;
const isGroup = (value: unknown): value is Group =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function textOf(value: unknown, key: string): Bytes {
  if (typeof value !== "string" || value === "") throw usageError(`${key}: not a text`);
  if (value.includes("\0")) throw usageError(`${key}: a text cannot hold a zero byte`);
  return bytesOf(value);
}

function pathOf(value: unknown, key: string): Bytes {
  const path = textOf(value, key);
  if (path.length >= 4096) throw usageError(`${key}: '${show(path.slice(0, 40))}…' is too long for a path`);
  return path;
}

function absoluteOf(value: unknown, key: string): Bytes {
  const path = pathOf(value, key);
  if (!path.startsWith("/")) throw usageError(`${key}: '${show(path)}' is not an absolute path`);
  return path;
}

function listOf<T>(value: unknown, key: string, one: (value: unknown, key: string) => T): T[] {
  if (!Array.isArray(value)) throw usageError(`${key}: not a list`);
  return value.map((entry, i) => one(entry, `${key}[${i}]`));
}

const argumentOf = (value: unknown, key: string): Bytes => (value === "" ? "" : textOf(value, key));

function sizeOf(value: unknown, key: string): bigint {
  if (!["string", "number", "bigint"].includes(typeof value))
    throw usageError(`${key}: not a number of bytes, nor text like 64M`);
  return parseSize(`${value}`, key);
}

const countOf =
  (least: number, most: number) =>
  (value: unknown, key: string): number => {
    if (typeof value !== "number") throw usageError(`${key}: not a number`);
    return parseNumber(`${value}`, key, least, most);
  };

function changesOf(value: unknown, key: string): Spec["rootfs"]["changes"] {
  if (!isGroup(value) || value.to !== "memory")
    throw usageError(`${key}: not an object like { to: "memory", size: "1G" }`);
  return { to: "memory", size: value.size == null ? null : sizeOf(value.size, `${key}.size`) };
}

function rangesOf(value: unknown, key: string): IdRange[] {
  const ranges: IdRange[] = [];
  listOf(value, key, (range) => ranges.push(parseIdRange(showRange(range as IdRange), key, ranges)));
  return ranges;
}

function userOf(value: unknown, key: string): Spec["user"] {
  if (!isGroup(value)) throw usageError(`${key}: not an object like { uid: 1000, gid: 1000 }`);
  const keys = Object.keys(value).sort().join();
  if (keys === "map" && (value.map === "auto" || value.map === "keep")) return { map: value.map };
  if (keys === "gids,uids")
    return { uids: rangesOf(value.uids, `${key}.uids`), gids: rangesOf(value.gids, `${key}.gids`) };
  if (keys !== "gid,uid")
    throw usageError(`${key}: neither { uid, gid }, nor { uids, gids }, nor { map: "auto" or "keep" }`);
  return { uid: parseId(`${value.uid}`, "UID"), gid: parseId(`${value.gid}`, "GID") };
}

function clocksOf(value: unknown, key: string): Spec["namespaces"]["time"] {
  if (!isGroup(value) || Object.keys(value).sort().join() !== "boottime,monotonic")
    throw usageError(`${key}: not an object like { boottime: 86400, monotonic: 0 }`);
  return {
    boottime: parseOffset(`${value.boottime}`, key),
    monotonic: parseOffset(`${value.monotonic}`, key),
  };
}

/** How a value that is neither a switch nor a group is taken. */
const oneOf =
  (names: readonly string[]) =>
  (value: unknown, key: string): unknown => {
    if (!(names as readonly unknown[]).includes(value))
      throw usageError(`${key}: not one of ${names.join(", ")}`);
    return value;
  };

const TAKE: Readonly<Record<string, (value: unknown, key: string) => unknown>> = {
  root: pathOf,
  init: absoluteOf,
  pre: absoluteOf,
  args: (value, key) => listOf(value, key, argumentOf),
  user: userOf,
  "ids.as": (value, key) => parseAs(textOf(value, key), key),
  "security.devices": (value, key) => listOf(value, key, (one, name) => parseDevice(textOf(one, name), name)),
  "security.profile": oneOf(PROFILES),
  "security.dev": oneOf(DEVS),
  "security.sys": oneOf(SYSES),
  "limits.memory": sizeOf,
  "limits.memorySwap": (value, key) => parseMemorySwap(`${value}`, key),
  "limits.memoryHigh": sizeOf,
  "limits.cpuQuota": countOf(1000, 1e9),
  "limits.cpuWeight": countOf(1, 10_000),
  "limits.cpusetCpus": (value, key) => parseSet(textOf(value, key), key),
  "limits.cpusetMems": (value, key) => parseSet(textOf(value, key), key),
  "limits.pids": countOf(1, 4_194_304),
  "limits.cgroup": (value, key) => parseCgroup(textOf(value, key), key),
  "limits.rlimits": (value, key) => listOf(value, key, (one, name) => parseRlimit(textOf(one, name), name)),
  "namespaces.hostname": (value, key) => parseHostname(textOf(value, key), key),
  "namespaces.domainname": (value, key) => parseHostname(textOf(value, key), key, "domain"),
  "namespaces.joinNet": (value, key) => parseJoinNet(textOf(value, key), key),
  "namespaces.share": (value, key) => listOf(value, key, textOf).flatMap((name) => parseShare(name, key)),
  "namespaces.time": clocksOf,
  "network.mode": (value, key) => {
    if (value !== "host" && value !== "new") throw usageError(`${key}: neither "host" nor "new"`);
    return value;
  },
  "process.workdir": absoluteOf,
  "process.arg0": textOf,
  "process.umask": countOf(0, 0o777),
  "process.passFds": (value, key) => listOf(value, key, (fd, name) => parseDescriptor(`${fd}`, name)),
  "process.env.set": (value, key) =>
    listOf(value, key, (one, name) => parseVariable(textOf(one, name), name)),
  "rootfs.lower": (value, key) => listOf(value, key, pathOf),
  "rootfs.changes": changesOf,
};

/** What is given over what is the default. */
function merge(defaults: Group, given: Group, path: string): Group {
  const out = { ...defaults };
  for (const [name, value] of Object.entries(given)) {
    const key = `${path}${name}`;
    if (!Object.hasOwn(defaults, name)) throw usageError(`${key}: unknown key`);
    const usual = defaults[name];
    if (value === undefined || (value === null && usual === null)) continue;
    const take = Object.hasOwn(TAKE, key) ? TAKE[key] : undefined;
    if (take !== undefined) out[name] = take(value, key);
    else if (isGroup(usual)) {
      if (!isGroup(value)) throw usageError(`${key}: not an object`);
      out[name] = merge(usual, value, `${key}.`);
    } else if (typeof usual === "boolean") {
      if (typeof value !== "boolean") throw usageError(`${key}: neither true nor false`);
      out[name] = value;
    } else throw usageError(`${key}: the library cannot take this yet`);
  }
  return out;
}

/** The Spec that a program wants. @throws NsError (usage) that names the key */
export function specOf(wanted: Wanted): Spec {
  if (!isGroup(wanted)) throw usageError('not an object like { root: "/srv/root", init: "/init.sh" }');
  for (const key of ["root", "init"]) if (!(key in wanted)) throw usageError(`${key} is missing`);
  const spec = merge(defaultSpec() as unknown as Group, wanted as unknown as Group, "") as unknown as Spec;
  checkNamespaces(spec.namespaces, spec.network.mode !== "host");
  return completeUser(strictly(spec, wanted));
}

/** What profile strict says of the root and the network, where the program says nothing else. */
function strictly(spec: Spec, { rootfs, network }: Wanted): Spec {
  if (spec.security.profile !== "strict") return spec;
  const saysRoot = rootfs?.readOnly !== undefined || spec.rootfs.changes !== null;
  const saysNetwork = network?.mode !== undefined || spec.namespaces.joinNet !== null;
  return {
    ...spec,
    ...(saysRoot ? {} : { rootfs: { ...spec.rootfs, readOnly: true } }),
    ...(saysNetwork ? {} : { network: { ...spec.network, mode: spec.pre === null ? "none" : "new" } }),
  };
}

function completeUser(spec: Spec): Spec {
  const { user, ids } = spec;
  if (user !== null && "uids" in user) return { ...spec, user: completeMaps(user, ids.as) };
  if (user === null && ids.idmapRoot) throw usageError("ids.idmapRoot needs user");
  return spec;
}
