/**
 * What a frozen start takes for granted: it is planned for a kernel and not for a host, so that the same words give the same
 * bytes everywhere. What a host does not have is met at the start, by the step that needs it.
 */
import type { Facts } from "../../spec/spec.ts";

/** Every capability that there is (linux/capability.h): what the caller has not is taken from what init is to have. */
const ALL = "1ffffffffff";

/** Linux 5.12 or newer, and a caller who may do what the plan needs. */
export const FROZEN_FACTS: Facts = {
  ...{ pid: 0, uid: 0, gid: 0 },
  capabilities: { mask: ALL, bounding: ALL, sysAdmin: true, setUid: true, setGid: true },
  // the start itself sees to what its caller ignores (listen() in csrc/alone.c)
  ignoredSignals: [],
  cgroupNamespace: true,
  kernel: { mountDescriptors: true, closeRange: true, openat2: true, pidfd: true, mountSetattr: true },
  onRootfs: false,
  // nothing has changed the caller's
  openFiles: null,
  // child.ts asks at the start
  terminal: null,
};
