/** What is mounted or made in the container besides its root and /proc, in the order given; parsed by mount-words.ts. */
import type { Bytes } from "../sys/bytes.ts";

/** What may not be done with what is mounted (mount(2)). */
export interface MountFlags {
  readonly readOnly: boolean;
  readonly nosuid: boolean;
  readonly nodev: boolean;
  readonly noexec: boolean;
}

export interface Bind {
  readonly type: "bind";
  /** on the host; relative to the working directory or absolute */
  readonly source: Bytes;
  readonly target: Bytes;
  readonly flags: MountFlags;
  /** also what is mounted below the source */
  readonly recursive: boolean;
  /** a source that is not there is left out */
  readonly optional: boolean;
}

export interface Tmpfs {
  readonly type: "tmpfs";
  readonly target: Bytes;
  readonly flags: MountFlags;
  /** bytes at most; null: half of the machine's memory */
  readonly size: bigint | null;
  /** permissions of its root */
  readonly mode: number;
}

export interface Overlay {
  readonly type: "overlay";
  readonly target: Bytes;
  readonly flags: MountFlags;
  /** directories on the host, the topmost first; what is written goes to memory, and is gone afterwards */
  readonly lower: readonly Bytes[];
}

export const KERNEL_MOUNTS = ["proc", "sysfs", "devpts", "mqueue", "cgroup"] as const;

/** A file system that is a view of the kernel's. */
export interface KernelMount {
  readonly type: (typeof KERNEL_MOUNTS)[number];
  readonly target: Bytes;
  readonly flags: MountFlags;
}

/** A symbolic link; a link of that name is replaced. */
export interface Symlink {
  readonly type: "symlink";
  /** what it holds */
  readonly content: Bytes;
  readonly target: Bytes;
}

export interface Directory {
  readonly type: "directory";
  readonly target: Bytes;
}

/** A file with what can be read from a descriptor of the caller's; a file of that name is replaced. */
export interface CopiedFile {
  readonly type: "file";
  readonly descriptor: number;
  readonly target: Bytes;
}

/** `target` is always an absolute path inside the root, without `..`. */
export type Mount = Bind | Tmpfs | Overlay | KernelMount | Symlink | Directory | CopiedFile;

/** A mount below a directory of the host's. */
export interface Submount {
  /** relative to the directory; "": the directory itself */
  readonly path: Bytes;
  /** MS_ flags that it has, and has to keep (mount_namespaces(7), "Restrictions on mount namespaces") */
  readonly flags: number;
}

/** A file or directory of the host's, as the parent has found it. */
export interface Found {
  /** absolute */
  readonly path: Bytes;
  /** null: the child of a frozen start finds that out; then the path may also be relative to where that was started */
  readonly isDirectory: boolean | null;
  /** a descriptor that the child inherits: a tree of mounts that is nowhere yet, or a file's content; null: none */
  readonly descriptor: number | null;
  /** the content's bytes */
  readonly size: number;
  /** what is mounted at and below it, where the kernel cannot change a whole tree at once (before Linux 5.12) */
  readonly below: readonly Submount[];
}

/** The directory that overlayfs needs beside the one for changes (host/work.ts). Survives as JSON. */
export interface Work {
  /** absolute */
  readonly path: Bytes;
  /** made for the run, and to be removed with it */
  readonly isOwn: boolean;
  /** a descriptor whose lock keeps others from the directory for changes */
  readonly lock: number;
}

/**
 * What becomes of /dev: it is left alone; it is the root's and made a mount point; it is a fresh one, with nodes that are
 * made in it, or that are the host's.
 */
export type DevSource = "left" | "own" | "made" | "bound";

/** How sysfs is mounted on /sys; possible: read-only, where the kernel gives one. */
export type SysSource = "none" | "possible" | "ro" | "rw";

/** All that a run takes from the host for its root and its mounts. */
export interface Sources {
  /** for each of the mounts what it is made of; nothing for one that is left out */
  readonly mounts: readonly (readonly Found[])[];
  /** NEWROOT itself (as what is mounted below it is needed), and what lies below it in an overlay */
  readonly root: readonly Found[];
  /** the directories that take a root's changes, absolute */
  readonly changes: { readonly upper: Bytes; readonly work: Work } | null;
  readonly dev: DevSource;
  readonly sys: SysSource;
}

export const NO_SOURCES: Sources = { mounts: [], root: [], changes: null, dev: "left", sys: "none" };
