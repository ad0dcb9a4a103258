/** The program pasta: where it is, and what it is asked for. Run by run/network.ts. */
import type { Network, Publish } from "../../spec/network.ts";
import type { Bytes } from "../../sys/bytes.ts";
import { access } from "../../sys/file.ts";

const EXECUTE = 1;
const PLACES = ["/usr/bin/pasta", "/usr/local/bin/pasta", "/bin/pasta"];

/** Its path, not looked for along the caller's PATH; null when it is not there. */
export function findPasta(): Bytes | null {
  for (const path of PLACES) if (access(path, EXECUTE) === 0) return path;
  return null;
}

/** A published port as pasta wants it: 192.0.2.1/8080:80. */
const portSpec = ({ address, host, inside }: Publish): string =>
  `${address === null ? "" : `${address}/`}${host}:${inside}`;

/**
 * Its arguments. No way to the host's loopback, neither by the gateway's address nor from the container's own; no port of
 * the container's but the published ones. It writes its process id to standard output when the network is there.
 * @param pid the container's init, whose user and network namespaces it joins; null: no user namespace, and the network
 * namespace is its standard input (its capabilities would not do to open it in /proc)
 * @param root it would become nobody, who may not join the namespaces that root has made
 */
export function pastaArguments(network: Network, pid: number | "PID" | null, root: boolean): string[] {
  const ports = network.publish ?? [];
  const published = (protocol: Publish["protocol"], option: string): string[] => {
    const specs = ports.filter((one) => one.protocol === protocol).map(portSpec);
    return specs.length === 0 ? [option, "none"] : specs.flatMap((spec) => [option, spec]);
  };
  return [
    ...["--foreground", "--quiet", "--config-net", "--no-map-gw", "--pid", "/proc/self/fd/1"],
    ...(root ? ["--runas", "0"] : []),
    ...published("tcp", "-t"),
    ...published("udp", "-u"),
    ...["-T", "none", "-U", "none"],
    ...(pid === null ? ["--netns", "/proc/self/fd/0"] : [`${pid}`]),
  ];
}

/** The last thing that it said, without what only tells that there is no system log; "" for nothing. */
export function lastWords(errors: string): string {
  const lines = errors
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^Failed to send .* syslog/.test(line));
  return lines.at(-1)?.trim() ?? "";
}

/** What to do about it. */
export function pastaNote(words: string): string | undefined {
  if (/tun/i.test(words))
    return "pasta needs /dev/net/tun, and to be allowed to open it: modprobe tun; chmod 666 /dev/net/tun";
  if (/routable interface|interface not usable|no external/i.test(words))
    return "pasta needs a default route on the host, by an interface that is up";
  if (/bind|port/i.test(words)) return "the host's port is in use, or below 1024 and only for root";
  return undefined;
}
