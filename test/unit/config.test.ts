/** --config: a strict reader of JSON, and how a file and a command line come together. */
import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { readLine } from "../../src/cli/config.ts";
import { parseJson } from "../../src/cli/json-text.ts";
import { NsError } from "../../src/spec/error.ts";

const folder = mkdtempSync(join(tmpdir(), "ns-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What an error says. */
function errorOf(act: () => unknown): { message: string; status: number } {
  try {
    act();
  } catch (error) {
    if (!(error instanceof NsError)) throw error;
    return { message: error.message, status: error.status };
  }
  throw new Error("nothing was refused");
}

describe("JSON as text", () => {
  test("what JSON.parse takes, it takes, as the same", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2, "\t"), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(JSON.stringify(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
      { numRuns: 500 },
    );
  });
  test("what JSON.parse refuses, it refuses", () => {
    const pieces = [
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"',
      "\\",
      "1",
      "-",
      ".5",
      "e3",
      "01",
      "true",
      "nul",
      " ",
      "\n",
      "\u0001",
      "\\u00g0",
      "é",
      "/**/",
    ];
    let refused = 0;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 7 }), (words) => {
        const text = words.join("");
        let wanted: string | undefined;
        try {
          wanted = JSON.stringify(JSON.parse(text));
        } catch {
          refused++;
        }
        if (wanted === undefined)
          expect(errorOf(() => parseJson(text)).message).toMatch(/^line \d+, column \d+: /);
        else if (!/"a"\s*:.*"a"\s*:/s.test(text)) expect(JSON.stringify(parseJson(text))).toBe(wanted);
      }),
      { numRuns: 3000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });
  test.each([
    ["", "line 1, column 1: the end comes where a value should be"],
    ['{\n  "a": 1,\n}', 'line 3, column 1: expected a key in quotation marks before "}"'],
    ['{"a": 1} x', 'line 1, column 10: expected the end before "x"'],
    ['{"a": 1\n "b": 2}', 'line 2, column 2: expected a comma or } before "\\""'],
    ['{"a": 1,\n "a": 2}', 'line 2, column 2: "a" stands here a second time'],
    ['{"__proto__": 1, "__proto__": 2}', 'line 1, column 18: "__proto__" stands here a second time'],
    ['{"a": "b', "line 1, column 7: the string has no end"],
    [
      '{"a": "b\nc"}',
      "line 1, column 9: a line break or control character in a string; write it as \\n or \\u",
    ],
    ['["\\x"]', 'line 1, column 4: expected one of "\\/bfnrtu before "x"'],
    ["{'a': 1}", 'line 1, column 2: expected a key in quotation marks before "\'"'],
    ["[NaN]", 'line 1, column 2: expected a value before "N"'],
    ["[".repeat(200), "line 1, column 102: too deep"],
  ])("%j: %s", (text, message) => {
    expect(errorOf(() => parseJson(text))).toEqual({ message, status: 2 });
  });
});

let count = 0;
/** The spec of a command line with a file; FILE in it is the file's name. */
function withFile(content: string | object, words: string): ReturnType<typeof specOf> {
  const path = join(folder, `${count++}.json`);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  try {
    return specOf(readLine(words.split(" ").map((word) => word.replace("FILE", path))), false);
  } catch (error) {
    if (error instanceof NsError) error.message = error.message.replace(path, "FILE");
    throw error;
  }
}

describe("the same as a command line", () => {
  test.each<[object, string, string]>([
    [{ root: "R", init: "/i" }, "-c FILE", "- R /i"],
    [{ root: "R", init: "/i" }, "-cFILE", "- R /i"],
    [{ root: "R", init: "/i" }, "--config=FILE", "- R /i"],
    [{ $schema: "x", pre: "/p", root: "R", init: "/i", args: ["a"] }, "-c FILE", "/p R /i -- a"],
    // added to
    [{ root: "R", init: "/i", args: ["a"] }, "-c FILE -n -- b", "-n - R /i -- a b"],
    [{ root: "R", init: "/i", env: ["A=1"] }, "-e B=2 -c FILE", "-e A=1 -e B=2 - R /i"],
    [{ root: "R", init: "/i", user: true, uid: 5, gid: "6" }, "-c FILE", "-u - R /i 5 6"],
    [{ root: "R", init: "/i", uid: 5, gid: "6" }, "-u --config FILE", "-u - R /i 5 6"],
    [{ root: "R", init: "/i", publish: ["1:2"] }, "-c FILE --net=pasta", "--net=pasta --publish 1:2 - R /i"],
    // the line's value instead of the file's, whole
    [{ root: "R", init: "/i", memory: "64M" }, "-m 1G -c FILE", "-m 1G - R /i"],
    [{ root: "R", init: "/i", net: "veth:br0" }, "--net none -c FILE", "--net none - R /i"],
    [{ root: "R", init: "/i", ephemeral: "16M" }, "--ephemeral -c FILE", "--ephemeral - R /i"],
    [{ root: "R", init: "/i", network: true }, "-n -c FILE", "-n - R /i"],
    // words: the file's or the line's
    [{ memory: "64M" }, "-c FILE - R /i -- x", "-m 64M - R /i -- x"],
    [{ pre: "/p", root: "A", init: "/a", args: ["a"], uid: 1, gid: 2 }, "-c FILE - R /i -- x", "- R /i -- x"],
    // profiles look at both
    [
      { root: "R", init: "/i", profile: "strict" },
      "-c FILE --net host",
      "--profile strict --net host - R /i",
    ],
    [
      { root: "R", init: "/i", net: "host" },
      "-c FILE --profile strict",
      "--profile strict --net host - R /i",
    ],
    [{ root: "R", init: "/i", args: ["é"] }, "-c FILE", "- R /i -- Ã©"],
  ])("%j and %s", (json, line, plain) => {
    expect(withFile(json, line)).toEqual(specOf(parseArgv(plain.split(" ")), false));
  });
});

describe("what is refused, and the words it is refused with", () => {
  test.each<[string | object, string, string]>([
    ["{", "-c FILE", "FILE: line 1, column 2: the end comes where a key in quotation marks should be"],
    ["[]", "-c FILE", 'FILE: not an object like {"root": "/srv/root", "init": "/init.sh"}'],
    [{ memroy: 1 }, "-c FILE - R /i", 'FILE: "memroy": unknown key; did you mean memory?'],
    [{ memory: [] }, "-c FILE - R /i", 'FILE: "memory": has to be a string'],
    [{ memory: "x" }, "-c FILE - R /i", "FILE: \"memory\": 'x' is not a size"],
    [{ env: ["A=1", 2, {}] }, "-c FILE - R /i", 'FILE: "env[1]": '],
    [{ config: "x" }, "-c FILE - R /i", 'FILE: "config": belongs on the command line'],
    [{ root: "R" }, "-c FILE", 'FILE: "init" is missing'],
    [{ pre: "/p" }, "-c FILE", 'FILE: "root" is missing'],
    [{ root: "R", init: "/i", user: true, gid: 2 }, "-c FILE", 'FILE: "gid": needs "uid"'],
    [{ memory: "1G" }, "-c FILE", "PRE is missing"],
    [{ root: "R", init: "/i" }, "-c FILE - R", "INIT is missing"],
    [
      { root: "R", init: "/i", ephemeral: true },
      "-c FILE --overlay /u",
      "--ephemeral and --overlay exclude each other",
    ],
    [{ root: "R", init: "/i" }, "-c FILE -c FILE", "-c is given more than once"],
    [{}, "-c", "-c needs a value: FILE|-"],
    [{}, "-c --config", "-c needs a value: FILE|-"],
    [{}, "-m - R /i", "-m needs a value: SIZE"],
    ['{"root": "\u00ff'.slice(0, -1).concat("\u0001"), "-c FILE", "FILE: line 1, column 11: a line break"],
  ])("%j and %s: %s", (content, line, message) => {
    const error = errorOf(() => withFile(content, line));
    expect(error.message).toStartWith(message);
    expect(error.status).toBe(2);
  });
  test("bytes that are not UTF-8, and a file that is too large", () => {
    const path = join(folder, "bytes.json");
    writeFileSync(path, Buffer.from([0x7b, 0xff, 0x7d]));
    expect(errorOf(() => readLine(["-c", path])).message).toBe(`${path}: not UTF-8`);
    writeFileSync(path, `{"root": "${"x".repeat(1 << 20)}"}`);
    expect(errorOf(() => readLine(["-c", path])).message).toBe(`${path}: larger than a mebibyte`);
  });
  test("a file that is not there", () => {
    const error = errorOf(() => readLine(["-c", join(folder, "none")]));
    expect(error).toEqual({ message: `cannot read ${folder}/none: no such file or directory`, status: 125 });
  });
});
