/** Finds whether a run has a sysfs on /sys (--sys). Called by sources.ts; plan/mounts/sys.ts mounts it. */
import type { SysSource } from "../spec/mounts.ts";
import type { Spec } from "../spec/spec.ts";
import { O } from "../sys/constants.ts";
import { close, open } from "../sys/file.ts";

/**
 * What is asked for. Else profile app has one read-only, as far as the kernel gives one and the root has a place for it: in
 * a user namespace that needs a network of its own.
 * @param root a descriptor of NEWROOT
 */
export function findSys({ security, user, network, mounts }: Spec, root: number): SysSource {
  const { sys, profile } = security;
  if (sys !== null) return sys;
  if (profile !== "app" || (user !== null && network.mode === "host")) return "none";
  if (mounts.some(({ target }) => target === "/sys" || target === "/sys/")) return "none";
  const fd = open("sys", O.O_PATH | O.O_NOFOLLOW | O.O_DIRECTORY, root);
  if (fd < 0) return "none";
  close(fd);
  return "possible";
}
