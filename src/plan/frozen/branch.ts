/** A cgroup of a frozen start in one hierarchy, as run/frozen/branches.ts has found it; cgroup.ts makes it. */
import type { Bytes } from "../../sys/bytes.ts";

export interface FrozenBranch {
  readonly version: 1 | 2;
  /** where the hierarchy is mounted, and what the starter's own cgroup there stands behind in /proc/self/cgroup; null: fixed */
  readonly own: { readonly mount: Bytes; readonly word: Bytes } | null;
  /** the directory that runs' cgroups are in: absolute, or below the starter's own */
  readonly parent: Bytes;
  /** the devices that may be opened, as devices.allow takes them; what is usual may be missing above; null: any */
  readonly devices: readonly { readonly words: string; readonly isUsual: boolean }[] | null;
  /** it has limits, which have to hold before anything else happens */
  readonly isLimited: boolean;
  /** a starter without CAP_SYS_ADMIN, who opens nothing in the container that he could not open himself, makes none */
  readonly isRoots: boolean;
  /** that directory is somebody else's: it is not removed */
  readonly stays: boolean;
  /** cgroups that have to hand controllers on (version 2), outermost first, and which: "+memory +pids" */
  readonly handing: readonly Bytes[];
  readonly controllers: string;
  readonly settings: readonly { readonly file: string; readonly value: string; readonly optional: boolean }[];
}

/** Which descriptors a branch has (descriptors.ts), and the directory that its runs' are in. */
export interface BranchPlace {
  readonly own: number | null;
  readonly lock: number;
  readonly tasks: number | null;
}

export const parentOf = ({ own, parent }: FrozenBranch, place: Pick<BranchPlace, "own">): Bytes =>
  own === null ? parent : `/proc/self/fd/${place.own}/${parent}`;
