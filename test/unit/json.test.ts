/** A spec as JSON says the same as the command line, and is refused as strictly. */
import { describe, expect, test } from "bun:test";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { specOfJson } from "../../src/cli/json.ts";
import { NsError } from "../../src/spec/error.ts";

describe("what is taken", () => {
  test.each<[object, string]>([
    [{ root: "R", init: "/i" }, "- R /i"],
    [{ pre: "/p", root: "R", init: "/i", args: ["a", "-m", "é"] }, "/p R /i -- a -m Ã©"],
    [{ pre: "-", root: "R", init: "/i", memory: "64M", network: true }, "-n -m 64M - R /i"],
    [{ root: "R", init: "/i", memory: 4096, network: false }, "-m 4096 - R /i"],
    [{ root: "R", init: "/i", user: true, uid: 5, gid: "6" }, "-u - R /i 5 6"],
    [{ root: "R", init: "/i", "read-only": true, hostname: "h" }, "--read-only --hostname h - R /i"],
  ])("%j", (json, words) => {
    expect(specOfJson(json)).toEqual(specOf(parseArgv(words.split(" ")), false));
  });
});

describe("what is refused, and the words it is refused with", () => {
  test.each<[unknown, string]>([
    [null, 'not an object like {"root": "/srv/root", "init": "/init.sh"}'],
    [[], 'not an object like {"root": "/srv/root", "init": "/init.sh"}'],
    [{ init: "/i" }, '"root" is missing'],
    [{ root: "R" }, '"init" is missing'],
    [{ root: 5, init: "/i" }, '"root": has to be a string'],
    [{ root: "a\0b", init: "/i" }, '"root": a string may not hold a zero byte'],
    [{ root: "R", init: "i" }, "INIT 'i' is not an absolute path inside NEWROOT"],
    [{ root: "R", init: "/i", args: "x" }, '"args": has to be a list of strings'],
    [{ root: "R", init: "/i", args: ["x", {}] }, '"args[1]": has to be a string'],
    [{ root: "R", init: "/i", memroy: "1G" }, '"memroy": unknown key; did you mean memory?'],
    [{ root: "R", init: "/i", verbose: true }, '"verbose": belongs on the command line'],
    [{ root: "R", init: "/i", network: "yes" }, '"network": has to be true or false'],
    [{ root: "R", init: "/i", uid: 5 }, '"uid" and "gid" need "user": true'],
    [{ root: "R", init: "/i", __proto__: null, constructor: 1 }, '"constructor": unknown key'],
  ])("%j", (json, message) => {
    expect(() => specOfJson(json)).toThrow(NsError);
    expect(() => specOfJson(json)).toThrow(message);
  });
});
