import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { defaultLimits } from "../../src/spec/limits.ts";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { distance, nearest } from "../../src/cli/nearest.ts";
import { NsError } from "../../src/spec/error.ts";
import { parseId } from "../../src/spec/ids.ts";
import { defaultSpec, type Spec } from "../../src/spec/spec.ts";

const parse = (words: string): Spec => specOf(parseArgv(words.split(" ")), false);
const plain: Spec = { ...defaultSpec(), root: "R", init: "/i" };

describe("what is taken", () => {
  const G = 2n ** 30n;
  test.each<[string, Partial<Spec>]>([
    ["- R /i", {}],
    ["/p R /i", { pre: "/p" }],
    ["-v - R /i", {}],
    ["-n - R /i", { network: { mode: "new" } }],
    ["- R /i -n", { network: { mode: "new" } }],
    ["- -n R -v /i", { network: { mode: "new" } }],
    ["--network - R /i", { network: { mode: "new" } }],
    ["-n -n - R /i", { network: { mode: "new" } }],
    ["-m1G - R /i", { limits: { ...defaultLimits(), memory: G } }],
    ["-m 1G - R /i", { limits: { ...defaultLimits(), memory: G } }],
    ["--memory=1G - R /i", { limits: { ...defaultLimits(), memory: G } }],
    ["--memory 1G - R /i", { limits: { ...defaultLimits(), memory: G } }],
    ["- R /i --memory 1G", { limits: { ...defaultLimits(), memory: G } }],
    ["-vnm1G - R /i", { limits: { ...defaultLimits(), memory: G }, network: { mode: "new" } }],
    ["-vnm 1G - R /i", { limits: { ...defaultLimits(), memory: G }, network: { mode: "new" } }],
    ["-u - R /i 5 6", { user: { uid: 5, gid: 6 } }],
    ["- R /i 5 6 --user", { user: { uid: 5, gid: 6 } }],
    ["-u - R /i 0 4294967294", { user: { uid: 0, gid: 4294967294 } }],
    ["- R /i -- a -m --help --", { args: ["a", "-m", "--help", "--"] }],
    ["- R /i --", {}],
    ["-u - R /i 5 6 -- 7", { user: { uid: 5, gid: 6 }, args: ["7"] }],
  ])("%s", (words, expected) => {
    expect(parse(words)).toEqual({ ...plain, ...expected });
  });
});

describe("what is refused, and the words it is refused with", () => {
  test.each([
    ["-", "NEWROOT is missing"],
    ["- R", "INIT is missing"],
    ["- R -- /i", "INIT is missing"],
    ["p R /i", "PRE 'p' is not an absolute path; use - for no pre script"],
    ["- R i", "INIT 'i' is not an absolute path inside NEWROOT"],
    ["- R /i 5", "UID '5' needs --user: without it init would run as the real root"],
    ["- R /i 5 6", "UID '5' needs --user: without it init would run as the real root"],
    ["- R /i hi", "too many arguments: 'hi'; init's own go after --"],
    ["-u - R /i", "--user needs UID and GID: both are missing"],
    ["-u - R /i 5", "--user needs UID and GID: GID is missing"],
    ["-u - R /i 5 6 7", "too many arguments: '7'; init's own go after --"],
    ["-x - R /i", "unknown option -x"],
    ["-vx - R /i", "unknown option -x in -vx"],
    ["-user - R /i", "unknown option -s in -user; did you mean --user?"],
    ["--memroy 1G - R /i", "unknown option --memroy; did you mean --memory?"],
    ["--mem 1G - R /i", "unknown option --mem; did you mean --memory?"],
    ["--netwrok - R /i", "unknown option --netwrok; did you mean --network?"],
    ["--no-network - R /i", "unknown option --no-network"],
    ["--xyzzy - R /i", "unknown option --xyzzy"],
    ["--network=1 - R /i", "--network takes no value"],
    ["-m=1G - R /i", "-m=1G: write -m1G or --memory=1G"],
    ["--memory= - R /i", "--memory needs a value: SIZE"],
    ["-m --verbose - R /i", "-m needs a value: SIZE"],
    ["- R /i -m", "-m needs a value: SIZE"],
    ["-m 1G --memory 2G - R /i", "--memory is given more than once"],
    ["-m -1 - R /i", "-m: '-1' is negative; a size is a whole number like 67108864, 64M or 1GiB"],
    [
      "--memory=0 - R /i",
      "--memory: the size must be more than 0; a size is a whole number like 67108864, 64M or 1GiB",
    ],
  ])("%s", (words, message) => {
    expect(() => parse(words)).toThrow(message);
    try {
      parse(words);
    } catch (error) {
      expect((error as NsError).status).toBe(2);
    }
  });
});

test("an empty name is refused", () => {
  expect(() => specOf(parseArgv(["-", "", "/i"]), false)).toThrow("NEWROOT is empty");
  expect(() => specOf(parseArgv(["", "R", "/i"]), false)).toThrow("PRE '\"\"' is not an absolute path");
});

test.each(["08", "", "-1", "1x", "+1", " 1", "4294967295", "4294967296", "99999999999", "0x1", "1.0", "٣"])(
  "id '%s' is refused",
  (text) => {
    expect(() => parseId(text, "UID")).toThrow("is not a whole number from 0 to 4294967294");
  },
);
test.each([
  ["0", 0],
  ["1", 1],
  ["1000", 1000],
  ["4294967294", 4294967294],
])("id %s", (text, id) => {
  expect(parseId(text, "GID")).toBe(id);
});

test("any command line is taken or is a usage error, and what follows -- is never looked at", () => {
  const word = fc.oneof(
    fc.constantFrom(
      "-v",
      "-n",
      "-u",
      "-m",
      "1G",
      "--memory",
      "--memory=1",
      "-",
      "/p",
      "R",
      "/i",
      "5",
      "-vnm1G",
      "--help",
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 9 }), fc.array(fc.string(), { maxLength: 3 }), (words, args) => {
      try {
        const before = words.filter((w) => w !== "--");
        const line = parseArgv([...before, "--", ...args]);
        expect(line.args).toEqual(args);
        specOf(line, false);
      } catch (error) {
        expect(error).toBeInstanceOf(NsError);
        expect((error as NsError).status).toBe(2);
      }
    }),
  );
});

test("the nearest word", () => {
  expect(distance("memroy", "memory")).toBe(1);
  expect(distance("kitten", "sitting")).toBe(3);
  expect(nearest("verbos", ["verbose", "version"])).toBe("verbose");
  expect(nearest("q", ["verbose", "version"])).toBeNull();
});
