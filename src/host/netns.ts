/** A network namespace that a container joins instead of having its own. */
import { NsError } from "../spec/error.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { CLONE, NS_GET_NSTYPE, O } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { close, open } from "../sys/file.ts";
import { call } from "../sys/kernel.ts";

/** The file that a PATH, a PID or a NAME of ip-netns(8) stands for. */
export function networkFile(network: Bytes): Bytes {
  if (network.includes("/")) return network;
  return /^[1-9]\d*$/.test(network) ? `/proc/${network}/ns/net` : `/run/netns/${network}`;
}

/** Opens it; a descriptor. @throws NsError when it is no network namespace */
export function openNetwork(network: Bytes): number {
  const file = networkFile(network);
  const fd = open(file, O.O_RDONLY | O.O_NONBLOCK);
  if (fd < 0)
    throw new NsError(`cannot join the network namespace ${show(file)}: ${errnoText(-fd)}`, {
      errno: -fd,
      note:
        file.startsWith("/run/netns/") && fd === -errnoNumber("ENOENT")
          ? `make it: ip netns add ${show(network)}`
          : undefined,
    });
  if (call("ioctl", fd, NS_GET_NSTYPE) === CLONE.CLONE_NEWNET) return fd;
  close(fd);
  throw new NsError(`${show(file)} is not a network namespace`);
}

/** It is one, but this process may not join it. */
export const joinError = (network: Bytes, errno: number): NsError =>
  new NsError(`cannot join the network namespace ${show(networkFile(network))}: ${errnoText(errno)}`, {
    errno,
  });

/**
 * Runs `use`, which starts the child, inside the network namespace: the child gets it, with or without a user namespace
 * of its own, and this process leaves it again.
 * @throws NsError when it cannot be joined or left
 */
export function insideNetwork<T>(network: Bytes | null, use: () => T): T {
  if (network === null) return use();
  const fd = openNetwork(network);
  const own = open("/proc/thread-self/ns/net", O.O_RDONLY);
  try {
    const joined = own < 0 ? own : call("setns", fd, CLONE.CLONE_NEWNET);
    if (joined < 0) throw joinError(network, -joined);
    let left = 0;
    let result: T;
    try {
      result = use();
    } finally {
      left = call("setns", own, CLONE.CLONE_NEWNET);
    }
    // pre.sh must not work on the wrong network
    if (left < 0)
      throw new NsError(`cannot leave the network namespace again: ${errnoText(-left)}`, { errno: -left });
    return result;
  } finally {
    close(fd);
    if (own >= 0) close(own);
  }
}
