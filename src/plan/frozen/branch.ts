/** A cgroup of a frozen start in one hierarchy, as run/frozen/branches.ts has found it; cgroup.ts makes it. */
import type { Bytes } from "../../sys/bytes.ts";
import type { Place } from "../op.ts";

export interface FrozenBranch {
  readonly version: 1 | 2;
  /** where the hierarchy is mounted, and what the starter's own cgroup there stands behind in /proc/self/cgroup; null: fixed */
  readonly own: { readonly mount: Bytes; readonly word: Bytes } | null;
  /** the directory that runs' cgroups are in: absolute, or below the starter's own; before it those on the way, outermost first */
  readonly way: readonly Bytes[];
  /** those of them that go when no run is in them, innermost first: the others are somebody else's */
  readonly goes: readonly Bytes[];
  /** the devices that may be opened, as devices.allow takes them; what is usual may be missing above; null: any */
  readonly devices: readonly { readonly words: string; readonly isUsual: boolean }[] | null;
  /** the program that decides about devices (version 2), and what it allows in words; null: any may be opened */
  readonly program: { readonly instructions: Uint8Array; readonly allows: string } | null;
  /** it has limits, which have to hold before anything else happens */
  readonly isLimited: boolean;
  /** for a starter without CAP_SYS_ADMIN, who opens nothing in the container that he could not open himself, any may be opened */
  readonly isRoots: boolean;
  /** it is made below the nearest cgroup above the starter that hands the controllers on, or in his own (search.ts) */
  readonly isSearched: boolean;
  /** cgroups that are known, and have to hand controllers on (version 2), outermost first */
  readonly handing: readonly Bytes[];
  readonly controllers: readonly string[];
  readonly settings: readonly { readonly file: string; readonly value: string; readonly optional: boolean }[];
}

/** Which descriptors a branch has (descriptors.ts). */
export interface BranchPlace {
  /** what the runs' directory is in; null: that is named */
  readonly own: number | null;
  /** the starter's cgroup if he has left it for a leaf below it; null: that cannot be */
  readonly left: number | null;
  /** the run's directory */
  readonly lock: number;
  /** the file by which the child joins it (version 1), or the directory that the child begins in (version 2) */
  readonly tasks: number | null;
  readonly into: number | null;
  /** the kernel's number for the program, while it has no other */
  readonly program: number;
}

/** Are devices restricted in it? */
export const isRestricted = ({ devices, program }: FrozenBranch): boolean =>
  devices !== null || program !== null;

/** Is it for nothing but devices, and so not for those who are not restricted? */
export const isLeftOut = ({ isRoots, isLimited }: FrozenBranch): boolean => isRoots && !isLimited;

export const directoryOf = (fd: number): Bytes => `/proc/self/fd/${fd}`;

/** One of the branch's directories, as it is opened. */
export const pathIn = ({ own }: Pick<BranchPlace, "own">, directory: Bytes): Bytes =>
  own === null ? directory : `${directoryOf(own)}/${directory}`;

export const parentOf = ({ way }: FrozenBranch, place: Pick<BranchPlace, "own">): Bytes =>
  pathIn(place, way.at(-1)!);

/** What bpf(2) is given to load a program; null: there is none. */
export type ProgramPlace = Place | null;
