import { expect, test } from "bun:test";
import fc from "fast-check";
import { NsError } from "../../src/spec/error.ts";
import { parseSize, showSize } from "../../src/spec/size.ts";

const good: [string, bigint][] = [
  ["1", 1n],
  ["100B", 100n],
  ["64k", 65536n],
  ["64K", 65536n],
  ["64kB", 65536n],
  ["64KiB", 65536n],
  ["1m", 1048576n],
  ["1M", 1048576n],
  ["1MB", 1048576n],
  ["1g", 2n ** 30n],
  ["1G", 2n ** 30n],
  ["1GiB", 2n ** 30n],
  ["2T", 2n ** 41n],
  ["9223372036854775807", 2n ** 63n - 1n],
];
test.each(good)("size %s", (text, bytes) => {
  expect(parseSize(text, "-m")).toBe(bytes);
});

const bad = [
  "",
  "0",
  "0k",
  "-1",
  "-1G",
  "1.5G",
  "1,5G",
  "1e9",
  "1GG",
  "1Gi",
  "1iB",
  "G",
  " 1",
  "1 ",
  "+1",
  "0x10",
  "010",
  "1P",
];
test.each([...bad, "9223372036854775808", "8388608T", "99999999999999999999999T", "١"])(
  "no size: '%s'",
  (text) => {
    try {
      parseSize(text, "-m");
    } catch (error) {
      expect((error as NsError).status).toBe(2);
      return;
    }
    throw new Error(`'${text}' was taken`);
  },
);

test("what is shown can be typed, and means the same", () => {
  fc.assert(
    fc.property(fc.bigInt(1n, 2n ** 63n - 1n), (size) => {
      expect(parseSize(showSize(size), "-m")).toBe(size);
    }),
  );
});

test("any text is a size or a usage error", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        expect(parseSize(text, "-m")).toBeGreaterThan(0n);
      } catch (error) {
        expect(error).toBeInstanceOf(NsError);
      }
    }),
  );
});
