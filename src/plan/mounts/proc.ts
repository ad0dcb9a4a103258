/** A fresh /proc in the new root, with the switches of the whole machine read-only. */
import type { Facts, Spec } from "../../spec/spec.ts";
import { AT_FDCWD, FSCONFIG, FSOPEN, MOUNT_ATTR, MOVE_MOUNT, MS, O } from "../../sys/constants.ts";
import { hasOwnNetwork } from "../namespaces.ts";
import { protectsSysctl, readOnlyInProc } from "./masks.ts";
import { type Op, slot } from "../op.ts";

const { MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REMOUNT, MS_RDONLY } = MS;

/**
 * Mounts proc onto the directory itself, not onto its name: a /proc that is a symbolic link is refused, and one that
 * becomes a link meanwhile redirects nothing. Afterwards proc is the working directory.
 */
function mountProc(facts: Facts): Op[] {
  const step = "mount proc on /proc";
  const open: Op[] = [
    {
      call: "mkdirat",
      args: [AT_FDCWD, "/proc", 0o555],
      step: "make the directory /proc",
      fine: ["EEXIST"],
    },
    {
      call: "openat",
      args: [AT_FDCWD, "/proc", O.O_PATH | O.O_NOFOLLOW | O.O_DIRECTORY | O.O_CLOEXEC, 0],
      step: "open the directory /proc",
      save: "proc",
    },
  ];
  if (!facts.kernel.mountDescriptors)
    return [
      ...open,
      { call: "fchdir", args: [slot("proc")], step },
      { call: "mount", args: ["proc", ".", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0], step },
      { call: "chdir", args: ["/proc"], step: "enter /proc" },
    ];
  const { FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE } = FSCONFIG;
  const { MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC } = MOUNT_ATTR;
  const { MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH } = MOVE_MOUNT;
  const context = slot("procContext");
  return [
    ...open,
    { call: "fsopen", args: ["proc", FSOPEN.FSOPEN_CLOEXEC], step, save: "procContext" },
    { call: "fsconfig", args: [context, FSCONFIG_SET_STRING, "source", "proc", 0], step },
    { call: "fsconfig", args: [context, FSCONFIG_CMD_CREATE, 0, 0, 0], step },
    {
      call: "fsmount",
      args: [context, FSOPEN.FSOPEN_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC],
      step,
      save: "procTree",
    },
    {
      call: "move_mount",
      args: [slot("procTree"), "", slot("proc"), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH],
      step,
    },
    { call: "fchdir", args: [slot("procTree")], step: "enter /proc" },
  ];
}

/** Below the fresh proc, where only the kernel makes names. What this kernel does not have needs no protection. */
function readOnly(name: string, writable: readonly string[] = []): Op[] {
  const bind = (path: string): Op => ({
    call: "mount",
    args: [path, path, 0, MS_BIND, 0],
    step: `bind /proc/${path}`,
    fine: ["ENOENT"],
  });
  return [
    bind(name),
    // bound before the outer one turns read-only, these stay as they are
    ...writable.map(bind),
    {
      call: "mount",
      args: [0, name, 0, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, 0],
      step: `make /proc/${name} read-only`,
      fine: ["ENOENT"],
    },
  ];
}

/** /proc and what is read-only in it: switches that would reach the host. /proc/sys/net of an own network is its own. */
export function procMount(spec: Spec, facts: Facts): Op[] {
  return [
    ...mountProc(facts),
    ...(protectsSysctl(spec) ? readOnly("sys", hasOwnNetwork(spec) ? ["sys/net"] : []) : []),
    ...readOnlyInProc(spec).flatMap((name) => readOnly(name)),
  ];
}
