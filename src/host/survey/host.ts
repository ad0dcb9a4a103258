/** What this host is, in words: what `ns check` says before all else. Reads /proc and /sys, tries nothing. */
import { bytesOf } from "../../sys/bytes.ts";
import { access, readFile } from "../../sys/file.ts";
import { parseMountinfo } from "../status.ts";
import { appArmor } from "./apparmor.ts";

export interface Host {
  /** the kernel's release: 6.1.0-13-amd64 */
  readonly kernel: string;
  /** x64 or arm64 */
  readonly machine: string;
  /** versions of cgroups that are mounted: v1, v2, "v1 and v2", none */
  readonly cgroups: string;
  /** the AppArmor profile that ns is under; null: this kernel has no AppArmor */
  readonly appArmor: string | null;
  /** started by systemd */
  readonly systemd: boolean;
}

export const textOf = (path: string): string => {
  const content = readFile(bytesOf(path), 1 << 20);
  return typeof content === "string" ? content.trim() : "";
};

function cgroupVersions(): string {
  const types = parseMountinfo(textOf("/proc/self/mountinfo")).map(({ type }) => type);
  const versions = [types.includes("cgroup") ? "v1" : "", types.includes("cgroup2") ? "v2" : ""];
  return versions.filter((version) => version !== "").join(" and ") || "none";
}

export const readHost = (): Host => ({
  kernel: textOf("/proc/sys/kernel/osrelease"),
  machine: process.arch,
  cgroups: cgroupVersions(),
  appArmor: appArmor(),
  systemd: access("/run/systemd/system", 0) === 0,
});
