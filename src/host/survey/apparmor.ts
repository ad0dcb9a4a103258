/** AppArmor: whether it holds ns, and the profile that lets ns make user namespaces where others may not. */
import { NsError } from "../../spec/error.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import { readFile } from "../../sys/file.ts";

/** The profile that this process is under, as "unconfined" or "NAME (MODE)"; null: the kernel has no AppArmor. */
export function appArmor(): string | null {
  const enabled = readFile("/sys/module/apparmor/parameters/enabled");
  if (enabled !== "Y\n") return null;
  const current = readFile("/proc/self/attr/apparmor/current");
  const text = typeof current === "string" ? current : readFile("/proc/self/attr/current");
  return typeof text === "string" ? text.replace(/[\0\n]+$/, "") : "unknown";
}

/**
 * A profile for the executable at this path (apparmor.d(5)): it confines nothing, and allows user namespaces.
 * @throws NsError for a path that cannot be written in a profile
 */
export function appArmorProfile(path: Bytes): string {
  if (/[\0-\x1f"]/.test(path))
    throw new NsError(`a profile cannot name ${show(path)}`, {
      note: "copy ns to a path like /usr/local/bin/ns",
    });
  const literal = path.replace(/[\\*?[\]{}^@$]/g, "\\$&");
  return `# Lets ns make user namespaces, also for ordinary users. Confines nothing: what ns starts is held by ns.
# ns check --apparmor prints it for where ns is; see docs/check.md.
abi <abi/4.0>,
include <tunables/global>

profile ns "${show(literal)}" flags=(unconfined) {
  userns,

  include if exists <local/ns>
}`;
}
