/**
 * What is covered or read-only inside, so that the machine's own switches and secrets are out of reach: in /proc by the
 * profile, elsewhere by --mask and --read-only-path.
 */
import type { Facts, Spec } from "../../spec/spec.ts";
import type { Bytes } from "../../sys/bytes.ts";
import { AT_FDCWD, MNT, MOUNT_ATTR, MS, OPEN_TREE } from "../../sys/constants.ts";
import type { Op } from "../op.ts";

const { MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REMOUNT, MS_RDONLY, MS_REC } = MS;
const QUIET = MS_NOSUID | MS_NODEV | MS_NOEXEC;
const S_IFREG = 0o100000;

/** Covered for a service or a command, as Docker and Podman do: memory of the machine, its keys, its timers. */
const APP_FILES = [
  "interrupts",
  "kcore",
  "keys",
  "latency_stats",
  "sched_debug",
  "timer_list",
  "timer_stats",
];
const APP_DIRECTORIES = ["acpi", "asound", "scsi"];
/** And in /sys: the firmware's tables, the processors' energy meters. */
const APP_SYS = ["/sys/firmware", "/sys/devices/virtual/powercap"];
/** Read-only in every profile, besides /proc/sys. */
const READ_ONLY = ["sysrq-trigger", "irq", "bus"];
/** And for a service or a command. */
const APP_READ_ONLY = ["fs"];

const isLeft = ({ security: { unmask } }: Spec, path: Bytes): boolean =>
  unmask.includes("ALL") || unmask.includes(path);

/** The names in /proc that this run has read-only, but for /proc/sys. */
export const readOnlyInProc = (spec: Spec): string[] =>
  [...READ_ONLY, ...(spec.security.profile === "init" ? [] : APP_READ_ONLY)].filter(
    (name) => !isLeft(spec, `/proc/${name}`),
  );

/** Is /proc/sys to be read-only? */
export const protectsSysctl = (spec: Spec): boolean => !isLeft(spec, "/proc/sys");

/** Where a read-only file system with an empty file and an empty directory is for as long as it is needed: over /proc/1. */
const SOURCE = "/proc/1";

const cover = (name: "file" | "directory", path: Bytes, more: Partial<Op> = {}): Op => ({
  call: "mount",
  args: [`${SOURCE}/${name}`, path, 0, MS_BIND, 0],
  step: `mask ${path}`,
  fine: ["ENOENT", "ENOTDIR"],
  ...more,
});

/**
 * Covers the profile's and the user's paths. After all other mounts, with the root as it will be; paths that are not there
 * need no cover.
 * @param hasSys is there a sysfs of ns's on /sys?
 */
export function maskPaths(spec: Spec, hasSys: boolean): Op[] {
  const { profile, mask } = spec.security;
  const app = profile !== "init";
  const proc = (names: readonly string[], kind: "file" | "directory"): Op[] =>
    names
      .map((name) => `/proc/${name}`)
      .filter((path) => !isLeft(spec, path))
      .map((path) => cover(kind, path));
  const covers = [
    ...proc(app ? APP_FILES : [], "file"),
    ...proc(app ? APP_DIRECTORIES : [], "directory"),
    ...(app && hasSys ? APP_SYS : [])
      .filter((path) => !isLeft(spec, path))
      .map((path) => cover("directory", path)),
    ...mask.flatMap((path) => [cover("file", path, { skipNext: true }), cover("directory", path)]),
  ];
  if (covers.length === 0) return [];
  const step = "make what masks";
  return [
    { call: "mount", args: ["tmpfs", SOURCE, "tmpfs", QUIET, "mode=0755,size=4k"], step },
    { call: "mknodat", args: [AT_FDCWD, `${SOURCE}/file`, S_IFREG, 0], step },
    { call: "mkdirat", args: [AT_FDCWD, `${SOURCE}/directory`, 0], step },
    { call: "mount", args: [0, SOURCE, 0, MS_REMOUNT | MS_RDONLY | QUIET, 0], step },
    ...covers,
    { call: "umount2", args: [SOURCE, MNT.MNT_DETACH], step },
  ];
}

/** Makes the user's paths read-only, with what is mounted below them. */
export function readOnlyPaths(spec: Spec, facts: Facts): Op[] {
  const attributes = new Uint8Array(32);
  attributes[0] = MOUNT_ATTR.MOUNT_ATTR_RDONLY;
  return spec.security.readOnlyPaths.flatMap((path): Op[] => {
    const step = `make ${path} read-only`;
    return [
      { call: "mount", args: [path, path, 0, MS_BIND | MS_REC, 0], step },
      facts.kernel.mountSetattr
        ? {
            call: "mount_setattr",
            args: [
              AT_FDCWD,
              path,
              OPEN_TREE.AT_RECURSIVE,
              { memory: attributes, means: "{attr_set=MOUNT_ATTR_RDONLY}" },
              32,
            ],
            step,
          }
        : { call: "mount", args: [0, path, 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0], step },
    ];
  });
}
