/** Which namespaces a run gets: for the clone, for messages and for the check that the kernel has them. */
import { type Facts, NAMESPACES, type Namespace, type Spec } from "../spec/spec.ts";
import type { Op } from "./op.ts";
import { CLONE } from "../sys/constants.ts";

const FLAGS: Record<Namespace, number> = {
  mnt: CLONE.CLONE_NEWNS,
  pid: CLONE.CLONE_NEWPID,
  uts: CLONE.CLONE_NEWUTS,
  ipc: CLONE.CLONE_NEWIPC,
  cgroup: CLONE.CLONE_NEWCGROUP,
  net: CLONE.CLONE_NEWNET,
  user: CLONE.CLONE_NEWUSER,
};

/** Is the network namespace not the host's? */
export const hasOwnNetwork = (spec: Spec): boolean => spec.network.mode !== "host";

/** The host's name inside (sethostname(2)). */
export function namesInside({ namespaces: { hostname } }: Spec): Op[] {
  if (hostname === null) return [];
  return [{ call: "sethostname", args: [hostname, hostname.length], step: `set the host name ${hostname}` }];
}

/** The namespaces that this run gets, in one fixed order. A cgroup namespace only where the kernel has it. */
export function namespacesOf(spec: Spec, facts: Facts): Namespace[] {
  return NAMESPACES.filter((name) => {
    if (name === "user") return spec.user !== null;
    if (name === "net") return hasOwnNetwork(spec);
    if (name === "cgroup") return facts.cgroupNamespace;
    return true;
  });
}

/**
 * Flags for clone(2). The cgroup namespace is left to an op of the child: its root is the cgroup that the maker is in,
 * and the child has to be put into its own first.
 */
export function cloneFlags(spec: Spec, facts: Facts): number {
  let flags = CLONE.CLONE_VM | (facts.kernel.pidfd ? CLONE.CLONE_PIDFD : 0);
  for (const name of namespacesOf(spec, facts)) if (name !== "cgroup") flags |= FLAGS[name];
  return flags;
}
