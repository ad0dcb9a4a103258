/** System calls by name, for every kind of program that this machine's kernel may run. Loaded only for a seccomp filter. */
import { arm } from "./arm.ts";
import { arm64 } from "./arm64.ts";
import { i386 } from "./i386.ts";
import { x64 } from "./x64.ts";

export type CallTable = ReadonlyMap<string, number>;

function tableOf(text: string): CallTable {
  const table = new Map<string, number>();
  let next = 0;
  for (const word of text.split(" ")) {
    if (word[0]! <= "9") next = Number(word);
    else table.set(word, next++);
  }
  return table;
}

/** A kind of program, as the kernel tells a filter: AUDIT_ARCH_… (linux/audit.h). */
export interface CallArch {
  readonly name: "x64" | "i386" | "arm64" | "arm";
  readonly audit: number;
  readonly calls: CallTable;
  /** from this number on calls are those of another kind (x32) */
  readonly foreignFrom: number | null;
}

const X32_BIT = 0x40000000;
const make = {
  x64: (): CallArch => ({ name: "x64", audit: 0xc000003e, calls: tableOf(x64), foreignFrom: X32_BIT }),
  i386: (): CallArch => ({ name: "i386", audit: 0x40000003, calls: tableOf(i386), foreignFrom: null }),
  arm64: (): CallArch => ({ name: "arm64", audit: 0xc00000b7, calls: tableOf(arm64), foreignFrom: null }),
  arm: (): CallArch => ({ name: "arm", audit: 0x40000028, calls: tableOf(arm), foreignFrom: null }),
};

const texts = { x64, arm64, arm, i386 } as const;

/** All calls of one kind of program by their names. */
export const tableNamed = (name: keyof typeof texts): CallTable => tableOf(texts[name]);

/** The machine's own kind of programs, and the older kind that its kernel may run beside it. */
export const nativeArch = (machine: "x64" | "arm64"): CallArch => make[machine]();
export const compatArch = (machine: "x64" | "arm64"): CallArch =>
  machine === "x64" ? make.i386() : make.arm();

/** The call that an audit record is about: AUDIT_ARCH_… and number; `foreign`: another kind of program than this machine's own. */
export function auditedCall(audit: number, number: number): { readonly name: string; readonly kind: string } {
  const arch = Object.values(make)
    .map((one) => one())
    .find((one) => one.audit === audit);
  let name = `number ${number}`;
  for (const [known, its] of arch?.calls ?? []) if (its === number) name = known;
  return { name, kind: arch?.name ?? `0x${audit.toString(16)}` };
}

/** Is this the name of a system call anywhere? */
export const isKnownCall = (name: string): boolean =>
  Object.values(make).some((one) => one().calls.has(name));
