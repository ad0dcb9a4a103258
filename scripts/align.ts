/**
 * Lets the kernel map an executable's code in pieces of 2 MiB. It can where its addresses and its places in the file are
 * the same modulo 2 MiB, and the page cache holds the file in pieces as large, which it does after one large write. Bun's
 * own executable misses the first by some pages; a start then takes one page fault for each 64 KiB of code in place of one
 * for each 2 MiB. Called by build.ts for what it has built; what it costs where the cache is not like that is not to be
 * measured (docs/performance.md).
 */
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";

const HUGE = 2 * 1024 * 1024;
const PAGE = 4096;
const PT_LOAD = 1;
const PF_X = 1;
const ELF64_LITTLE_ENDIAN = 0x01_02_46_4c_45_7fn;

interface Table {
  readonly at: number;
  readonly size: number;
  readonly count: number;
}

/**
 * Moves the code segment of an ELF executable (elf(5)), and all that follows it, to where it can be mapped so.
 * @returns the new file; the same one if there is nothing to do
 * @throws RangeError when it is no 64-bit ELF file or has no code
 */
export function alignCode(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if ((view.getBigUint64(0, true) & 0xffff_ffff_ffffn) !== ELF64_LITTLE_ENDIAN)
    throw new RangeError("not a 64-bit little-endian ELF file");
  const word = (at: number): number => Number(view.getBigUint64(at, true));
  const half = (at: number): number => view.getUint16(at, true);
  const programs: Table = { at: word(32), size: half(54), count: half(56) };
  const sections: Table = { at: word(40), size: half(58), count: half(60) };
  const rows = ({ at, size, count }: Table): number[] =>
    Array.from({ length: count }, (_, i) => at + i * size);

  const code = rows(programs).find(
    (at) => view.getUint32(at, true) === PT_LOAD && (view.getUint32(at + 4, true) & PF_X) !== 0,
  );
  if (code === undefined) throw new RangeError("no code segment");
  const from = Math.floor(word(code + 8) / PAGE) * PAGE;
  const gap = (((word(code + 16) - word(code + 8)) % HUGE) + HUGE) % HUGE;
  if (gap === 0) return file;

  const out = new Uint8Array(file.length + gap);
  out.set(file.subarray(0, from));
  out.set(file.subarray(from), from + gap);
  const target = new DataView(out.buffer);
  const moved = (at: number): number => (at >= from ? at + gap : at);
  const move = (field: number): void => target.setBigUint64(moved(field), BigInt(moved(word(field))), true);
  move(32);
  move(40);
  for (const at of rows(programs)) move(at + 8);
  for (const at of rows(sections)) move(at + 24);
  return out;
}

/** Does that with a file, and writes it anew in one piece: what is in the page cache of the old one stays as it is. */
export function alignFile(path: string): void {
  const { mode } = statSync(path);
  writeFileSync(`${path}.new`, alignCode(readFileSync(path)), { mode });
  renameSync(`${path}.new`, path);
}
