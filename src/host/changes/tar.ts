/** Headers of a tar file: ustar, and pax where that has no room (POSIX pax, "Extended Interchange Format"). Pure. */
import type { Bytes } from "../../sys/bytes.ts";

export const BLOCK = 512;

/** What an entry is, by the letter of its header. */
export const TYPE = {
  file: "0",
  hardLink: "1",
  link: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
} as const;

export interface Entry {
  readonly type: (typeof TYPE)[keyof typeof TYPE];
  readonly path: Bytes;
  /** permissions */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** since 1970 */
  readonly seconds: number;
  /** what a link refers to */
  readonly target?: Bytes;
  readonly major?: number;
  readonly minor?: number;
  /** extended attributes; no "=" is in a name */
  readonly attributes?: readonly (readonly [Bytes, Bytes])[];
}

/** So much does an octal number of so many digits hold. */
const fits = (value: number, digits: number): boolean => value >= 0 && value < 8 ** digits;
const octal = (value: number, digits: number): Bytes =>
  `${(fits(value, digits) ? value : 0).toString(8).padStart(digits, "0")}\0`;
const text = (value: Bytes, size: number): Bytes => value.slice(0, size).padEnd(size, "\0");

/** What fills the last block of so many bytes. */
export const paddingOf = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

function header(entry: Entry, type: string, size: number): Bytes {
  const { path, mode, uid, gid, seconds, target = "", major = 0, minor = 0 } = entry;
  const before =
    text(path, 100) +
    octal(mode & 0o7777, 7) +
    octal(uid, 7) +
    octal(gid, 7) +
    octal(size, 11) +
    octal(seconds, 11);
  const behind = `${type}${text(target, 100)}ustar\0${"00"}${text("", 64)}${octal(major, 7)}${octal(minor, 7)}`;
  let sum = 8 * 32; // its own field counts as spaces
  for (const part of [before, behind]) for (let i = 0; i < part.length; i++) sum += part.charCodeAt(i);
  return text(`${before}${octal(sum, 6)} ${behind}`, BLOCK);
}

/** `LENGTH KEY=VALUE\n`, whose length counts itself. */
function record(key: Bytes, value: Bytes): Bytes {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (length !== rest.length + `${length}`.length) length = rest.length + `${length}`.length;
  return `${length}${rest}`;
}

/** The blocks before the content of an entry. */
export function headersOf(entry: Entry): Bytes {
  const { type, path, uid, gid, size, seconds, target = "", attributes = [] } = entry;
  const records: [Bytes, Bytes][] = [];
  if (path.length > 100) records.push(["path", path]);
  if (target.length > 100) records.push(["linkpath", target]);
  if (!fits(uid, 7)) records.push(["uid", `${uid}`]);
  if (!fits(gid, 7)) records.push(["gid", `${gid}`]);
  if (!fits(size, 11)) records.push(["size", `${size}`]);
  if (!fits(seconds, 11)) records.push(["mtime", `${seconds}`]);
  for (const [key, value] of attributes) records.push([`SCHILY.xattr.${key}`, value]);
  const own = header(entry, type, size);
  if (records.length === 0) return own;
  const data = records.map(([key, value]) => record(key, value)).join("");
  const pax: Entry = {
    ...entry,
    path: `PaxHeaders/${path.slice(-80)}`,
    target: "",
    major: 0,
    minor: 0,
    mode: 0o644,
  };
  return header(pax, "x", data.length) + data + "\0".repeat(paddingOf(data.length)) + own;
}

/** What a tar file ends with. */
export const END = "\0".repeat(2 * BLOCK);
