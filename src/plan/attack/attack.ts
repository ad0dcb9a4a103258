/**
 * What an attack is: system calls as data, made by somebody who is inside and wants out, and how to tell from what became
 * of them whether the way is open. None does harm where it succeeds: it opens and does not write, asks for what cannot be
 * given once it is allowed, and looks. Each runs in a process of its own (program.ts).
 */
import type { Bytes } from "../../sys/bytes.ts";
import { AT_EMPTY_PATH, AT_FDCWD, O } from "../../sys/constants.ts";
import type { ErrnoName } from "../../sys/errno.ts";

/** A file or directory, whatever its name: MAJOR:MINOR of its device, and its inode. */
export type FileId = string;

/** What lies on the host for the attacks to reach, and what it is like; null: there is none here. */
export interface Bait {
  /** the process outside, and its command line */
  readonly pid: number;
  readonly commandLine: Bytes;
  readonly root: FileId;
  readonly executable: FileId;
  readonly terminal: FileId | null;
  /** what the links in /proc/self/ns say */
  readonly network: Bytes;
  readonly uts: Bytes;
  /** NAME=VALUE of the caller that was not asked for */
  readonly environment: readonly Bytes[];
  readonly groups: readonly Bytes[];
  /** ns may change its groups */
  readonly dropsGroups: boolean;
  readonly keyring: number | null;
  /** descriptors that INIT is to have */
  readonly passed: readonly number[];
  /** peer groups of mounts outside, as mountinfo has them */
  readonly peers: readonly string[];
  /** key of a segment of shared memory, name of a message queue, name of a listening abstract socket */
  readonly segment: number | null;
  readonly queue: Bytes | null;
  readonly socket: Bytes | null;
  readonly disk: { readonly major: number; readonly minor: number } | null;
  /** device files of the machine, by the names that they usually have */
  readonly nodes: readonly Bytes[];
  /** struct file_handle of a directory outside on NEWROOT's file system, and what it is */
  readonly handle: { readonly bytes: Uint8Array; readonly is: FileId } | null;
  /** a cgroup v1 hierarchy of the host, by its controllers */
  readonly hierarchy: readonly Bytes[] | null;
  /** to write its release_agent takes CAP_SYS_ADMIN outside (Linux 5.17) */
  readonly guardsReleaseAgent: boolean;
  /** a limit of this run: its cgroup file system, with v1's controllers, and its file there */
  readonly limit: {
    readonly type: "cgroup" | "cgroup2";
    readonly controllers: readonly Bytes[];
    readonly file: Bytes;
  } | null;
  /** mask of the capabilities that INIT is to have */
  readonly capabilities: bigint;
  readonly userNamespace: boolean;
  /** an initramfs, whose root lies below the container's */
  readonly onRootfs: boolean;
}

/** Memory of the attacks' program. */
export interface Room {
  /** zeros to read into, 32 KiB */
  readonly buffer: number;
  /** a copy of these bytes; its address */
  readonly bytes: (content: Uint8Array) => number;
}

type AttackArg = number | Bytes | { readonly slot: string };

export interface AttackOp {
  /** any system call */
  readonly call: string;
  readonly args: readonly AttackArg[];
  readonly save?: string;
  readonly fine?: readonly ErrnoName[];
  readonly skipNext?: true;
  /** errors by which the kernel has held it, besides REFUSED; every other means that it could not be tried */
  readonly held?: readonly ErrnoName[];
}

/** What holds anything. */
export const REFUSED: readonly ErrnoName[] = ["EPERM", "EACCES", "EROFS"];

/** What a container is: as real root, in a user namespace, or by its profile. */
export type Setting = "root" | "user" | "app" | "strict";

export const ALWAYS: readonly Setting[] = ["root", "user", "app", "strict"];
/** Not with profile init as real root. */
export const CONFINED: readonly Setting[] = ["user", "app", "strict"];
export const PROFILED: readonly Setting[] = ["app", "strict"];

export interface Attack {
  readonly name: string;
  /** what he who is inside can do when it is open */
  readonly does: string;
  /** the option that closes it */
  readonly closes: string;
  /** where ns promises that it is held */
  readonly promised: readonly Setting[];
  /** where it is not promised all the same */
  readonly excused?: (bait: Bait) => boolean;
  /** a file that the host has to have for it */
  readonly needs?: Bytes;
  /** flags of clone(2) for the process that makes it */
  readonly flags?: number;
  /** its calls, or why it cannot be tried; the success of all is open, unless there is a judge */
  readonly ops: (bait: Bait, room: Room) => readonly AttackOp[] | string;
  /** it may take mounts away that others need: it is made after those without, in this order */
  readonly last?: number;
  /** what takes back what it made inside; failures do not matter */
  readonly clean?: readonly AttackOp[];
  /** from what was written to descriptor 1: is it open? Or why that cannot be told. */
  readonly judge?: (output: Bytes, bait: Bait) => boolean | string;
}

export interface Group {
  readonly title: string;
  readonly attacks: readonly Attack[];
}

export const op = (call: string, ...args: readonly AttackArg[]): AttackOp => ({ call, args });
export const slot = (name: string): { readonly slot: string } => ({ slot: name });

/** Opens the path. */
export const opens = (path: Bytes, flags: number, ...held: ErrnoName[]): AttackOp => ({
  ...op("openat", AT_FDCWD, path, flags | O.O_NONBLOCK),
  ...{ save: "file", held },
});

const SIZE = 16384;

/** Writes what can be read from the file that was opened last. */
export const tells = ({ buffer }: Room): AttackOp[] => [
  { ...op("read", slot("file"), buffer, SIZE), save: "size" },
  op("write", 1, buffer, slot("size")),
];

/** Writes what the file holds. */
export const tellsFile = (room: Room, path: Bytes, ...held: ErrnoName[]): AttackOp[] => [
  opens(path, O.O_RDONLY, ...held),
  ...tells(room),
];

/** Writes where a link leads. */
export const tellsLink = ({ buffer }: Room, path: Bytes): AttackOp[] => [
  { ...op("readlinkat", AT_FDCWD, path, buffer, SIZE), save: "size" },
  op("write", 1, buffer, slot("size")),
];

/** Writes a result in decimal, 16 bytes; one below 0 as 2^32 less. */
export const tellsResult = (name: string, { buffer }: Room): AttackOp[] => [
  op("decimal", slot(name), buffer),
  op("write", 1, buffer, 16),
];

const BASIC = 0x7ff;
const STATX = 256;

/** Writes what file this is. */
export const tellsId = ({ buffer }: Room, path: Bytes, ...held: ErrnoName[]): AttackOp[] => [
  { ...op("statx", AT_FDCWD, path, 0, BASIC, buffer), held },
  op("write", 1, buffer, STATX),
];
export const tellsIdOf = ({ buffer }: Room, file: number | { slot: string }): AttackOp[] => [
  op("statx", file, "", AT_EMPTY_PATH, BASIC, buffer),
  op("write", 1, buffer, STATX),
];

const word = (bytes: Bytes, at: number): number =>
  bytes.charCodeAt(at) +
  bytes.charCodeAt(at + 1) * 0x100 +
  bytes.charCodeAt(at + 2) * 0x10000 +
  bytes.charCodeAt(at + 3) * 0x1000000;

/** Which file a struct statx is of. */
export const fileId = (statx: Bytes): FileId =>
  `${word(statx, 0x88)}:${word(statx, 0x8c)} ${word(statx, 0x24) * 2 ** 32 + word(statx, 0x20)}`;

/** A result as tellsResult() has written it. */
export function resultOf(output: Bytes): number {
  const end = output.indexOf("\0");
  const value = Number(output.slice(0, end < 0 ? undefined : end));
  return value < 2 ** 31 ? value : value - 2 ** 32;
}
