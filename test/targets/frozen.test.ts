/**
 * Frozen starts for other machines: made here, run where they are for. arm64 and armv7 (frozen-armv7.test.ts) in virtual
 * machines, and under qemu-user as far as that goes, which knows no namespaces. i686 runs on this kernel, by
 * test/e2e/frozen.test.ts. Run by `bun run test:targets`.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../../scripts/build/tools.ts";
import { folder, run, runCommand } from "../harness.ts";
import { type Guest, runGuest } from "../vm/guest.ts";
import { vmMissing } from "../vm/lane.ts";
import { machines } from "../vm/machine.ts";

async function freeze(target: string, words: string[]): Promise<string> {
  const file = join(folder, `frozen-${target}`);
  const made = await run(["freeze", "--target", target, "-o", file, ...words]);
  expect(made).toMatchObject({ status: 0, stderr: "" });
  chmodSync(file, 0o755);
  return file;
}

const script = `
patience=20
run version ns --ns-version
run start ns -- -c 'echo $$ /proc/[0-9]*; id -u; pwd; exit 7'
run descriptors ns -- -c 'ls /proc/1/fd; true'
run signals ns -- -c 'grep -E SigBlk /proc/self/status'
run network ns -- -c 'ip -o -4 addr show lo; readlink /proc/self/ns/net'
run usage ns nonsense
run maps ns -- -c 'cat /proc/self/uid_map'
launch terminated ns -- -c 'trap "exit 8" TERM; echo ready >/ready; sleep 1000 & wait'
kill $job; finish
launch killed ns -- -c 'echo ready >/ready; sleep 1000 & exec sleep 1000'
kill -9 $job; finish
`;

const { qemu, package: debian } = machines.arm64;
describe.skipIf(await vmMissing("frozen for arm64", { [qemu]: debian }, "arm64"))("frozen for arm64", () => {
  let guest: Guest;
  beforeAll(async () => {
    const ns = await freeze("linux-arm64", ["-u", "-n", "-", "/box", "/bin/sh", "0", "0"]);
    guest = await runGuest({ machine: "arm64", libc: "glibc", ns, script, timeoutMs: 240_000 });
  }, 300_000);

  test("init is process 1, alone, root, in /; its status is passed on", () => {
    expect(guest.of("start")).toMatchObject({ status: 7, out: "1 /proc/1\n0\n/", err: "", left: "" });
  });
  test("no descriptor above 2, default signals, a network and a map of its own", () => {
    expect(guest.of("descriptors").out).toBe("0\n1\n2");
    const none = "0000000000000000";
    expect(guest.of("signals").out.replaceAll("\t", " ")).toBe(`SigBlk: ${none}`);
    expect(guest.of("network").out).toContain(" 127.0.0.1/8 ");
    expect(guest.of("maps").out).toMatch(/^\s*0\s+0\s+1$/);
  });
  test("what made it; a usage error", () => {
    expect(guest.of("version").out).toMatch(/^frozen by ns .* for arm64$/);
    expect(guest.of("usage")).toMatchObject({ status: 2 });
  });
  test("SIGTERM reaches init; SIGKILL leaves nothing", () => {
    expect(guest.of("terminated")).toMatchObject({ status: 8, err: "", left: "" });
    expect(guest.of("killed")).toMatchObject({ status: 137, left: "" });
  });
});

describe.each([
  ["linux-armv7", "qemu-arm-static"],
  ["linux-arm64", "qemu-aarch64-static"],
  ["linux-i686", "qemu-i386-static"],
])("%s under qemu-user", (target, emulator) => {
  findProgram(emulator, "qemu-user-static", "this test");
  test("says what made it, takes its arguments, and comes as far as to the clone, which qemu-user refuses", async () => {
    const file = await freeze(target, ["-n", "-", "/", "/bin/true"]);
    const version = await runCommand([emulator, file, "--ns-version"]);
    expect(version).toMatchObject({ status: 0, stderr: "" });
    expect(version.stdout).toMatch(/^frozen by ns .* for \w+\n$/);
    expect((await runCommand([emulator, file, "wrong"])).status).toBe(2);
    expect(await runCommand([emulator, file, "--", "more"])).toMatchObject({
      status: 125,
      stderr: "ns: cannot make the namespaces: invalid argument\n",
    });
  });
});
