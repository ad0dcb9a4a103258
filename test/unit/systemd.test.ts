/** D-Bus messages as bytes, what systemd is asked for, and when. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { systemdPath } from "../../src/host/cgroup/locate.ts";
import { decode, encode, typesOf, type Value, variant } from "../../src/host/systemd/dbus.ts";
import { decodeMessage, encodeCall, messageSize } from "../../src/host/systemd/message.ts";
import { scopeArguments } from "../../src/host/systemd/scope.ts";
import { isSession, sliceOf, socketOf, wantsScope } from "../../src/run/systemd.ts";
import { checkSupported } from "../../src/run/unsupported.ts";
import { checkLimits } from "../../src/run/limits.ts";
import { defaultLimits, type Limits } from "../../src/spec/limits.ts";
import { defaultSpec } from "../../src/spec/spec.ts";

const hex = (bytes: string): string => Buffer.from(bytes, "latin1").toString("hex");

const encoded: [string, Value[], string][] = [
  ["y", [7], "07"],
  ["b", [true], "01000000"],
  ["yu", [1, 2], "0100000002000000"],
  ["i", [-2], "feffffff"],
  ["t", [2n ** 64n - 1n], "ffffffffffffffff"],
  ["s", ["ab"], "02000000616200"],
  ["yo", [1, "/"], "01000000010000002f00"],
  ["g", ["a(sv)"], "05612873762900"],
  ["au", [[1, 2]], "080000000100000002000000"],
  ["as", [[]], "00000000"],
  // padding before the first element, which the length does not count, even of an array without one
  ["at", [[1n]], "08000000000000000100000000000000"],
  ["a(sv)", [[]], "0000000000000000"],
  ["yv", [1, variant("u", 5)], "0101750005000000"],
  ["y(yu)", [1, [2, 3]], "01000000000000000200000003000000"],
  ["a(sv)", [[["a", variant("b", true)]]], "10000000000000000100000061000162000000000100".padEnd(48, "0")],
];
test.each(encoded)("%s of %p", (signature, values, bytes) => {
  expect(hex(encode(signature, values))).toBe(bytes);
  expect(decode(signature, encode(signature, values))).toEqual(values);
});

test("signatures fall into complete types", () => {
  expect(typesOf("ssa(sv)a(sa(sv))")).toEqual(["s", "s", "a(sv)", "a(sa(sv))"]);
  expect(() => typesOf("a{sv}")).toThrow("no D-Bus type begins with '{'");
  expect(() => typesOf("(s")).toThrow(RangeError);
  expect(() => encode("su", ["a"])).toThrow(RangeError);
});

const typed = fc.letrec<{ one: [string, Value] }>((tie) => ({
  one: fc.oneof(
    { maxDepth: 4 },
    fc.nat(255).map((n): [string, Value] => ["y", n]),
    fc.boolean().map((b): [string, Value] => ["b", b]),
    fc.integer().map((n): [string, Value] => ["i", n]),
    fc.nat().map((n): [string, Value] => ["u", n]),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((n): [string, Value] => ["t", n]),
    fc.string({ unit: "binary-ascii" }).map((s): [string, Value] => ["s", s]),
    tie("one").map(([type, value]): [string, Value] => ["v", variant(type, value)]),
    fc
      .tuple(tie("one"), fc.nat(3))
      .map(([[type, value], n]): [string, Value] => [`a${type}`, Array(n).fill(value)]),
    fc
      .array(tie("one"), { minLength: 1, maxLength: 3 })
      .map((all): [string, Value] => [
        `(${all.map(([type]) => type).join("")})`,
        all.map(([, value]) => value),
      ]),
  ),
})).one;

test("what is encoded is decoded again", () => {
  fc.assert(
    fc.property(fc.array(typed, { maxLength: 5 }), (all) => {
      const signature = all.map(([type]) => type).join("");
      const values = all.map(([, value]) => value);
      expect(decode(signature, encode(signature, values))).toEqual(values);
    }),
  );
});

test("bytes that end too early are an error", () => {
  for (const bytes of ["", "\x05\0\0", "\x05\0\0\0abc", "\x03\0\0\0abc"])
    expect(() => decode("s", bytes)).toThrow("ends too early");
});

const scope = { unit: "ns-1-a.scope", description: "ns: /init in /r", slice: "user-0.slice" };
const call = {
  path: "/o",
  interface: "a.b",
  member: "C",
  signature: "ssa(sv)a(sa(sv))",
  values: scopeArguments(scope),
};

test("a message tells its size as soon as its fixed part is there, and what is in it", () => {
  const bytes = encodeCall(call, 3);
  expect(messageSize(bytes.slice(0, 15))).toBeNull();
  for (const part of [bytes.slice(0, 16), bytes, `${bytes}more`])
    expect(messageSize(part)).toBe(bytes.length);
  expect(decodeMessage(bytes)).toMatchObject({ type: 1, member: "C", errorName: "", replyTo: 0 });
  expect(decodeMessage(bytes).values()).toEqual(call.values);
  expect(() => messageSize("B".padEnd(16, "\0"))).toThrow("not a D-Bus message");
});

test("the scope that is asked for", () => {
  expect(scopeArguments(scope)).toMatchSnapshot();
  expect(scopeArguments({ ...scope, slice: null })[2]).not.toContainEqual(["Slice", expect.anything()]);
});

const places: [string, string | null, boolean][] = [
  ["/user.slice/user-0.slice/session-3.scope", "user-0.slice", true],
  ["/user.slice/user-1000.slice/session-c1.scope", "user-1000.slice", true],
  ["/user.slice/user-0.slice/user@0.service/app.slice/vte.scope", "user-0.slice", false],
  ["/system.slice/ssh.service", "system.slice", false],
  ["/system.slice/session-3.scope/below", "system.slice", false],
  ["/init.scope", null, false],
  ["/", null, false],
  ["", null, false],
];
test.each(places)("a process in '%s' is in the slice %p; in a login session: %p", (path, slice, session) => {
  expect({ slice: sliceOf(path), session: isSession(path) }).toEqual({ slice, session });
});

test("where systemd has its units", () => {
  expect(systemdPath("12:pids:/a\n1:name=systemd:/b\n0::/c\n")).toBe("/b");
  expect(systemdPath("1:pids:/a\n0::/c\n")).toBe("/c");
  expect(systemdPath("1:pids:/a\n")).toBeNull();
});

test("root has the system's manager, others their own", () => {
  expect([socketOf(0), socketOf(1000)]).toEqual(["/run/systemd/private", "/run/user/1000/systemd/private"]);
});

const limits = (some: Partial<Limits>): Limits => ({ ...defaultLimits(), ...some });

test("what is said goes before what is usual", () => {
  expect(wantsScope(limits({ systemd: true }), false)).toBe(true);
  expect(wantsScope(limits({ systemd: false, memory: 1n }), true)).toBe(false);
});

const given: [string[], boolean | null][] = [
  [[], null],
  [["--systemd"], true],
  [["--systemd=yes"], true],
  [["--systemd=no"], false],
];
test.each(given)("%p", (options, systemd) => {
  expect(specOf(parseArgv([...options, "-", "/r", "/i"]), false).limits.systemd).toBe(systemd);
});
test("others are not taken", () => {
  expect(() => parseArgv(["--systemd=maybe"])).toThrow("--systemd: 'maybe' is neither yes nor no");
  expect(() => parseArgv(["--systemd", "--systemd"])).toThrow("more than once");
  expect(() => parseArgv(["--systemd", "--cgroup", "a"])).toThrow(
    "--systemd and --cgroup exclude each other",
  );
  const hugePages = [{ size: "2MB", limit: 0n }];
  expect(() => checkLimits(limits({ systemd: true, hugePages }))).toThrow("--systemd and --hugetlb exclude");
  expect(() => checkSupported({ ...defaultSpec(), limits: limits({ systemd: true }) })).toThrow(
    "only the command",
  );
});
