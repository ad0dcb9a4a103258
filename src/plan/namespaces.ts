/** Which namespaces a run gets: for the clone, for messages and for the check that the kernel has them. */
import { type Facts, makesUser, NAMESPACES, type Namespace, type Spec } from "../spec/spec.ts";
import { AT_FDCWD, CLONE, O } from "../sys/constants.ts";
import { type Op, slot } from "./op.ts";

/** For clone(2) and unshare(2); CLONE_NEWTIME is for the latter alone. */
export const FLAGS: Record<Namespace, number> = {
  mnt: CLONE.CLONE_NEWNS,
  pid: CLONE.CLONE_NEWPID,
  uts: CLONE.CLONE_NEWUTS,
  ipc: CLONE.CLONE_NEWIPC,
  cgroup: CLONE.CLONE_NEWCGROUP,
  net: CLONE.CLONE_NEWNET,
  time: CLONE.CLONE_NEWTIME,
  user: CLONE.CLONE_NEWUSER,
};

/** Is the network namespace not the host's? */
export const hasOwnNetwork = (spec: Spec): boolean => spec.network.mode !== "host";

/** The names inside (sethostname(2), setdomainname(2)). Never without a uts namespace: spec/namespaces.ts sees to it. */
export function namesInside({ namespaces: { hostname, domainname } }: Spec): Op[] {
  const ops: Op[] = [];
  if (hostname !== null)
    ops.push({
      call: "sethostname",
      args: [hostname, hostname.length],
      step: `set the host name ${hostname}`,
    });
  if (domainname !== null)
    ops.push({
      call: "setdomainname",
      args: [domainname, domainname.length],
      step: `set the domain name ${domainname}`,
    });
  return ops;
}

/** A time namespace and its offsets, which can be set only while nobody is in it (time_namespaces(7)). */
export function ownClocks({ namespaces: { time } }: Spec): Op[] {
  if (time === null) return [];
  const offsets = `monotonic ${time.monotonic} 0\nboottime ${time.boottime} 0\n`;
  const step = "set the clocks' offsets";
  return [
    { call: "unshare", args: [CLONE.CLONE_NEWTIME], step: "make the time namespace" },
    {
      call: "openat",
      args: [AT_FDCWD, "/proc/self/timens_offsets", O.O_WRONLY | O.O_CLOEXEC, 0],
      step,
      save: "file",
    },
    { call: "write", args: [slot("file"), offsets, offsets.length], step },
    { call: "close", args: [slot("file")], step },
  ];
}

/**
 * Enters the time namespace. The exec of the child's own program has done so from Linux 6.2 on; this needs a memory of its
 * own, and the host's /proc.
 */
export function enterClocks({ namespaces: { time } }: Spec): Op[] {
  if (time === null) return [];
  const step = "enter the time namespace";
  const file = "/proc/self/ns/time_for_children";
  return [
    { call: "openat", args: [AT_FDCWD, file, O.O_RDONLY | O.O_CLOEXEC, 0], step, save: "file" },
    { call: "setns", args: [slot("file"), CLONE.CLONE_NEWTIME], step },
    { call: "close", args: [slot("file")], step },
  ];
}

/** The namespaces that this run gets, in one fixed order. A cgroup namespace only where the kernel has it. */
export function namespacesOf(spec: Spec, facts: Facts): Namespace[] {
  const { share, time } = spec.namespaces;
  return NAMESPACES.filter((name) => {
    if (name === "time") return time !== null;
    if (share.length > 0 && (share as readonly Namespace[]).includes(name)) return false;
    if (name === "user") return makesUser(spec);
    if (name === "net") return hasOwnNetwork(spec);
    if (name === "cgroup") return facts.cgroupNamespace;
    return true;
  });
}

/**
 * Flags for clone(2). The cgroup namespace is left to an op of the child: its root is the cgroup that the maker is in,
 * and the child has to be put into its own first. So is the time namespace, whose flag clone(2) does not have.
 */
export function cloneFlags(spec: Spec, facts: Facts): number {
  let flags = CLONE.CLONE_VM | (facts.kernel.pidfd ? CLONE.CLONE_PIDFD : 0);
  for (const name of namespacesOf(spec, facts))
    if (name !== "cgroup" && name !== "time") flags |= FLAGS[name];
  return flags;
}
