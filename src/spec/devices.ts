/**
 * Which device files may be opened in a container that has real root's rights: those that are nobody's secret, and what
 * --allow-device adds. As in the kernel's device cgroup (device-controller.rst) all else is refused, whoever made the node.
 */
import { type Bytes, show } from "../sys/bytes.ts";
import { usageError } from "./error.ts";

/** What may be done: r opens for reading, w for writing, m makes a node of it. */
export type DeviceAccess = string;

export interface DeviceNumbers {
  /** character or block devices; a: all there are */
  readonly kind: "a" | "c" | "b";
  /** null: any */
  readonly major: number | null;
  readonly minor: number | null;
  readonly access: DeviceAccess;
}

/** A device by a file on the host. */
export interface DeviceFile {
  readonly path: Bytes;
  readonly access: DeviceAccess;
}

export type AllowedDevice = DeviceNumbers | DeviceFile;

const character = (major: number, minor: number | null): DeviceNumbers => ({
  kind: "c",
  ...{ major, minor, access: "rwm" },
});

/** What every container may have. Nodes of all kinds may be made, as package managers do, but not be opened. */
export const USUAL_DEVICES: readonly DeviceNumbers[] = [
  { kind: "c", major: null, minor: null, access: "m" },
  { kind: "b", major: null, minor: null, access: "m" },
  character(1, 3), // null
  character(1, 5), // zero
  character(1, 7), // full
  character(1, 8), // random
  character(1, 9), // urandom
  character(5, 0), // tty
  character(5, 1), // console
  character(5, 2), // ptmx
  character(136, null), // pts/*
];

/** Has the user said that nothing is to be restricted? */
export const allowsAll = (devices: readonly AllowedDevice[]): boolean =>
  devices.some((one) => "kind" in one && one.kind === "a");

/** Widths of the kernel's device numbers (linux/kdev_t.h). */
const MOST_MAJOR = 4095;
const MOST_MINOR = 1_048_575;

function parseAccess(text: string | undefined): DeviceAccess | null {
  if (text === undefined) return "rw";
  return new Set(text).size === text.length ? text : null;
}

/** `all`, `c:10:200:rw`, `b:7:*` or `/dev/kvm:rw`; without letters it is rw. @throws NsError (usage) */
export function parseDevice(text: Bytes, option: string): AllowedDevice {
  const refuse = (why: string) => usageError(`${option}: '${show(text)}' ${why}`);
  if (text === "all") return { kind: "a", major: null, minor: null, access: "rwm" };
  const [, path, ofPath] = /^(\/.*?)(?::([rwm]+))?$/s.exec(text) ?? [];
  const numbers = /^([cb]):(\d{1,7}|\*):(\d{1,7}|\*)(?::([rwm]+))?$/.exec(text);
  const access = parseAccess(path === undefined ? numbers?.[4] : ofPath);
  if ((path === undefined && numbers === null) || access === null)
    throw refuse("is not all, a device file, or its numbers, like /dev/kvm, c:10:200:rw or b:7:*");
  if (path !== undefined) return { path, access };
  const number = (word: string): number | null => (word === "*" ? null : Number(word));
  const [, kind, major, minor] = numbers!.map((word) => word) as [string, "c" | "b", string, string];
  const out = { kind, major: number(major), minor: number(minor), access };
  if ((out.major ?? 0) > MOST_MAJOR || (out.minor ?? 0) > MOST_MINOR)
    throw refuse(`has a number above ${MOST_MAJOR}:${MOST_MINOR}`);
  return out;
}
