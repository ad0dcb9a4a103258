/** What kind of program a file is, by its first bytes (execve(2), elf(5)): for program.ts, and to tell why an exec has failed. */
import type { Bytes } from "../sys/bytes.ts";

const PT_INTERP = 3;
const MACHINES: Readonly<Record<number, string>> = {
  3: "32-bit x86",
  8: "MIPS",
  20: "32-bit PowerPC",
  21: "PowerPC",
  22: "s390x",
  40: "32-bit ARM",
  62: "x86-64",
  183: "arm64",
  243: "RISC-V",
  258: "LoongArch",
};
/** This machine, and the older programs that its kernel may run too. */
const OWN = process.arch === "arm64" ? "arm64" : "x86-64";
const OLDER = process.arch === "arm64" ? "32-bit ARM" : "32-bit x86";

/** A number in the bytes, in the order that an ELF header says; bytes that are not there count as 0. */
function numberAt(head: Bytes, at: number, size: number): number {
  const isBig = head[5] === "\x02";
  let value = 0;
  for (let i = 0; i < size; i++)
    value = value * 256 + (head.charCodeAt(at + (isBig ? i : size - 1 - i)) || 0);
  return value;
}

/** Where the fields are that name the loader: in the header, and in a program header. */
const LAYOUTS: Readonly<Record<string, readonly number[]>> = {
  // bytes of an address, e_phoff, e_phentsize, e_phnum, p_offset, p_filesz
  "\x01": [4, 28, 42, 44, 4, 16],
  "\x02": [8, 32, 54, 56, 8, 32],
};

/** The interpreter of a script (execve(2), "Interpreter scripts"), or the loader that an ELF program asks for. */
export function interpreterOf(head: Bytes): Bytes | null {
  if (head.startsWith("#!")) return /^#![ \t]*([^ \t\n\0]+)/.exec(head)?.[1] ?? null;
  const layout = head.startsWith("\x7fELF") ? LAYOUTS[head[4] ?? ""] : undefined;
  if (layout === undefined) return null;
  const [word, phoff, phentsize, phnum, offset, filesz] = layout as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const headers = numberAt(head, phoff, word);
  const size = numberAt(head, phentsize, 2);
  for (let i = 0; i < numberAt(head, phnum, 2); i++) {
    const at = headers + i * size;
    if (at + size > head.length) break;
    if (numberAt(head, at, 4) !== PT_INTERP) continue;
    const start = numberAt(head, at + offset, word);
    const path = head.slice(start, start + numberAt(head, at + filesz, word) - 1);
    return path === "" ? null : path;
  }
  return null;
}

export interface Format {
  /** to be read after the file's name: "is empty" */
  readonly text: string;
  readonly note?: string;
}

/** Why the kernel did not know what to do with a file that begins so (ENOEXEC). */
export function explainHead(head: Bytes | null): Format {
  if (head === "") return { text: "is empty" };
  if (head?.startsWith("#!")) return { text: "begins with #! and names no interpreter" };
  if (!head?.startsWith("\x7fELF"))
    return {
      text: "is neither a program nor a script with a #! line",
      note: "begin the script with #!/bin/sh",
    };
  const number = numberAt(head, 18, 2);
  const machine = MACHINES[number] ?? `another kind of machine (ELF machine ${number})`;
  if (machine === OWN) return { text: `is a damaged program for ${OWN}` };
  if (machine === OLDER) return { text: `is a program for ${machine}, which this kernel does not run` };
  return {
    text: `is a program for ${machine}, and this machine is ${OWN}`,
    note: "take one for this machine, or have qemu-user run it (Debian: qemu-user-static, binfmt-support)",
  };
}
