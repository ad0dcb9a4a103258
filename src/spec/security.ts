/** How tightly init is held: a profile, and what the user changes of it. */
import type { Bytes } from "../sys/bytes.ts";
import type { Capability } from "./capabilities.ts";
import type { AllowedDevice } from "./devices.ts";

export const PROFILES = ["init", "app", "strict"] as const;
export type Profile = (typeof PROFILES)[number];

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
  devices: [],
});
