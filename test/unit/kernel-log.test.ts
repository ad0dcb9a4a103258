/** Records of the kernel's and of auditd's log, and other parsers that tell why a run ended. */
import { expect, test } from "bun:test";
import { processesRefused } from "../../src/host/cgroup/controllers/pids.ts";
import { explainHead, interpreterOf } from "../../src/host/format.ts";
import { findMemoryKill, findRefused } from "../../src/host/kernel-log.ts";
import { confinementNote } from "../../src/run/why-exec.ts";
import { auditedCall } from "../../src/sys/calls/table.ts";

const who = { pid: 22008, since: 24_358_000, date: 1_795_472_563_000 };
const record = (pid: number, time: string, call = 83, more = "") =>
  `<5>[24358.950523] audit: type=1326 audit(${time}:16): auid=4294967295 uid=0 gid=0 ses=4294967295${more} pid=${pid} comm="x" exe="/x" sig=31 arch=c000003e syscall=${call} compat=0 ip=0x40007f code=0x80000000\n`;

test("the record of a refused call: of this process, of this time, the last", () => {
  const arch = 0xc000003e;
  expect(findRefused(record(22008, "1795472563.512"), who)).toEqual({ arch, call: 83 });
  expect(findRefused(record(2200, "1795472563.512"), who)).toBeNull();
  expect(findRefused(record(122008, "1795472563.512"), who)).toBeNull();
  // the same process id in an earlier life
  expect(findRefused(record(22008, "1795472561.999"), who)).toBeNull();
  const two = record(22008, "1795472563.100", 1) + record(22008, "1795472563.200", 2);
  expect(findRefused(two, who)).toEqual({ arch, call: 2 });
  expect(findRefused(record(22008, "1795472563.512", 83, " subj=unconfined"), who)).not.toBeNull();
  expect(findRefused(record(22008, "1795472563.512").replace("sig=31", "sig=0"), who)).toBeNull();
  const auditd = record(22008, "1795472563.512").replace(
    /^.*audit: type=1326 audit/,
    "type=SECCOMP msg=audit",
  );
  expect(findRefused(auditd, who)).toEqual({ arch, call: 83 });
  expect(findRefused("", who)).toBeNull();
});

test("calls by the number of their kind of program", () => {
  expect(auditedCall(0xc000003e, 83)).toEqual({ name: "mkdir", kind: "x64" });
  expect(auditedCall(0x40000003, 39)).toEqual({ name: "mkdir", kind: "i386" });
  expect(auditedCall(0xc00000b7, 34)).toEqual({ name: "mkdirat", kind: "arm64" });
  expect(auditedCall(0xc000003e, 9999)).toEqual({ name: "number 9999", kind: "x64" });
  expect(auditedCall(0x15, 1)).toEqual({ name: "number 1", kind: "0x15" });
});

const kill = (
  pid: number,
  stamp: string,
  where = "oom_memcg=/a/ns/1-x,task_memcg=/a/ns/1-x",
  task = "tail",
) =>
  `<6>[${stamp}] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,${where},task=${task},pid=${pid},uid=0\n`;

test("the record of a kill for want of memory", () => {
  expect(findMemoryKill(kill(22008, "24358.9"), who)).toBe("the cgroup /a/ns/1-x");
  expect(findMemoryKill(kill(22008, "24358.9", "global_oom,task_memcg=/"), who)).toBe("the host");
  expect(findMemoryKill(kill(22009, "24358.9"), who)).toBeNull();
  expect(findMemoryKill(kill(22008, "24356.9"), who)).toBeNull();
  // a name that looks like the record's end
  expect(findMemoryKill(kill(7, "24358.9", undefined, "a,pid=22008,uid=0"), who)).toBeNull();
});

test("a limit of processes is a cause only if it was this one", () => {
  const files =
    (events: string, peak = "") =>
    (name: string) =>
      name === "pids.events" ? events : peak;
  expect(processesRefused(4, files("max 0\n"))).toBe(false);
  expect(processesRefused(4, files(""))).toBe(false);
  expect(processesRefused(4, files("max 3\n"))).toBe(true);
  expect(processesRefused(4, files("max 3\n", "4\n"))).toBe(true);
  expect(processesRefused(4, files("max 3\n", "3\n"))).toBe(false);
});

test("what a file is, when the kernel does not know", () => {
  expect(explainHead("").text).toBe("is empty");
  expect(explainHead("#!\n").text).toBe("begins with #! and names no interpreter");
  expect(explainHead("echo\n").note).toBe("begin the script with #!/bin/sh");
  const elf = (bits: string, order: string, machine: string) =>
    `\x7fELF${bits}${order}`.padEnd(18, "\0") + machine;
  const other = process.arch === "x64" ? ["\xb7", "arm64"] : ["\x3e", "x86-64"];
  expect(explainHead(elf("\x02", "\x01", `${other[0]}\0`)).text).toStartWith(
    `is a program for ${other[1]}, and this`,
  );
  expect(explainHead(elf("\x01", "\x02", "\0\x08")).text).toStartWith(
    "is a program for MIPS, and this machine is ",
  );
  expect(interpreterOf(elf("\x03", "\x01", "\x3e\0"))).toBeNull();
});

test("a security module is named only where it is at work", () => {
  const reads = (files: Record<string, string>) => (path: string) => files[path] ?? "";
  const apparmor = { "/sys/module/apparmor/parameters/enabled": "Y" };
  const [EPERM, ENOENT, EACCES] = [1, 2, 13];
  const current = "/proc/self/attr/current";
  expect(confinementNote(EACCES, reads({}))).toBeUndefined();
  expect(confinementNote(EACCES, reads({ ...apparmor, [current]: "unconfined" }))).toBeUndefined();
  expect(confinementNote(EACCES, reads({ ...apparmor, [current]: "ns (enforce)" }))).toStartWith(
    "ns is under the AppArmor profile ns (enforce)",
  );
  expect(confinementNote(ENOENT, reads({ ...apparmor, [current]: "ns (enforce)" }))).toBeUndefined();
  expect(confinementNote(EPERM, reads({ "/sys/fs/selinux/enforce": "1" }))).toStartWith("SELinux");
});
