/**
 * What a user types or hands over, under fast-check: any text and any JSON is taken or is an NsError (nothing else is
 * thrown), what is taken is in range, and what is shown means the same when it is typed again.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { FLAGS } from "../../src/cli/flags/table.ts";
import { parseDuration, parsePositiveDuration, showDuration } from "../../src/spec/duration.ts";
import { NsError } from "../../src/spec/error.ts";
import { parseAs, parseId, parseIdRange, showRange } from "../../src/spec/ids.ts";
import { parseRlimit, shortName, UNLIMITED } from "../../src/spec/rlimit.ts";
import { parseSeccomp } from "../../src/spec/seccomp-json.ts";
import { parseSize, showSize } from "../../src/spec/size.ts";

const RUNS = { numRuns: 2000 };

/** What it gives; null: an NsError. Anything else that is thrown is thrown. */
function taken<T>(parse: () => T, status?: number): T | null {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof NsError)) throw error;
    expect(error.message).not.toBe("");
    if (status !== undefined) expect(error.status).toBe(status);
    return null;
  }
}

/** Text of the pieces that values are made of, and any other. */
const typed = (...pieces: string[]) =>
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((all) => all.join("")),
    },
    fc.string({ unit: "binary-ascii" }),
  );
const digits = ["0", "1", "9", "4294967294", "4294967295", "9223372036854775807", "9223372036854775808"];

test("every option with any value, and anything after it", () => {
  const value = typed(
    ...digits,
    ":",
    ",",
    "=",
    "/",
    "..",
    "-",
    "a",
    "all",
    "\0",
    "\xff",
    "\n",
    "type=",
    "rw",
    "ms",
    "K",
  );
  const option = fc
    .constantFrom(...FLAGS)
    .chain((flag) =>
      fc
        .tuple(fc.constantFrom(`--${flag.name}=`, `--${flag.name}`, `-${flag.short ?? "?"}`), value)
        .map((parts) => parts.join("")),
    );
  fc.assert(
    fc.property(fc.array(option, { maxLength: 4 }), fc.array(value, { maxLength: 6 }), (options, rest) => {
      const spec = taken(() => specOf(parseArgv([...options, ...rest]), false));
      if (spec !== null) expect([spec.root, spec.init]).not.toContain("");
    }),
    RUNS,
  );
});

test("sizes", () => {
  fc.assert(
    fc.property(typed(...digits, "k", "M", "GiB", "T", "b", ".", "-", " ", "1e3", "0x"), (text) => {
      const size = taken(() => parseSize(text, "-m"), 2);
      if (size === null) return;
      expect(size > 0n && size < 2n ** 63n).toBe(true);
      expect(parseSize(showSize(size), "-m")).toBe(size);
    }),
    RUNS,
  );
});

test("durations", () => {
  fc.assert(
    fc.property(typed(...digits, "ms", "s", "m", "h", "d", ".", "-", "5", "e9", "Infinity"), (text) => {
      const time = taken(() => parseDuration(text, "--timeout"), 2);
      if (time === null) return;
      expect(Number.isSafeInteger(time) && time >= 0).toBe(true);
      expect(parseDuration(showDuration(time), "--timeout")).toBe(time);
      expect(taken(() => parsePositiveDuration(text, "--timeout"), 2)).toBe(time === 0 ? null : time);
    }),
    RUNS,
  );
  fc.assert(
    fc.property(fc.nat({ max: 36_525 * 86_400_000 }), (time) => {
      expect(parseDuration(showDuration(time), "--timeout")).toBe(time);
    }),
  );
});

test("ids, maps of them and --as", () => {
  const text = typed(...digits, ":", ",", "root", "-", "+1", " ", "all", "\0");
  const MAX = 4294967294;
  fc.assert(
    fc.property(text, (word) => {
      const id = taken(() => parseId(word, "UID"), 2);
      if (id !== null) expect(id >= 0 && id <= MAX && `${id}` === word).toBe(true);
      const range = taken(() => parseIdRange(word, "--map-uid", []), 2);
      if (range !== null) {
        expect(range.count).toBeGreaterThan(0);
        expect(Math.max(range.inside, range.outside) + range.count - 1).toBeLessThanOrEqual(MAX);
        expect(parseIdRange(showRange(range), "--map-uid", [])).toEqual(range);
        // the same ids cannot be mapped twice
        expect(taken(() => parseIdRange(word, "--map-uid", [range]), 2)).toBeNull();
      }
      const as = taken(() => parseAs(word, "--as"), 2);
      for (const name of as === null ? [] : [as.user, as.group ?? "0", ...as.groups]) {
        expect(name).toMatch(/^[^-+:,\0 ][^:,\0 ]*$/);
        if (/^\d+$/.test(name)) expect(Number(name)).toBeLessThanOrEqual(MAX);
      }
    }),
    RUNS,
  );
});

test("resource limits", () => {
  fc.assert(
    fc.property(typed(...digits, "nofile", "core", "=", ":", "unlimited", "-1", "-"), (text) => {
      const limit = taken(() => parseRlimit(text, "--rlimit"), 2);
      if (limit === null) return;
      const { name, soft, hard } = limit;
      for (const one of [soft, hard]) expect(one >= UNLIMITED && one < 2n ** 63n).toBe(true);
      const say = (one: bigint) => (one === UNLIMITED ? "unlimited" : `${one}`);
      expect(parseRlimit(`${shortName(name)}=${say(soft)}:${say(hard)}`, "--rlimit")).toEqual(limit);
    }),
    RUNS,
  );
});

test("seccomp profiles: any JSON in the place of any value", () => {
  const context = { machine: "x64", capabilities: new Set<string>(), kernel: [6, 1] } as const;
  const any = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom<unknown>(
      null,
      5,
      -1,
      1e300,
      "SCMP_ACT_ALLOW",
      "SCMP_CMP_EQ",
      [5],
      { toString: 1 },
      { a: [5] },
    ),
  );
  const maybe = <T>(value: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 4, arbitrary: value as fc.Arbitrary<unknown> }, any);
  const action = maybe(fc.constantFrom("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"));
  const some = { requiredKeys: [] };
  const filter = maybe(
    fc.record({ caps: any, arches: any, minKernel: maybe(fc.constantFrom("4.8", "9.9")) }, some),
  );
  const condition = fc.record(
    { index: maybe(fc.nat(6)), value: any, valueTwo: any, op: maybe(fc.constant("SCMP_CMP_GE")) },
    some,
  );
  const rule = fc.record(
    {
      ...{
        name: any,
        names: maybe(fc.constant(["read"])),
        action,
        errnoRet: any,
        includes: filter,
        excludes: filter,
      },
      args: maybe(fc.array(maybe(condition), { maxLength: 2 })),
    },
    some,
  );
  const profile = fc.record(
    {
      ...{ defaultAction: action, defaultErrnoRet: any, architectures: any, archMap: any },
      syscalls: maybe(fc.array(maybe(rule), { maxLength: 3 })),
    },
    { requiredKeys: ["defaultAction"] },
  );
  fc.assert(
    fc.property(profile, (value) => {
      const read = taken(() => parseSeccomp(JSON.stringify(value), context));
      for (const { names, conditions } of read?.rules ?? []) {
        for (const name of names) expect(typeof name).toBe("string");
        for (const { index, value: number } of conditions)
          expect(index >= 0 && index <= 5 && number >= 0n && number < 2n ** 64n).toBe(true);
      }
    }),
    RUNS,
  );
});
