/** A sysfs on /sys (--sys). It shows the machine, and of its network what the container has. */
import type { SysSource } from "../../spec/mounts.ts";
import { AT_FDCWD, MS, O } from "../../sys/constants.ts";
import { type Op, slot } from "../op.ts";

const { MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_RDONLY } = MS;

/**
 * Before the pivot, while another sysfs is in sight, without which a user namespace gets none. The new root is the working
 * directory; the mount goes onto the directory itself, so that a link redirects nothing.
 */
export function sysMount(sys: SysSource): Op[] {
  if (sys === "none") return [];
  const step = "mount sysfs on /sys";
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | (sys === "rw" ? 0 : MS_RDONLY);
  const hold = (name: string, save: "here" | "file", what: string): Op => ({
    call: "openat",
    args: [AT_FDCWD, name, O.O_PATH | O.O_NOFOLLOW | O.O_DIRECTORY | O.O_CLOEXEC, 0],
    step: what,
    save,
  });
  return [
    { call: "mkdirat", args: [AT_FDCWD, "sys", 0o555], step: "make the directory /sys", fine: ["EEXIST"] },
    hold("sys", "file", "open the directory /sys"),
    hold(".", "here", step),
    { call: "fchdir", args: [slot("file")], step },
    {
      call: "mount",
      args: ["sysfs", ".", "sysfs", flags, 0],
      step,
      // where nobody has asked for it: in a container whose own is covered in part, or without the kernel's support
      ...(sys === "possible" ? { fine: ["EPERM", "ENODEV"] as const } : {}),
    },
    { call: "fchdir", args: [slot("here")], step: "enter the root" },
  ];
}
