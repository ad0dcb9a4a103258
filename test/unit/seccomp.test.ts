/** The seccomp filter: every call's number by an interpreter, and the same answers as libseccomp's filter. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { appSeccomp } from "../../src/plan/seccomp/app.ts";
import { compileSeccomp } from "../../src/plan/seccomp/compile.ts";
import { strictSeccomp } from "../../src/plan/seccomp/strict.ts";
import { NsError } from "../../src/spec/error.ts";
import { COMPARISONS, type Condition, RET, type Seccomp } from "../../src/spec/seccomp.ts";
import { parseSeccomp } from "../../src/spec/seccomp-json.ts";
import { type CallArch, compatArch, isKnownCall, nativeArch } from "../../src/sys/calls/table.ts";
import { type CallData, runFilter } from "../bpf.ts";

const EPERM = RET.errno | 1;
const ENOSYS = RET.errno | 38;
const X32 = 0x40000000;

function holds({ index, op, value, value2 }: Condition, args: readonly bigint[]): boolean {
  const arg = args[index] ?? 0n;
  const answers = {
    NE: arg !== value,
    LT: arg < value,
    LE: arg <= value,
    EQ: arg === value,
    GE: arg >= value,
    GT: arg > value,
    MASKED_EQ: (arg & value) === value2,
  };
  return answers[op];
}

/** What the profile says, read straight from it. */
function expected({ rules, otherwise }: Seccomp, arch: CallArch, { nr, args = [] }: CallData): number {
  const newest = Math.max(...arch.calls.values());
  if (arch.foreignFrom !== null && nr >= arch.foreignFrom) return ENOSYS;
  if (nr > newest) return (otherwise & 0x7fff0000) === RET.errno ? ENOSYS : otherwise;
  const about = rules.filter((rule) => rule.names.some((name) => arch.calls.get(name) === nr));
  const conditional = about.find(
    (rule) => rule.conditions.length > 0 && rule.conditions.every((one) => holds(one, args)),
  );
  return (conditional ?? about.find((rule) => rule.conditions.length === 0))?.action ?? otherwise;
}

const machines = ["x64", "arm64"] as const;
const profiles: [string, Seccomp, "x64" | "arm64"][] = machines.flatMap((machine) => [
  [`app on ${machine}`, appSeccomp(machine, new Set()), machine],
  [`app with CAP_SYS_ADMIN on ${machine}`, appSeccomp(machine, new Set(["CAP_SYS_ADMIN"])), machine],
  [`strict on ${machine}`, strictSeccomp(), machine],
]);

describe.each(profiles)("%s", (_, profile, machine) => {
  const filter = compileSeccomp(profile, machine);
  const native = nativeArch(machine);
  const compat = compatArch(machine);
  const interesting = [
    0n,
    1n,
    2n,
    8n,
    10n,
    40n,
    0x20000n,
    0x20008n,
    0xffffffffn,
    0x10000000n,
    2n ** 32n,
    2n ** 64n - 1n,
  ];

  test("says of every call what the profile says, in few steps", () => {
    for (const arch of profile.compat ? [native, compat] : [native])
      for (let nr = 0; nr < 700; nr++)
        for (const first of interesting) {
          const call = { nr, arch: arch.audit, args: [first] };
          const { action, steps } = runFilter(filter, call);
          if (action !== expected(profile, arch, call))
            throw new Error(`${arch.name} ${nr} (${first}): ${action.toString(16)}`);
          expect(steps).toBeLessThan(40);
        }
  });
  test("x32 and other kinds of programs are refused", () => {
    if (machine === "x64")
      for (let nr = 0; nr < 600; nr++)
        expect(runFilter(filter, { nr: X32 + nr, arch: native.audit }).action).toBe(ENOSYS);
    for (const arch of [0, 0xc00000f3, 0x80000016, profile.compat ? 1 : compat.audit])
      expect(runFilter(filter, { nr: 0, arch }).action).toBe(RET.kill);
  });
});

test("all names in the profiles are system calls", () => {
  for (const [, profile] of profiles)
    for (const name of profile.rules.flatMap(({ names }) => names))
      expect([name, isKnownCall(name)]).toEqual([name, true]);
});

describe("profile app", () => {
  const filter = compileSeccomp(appSeccomp("x64", new Set()), "x64");
  const { calls, audit } = nativeArch("x64");
  const ask = (name: string, ...args: bigint[]) =>
    runFilter(filter, { nr: calls.get(name)!, arch: audit, args }).action;
  test.each([
    "mount",
    "bpf",
    "ptrace_",
    "kexec_load",
    "add_key",
    "init_module",
    "io_uring_setup",
    "unshare",
    "reboot",
  ])("%s", (name) => {
    expect(ask(name.replace(/_$/, ""))).toBe(name === "ptrace_" ? RET.allow : EPERM);
  });
  test("clone without new namespaces, clone3 not at all", () => {
    expect(ask("clone", 0x11n)).toBe(RET.allow);
    expect(ask("clone", 0x10000011n)).toBe(EPERM);
    expect(ask("clone", 0x00020011n)).toBe(EPERM);
    expect(ask("clone3")).toBe(ENOSYS);
  });
});

describe("a profile in OCI's JSON", () => {
  const context = { machine: "x64", capabilities: new Set(["CAP_SYS_TIME"]), kernel: [6, 1] } as const;
  const parse = (profile: object) => parseSeccomp(JSON.stringify(profile), context);
  test("names, args, architectures, includes, excludes, errno", () => {
    const profile = parseSeccomp(
      `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}],
        "syscalls": [
          {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
          {"names": ["write"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 2, "value": 18446744073709551615, "op": "SCMP_CMP_EQ"}]},
          {"names": ["stime"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_TIME"], "minKernel": "4.8"}},
          {"names": ["close"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
          {"name": "open", "action": "SCMP_ACT_LOG"},
          {"names": ["dup"], "action": "SCMP_ACT_TRAP"}, {"names": ["dup2"], "action": "SCMP_ACT_KILL"}]}`,
      context,
    );
    expect(profile).toEqual({
      otherwise: ENOSYS,
      compat: true,
      rules: [
        { names: ["read"], action: RET.allow, conditions: [] },
        {
          names: ["write"],
          action: RET.allow,
          conditions: [{ index: 2, op: "EQ", value: 2n ** 64n - 1n, value2: 0n }],
        },
        { names: ["stime"], action: RET.allow, conditions: [] },
        { names: ["open"], action: RET.log, conditions: [] },
        { names: ["dup"], action: RET.trap, conditions: [] },
        { names: ["dup2"], action: RET.killThread, conditions: [] },
      ],
    });
  });
  test.each<[object, string]>([
    [{}, "defaultAction: undefined is no action"],
    [{ defaultAction: "ALLOW" }, 'defaultAction: "ALLOW" is no action'],
    [{ defaultAction: "SCMP_ACT_ALLOW", sycalls: [] }, "sycalls: unknown key"],
    [
      { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["x"], action: "SCMP_ACT_NOTIFY" }] },
      "supervisor",
    ],
    [
      { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: [], action: "SCMP_ACT_ALLOW" }] },
      "no system call",
    ],
    [{ defaultAction: "SCMP_ACT_ALLOW", syscalls: {} }, "syscalls: not a list"],
    [
      {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["read"], action: "SCMP_ACT_LOG", args: [{ index: 6 }] }],
      },
      "is no comparison",
    ],
  ])("%j", (profile, words) => {
    expect(() => parse(profile)).toThrow(NsError);
    expect(() => parse(profile)).toThrow(words);
  });
  test("anything else is an NsError", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parseSeccomp(text, context);
        } catch (error) {
          expect(error).toBeInstanceOf(NsError);
        }
      }),
    );
  });
  test("a call that is forbidden by a name that nobody knows is an error", () => {
    const rule = { names: ["no_such_call"], action: EPERM, conditions: [] };
    expect(() => compileSeccomp({ otherwise: RET.allow, compat: false, rules: [rule] }, "x64")).toThrow(
      "no_such_call",
    );
  });
});

const condition = fc.record({
  index: fc.integer({ min: 0, max: 5 }),
  op: fc.constantFrom(...COMPARISONS),
  value: fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constantFrom(0n, 1n, 2n ** 32n - 1n, 2n ** 32n),
  ),
  value2: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constant(0n)),
});

test("conditions mean what they say", () => {
  const { audit, calls } = nativeArch("x64");
  const action = fc.constantFrom<number>(RET.allow, RET.trap, RET.log, EPERM);
  const rule = fc.record({
    names: fc.subarray(["read", "write", "open", "futex"], { minLength: 1 }),
    action,
    conditions: fc.array(condition, { maxLength: 3 }),
  });
  const near = fc.oneof(
    condition.map(({ value }) => value),
    condition.map(({ value }) => (value + 1n) & (2n ** 64n - 1n)),
  );
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 12 }),
      fc.array(near, { minLength: 6, maxLength: 6 }),
      (rules, args) => {
        const profile: Seccomp = { otherwise: EPERM, compat: false, rules };
        const filter = compileSeccomp(profile, "x64");
        const values = rules.flatMap((one) => one.conditions.map(({ value }) => value));
        for (const name of ["read", "write", "open", "futex", "close"])
          for (const all of [args, args.map((arg, i) => values[i] ?? arg)]) {
            const call = { nr: calls.get(name)!, arch: audit, args: all };
            expect(runFilter(filter, call).action).toBe(expected(profile, nativeArch("x64"), call));
          }
      },
    ),
  );
});

describe("libseccomp, for the same profile", () => {
  const {
    u32,
    i32,
    ptr: pointer,
    u64,
  } = { u32: FFIType.u32, i32: FFIType.i32, ptr: FFIType.ptr, u64: FFIType.u64 };
  const { symbols: lib } = dlopen("libseccomp.so.2", {
    seccomp_init: { args: [u32], returns: pointer },
    seccomp_arch_add: { args: [pointer, u32], returns: i32 },
    seccomp_rule_add_array: { args: [pointer, u32, i32, u32, pointer], returns: i32 },
    seccomp_syscall_resolve_name: { args: [pointer], returns: i32 },
    seccomp_export_bpf: { args: [pointer, i32], returns: i32 },
    seccomp_release: { args: [pointer], returns: FFIType.void },
  });
  void u64;
  /** enum scmp_compare */
  const COMPARE = { NE: 1, LT: 2, LE: 3, EQ: 4, GE: 5, GT: 6, MASKED_EQ: 7 };

  function theirs({ otherwise, rules, compat }: Seccomp): Uint8Array {
    const context = lib.seccomp_init(otherwise)!;
    if (compat) lib.seccomp_arch_add(context, compatArch("x64").audit);
    for (const { names, action, conditions } of rules)
      for (const name of names) {
        const number = lib.seccomp_syscall_resolve_name(ptr(new TextEncoder().encode(`${name}\0`)));
        if (number === -1 || action === otherwise) continue;
        const list = new DataView(new ArrayBuffer(24 * Math.max(conditions.length, 1)));
        conditions.forEach(({ index, op, value, value2 }, i) => {
          list.setUint32(24 * i, index, true);
          list.setUint32(24 * i + 4, COMPARE[op], true);
          list.setBigUint64(24 * i + 8, value, true);
          list.setBigUint64(24 * i + 16, value2, true);
        });
        lib.seccomp_rule_add_array(
          context,
          action,
          number,
          conditions.length,
          ptr(new Uint8Array(list.buffer)),
        );
      }
    const path = join(tmpdir(), `ns-test-bpf-${process.pid}`);
    const fd = openSync(path, "w");
    lib.seccomp_export_bpf(context, fd);
    closeSync(fd);
    lib.seccomp_release(context);
    const filter = new Uint8Array(readFileSync(path));
    rmSync(path);
    return filter;
  }

  test.each(profiles.filter(([, , machine]) => machine === "x64"))("%s", (_, profile) => {
    const ours = compileSeccomp(profile, "x64");
    const other = theirs(profile);
    let different = 0;
    for (const arch of profile.compat ? [nativeArch("x64"), compatArch("x64")] : [nativeArch("x64")])
      for (const [name, nr] of arch.calls) {
        const resolved = lib.seccomp_syscall_resolve_name(ptr(new TextEncoder().encode(`${name}\0`)));
        // newer than this libseccomp
        if (resolved === -1) continue;
        for (const first of [0n, 1n, 2n, 40n, 0x20008n, 0x11n, 0x10000000n, 0xffffffffn]) {
          const call = { nr, arch: arch.audit, args: [first] };
          const mine = runFilter(ours, call).action;
          const its = runFilter(other, call).action;
          if (mine !== its) {
            different++;
            console.log(`${arch.name} ${name} ${first}: ${mine.toString(16)} ${its.toString(16)}`);
          }
        }
      }
    expect(different).toBe(0);
    expect(ours.length / 8).toBeLessThan(other.length / 8);
  });
});
