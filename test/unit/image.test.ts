/** What an image holds: file systems by their magic numbers, partition 1 of a disk; and whatever else a file may say. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { type FileSystem, findFileSystem } from "../../src/host/image-format.ts";
import { NsError } from "../../src/spec/error.ts";

const MIB = 1 << 20;
type Piece = readonly [number, string | readonly number[]];

/** A file of so many bytes, with these pieces in it. */
function image(size: number, pieces: readonly Piece[]): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const [at, what] of pieces)
    bytes.set(typeof what === "string" ? Buffer.from(what, "latin1") : what, at);
  return bytes;
}
const find = (bytes: Uint8Array): FileSystem =>
  findFileSystem((offset, size) => {
    expect(offset).toBeGreaterThanOrEqual(0);
    expect(Number.isSafeInteger(offset)).toBe(true);
    return Buffer.from(bytes.subarray(offset, offset + size)).toString("latin1");
  }, bytes.length);

function problem(bytes: Uint8Array): string {
  try {
    return `found ${find(bytes).type}`;
  } catch (error) {
    if (!(error instanceof NsError)) throw error;
    return error.message;
  }
}

const number = (value: bigint, size: number): number[] =>
  Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
const squashfs: Piece = [0, "hsqs"];
const ext4: Piece = [1080, "\x53\xef"];
const erofs: Piece = [1024, "\xe2\xe1\xf5\xe0"];
const at = (offset: number, [where, what]: Piece): Piece => [offset + where, what];
const signature: Piece = [510, "\x55\xaa"];

const mbr = (type: number, first: number, count: number): Piece[] => [
  signature,
  [446 + 4, [type]],
  [446 + 8, number(BigInt(first), 4)],
  [446 + 12, number(BigInt(count), 4)],
];
const gpt = (
  first: bigint,
  last: bigint,
  { entries = 2n, count = 128, size = 128, used = 1 } = {},
): Piece[] => [
  ...mbr(0xee, 1, 0xffffffff),
  [512, "EFI PART"],
  [512 + 72, number(entries, 8)],
  [512 + 80, number(BigInt(count), 4)],
  [512 + 84, number(BigInt(size), 4)],
  [Number(entries) * 512 < 2 * MIB - 128 ? Number(entries) * 512 : 1024, [used]],
  [1024 + 32, number(first, 8)],
  [1024 + 40, number(last, 8)],
];

describe("found", () => {
  const whole = { offset: 0, size: 0 };
  const first = { offset: MIB, size: MIB / 2 };
  test.each<[string, Piece[], FileSystem]>([
    ["squashfs", [squashfs], { type: "squashfs", ...whole }],
    ["erofs", [erofs], { type: "erofs", ...whole }],
    ["ext4", [ext4], { type: "ext4", ...whole }],
    ["ext4 with code to start a machine", [ext4, ...mbr(0x83, 1, 9)], { type: "ext4", ...whole }],
    ["MBR", [...mbr(0x83, 2048, 1024), at(MIB, ext4)], { type: "ext4", ...first }],
    [
      "MBR, up to the end",
      [...mbr(0x83, 2048, 2048), at(MIB, erofs)],
      { type: "erofs", offset: MIB, size: MIB },
    ],
    ["GPT", [...gpt(2048n, 3071n), at(MIB, squashfs)], { type: "squashfs", ...first }],
    ["GPT of one entry", [...gpt(2048n, 3071n, { count: 1 }), at(MIB, ext4)], { type: "ext4", ...first }],
  ])("%s", (_, pieces, found) => {
    expect(find(image(2 * MIB, pieces))).toEqual(found);
  });
});

const nothing = "it holds no file system that ns knows";
const badGpt = "its partition table (GPT) is damaged";
const badMbr = "its partition table (MBR) is damaged";
const none = "it has no partition 1";

describe("not found", () => {
  test.each([0, 1, 3, 511, 512, 520, 1024, 1081])("a file of %d bytes", (size) => {
    expect(problem(new Uint8Array(size))).toBe(nothing);
  });
  test.each<[string, Piece[], string]>([
    ["zeros", [], nothing],
    ["no partition", mbr(0, 2048, 1024), none],
    [
      "a partition of something else",
      mbr(0x83, 2048, 1024),
      "its partition 1 holds no file system that ns knows",
    ],
    [
      "a partition that is too small for a magic number",
      [...mbr(0x83, 2048, 2), at(MIB, ext4)],
      "its partition 1 holds no file system that ns knows",
    ],
    ["a partition over its table", mbr(0x83, 0, 4096), badMbr],
    ["an empty partition", mbr(0x83, 2048, 0), badMbr],
    ["a partition past the end", mbr(0x83, 2048, 2049), badMbr],
    ["a partition far past the end", mbr(0x83, 0xffffffff, 0xffffffff), badMbr],
    ["a GPT that is not there", mbr(0xee, 1, 0xffffffff), badGpt],
    ["GPT: no partition", gpt(2048n, 3071n, { used: 0 }), none],
    ["GPT: no entries", gpt(2048n, 3071n, { count: 0 }), none],
    ["GPT: entries that overlap", gpt(2048n, 3071n, { size: 64 }), badGpt],
    ["GPT: entries past the end", gpt(2048n, 3071n, { entries: 4096n }), badGpt],
    ["GPT: entries at 2^64", gpt(2048n, 3071n, { entries: (1n << 64n) - 1n }), badGpt],
    ["GPT: a partition at 0", gpt(0n, 3071n), badGpt],
    ["GPT: a partition that ends before it begins", gpt(2048n, 2047n), badGpt],
    ["GPT: a partition past the end", gpt(2048n, 4096n), badGpt],
    ["GPT: a partition up to 2^64", gpt(2048n, (1n << 64n) - 1n), badGpt],
    ["GPT: a partition from 2^64 - 1 to 0", gpt((1n << 64n) - 1n, 0n), badGpt],
    ["GPT: a partition whose bytes overflow", gpt(1n << 55n, (1n << 55n) + 9n), badGpt],
  ])("%s", (_, pieces, text) => {
    expect(problem(image(2 * MIB, pieces))).toBe(text);
  });
});

test("whatever is in a file, what is found lies in it", () => {
  const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
  const sector = fc.oneof(word, fc.bigInt({ min: 0n, max: 5000n }));
  const pieces = fc.oneof(
    fc
      .tuple(sector, sector, sector, fc.nat(300), fc.nat(300))
      .map(([first, last, entries, count, size]) => gpt(first, last, { entries, count, size })),
    fc.tuple(fc.nat(255), fc.nat(5000), fc.nat(5000)).map(([type, first, count]) => mbr(type, first, count)),
  );
  const inside = fc.constantFrom(squashfs, erofs, ext4);
  fc.assert(
    fc.property(
      pieces,
      inside,
      fc.integer({ min: 1, max: 4095 }),
      fc.integer({ min: 0, max: 2 * MIB }),
      (table, fs, where, cut) => {
        const bytes = image(
          2 * MIB,
          [...table, at(where * 512, fs).slice(0, 2) as unknown as Piece].filter(
            ([to, what]) => to + what.length <= 2 * MIB,
          ),
        ).subarray(0, cut);
        let found: FileSystem;
        try {
          found = find(bytes);
        } catch (error) {
          if (error instanceof NsError) return;
          throw error;
        }
        expect(found.offset % 512).toBe(0);
        expect(found.size % 512).toBe(0);
        expect(found.offset + found.size).toBeLessThanOrEqual(cut);
      },
    ),
    { numRuns: 300 },
  );
});

describe("--image on the command line", () => {
  const specOfWords = (words: string) => specOf(parseArgv(words.split(" ")), false);
  test("is a part of the root", () => {
    expect(specOfWords("--image a:b.img - / /i").rootfs.image).toBe("a:b.img");
    expect(specOfWords("- / /i").rootfs.image).toBe(null);
  });
  test.each([
    ["--image= - / /i", "--image needs a value: FILE"],
    ["--image x --image y - / /i", "--image"],
    ["--image x - /a:/b /i", "--image: NEWROOT has to be one directory in it, and not A:B"],
  ])("%s", (words, text) => {
    expect(() => specOfWords(words)).toThrow(text);
  });
});
