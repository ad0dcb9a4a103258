/** Who may have forbidden an exec that nothing in the root forbids: the kernel's security modules. Used by failure.ts. */
import { errnoName } from "../sys/errno.ts";
import { readSwitch, type ReadSwitch } from "./check.ts";

/** What to do about it; undefined when no module is seen to be at work. @param read a file of the kernel's, "" without it */
export function confinementNote(errno: number, read: ReadSwitch = readSwitch): string | undefined {
  const name = errnoName(errno);
  if (name !== "EACCES" && name !== "EPERM") return undefined;
  if (read("/sys/module/apparmor/parameters/enabled") === "Y") {
    // the first is there from Linux 5.1 on; the second is whichever module is the main one's
    const profile = read("/proc/self/attr/apparmor/current") || read("/proc/self/attr/current");
    const [label = ""] = profile.split("\0");
    if (label !== "" && label !== "unconfined")
      return `ns is under the AppArmor profile ${label}: the kernel's log has what it denied, dmesg | grep DENIED`;
  }
  if (read("/sys/fs/selinux/enforce") === "1")
    return "SELinux is enforcing: ausearch -m AVC tells what it denied";
  return undefined;
}
