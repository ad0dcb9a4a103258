/** What a copy of the host's /etc/resolv.conf is to hold (resolv.conf(5)). Read by run/network.ts before the clone. */
import { NsError } from "../../spec/error.ts";
import type { Bytes } from "../../sys/bytes.ts";
import { errnoText } from "../../sys/errno.ts";
import { readFile } from "../../sys/file.ts";

const PATH = "/etc/resolv.conf";
/** where systemd-resolved lists the servers that stand behind its own address */
const BEHIND = "/run/systemd/resolve/resolv.conf";
const LIMIT = 65536;

/** Does the text name servers, and all of them on the host's loopback? */
export function onlyLoopback(text: string): boolean {
  const servers = [...text.matchAll(/^nameserver[ \t]+(\S+)/gm)].map(([, server]) => server!);
  return servers.length > 0 && servers.every((server) => server.startsWith("127.") || server === "::1");
}

/**
 * The host's file. In a network of its own the host's loopback is out of reach: systemd-resolved's list is taken then.
 * @throws NsError when it cannot be read, is too long or would be of no use
 */
export function readResolvConf(ownNetwork: boolean, paths = { own: PATH, behind: BEHIND }): Bytes {
  const content = readFile(paths.own, LIMIT + 1);
  if (typeof content === "number")
    throw new NsError(`--resolv-conf: cannot read ${paths.own}: ${errnoText(-content)}`, { errno: -content });
  if (content.length > LIMIT) throw new NsError(`--resolv-conf: ${paths.own} is longer than ${LIMIT} bytes`);
  if (!ownNetwork || !onlyLoopback(content)) return content;
  const behind = readFile(paths.behind, LIMIT + 1);
  if (typeof behind === "string" && behind.length <= LIMIT && !onlyLoopback(behind)) return behind;
  throw new NsError(
    `--resolv-conf=copy: every nameserver in ${paths.own} is on the host's loopback, which this network does not reach`,
    { note: "put a resolv.conf that names other servers into the root" },
  );
}
