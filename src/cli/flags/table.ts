/** The one table of ns's options: a new option is one row in its group's file. */
import type { Flag, Group } from "./flag.ts";
import { generalFlags } from "./general.ts";
import { idFlags } from "./ids.ts";
import { limitFlags } from "./limits.ts";
import { mountFlags } from "./mounts.ts";
import { namespaceFlags } from "./namespaces.ts";
import { networkFlags } from "./network.ts";
import { processFlags } from "./process.ts";
import { securityFlags } from "./security.ts";
import { rootFlags } from "./root.ts";

export const GROUPS: readonly Group[] = [
  { title: "Root", flags: rootFlags },
  { title: "Mounts", flags: mountFlags },
  { title: "Ids", flags: idFlags },
  { title: "Namespaces", flags: namespaceFlags },
  { title: "Network", flags: networkFlags },
  { title: "Security", flags: securityFlags },
  { title: "Limits", flags: limitFlags },
  { title: "Process", flags: processFlags },
  { title: "ns itself", flags: generalFlags },
];

/** All rows, in the order of the help. */
export const FLAGS: readonly Flag[] = [
  ...rootFlags,
  ...mountFlags,
  ...idFlags,
  ...namespaceFlags,
  ...networkFlags,
  ...securityFlags,
  ...limitFlags,
  ...processFlags,
  ...generalFlags,
];

export const flagNamed = (name: string, among = FLAGS): Flag | undefined => {
  for (const flag of among) if (flag.name === name) return flag;
  return undefined;
};

export const flagWithLetter = (letter: string, among = FLAGS): Flag | undefined => {
  for (const flag of among) if (flag.short === letter) return flag;
  return undefined;
};

export const USAGE = "ns [options] PRE NEWROOT INIT [UID GID] [-- ARG...]";
