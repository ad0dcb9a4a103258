/**
 * Ways to a name inside the new root, for ops that run after the pivot. The root is hostile: its links may lead anywhere
 * inside, never out, and never through the links of /proc to what this process has open (CVE-2024-21626).
 */
import type { Facts } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { AT_FDCWD, O, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from "../sys/constants.ts";
import { type Op, type Slot, slot } from "./op.ts";

/** The names on the way, without empty ones and `.`; `..` is for those who call this to refuse. */
export const components = (path: Bytes): Bytes[] =>
  path.split("/").filter((name) => name !== "" && name !== ".");

/** struct open_how (openat2(2)). */
function openHow(flags: number): { readonly memory: Uint8Array; readonly means: string } {
  const memory = new Uint8Array(24);
  const view = new DataView(memory.buffer);
  view.setUint32(0, flags, true);
  view.setUint32(16, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, true);
  return { memory, means: "{RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}" };
}

/**
 * Opens a path inside the root as a descriptor (O_PATH). Where openat2 is missing (before Linux 5.6) no part of it may be
 * a symbolic link.
 * @param more O_ flags: O_DIRECTORY, O_NOFOLLOW
 */
export function openInside(facts: Facts, path: Bytes, more: number, save: Slot, step: string): Op[] {
  const flags = O.O_PATH | O.O_CLOEXEC;
  if (facts.kernel.openat2)
    return [
      { call: "openat2", args: [AT_FDCWD, path, openHow(flags | more), 24], step, save, tryAgain: true },
    ];
  const names = components(path);
  const last = names.pop() ?? ".";
  const open = (from: Op["args"][0], name: Bytes, wanted: number): Op => ({
    call: "openat",
    args: [from!, name, flags | O.O_NOFOLLOW | wanted, 0],
    step,
    save,
  });
  const ops: Op[] = [open(AT_FDCWD, "/", O.O_DIRECTORY)];
  for (const name of names) ops.push(open(slot(save), name, O.O_DIRECTORY));
  ops.push(open(slot(save), last, more));
  return ops;
}

/** Makes a directory inside the root the working directory. */
export function enterInside(facts: Facts, path: Bytes, step: string): Op[] {
  if (path === "/") return []; // it is already
  return [
    ...openInside(facts, path, O.O_DIRECTORY, "file", step),
    { call: "fchdir", args: [slot("file")], step },
  ];
}
