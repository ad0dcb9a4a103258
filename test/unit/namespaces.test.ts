/** Parsers of the options about namespaces, and what cannot be together. */
import { describe, expect, test } from "bun:test";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { specOfJson } from "../../src/cli/json.ts";
import { networkFile } from "../../src/host/netns.ts";
import { namespacesOf } from "../../src/plan/namespaces.ts";
import {
  defaultNamespaces,
  type Namespaces,
  parseHostname,
  parseJoinNet,
  parseOffset,
} from "../../src/spec/namespaces.ts";
import type { Facts, Spec } from "../../src/spec/spec.ts";

const parse = (words: string): Spec => specOf(parseArgv(`${words} - R /i`.split(" ")), false);

describe("what is taken", () => {
  test.each<[string, Partial<Namespaces>]>([
    ["--share=ipc,uts --share cgroup", { share: ["ipc", "uts", "cgroup"] }],
    ["--share=net,time", { share: ["net", "time"] }],
    ["--domainname a.b", { domainname: "a.b" }],
    ["--time", { time: { boottime: 0, monotonic: 0 } }],
    ["--boottime-offset 5 --time --monotonic-offset -7", { time: { boottime: 5, monotonic: -7 } }],
    ["--time --boottime-offset=-0", { time: { boottime: 0, monotonic: 0 } }],
    ["--join-net blue", { joinNet: "blue" }],
    ["--join-net ./a", { joinNet: "./a" }],
  ])("%s", (words, expected) => {
    expect(parse(words).namespaces).toEqual({ ...defaultNamespaces(), ...expected });
  });
  test("as JSON", () => {
    const json = {
      root: "R",
      init: "/i",
      share: ["ipc", "uts"],
      time: true,
      "boottime-offset": -5,
      "join-net": "12",
    };
    expect(specOfJson(json)).toEqual(parse("--share ipc,uts --time --boottime-offset -5 --join-net 12"));
    expect(() => specOfJson({ root: "R", init: "/i", share: ["uts"], hostname: "h" })).toThrow(
      "exclude each other",
    );
  });
});

describe("what is refused, and the words it is refused with", () => {
  test.each([
    ["--share=pid", "--share: pid cannot be shared: init has to be process 1, so that nothing outlives it"],
    ["--share=ipc,mnt", "--share: mnt cannot be shared: without mounts of its own"],
    ["--share=user", "--share: user cannot be shared"],
    ["--share=ipc,", "--share: '\"\"' is none of ipc, uts, cgroup, net, time"],
    ["--share=toString", "--share: 'toString' is none of ipc, uts, cgroup, net, time"],
    [
      "--share=uts --hostname h",
      "--share=uts and --hostname exclude each other: the host's own name would change",
    ],
    ["--domainname d --share=uts", "--share=uts and --domainname exclude each other"],
    ["--share=net -n", "--share=net and --network exclude each other"],
    ["--share=net --join-net 1", "--share=net and --join-net exclude each other"],
    ["--share=time --time", "--share=time and --time exclude each other"],
    ["--join-net x -n", "--join-net and --network exclude each other"],
    ["--boottime-offset 5", "--boottime-offset needs --time"],
    ["--monotonic-offset 5", "--monotonic-offset needs --time"],
    ["--time --boottime-offset 1.5", "--boottime-offset: '1.5' is not a whole number of seconds"],
    [
      "--time --boottime-offset 9999999999",
      "--boottime-offset: '9999999999' is not a whole number of seconds",
    ],
    ["--time --boottime-offset 5s", "--boottime-offset: '5s' is not"],
    ["--domainname a_b!", "--domainname: 'a_b!' is not a domain name"],
  ])("%s", (words, message) => {
    expect(() => parse(words)).toThrow(message);
  });
  test.each(["..", ".", "x".repeat(256), `/${"x".repeat(4096)}`])("--join-net, %#", (name) => {
    expect(() => parseJoinNet(name, "--join-net")).toThrow("is no PATH, PID or NAME");
  });
  test("a name that is too long", () => {
    expect(() => parseHostname("x".repeat(65), "--domainname")).toThrow("at most 64 bytes");
  });
});

test("an offset is a number, not text", () => {
  expect(Object.is(parseOffset("-0", "-"), 0)).toBe(true);
  expect(parseOffset("+4611686018", "-")).toBe(4611686018);
});

test("the files of network namespaces", () => {
  expect(["12", "012", "blue", "./x", "/a/b"].map(networkFile)).toEqual([
    "/proc/12/ns/net",
    "/run/netns/012",
    "/run/netns/blue",
    "./x",
    "/a/b",
  ]);
});

test("the namespaces of a run", () => {
  const facts = { cgroupNamespace: true } as Facts;
  expect(namespacesOf(parse("--share=uts,ipc,cgroup"), facts)).toEqual(["mnt", "pid"]);
  expect(namespacesOf(parse("--time --map=keep -n"), facts)).toEqual([
    ...(["mnt", "pid", "uts", "ipc", "cgroup", "net", "time", "user"] as const),
  ]);
});
