/** Frozen starts for armv7 on a 32-bit ARM kernel, in a virtual machine. Run by `bun run test:targets`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { folder, run } from "../harness.ts";
import { vmMissing } from "../vm/lane.ts";
import { machines } from "../vm/machine.ts";
import { type Case, runOnArmv7 } from "./armv7.ts";

const FILES: Readonly<Record<string, readonly string[]>> = {
  bare: ["-", "/box", "/bin/sh"],
  user: ["-u", "-n", "-", "/box", "/bin/sh", "0", "0"],
  anything: ["--allow-device=all", "-", "/box", "/bin/sh"],
  devices: ["--allow-device=c:1:3:rw", "-", "/box", "/bin/sh"],
  pre: ["-n", "/pre", "/box", "/bin/sh"],
  failing: ["-", "/box", "/bin/sh", "--", "-c", "exit 3"],
  bound: ["--bind", "/bin:/bin:ro", "-", "/box", "/bin/sh"],
  timeout: ["--timeout", "300ms", "--stop-timeout", "10ms", "-", "/box", "/bin/sh"],
  rootless: ["-", "/nowhere", "/bin/sh"],
  initless: ["-", "/box", "/bin/nothing"],
  unexecutable: ["-", "/box", "/proc/version"],
};

const script = `
cd /frozen
run start ./bare -- -c 'echo $$ /proc/[0-9]*; id -u; pwd; ls -1 /proc/self/fd; exit 7'
run user ./user -- -c 'cat /proc/self/uid_map; exit 8'
mknod /box/serial c 204 64
run anything ./anything -- -c 'exec </serial && echo opened'
run devices ./devices -- -c 'exec </dev/null && echo opened; exec </serial && echo opened'
run pre ./pre -- -c 'exit 9'
run failing ./failing
run bound ./bound -- -c 'exec 2>&1; echo >/bin/new'
run timeout ./timeout -- -c 'sleep 1000'
run rootless ./rootless
run initless ./initless
run unexecutable ./unexecutable
run version ./bare --ns-version
run usage ./bare nonsense
begin terminated; ./bare -- -c 'trap "exit 9" TERM; echo >/ready; sleep 1000 & wait' & job=$!; ready; kill $job; wait $job; end $?
begin killed; ./bare -- -c 'echo >/ready; sleep 1000' & job=$!; ready; kill -9 $job; wait $job 2>/dev/null; end $?
`;

const { qemu, package: debian } = machines.armv7;
describe.skipIf(await vmMissing("frozen for armv7", { [qemu]: debian }))("frozen for armv7", () => {
  let cases: Map<string, Case>;
  beforeAll(async () => {
    const frozen: Record<string, string> = {};
    for (const [name, words] of Object.entries(FILES)) {
      const file = join(folder, `armv7-${name}.frozen`);
      frozen[name] = file;
      const made = await run(["freeze", "--target", "linux-armv7", "-o", file, ...words]);
      expect(made).toMatchObject({ status: 0, stderr: "" });
    }
    const pre =
      '#!/bin/sh\n[ $# = 1 ] && readlink /proc/$1/ns/net >/dev/null && echo "the network of $CLONE_NEWNET"\n';
    cases = await runOnArmv7(frozen, pre, script);
  }, 240_000);
  const left = "nothing left";

  test.each([
    ["start", 7, "1 /proc/1\n0\n/\n0\n1\n2\n3"],
    ["user", 8, /^ *0 +0 +1$/],
    ["pre", 9, /^the network of /],
    ["failing", 3, ""],
    ["bound", 1, /new: Read-only file system$/],
    ["timeout", 124, "ns: stopped after its timeout of 300 ms"],
    ["rootless", 125, "ns: cannot use the root /nowhere: no such file or directory"],
    ["initless", 127, "ns: init /bin/nothing in /box is not there: no such file or directory"],
    ["unexecutable", 126, /: permission denied$/],
    ["version", 0, /^frozen by ns .* for armv7$/],
    ["usage", 2, /^ns: usage: FILE /],
    ["terminated", 9, ""],
    ["killed", 137, ""],
  ] as const)("%s: status %d", (name, status, out) => {
    const found = cases.get(name);
    expect(found).toMatchObject({ status, left });
    if (typeof out === "string") expect(found?.out).toBe(out);
    else expect(found?.out).toMatch(out);
  });
  test("a device that is not in the list cannot be opened; without one it can", () => {
    expect(cases.get("anything")).toEqual({ status: 0, out: "opened", left });
    const { status, out } = cases.get("devices")!;
    expect(status).not.toBe(0);
    expect(out).toMatch(/^opened\n.*serial: Operation not permitted$/);
  });
});
