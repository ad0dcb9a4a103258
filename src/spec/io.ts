/** Limits of block devices (--io-max) and of huge pages (--hugetlb) as the user types them. */
import type { Bytes } from "../sys/bytes.ts";
import { usageError } from "./error.ts";
import { parseSize } from "./size.ts";

/** What a limit counts: bytes and operations a second, of reads and of writes (cgroup-v2.rst, io.max). */
export const IO_KINDS = ["rbps", "wbps", "riops", "wiops"] as const;
export type IoKind = (typeof IO_KINDS)[number];

export interface IoLimit {
  /** a device file's path, or MAJOR:MINOR */
  readonly device: Bytes;
  readonly max: Readonly<Partial<Record<IoKind, bigint>>>;
}

export interface HugePages {
  /** as the kernel writes it: 2MB */
  readonly size: string;
  /** bytes, 0 for none */
  readonly limit: bigint;
}

const isKind = (text: string): text is IoKind => (IO_KINDS as readonly string[]).includes(text);

function parseCount(text: string, option: string): bigint {
  if (!/^[1-9]\d{0,17}$/.test(text))
    throw usageError(`${option}: '${text}' is not a whole number of operations a second`);
  return BigInt(text);
}

/** `/dev/sda:rbps=1M,wiops=100` or `8:0:rbps=…`. @throws NsError (usage) */
export function parseIoMax(text: Bytes, option: string): IoLimit {
  const colon = text.lastIndexOf(":");
  const device = text.slice(0, Math.max(colon, 0));
  if (!/^(\/.+|\d{1,9}:\d{1,9})$/s.test(device))
    throw usageError(`${option}: '${text}' is not a device and its limits, like /dev/sda:rbps=10M,wiops=100`);
  const max: Partial<Record<IoKind, bigint>> = {};
  for (const part of text.slice(colon + 1).split(",")) {
    const equals = part.indexOf("=");
    const kind = part.slice(0, Math.max(equals, 0));
    if (!isKind(kind))
      throw usageError(`${option}: '${part}' is none of ${IO_KINDS.map((name) => `${name}=`).join(", ")}`);
    if (max[kind] !== undefined) throw usageError(`${option}: ${kind} is given more than once`);
    const value = part.slice(equals + 1);
    max[kind] = kind.endsWith("bps") ? parseSize(value, option) : parseCount(value, option);
  }
  return { device, max };
}

/** As the kernel names a size of huge pages. */
function pageName(size: bigint): string {
  const units = [
    [1n << 30n, "GB"],
    [1n << 20n, "MB"],
    [1n << 10n, "KB"],
  ] as const;
  const [unit, name] = units.find(([bytes]) => size >= bytes) ?? [1n, "B"];
  return `${size / unit}${name}`;
}

/** `2M:64M`: at most so many bytes in huge pages of that size. @throws NsError (usage) */
export function parseHugePages(text: string, option: string): HugePages {
  const [size, limit, ...rest] = text.split(":");
  if (size === undefined || limit === undefined || rest.length > 0)
    throw usageError(`${option}: '${text}' is not a page size and a limit, like 2M:64M`);
  const bytes = parseSize(size, option);
  if (bytes < 4096n || (bytes & (bytes - 1n)) !== 0n)
    throw usageError(`${option}: '${size}' is not a size of huge pages, like 2M or 1G`);
  return { size: pageName(bytes), limit: limit === "0" ? 0n : parseSize(limit, option) };
}
