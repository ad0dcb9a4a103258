/** Which devices may be opened: the words of --allow-device, the rules made of them, and the program that cgroup v2 runs. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { pathAfter } from "../../src/host/cgroup/devices/find.ts";
import { deviceProgram } from "../../src/host/cgroup/devices/program.ts";
import { asksForDevices, deviceRules, ruleWords } from "../../src/host/cgroup/devices/rules.ts";
import { type DeviceNumbers, parseDevice, USUAL_DEVICES } from "../../src/spec/devices.ts";
import { NsError } from "../../src/spec/error.ts";
import { defaultSpec, type Facts, type Spec } from "../../src/spec/spec.ts";
import { specOf } from "../../src/spec/wanted.ts";

const KINDS = { b: 1, c: 2 } as const;
const ACCESS: Record<string, number> = { m: 1, r: 2, w: 4 };

/** Runs a program as the kernel does (instruction-set.rst), as far as it may go: forward, and never past its end. */
function interpret(
  program: Uint8Array,
  kind: "b" | "c",
  access: number,
  major: number,
  minor: number,
): number {
  const view = new DataView(program.buffer);
  const context: Record<number, number> = { 0: (access << 16) | KINDS[kind], 4: major, 8: minor };
  const registers = new Map<number, number>();
  const get = (number: number): number => {
    const value = registers.get(number);
    if (value === undefined) throw new Error(`register ${number} is read before it is written`);
    return value;
  };
  for (let pc = 0; ; pc++) {
    if (pc * 8 >= program.length) throw new Error("the program runs off its end");
    const code = view.getUint8(pc * 8);
    const [to, from] = [view.getUint8(pc * 8 + 1) & 15, view.getUint8(pc * 8 + 1) >> 4];
    const [offset, value] = [view.getInt16(pc * 8 + 2, true), view.getInt32(pc * 8 + 4, true)];
    if (code === 0x61 && from === 1) registers.set(to, context[offset]!);
    else if (code === 0xbc) registers.set(to, get(from));
    else if (code === 0x74) registers.set(to, get(to) >>> value);
    else if (code === 0x54) registers.set(to, get(to) & value);
    else if (code === 0xb7) registers.set(to, value);
    else if (code === 0x55) pc += get(to) !== value ? offset : 0;
    else if (code === 0x45) pc += (get(to) & value) !== 0 ? offset : 0;
    else if (code === 0x95) return get(0);
    else throw new Error(`unknown instruction ${code.toString(16)}`);
  }
}

/** What the rules say, as version 1 of the device cgroup understands them. */
const allows = (
  rules: readonly DeviceNumbers[],
  kind: "b" | "c",
  access: string,
  major: number,
  minor: number,
): boolean =>
  rules.some(
    (rule) =>
      (rule.kind === "a" || rule.kind === kind) &&
      [...access].every((letter) => rule.access.includes(letter)) &&
      (rule.major ?? major) === major &&
      (rule.minor ?? minor) === minor,
  );

const ACCESSES = ["m", "r", "w", "rw", "rm", "wm", "rwm"];
const bits = (access: string): number => [...access].reduce((sum, letter) => sum | ACCESS[letter]!, 0);

describe("the program", () => {
  test("answers for the usual devices as the list of version 1", () => {
    const program = deviceProgram(USUAL_DEVICES);
    for (const kind of ["b", "c"] as const)
      for (let major = 0; major < 300; major++)
        for (let minor = 0; minor < 12; minor++)
          for (const access of ACCESSES)
            expect(interpret(program, kind, bits(access), major, minor) === 1).toBe(
              allows(USUAL_DEVICES, kind, access, major, minor),
            );
  });
  test("a disk, the machine's memory and its console's keyboard are not among them", () => {
    const program = deviceProgram(USUAL_DEVICES);
    const opens = (kind: "b" | "c", major: number, minor: number) =>
      interpret(program, kind, bits("r"), major, minor) === 1;
    expect(opens("c", 1, 3)).toBe(true);
    for (const [kind, major, minor] of [
      ["b", 8, 0],
      ["b", 254, 0],
      ["b", 1, 3],
      ["c", 1, 1],
      ["c", 1, 4],
      ["c", 1, 11],
      ["c", 4, 1],
      ["c", 10, 229],
      ["c", 13, 64],
    ] as const)
      expect(opens(kind, major, minor)).toBe(false);
  });
  const number = (most: number) => fc.option(fc.integer({ min: 0, max: most }), { nil: null });
  const rule: fc.Arbitrary<DeviceNumbers> = fc.record({
    kind: fc.constantFrom("a" as const, "b" as const, "c" as const),
    major: number(4095),
    minor: number(1_048_575),
    access: fc.constantFrom(...ACCESSES),
  });
  test("answers for any rules and any device as they say", () => {
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 20 }),
        fc.constantFrom("b" as const, "c" as const),
        fc.constantFrom(...ACCESSES),
        fc.nat(5),
        fc.nat(5),
        (rules, kind, access, i, j) => {
          const major = rules[i]?.major ?? i;
          const minor = rules[j]?.minor ?? j;
          expect(interpret(deviceProgram(rules), kind, bits(access), major, minor) === 1).toBe(
            allows(rules, kind, access, major, minor),
          );
        },
      ),
      { numRuns: 2000 },
    );
  });
  test("without rules nothing is allowed", () => {
    expect(interpret(deviceProgram([]), "c", bits("r"), 1, 3)).toBe(0);
  });
});

describe("--allow-device", () => {
  test.each([
    ["c:10:200:rw", { kind: "c", major: 10, minor: 200, access: "rw" }],
    ["b:7:*", { kind: "b", major: 7, minor: null, access: "rw" }],
    ["c:*:*:m", { kind: "c", major: null, minor: null, access: "m" }],
    ["b:4095:1048575:mrw", { kind: "b", major: 4095, minor: 1_048_575, access: "mrw" }],
    ["all", { kind: "a", major: null, minor: null, access: "rwm" }],
    ["/dev/kvm", { path: "/dev/kvm", access: "rw" }],
    ["/dev/kvm:r", { path: "/dev/kvm", access: "r" }],
    ["/a b:c\n", { path: "/a b:c\n", access: "rw" }],
  ])("%j", (text, wanted) => expect(parseDevice(text, "--allow-device") as object).toEqual(wanted));
  test.each([
    ...["a", "ALL", "c", "c:1", "c:1:", "c::3", "c:1:3:", "c:1:3:x", "c:1:3:rr", "a:1:3", "d:1:3"],
    ...["c:4096:0", "c:0:1048576", "c:-1:0", "c:1:3:rw:", "c:1e1:3", "c:0x1:3", "dev/kvm", "/x:rr"],
  ])("%j is refused", (text) => {
    expect(() => parseDevice(text, "--allow-device")).toThrow(NsError);
    expect(() => parseDevice(text, "--allow-device")).toThrow(`--allow-device: '${text}' `);
  });
  test("whatever the text: numbers that the kernel takes, or a usage error", () => {
    const part = fc.oneof(
      fc.constantFrom("c", "b", "a", "*", "all", ":", "/dev/x", "rw", "m", ""),
      fc.integer().map(String),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), fc.constantFrom(":", ""), (parts, between) => {
        try {
          const device = parseDevice(parts.join(between), "x");
          expect(device.access).toMatch(/^[rwm]{1,3}$/);
          if ("path" in device) return;
          expect(ruleWords(device)).toMatch(/^[abc] (\d{1,4}|\*):(\d{1,7}|\*) [rwm]{1,3}$/);
        } catch (error) {
          if (!(error instanceof NsError) || error.status !== 2) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("the rules of a run", () => {
  const privileged = { capabilities: { sysAdmin: true } } as Facts;
  const with_ = (devices: string[], more: Partial<Spec> = {}): Spec => {
    const spec = { ...defaultSpec(), ...more };
    return {
      ...spec,
      security: { ...spec.security, devices: devices.map((text) => parseDevice(text, "x")) },
    };
  };
  const NULL = { kind: "c", major: 1, minor: 3, access: "rw" } as const;
  test("the usual ones", () => expect(deviceRules(with_([]), privileged)).toEqual(USUAL_DEVICES));
  test("none of ns's own for an ordinary user, with all, and without a cgroup", () => {
    expect(deviceRules(with_([]), { capabilities: { sysAdmin: false } } as Facts)).toBeNull();
    expect(deviceRules(with_(["b:7:*", "all"]), privileged)).toBeNull();
    const limits = { ...defaultSpec().limits, cgroup: "none" };
    expect(deviceRules(with_([], { limits }), privileged)).toBeNull();
  });
  test("more, by numbers and by a file", () => {
    expect(deviceRules(with_(["c:10:200", "/dev/null"]), privileged)?.slice(USUAL_DEVICES.length)).toEqual([
      { kind: "c", major: 10, minor: 200, access: "rw" },
      NULL,
    ]);
  });
  test("a device file that is bound with dev; no other file", () => {
    const flags = { readOnly: false, nosuid: true, nodev: false, noexec: false };
    const bind = (source: string, nodev: boolean) =>
      ({
        type: "bind",
        ...{ source, target: "/x", recursive: true, optional: false },
        flags: { ...flags, nodev },
      }) as const;
    const mounts = [
      bind("/dev/null", true),
      bind("/dev", false),
      bind("/nothing", false),
      bind("/dev/null", false),
    ];
    expect(deviceRules(with_([], { mounts }), privileged)?.slice(USUAL_DEVICES.length)).toEqual([NULL]);
  });
  test.each([
    ["/dev", "is not a device"],
    ["/no/such", "cannot be used: no such file or directory"],
  ])("%s is refused", (path, why) => {
    expect(() => deviceRules(with_([path]), privileged)).toThrow(`--allow-device: ${path} ${why}`);
  });
  test("a list is asked for, and has to be had; all is not", () => {
    expect(asksForDevices(with_([]))).toBe(false);
    expect(asksForDevices(with_(["b:7:*"]))).toBe(true);
    expect(asksForDevices(with_(["all"]))).toBe(false);
  });
  test("of the library", () => {
    const spec = specOf({ root: "/r", init: "/i", security: { devices: ["c:10:200:r"] } } as never);
    expect(spec.security.devices).toEqual([{ kind: "c", major: 10, minor: 200, access: "r" }]);
  });
});

test.each<[string, string, string | null]>([
  ["\n0::/a/b\n", "\n0::", "/a/b"],
  ["\n0::/", "\n0::", "/"],
  ["\n2:devices:/a\n0::/b/c\n", "\n0::", "/b/c"],
  ["3:pids:/x\n2:devices:/a\n0::/b/c\n", ":devices:", "/a"],
  ["\n10::/a\n", "\n0::", null],
])("the caller's cgroup is found: %j %j", (cgroups, word, path) =>
  expect(pathAfter(cgroups, word)).toBe(path),
);
