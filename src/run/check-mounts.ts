/** What can be known to fail about the root and the mounts before a process is started. Called by check.ts. */
import { NsError } from "../spec/error.ts";
import { isOverlay } from "../spec/rootfs.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { hasOwnNetwork, namespacesOf } from "../plan/namespaces.ts";

/** As many mounts as a plan has names for. */
const MOST = 200;

/** Can it be told from NEWROOT alone whether init can be executed? */
export const isWholeRoot = ({ mounts, rootfs }: Spec): boolean =>
  mounts.length === 0 && rootfs.lower.length === 0 && rootfs.changes?.to !== "directory";

/** A sysfs shows a network, and belongs to the namespace that the network belongs to. */
function checkSys(spec: Spec, option = ""): void {
  if (spec.user === null || hasOwnNetwork(spec)) return;
  throw new NsError(`${option}with --user sysfs cannot be mounted while the network is the host's`, {
    note: "give the container a network of its own: --network",
  });
}

/** @throws NsError for the first thing that cannot work */
export function checkMounts(spec: Spec, facts: Facts): void {
  const { mounts, rootfs } = spec;
  const { kernel, capabilities } = facts;
  const { sys } = spec.security;
  if (sys !== null && sys !== "none") checkSys(spec, "--sys: ");
  if (mounts.length === 0 && !rootfs.readOnly && !isOverlay(rootfs) && rootfs.image === null) return;
  if (!kernel.mountDescriptors)
    throw new NsError("options about the root and about mounts need Linux 5.2 or newer");
  if (rootfs.image !== null && !capabilities.sysAdmin)
    throw new NsError("only root may mount an image (--image)", {
      note: "as an ordinary user unpack it into a directory",
    });
  if (mounts.length > MOST) throw new NsError(`${mounts.length} mounts are too many: ${MOST} are possible`);
  for (const mount of mounts) {
    // from the host's own namespace a mount sets the hierarchy's options anew, for all of the host (cgroups(7))
    if (mount.type === "cgroup" && !namespacesOf(spec, facts).includes("cgroup"))
      throw new NsError("the cgroups cannot be mounted while the cgroup namespace is the host's", {
        note: "leave cgroup out of --share, or bind the host's: --bind /sys/fs/cgroup:DST:ro",
      });
    if (mount.type === "sysfs") checkSys(spec);
  }
}
