/** What the container shares with the host and what it has of its own. */
import { type Bytes, show } from "../sys/bytes.ts";
import { usageError } from "./error.ts";

export const SHAREABLE = ["ipc", "uts", "cgroup", "net", "time"] as const;
export type Shareable = (typeof SHAREABLE)[number];

/** How far the container's clocks are ahead of the host's, in seconds (time_namespaces(7)). */
export interface Clocks {
  readonly boottime: number;
  readonly monotonic: number;
}

export interface Namespaces {
  /** the name inside (sethostname(2)); null: the host's */
  readonly hostname: Bytes | null;
  /** the NIS domain's name inside (setdomainname(2)); null: the host's */
  readonly domainname: Bytes | null;
  /** those of the host that the container uses instead of its own */
  readonly share: readonly Shareable[];
  /** null: no time namespace */
  readonly time: Clocks | null;
  /** the network namespace that it joins: a path, a process id, or a name of ip-netns(8); null: none */
  readonly joinNet: Bytes | null;
}

export const defaultNamespaces = (): Namespaces => ({
  hostname: null,
  domainname: null,
  share: [],
  time: null,
  joinNet: null,
});

/** As long as a host's or a domain's name may be (__NEW_UTS_LEN). */
const MAX_NAME = 64;

/** A host's or a domain's name. @throws NsError (usage) */
export function parseHostname(text: Bytes, option: string, what = "host"): Bytes {
  if (text.length > MAX_NAME) throw usageError(`${option}: a name has at most ${MAX_NAME} bytes`);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text))
    throw usageError(`${option}: '${show(text)}' is not a ${what} name: letters, digits, - and .`);
  return text;
}

const REFUSED: Readonly<Record<string, string>> = {
  mnt: "without mounts of its own nothing holds the container in its root",
  pid: "init has to be process 1, so that nothing outlives it",
  user: "it has no user namespace of its own unless one is asked for",
};

/** Namespaces to share, separated by commas. @throws NsError (usage) */
export function parseShare(text: Bytes, option: string): Shareable[] {
  return text.split(",").map((word) => {
    const known = SHAREABLE.find((name) => name === word);
    if (known !== undefined) return known;
    const why = Object.hasOwn(REFUSED, word) ? REFUSED[word] : undefined;
    throw usageError(
      why === undefined
        ? `${option}: '${show(word)}' is none of ${SHAREABLE.join(", ")}`
        : `${option}: ${word} cannot be shared: ${why}`,
    );
  });
}

// half of what the kernel can count in nanoseconds: it refuses more (KTIME_SEC_MAX)
const MAX_OFFSET = 4611686018;

/** A clock's offset in whole seconds, negative or not. @throws NsError (usage) */
export function parseOffset(text: Bytes, option: string): number {
  const seconds = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(Math.abs(seconds) <= MAX_OFFSET))
    throw usageError(`${option}: '${show(text)}' is not a whole number of seconds, like 86400 or -60`);
  return seconds === 0 ? 0 : seconds;
}

/** PATH, PID or NAME of a network namespace. @throws NsError (usage) */
export function parseJoinNet(text: Bytes, option: string): Bytes {
  if (text.includes("/") ? text.length < 4096 : text !== "." && text !== ".." && text.length < 256)
    return text;
  throw usageError(`${option}: '${show(text.slice(0, 40))}' is no PATH, PID or NAME of a network namespace`);
}

/**
 * What cannot be together.
 * @param network does the container have a network of its own?
 * @throws NsError (usage)
 */
export function checkNamespaces(namespaces: Namespaces, network: boolean): void {
  const { share, hostname, domainname, time, joinNet } = namespaces;
  const refuse = (name: Shareable, option: string, why: string): void => {
    if (share.includes(name)) throw usageError(`--share=${name} and --${option} exclude each other: ${why}`);
  };
  if (hostname !== null) refuse("uts", "hostname", "the host's own name would change");
  if (domainname !== null) refuse("uts", "domainname", "the host's own would change");
  if (network) refuse("net", "network", "it is shared or its own");
  if (joinNet !== null) refuse("net", "join-net", "it is one or the other");
  if (time !== null) refuse("time", "time", "it is shared or its own");
}
