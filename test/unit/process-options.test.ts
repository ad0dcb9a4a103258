/** The parsers of the process options: what they take, what they refuse, and the words they refuse it with. */
import { describe, expect, test } from "bun:test";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { specOfJson } from "../../src/cli/json.ts";
import { parseDuration, parsePositiveDuration, showDuration } from "../../src/spec/duration.ts";
import {
  mergeVariables,
  parseEnvFile,
  parseKeptName,
  parseVariable,
  selectVariables,
} from "../../src/spec/env.ts";
import { NsError } from "../../src/spec/error.ts";
import { parseAbsolute, parseDescriptor, parseUmask } from "../../src/spec/process.ts";
import { parseSignal } from "../../src/spec/signal.ts";

const refused = (use: () => unknown, message: string): void => {
  expect(use).toThrow(NsError);
  expect(use).toThrow(message);
};

describe("durations", () => {
  test.each<[string, number, string]>([
    ["30s", 30_000, "30s"],
    ["90", 90_000, "90s"],
    ["60", 60_000, "1m"],
    ["1.5m", 90_000, "90s"],
    ["250ms", 250, "250ms"],
    ["2h", 7_200_000, "2h"],
    ["1d", 86_400_000, "1d"],
    ["0.001", 1, "1ms"],
    ["0", 0, "0ms"],
    ["36525d", 3_155_760_000_000, "36525d"],
  ])("%s", (text, time, shown) => {
    expect(parseDuration(text, "--timeout")).toBe(time);
    expect(showDuration(time)).toBe(shown);
  });
  test.each([
    ["", "is not a time"],
    ["s", "is not a time"],
    ["1x", "is not a time"],
    ["1 s", "is not a time"],
    ["1e3", "is not a time"],
    [".5", "is not a time"],
    ["1.", "is not a time"],
    ["0x10", "is not a time"],
    ["1S", "is not a time"],
    ["-1", "is negative"],
    ["0.1ms", "is less than a millisecond"],
    ["36526d", "is too long"],
    ["999999999999999d", "is too long"],
  ])("%j is refused", (text, why) => {
    refused(() => parseDuration(text, "--timeout"), `--timeout: '${text}' ${why}`);
  });
  test("a timeout of 0 is refused", () => {
    refused(() => parsePositiveDuration("0s", "--timeout"), "--timeout: the time must be more than 0");
  });
  test("what is shown is read back as the same", () => {
    for (let time = 1; time < 1e12; time = time * 3 + 7)
      expect(parseDuration(showDuration(time), "--timeout")).toBe(time);
  });
});

describe("signals", () => {
  test.each<[string, number]>([
    ["TERM", 15],
    ["SIGTERM", 15],
    ["sigusr1", 10],
    ["9", 9],
    ["RTMIN", 34],
    ["RTMIN+3", 37],
    ["SIGRTMIN+3", 37],
    ["RTMAX-1", 63],
    ["64", 64],
  ])("%s", (text, number) => {
    expect(parseSignal(text, "--stop-signal")).toBe(number);
  });
  test.each([
    "",
    "0",
    "65",
    "-1",
    "015",
    "TERMS",
    "SIG",
    "SIGSIGTERM",
    "RTMIN-1",
    "RTMIN+31",
    "RTMAX+1",
    "RT40",
    "1 ",
  ])("%j is refused", (text) => {
    refused(() => parseSignal(text, "--stop-signal"), `--stop-signal: '${text}' is not a signal`);
  });
});

describe("umask", () => {
  test.each<[string, number]>([
    ["022", 0o22],
    ["0", 0],
    ["77", 0o77],
    ["0077", 0o77],
    ["777", 0o777],
  ])("%s", (text, mask) => {
    expect(parseUmask(text, "--umask")).toBe(mask);
  });
  test.each(["8", "1777", "u=rwx", "-1", "0o22", "0x1f"])("%j is refused", (text) => {
    refused(() => parseUmask(text, "--umask"), `--umask: '${text}' is not an octal number from 0 to 777`);
  });
});

test("descriptors", () => {
  expect(parseDescriptor("3", "--pass-fd")).toBe(3);
  expect(parseDescriptor("1023", "--pass-fd")).toBe(1023);
  refused(() => parseDescriptor("1", "--pass-fd"), "--pass-fd: init has descriptor 1 anyway");
  for (const text of ["-1", "03", "3x", "9999999999"])
    refused(() => parseDescriptor(text, "--pass-fd"), `'${text}' is not the number of a descriptor above 2`);
  refused(() => parseAbsolute("a", "--post"), "--post: 'a' is not an absolute path");
});

describe("variables", () => {
  test.each(["A=1", "A=", "A= b =c", "a.b-c=1", "A=\xff\n"])("%j", (text) => {
    expect(parseVariable(text, "-e")).toBe(text);
  });
  test.each([
    ["=1", "-e: =1 has no name".replace("=1", "'=1'")],
    ["", "-e: '\"\"' has no name"],
    ["A", "-e: 'A' has no value; write A=VALUE, or --keep-env A for the caller's"],
    ["A B=1", "is not a variable's name"],
    ["A\n=1", "is not a variable's name"],
  ])("%j is refused", (text, message) => {
    refused(() => parseVariable(text, "-e"), message);
  });
  test("a file: as it is, but for comments, empty lines, blanks in front and a carriage return at the end", () => {
    const text = '# c\n\nA=1\r\n  B="q" # no comment\n\tC=\n#D=1\nE=\\n$X';
    expect(parseEnvFile(text, "f", "--env-file")).toEqual(["A=1", 'B="q" # no comment', "C=", "E=\\n$X"]);
    expect(parseEnvFile("", "f", "--env-file")).toEqual([]);
  });
  test.each([
    ["A=1\nB\n", "--env-file: f line 2: 'B' has no value"],
    ["export A=1", "--env-file: f line 1: '\"export A\"' is not a variable's name"],
    ["A=\0", "--env-file: f line 1 holds a zero byte"],
  ])("the file %j is refused", (text, message) => {
    refused(() => parseEnvFile(text, "f", "--env-file"), message);
  });
  test("names to keep", () => {
    const own = ["LANG=C", "LC_ALL=x", "LC_=y", "LANGUAGE=de", "", "odd"];
    expect(selectVariables(own, "LANG")).toEqual(["LANG=C"]);
    expect(selectVariables(own, "LC_*")).toEqual(["LC_ALL=x", "LC_=y"]);
    expect(selectVariables(own, "*")).toEqual(["LANG=C", "LC_ALL=x", "LC_=y", "LANGUAGE=de"]);
    expect(selectVariables(own, "NO")).toEqual([]);
    for (const name of ["A*B", "**", "A=1", "A B", ""])
      refused(() => parseKeptName(name, "--keep-env"), "is not a variable's name");
  });
  test("the last one wins", () => {
    expect(mergeVariables(["A=1", "B=2"], ["C=3", "A=4"], ["A=", "B=b"])).toEqual(["A=", "B=b", "C=3"]);
    expect(mergeVariables(["__proto__=1"], ["constructor=2"])).toEqual(["__proto__=1", "constructor=2"]);
  });
});

test("on the command line and in JSON they say the same", () => {
  const words =
    "-e A=1 -e B=2 --umask 7 --arg0 x --pass-fd 5 --pass-fd 6 --pass-fd 5 --reaper --timeout 2 --post /p - R /i";
  const json = {
    ...{ root: "R", init: "/i", env: ["A=1", "B=2"], umask: 7, arg0: "x", "pass-fd": [5, "6", "5"] },
    ...{ reaper: true, timeout: "2s", post: "/p" },
  };
  const spec = specOf(parseArgv(words.split(" ")), false);
  expect(spec.process).toMatchObject({ umask: 7, passFds: [5, 6], post: "/p", env: { set: ["A=1", "B=2"] } });
  expect(specOfJson(json)).toEqual(spec);
});

test.each([
  ["--timeout 1s --timeout 2s", "--timeout is given more than once"],
  ["--umask", "--umask needs a value: OCTAL"],
  ["--reaper=1", "--reaper takes no value"],
  ["-e=A=1", "-e=A=1: write -eA=1 or --env=A=1"],
  ["--arg0=", "--arg0 needs a value: NAME"],
])("%s is refused", (words, message) => {
  refused(() => parseArgv(words.split(" ")), message);
});
