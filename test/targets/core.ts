/**
 * The core of the end-to-end tests, for executables that this machine cannot run: in a virtual machine of the target's
 * architecture and C library, with cgroup v2. Called by the test files of this folder, one a target.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { version } from "../../package.json";
import { buildTarget } from "../../scripts/build/executable.ts";
import { launcherFor, launcherHash } from "../../scripts/build/launcher.ts";
import { type Compiler, TARGETS, type TargetName } from "../../scripts/build/targets.ts";
import { folder } from "../harness.ts";
import { type Guest, runGuest } from "../vm/guest.ts";
import { vmMissing } from "../vm/lane.ts";
import { machines } from "../vm/machine.ts";

const script = `
patience=20
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
waits='echo ready >/ready; read x </go;'

run version ns --version
run start ns - /box /bin/sh -- -c 'echo $$ /proc/[0-9]*; id -u; pwd; exit 7'
run descriptors ns - /box /bin/ls -- /proc/self/fd
run signals-inside ns - /box /bin/grep -- -E 'Sig(Blk|Ign|Cgt)' /proc/self/status
run read-only ns - /box /bin/sh -- -c 'echo 1 >/proc/sys/kernel/sysrq'
run network ns -n - /box /bin/sh -- -c 'ip -o -4 addr show lo; ping -c 1 127.0.0.1 >/dev/null && echo up'
run user as_user ns -u - /box /bin/sh 1000 1000 -- -c 'id -u; cat /proc/self/uid_map; exit 4'
run user-network as_user ns -u -n - /box /bin/sh 1000 1000 -- -c 'ip -o -4 addr show lo; exit 5'
run missing ns - /box /bin/nothing
run not-executable ns - /box /etc/passwd
run usage ns --memroy 1G - /box /bin/true
run prove ns prove --json -m 64M --profile=app - /box /bin/sh
run failing-pre ns -m 64M /pre/fail /box /bin/true

launch memory ns -v -m 64M /pre/look /box /bin/sh -- -c "cat /proc/self/cgroup; $waits exit 6"
release
run hog ns -m 16M - /box /bin/sh -- -c 'exec tail /dev/zero'

launch killed-init ns -m 64M /pre/look /box /bin/sh -- -c "$waits"
kill -9 $(cat $at/pid); finish
launch terminated ns - /box /bin/sh -- -c 'trap "exit 8" TERM; echo ready >/ready; sleep 1000 & wait'
kill $job; finish
launch stubborn ns - /box /bin/sh -- -c 'trap "echo again >/ready" TERM; echo ready >/ready; while :; do sleep 1000 & wait; done'
kill $job; ready; kill $job; ready; kill $job; finish
launch killed ns -n -m 64M - /box /bin/sh -- -c 'echo ready >/ready; sleep 1000 & exec sleep 1000'
kill -9 $job; finish
`;

const lastLine = (text: string): string => text.split("\n").at(-1)!;

/** @param compiler of the launcher, when it is not the target's own */
export async function testCore(target: TargetName, compiler?: Compiler): Promise<void> {
  const { arch } = TARGETS[target];
  const title = `${target}${compiler === undefined ? "" : `, launcher by ${compiler}`}`;
  const { qemu, package: debian } = machines[arch];
  describe.skipIf(await vmMissing(title, { [qemu]: debian, clang: "clang", "ld.lld": "lld" }, arch))(
    title,
    () => {
      let guest: Guest;
      beforeAll(async () => {
        const outfile = `${folder}/${target}-${compiler}`;
        await buildTarget(target, { release: true, compiler, outfile });
        const libc = target.endsWith("-musl") ? "musl" : "glibc";
        guest = await runGuest({ machine: arch, libc, ns: outfile, script, timeoutMs: 240_000 });
      }, 300_000);
      const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");

      test("says what it is", () => {
        const launcher = launcherHash(launcherFor(arch, compiler ?? TARGETS[target].compiler));
        expect(guest.of("version")).toMatchObject({
          out: `ns ${version} (release, ${target}, launcher ${launcher}, Bun ${Bun.version})`,
          err: "",
        });
      });
      test("init is process 1, alone, root, in /; its status is passed on", () => {
        expect(guest.of("start")).toMatchObject({ status: 7, out: "1 /proc/1\n0\n/", err: "" });
        nothingLeft("start");
      });
      test("no descriptor above 2, default signals", () => {
        expect(guest.of("descriptors")).toMatchObject({ status: 0, out: "0\n1\n2\n3", err: "" });
        const none = "0000000000000000";
        expect(guest.of("signals-inside").out.replaceAll("\t", " ")).toBe(
          `SigBlk: ${none}\nSigIgn: ${none}\nSigCgt: ${none}`,
        );
      });
      test("switches of the whole machine are read-only", () => {
        expect(guest.of("read-only").status).toBe(1);
        expect(guest.of("read-only").err).toContain("Read-only file system");
      });
      test("a network of its own, with the loopback up", () => {
        expect(guest.of("network").out).toMatch(/ 127\.0\.0\.1\/8 .*\nup$/s);
        nothingLeft("network");
      });
      test("as an ordinary user, with a network too", () => {
        expect(guest.of("user")).toMatchObject({ status: 4, err: "" });
        expect(guest.of("user").out).toMatch(/^0\n\s+0\s+1000\s+1$/);
        expect(guest.of("user-network")).toMatchObject({ status: 5, err: "" });
        expect(guest.of("user-network").out).toContain(" 127.0.0.1/8 ");
        nothingLeft("user-network");
      });
      test("125, 126, 127 and 2", () => {
        const status = ["failing-pre", "not-executable", "missing", "usage"].map(
          (name) => guest.of(name).status,
        );
        expect(status).toEqual([125, 126, 127, 2]);
        expect(guest.of("usage").err).toStartWith("ns: unknown option --memroy; did you mean --memory?\n");
        nothingLeft("failing-pre");
        nothingLeft("missing");
      });
      test("the attacks of ns prove run there, and the profile holds what it promises", () => {
        const { status, err, out } = guest.of("prove");
        expect({ status, err }).toEqual({ status: 0, err: "" });
        const { attacks } = JSON.parse(out) as { attacks: { verdict: string }[] };
        expect(attacks.filter(({ verdict }) => verdict === "held").length).toBeGreaterThan(30);
        nothingLeft("prove");
      });
      test("a memory limit, and its end told by -v after the handover", () => {
        const { status, out, err, file } = guest.of("memory");
        expect({ status, out }).toEqual({ status: 6, out: "0::/" });
        expect(file("memory.max")).toBe("67108864");
        expect(file("memory.swap.max")).toBe("0");
        expect(file("cgroup.procs")).toBe(file("pid"));
        expect(lastLine(err)).toBe("ns: exit: status 6");
        nothingLeft("memory");
      });
      test("an init that wants more is killed, and ns says why", () => {
        expect(guest.of("hog")).toMatchObject({
          status: 137,
          err: "ns: init was killed: out of its 16M memory limit",
        });
        nothingLeft("hog");
      });
      test("init killed by a signal", () => {
        expect(guest.of("killed-init").status).toBe(137);
        expect(guest.of("killed-init").err).toStartWith("ns: init was killed by SIGKILL, not by ns\nnote: ");
        nothingLeft("killed-init");
      });
      test("SIGTERM reaches init, the third kills it", () => {
        expect(guest.of("terminated")).toMatchObject({ status: 8, err: "" });
        nothingLeft("terminated");
        expect(guest.of("stubborn")).toMatchObject({
          status: 137,
          err: "ns: init was killed: ns was asked to stop three times",
        });
        nothingLeft("stubborn");
      });
      test("SIGKILL of ns leaves nothing", () => {
        expect(guest.of("killed").status).toBe(137);
        nothingLeft("killed");
      });
    },
  );
}
