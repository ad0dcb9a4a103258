/** The move of an executable's code segment (scripts/align.ts), on a small ELF file made here. */
import { expect, test } from "bun:test";
import { alignCode } from "../../scripts/align.ts";

const HUGE = 2 * 1024 * 1024;
const CODE_AT = 0x1340;
const DATA_AT = 0x2500;
const SECTIONS_AT = 0x3000;

/** A file of three segments (read, execute, write) and a section for each of the last two. */
function elf(codeAddress: number): Uint8Array {
  const file = new Uint8Array(SECTIONS_AT + 2 * 64);
  const view = new DataView(file.buffer);
  const put = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  put(32, 64);
  put(40, SECTIONS_AT);
  view.setUint16(54, 56, true);
  view.setUint16(56, 3, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, 2, true);
  const segments: [flags: number, at: number, address: number][] = [
    [4, 0, 0x200000],
    [5, CODE_AT, codeAddress],
    [6, DATA_AT, codeAddress + 0x11c0],
  ];
  segments.forEach(([flags, at, address], i) => {
    view.setUint32(64 + 56 * i, 1, true);
    view.setUint32(64 + 56 * i + 4, flags, true);
    put(64 + 56 * i + 8, at);
    put(64 + 56 * i + 16, address);
  });
  [CODE_AT, DATA_AT].forEach((at, i) => {
    put(SECTIONS_AT + 64 * i + 24, at);
  });
  file.set([1, 2, 3], CODE_AT);
  file.set([4, 5, 6], DATA_AT);
  return file;
}

test("code comes to lie where 2 MiB of it can be mapped at once, and everything behind it is found", () => {
  const file = elf(0x1a40340);
  const moved = alignCode(file);
  const view = new DataView(moved.buffer);
  const get = (at: number): number => Number(view.getBigUint64(at, true));
  const [code, data, sections] = [get(64 + 56 + 8), get(64 + 112 + 8), get(40)];
  expect(get(64 + 8)).toBe(0);
  expect(code % HUGE).toBe(0x1a40340 % HUGE);
  expect([...moved.subarray(code, code + 3)]).toEqual([1, 2, 3]);
  expect([...moved.subarray(data, data + 3)]).toEqual([4, 5, 6]);
  expect([get(sections + 24), get(sections + 64 + 24)]).toEqual([code, data]);
  expect(moved.length - file.length).toBe(code - CODE_AT);
  expect((code - CODE_AT) % 4096).toBe(0);
});

test("a file that is right already stays as it is; what is no program is refused", () => {
  const file = elf(0x1a00000 + CODE_AT);
  expect(alignCode(file)).toBe(file);
  expect(() => alignCode(new Uint8Array(64))).toThrow("not a 64-bit");
});
