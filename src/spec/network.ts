/** What network the container has, which of its ports the host has too, and what its /etc/resolv.conf is. */
import { type Bytes, show } from "../sys/bytes.ts";
import { type NsError, usageError } from "./error.ts";

/** A port of the host that leads to one inside. */
export interface Publish {
  /** the host's address that it is on, IPv6 without brackets; null: all of them */
  readonly address: string | null;
  readonly host: number;
  readonly inside: number;
  readonly protocol: "tcp" | "udp";
}

export interface Network {
  /**
   * host: the host's own; the others are a network namespace of its own. new: with its loopback, the rest is PRE's; none:
   * with that and nothing else; pasta: with the host's connections, by the program pasta; veth: with one end of a pair
   */
  readonly mode: "host" | "new" | "none" | "pasta" | "veth";
  /** the host's bridge that the pair's outer end is put into */
  readonly bridge?: Bytes;
  readonly publish?: readonly Publish[];
  /** /etc/resolv.conf is a copy of the host's or the host's own file; left out: what the root has */
  readonly resolvConf?: "copy" | "host";
}

export const defaultNetwork = (): Network => ({ mode: "host" });

/** As long as an interface's name may be (IFNAMSIZ, without the closing 0). */
const MAX_INTERFACE = 15;

/** --net: a mode, and for veth the bridge. @throws NsError (usage) */
export function parseNet(text: Bytes, option: string): Pick<Network, "mode" | "bridge"> {
  const colon = text.indexOf(":");
  const mode = colon < 0 ? text : text.slice(0, colon);
  if (mode !== "host" && mode !== "new" && mode !== "none" && mode !== "pasta" && mode !== "veth")
    throw usageError(`${option}: '${show(text)}' is none of none, host, new, pasta, veth, veth:BRIDGE`);
  if (colon < 0) return { mode };
  if (mode !== "veth") throw usageError(`${option}: ${mode} takes nothing behind it`);
  const bridge = text.slice(colon + 1);
  if (bridge.length > MAX_INTERFACE || !/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(bridge))
    throw usageError(`${option}: '${show(bridge)}' is not the name of an interface`);
  return { mode, bridge };
}

/** Is this text an IPv4 address as people write it? */
export const isIpv4 = (text: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) &&
  text.split(".").every((part) => Number(part) <= 255 && `${Number(part)}` === part);

/** Is this text an IPv6 address, without brackets and zone? */
export function isIpv6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

function parsePort(text: string, whole: Bytes, option: string): number {
  const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65535))
    throw usageError(`${option}: '${show(text)}' in '${show(whole)}' is not a port from 1 to 65535`);
  return port;
}

/** [ADDRESS:]HOST:CONTAINER[/tcp|/udp], an IPv6 address in brackets. @throws NsError (usage) */
export function parsePublish(text: Bytes, option: string): Publish {
  const shape = /^(?:\[([^\]]*)\]:|([^:/]*):)?([^:/]*):([^:/]*)(?:\/(.*))?$/.exec(text);
  if (shape === null)
    throw usageError(
      `${option}: '${show(text)}' is not HOST:CONTAINER, like 8080:80, 127.0.0.1:8080:80 or 53:53/udp`,
    );
  const [, six, four, host, inside, protocol = "tcp"] = shape;
  if (protocol !== "tcp" && protocol !== "udp")
    throw usageError(`${option}: '${show(protocol)}' in '${show(text)}' is neither tcp nor udp`);
  if ((six !== undefined && !isIpv6(six)) || (four !== undefined && !isIpv4(four)))
    throw usageError(`${option}: '${show(six ?? four!)}' in '${show(text)}' is not an address`);
  return {
    address: six ?? four ?? null,
    host: parsePort(host!, text, option),
    inside: parsePort(inside!, text, option),
    protocol,
  };
}

/** Do both want the same port of the host? */
export const samePort = (a: Publish, b: Publish): boolean =>
  a.protocol === b.protocol &&
  a.host === b.host &&
  (a.address === null || b.address === null || a.address === b.address);

/** --resolv-conf; undefined: as the root has it. @throws NsError (usage) */
export function parseResolvConf(text: Bytes, option: string): "copy" | "host" | undefined {
  if (text === "none") return undefined;
  if (text === "copy") return "copy";
  if (text === "host") return "host";
  throw usageError(`${option}: '${show(text)}' is none of copy, host, none`);
}

/** Options that do not go together, whatever the host is like. */
export function networkConflict({ network, pre }: { network: Network; pre: Bytes | null }): NsError | null {
  const { mode, publish } = network;
  if (publish !== undefined && mode !== "pasta") return usageError("--publish needs --net=pasta");
  if (mode === "none" && pre !== null)
    return usageError("--net=none leaves nothing to a pre script: use --net=new, or - for PRE");
  return null;
}
