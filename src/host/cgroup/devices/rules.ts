/** Which devices a run may open: the usual ones, what --allow-device names, and device files that are bound into it. */
import { allowsAll, type DeviceNumbers, USUAL_DEVICES } from "../../../spec/devices.ts";
import { NsError } from "../../../spec/error.ts";
import type { Facts, Spec } from "../../../spec/spec.ts";
import { type Bytes, show } from "../../../sys/bytes.ts";
import { O, S_IFBLK, S_IFCHR, S_IFMT } from "../../../sys/constants.ts";
import { errnoText } from "../../../sys/errno.ts";
import { close, open, statusOf } from "../../../sys/file.ts";

type Numbers = Pick<DeviceNumbers, "kind" | "major" | "minor">;

/** What a file of the host's is a device of; null: it is none; -errno: it cannot be looked at. */
function numbersOf(path: Bytes): Numbers | null | number {
  const fd = open(path, O.O_PATH);
  if (fd < 0) return fd;
  const status = statusOf(fd);
  close(fd);
  if (typeof status === "number") return status;
  const type = status.mode & S_IFMT;
  if (type !== S_IFCHR && type !== S_IFBLK) return null;
  const [major, minor] = status.device.split(":");
  return { kind: type === S_IFCHR ? "c" : "b", major: Number(major), minor: Number(minor) };
}

function namedByUser(path: Bytes): Numbers {
  const found = numbersOf(path);
  if (found !== null && typeof found !== "number") return found;
  throw new NsError(
    `--allow-device: ${show(path)} ${found === null ? "is not a device" : `cannot be used: ${errnoText(-found)}`}`,
  );
}

/** Has the user asked for a list of his own, so that it has to be had? */
export const asksForDevices = ({ security: { devices } }: Pick<Spec, "security">): boolean =>
  devices.length > 0 && !allowsAll(devices);

/**
 * What may be opened in this run; null: it is not for ns to restrict. An ordinary user cannot, and need not: his container
 * opens what he could open himself.
 * @throws NsError for a file that is no device
 */
export function deviceRules(spec: Spec, { capabilities }: Facts): readonly DeviceNumbers[] | null {
  const { devices } = spec.security;
  if (!capabilities.sysAdmin || spec.limits.cgroup === "none" || allowsAll(devices)) return null;
  if (devices.length === 0 && spec.mounts.length === 0) return USUAL_DEVICES;
  const rules = [...USUAL_DEVICES];
  for (const one of devices)
    rules.push("path" in one ? { ...namedByUser(one.path), access: one.access } : one);
  for (const mount of spec.mounts) {
    // who binds a device file with `dev` wants it to be used
    if (mount.type !== "bind" || mount.flags.nodev) continue;
    const found = numbersOf(mount.source);
    if (found !== null && typeof found !== "number")
      rules.push({ ...found, access: mount.flags.readOnly ? "r" : "rw" });
  }
  return rules;
}

const word = (number: number | null): string => (number === null ? "*" : `${number}`);

/** As devices.allow of cgroup v1 wants it, one in a write(2). */
export const ruleWords = ({ kind, major, minor, access }: DeviceNumbers): string =>
  `${kind} ${word(major)}:${word(minor)} ${access}`;
