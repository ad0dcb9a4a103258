/** How tightly init is held: a profile, and what the user changes of it. */
import type { Bytes } from "../sys/bytes.ts";
import type { Capability } from "./capabilities.ts";
import type { AllowedDevice } from "./devices.ts";

export const PROFILES = ["init", "app", "strict"] as const;
export type Profile = (typeof PROFILES)[number];

export const DEVS = ["auto", "keep", "minimal"] as const;
export const SYSES = ["ro", "rw", "none"] as const;

/** What a fresh /dev has: character devices with their numbers (Documentation/admin-guide/devices.txt). */
export const DEV_NODES: readonly (readonly [name: string, major: number, minor: number])[] = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
];

export interface Security {
  /** init: for a real init system; app: for a service or a command; strict: for what needs next to nothing */
  readonly profile: Profile;
  /** added to and taken from the profile's capabilities, in the order given */
  readonly capabilities: readonly { readonly add: boolean; readonly which: readonly Capability[] }[];
  /** the profile's own filter, none, or one from a file */
  readonly seccomp: "default" | "none" | { readonly file: Bytes };
  readonly noNewPrivs: boolean;
  /** paths inside that are covered, and that cannot be written; and those of the profile that are left as they are */
  readonly mask: readonly Bytes[];
  readonly readOnlyPaths: readonly Bytes[];
  readonly unmask: readonly Bytes[];
  /** the root's /dev, a small one of ns's, or in profile init the root's if it can be used and ns's otherwise */
  readonly dev: (typeof DEVS)[number];
  /** a sysfs on /sys; null: read-only in profile app where it can be had, and none in the others */
  readonly sys: (typeof SYSES)[number] | null;
  /** what may be opened besides the usual devices (devices.ts) */
  readonly devices: readonly AllowedDevice[];
}

export const defaultSecurity = (): Security => ({
  profile: "init",
  capabilities: [],
  seccomp: "default",
  noNewPrivs: false,
  mask: [],
  readOnlyPaths: [],
  unmask: [],
  dev: "auto",
  sys: null,
  devices: [],
});
