/** Parsers for what /proc tells about processes (proc(5)). Pure; used by facts.ts. */

/** A field of /proc/PID/status: what stands after `Name:`. */
export function statusField(status: string, name: string): string {
  const start = status.indexOf(`\n${name}:`);
  if (start < 0) return "";
  const end = status.indexOf("\n", start + 1);
  return status.slice(start + name.length + 2, end < 0 ? undefined : end).trim();
}

/** Is this bit of a hexadecimal mask set? */
export const hasBit = (mask: string, bit: number): boolean =>
  ((Number.parseInt(mask[mask.length - 1 - (bit >> 2)] ?? "0", 16) >> (bit & 3)) & 1) === 1;

/** The numbers of the bits that are set in a hexadecimal mask; bit 0 is number `first`. */
export function bitsOf(mask: string, first: number): number[] {
  const out: number[] = [];
  for (let digit = 0; digit < mask.length; digit++) {
    const value = Number.parseInt(mask[mask.length - 1 - digit]!, 16);
    for (let bit = 0; bit < 4; bit++) if (value & (1 << bit)) out.push(first + 4 * digit + bit);
  }
  return out;
}

/** The limits of open files in /proc/PID/limits; -1 stands for no limit, as in memory (RLIM_INFINITY). */
export function openFilesLimit(limits: string): { soft: number; hard: number } | null {
  const match = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits);
  if (match === null) return null;
  const number = (text: string) => (text === "unlimited" ? -1 : Number(text));
  return { soft: number(match[1]!), hard: number(match[2]!) };
}

export interface Mount {
  readonly id: number;
  /** directory of the file system that is mounted */
  readonly root: string;
  readonly point: string;
  readonly type: string;
  /** the file system's own options */
  readonly options: readonly string[];
  readonly readOnly: boolean;
  /** the mount's own options: ro, nosuid and so on */
  readonly flags: readonly string[];
}

const unquote = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** The lines of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    const [left, right] = line.split(" - ");
    if (left === undefined || right === undefined) continue;
    const [id, , , root, point, options] = left.split(" ");
    const [type, , superOptions] = right.split(" ");
    const flags = options!.split(",");
    mounts.push({
      id: Number(id),
      root: unquote(root!),
      point: unquote(point!),
      type: type!,
      options: (superOptions ?? "").split(","),
      readOnly: flags.includes("ro"),
      flags,
    });
  }
  return mounts;
}
