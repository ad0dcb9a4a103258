/** What is made of the directory NEWROOT: who may write to it, and where that goes. */
import { type Bytes, show } from "../sys/bytes.ts";
import { usageError } from "./error.ts";
import { splitEscaped } from "./path-words.ts";

export interface Rootfs {
  /** nothing in the root can be written, whatever is mounted below it included */
  readonly readOnly: boolean;
  /** a file that holds the root: NEWROOT is a directory in it; null: on the host */
  readonly image: Bytes | null;
  /** directories on the host that lie below NEWROOT, the topmost first; with one the root is an overlay of them */
  readonly lower: readonly Bytes[];
  /** where the root's changes go; null: into the root itself */
  readonly changes: Changes | null;
}

export type Changes =
  /** into memory: they are gone afterwards; bytes at most, null: half of the machine's memory */
  | { readonly to: "memory"; readonly size: bigint | null }
  /** into a directory; the kernel needs another beside it, null: one that ns makes for the run */
  | {
      readonly to: "directory";
      readonly upper: Bytes;
      readonly work: Bytes | null;
      /** nothing in it refers to what lies below, so that it can be read without the kernel (overlayfs.rst: redirects) */
      readonly alone?: true;
    };

export const defaultRootfs = (): Rootfs => ({ readOnly: false, image: null, lower: [], changes: null });

/** Is the root an overlay? */
export const isOverlay = ({ lower, changes }: Rootfs): boolean => lower.length > 0 || changes !== null;

/** NEWROOT as typed: `A:B:C` are directories over one another, A on top. @throws NsError (usage) */
export function parseRoot(text: Bytes): { root: Bytes; lower: Bytes[] } {
  if (!text.includes(":")) return { root: text, lower: [] };
  const [root, ...lower] = splitEscaped(text, ":");
  if (root === "" || lower.includes(""))
    throw usageError(`NEWROOT '${show(text)}' holds an empty name; write \\: for a colon in a name`);
  return { root: root!, lower };
}

/** `UPPER[:WORK]` of --overlay. @throws NsError (usage) */
export function parseChanges(text: Bytes, option: string): Changes {
  const [upper, work, more] = splitEscaped(text, ":");
  if (more !== undefined) throw usageError(`${option}: '${show(text)}' is not UPPER[:WORK]`);
  for (const path of work === undefined ? [upper!] : [upper!, work]) {
    if (path === "") throw usageError(`${option}: a directory in it is empty`);
    // the kernel splits its options at these
    if (/[,:\\]/.test(path))
      throw usageError(`${option}: ${show(path)} may hold no comma, colon or backslash`);
  }
  return { to: "directory", upper: upper!, work: work ?? null };
}

/** What cannot be given together. @throws NsError (usage) */
export function checkRootfs({ image, lower }: Rootfs): void {
  if (image !== null && lower.length > 0)
    throw usageError("--image: NEWROOT has to be one directory in it, and not A:B");
}
