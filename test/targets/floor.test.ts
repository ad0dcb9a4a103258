/**
 * ns on kernels that are older than any that boots here (Android's begin with 4.14): this kernel, with every system call
 * that is newer than that answering ENOSYS, by a seccomp filter that bwrap(1) installs. The
 * oldest kernel that really boots here is test/vm/old-kernel.test.ts's.
 */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, leavesNothing, ns, root, rootTest, runCommand, script } from "../harness.ts";

leavesNothing();

/** A program for seccomp(2): calls above the number are answered with ENOSYS. */
function filter(last: number): Buffer {
  const instruction = (code: number, yes: number, no: number, value: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(code, 0);
    bytes.set([yes, no], 2);
    bytes.writeUInt32LE(value, 4);
    return bytes;
  };
  const [load, ifAbove, answer] = [0x20, 0x25, 0x06];
  const [enosys, allow] = [0x50026, 0x7fff0000];
  const program = [instruction(load, 0, 0, 0), instruction(ifAbove, 0, 1, last)];
  return Buffer.concat([...program, instruction(answer, 0, 0, enosys), instruction(answer, 0, 0, allow)]);
}

/** arch/x86/entry/syscalls/syscall_64.tbl: the last number of each */
const LAST = { "4.14": 332, "4.10": 331 } as const;

const on = (kernel: keyof typeof LAST, ...words: string[]) => {
  const file = join(folder, `filter-${kernel}`);
  writeFileSync(file, filter(LAST[kernel]));
  const bwrap = 'exec bwrap --dev-bind / / --cap-add ALL --seccomp 9 "$@" 9<"$0"';
  return runCommand(["sh", "-c", bwrap, file, ...words]);
};

describe("with the system calls of Linux 4.14", () => {
  rootTest("the filter works: openat2 and pidfd_open are not there", async () => {
    const { stdout } = await on("4.14", ns, "-v", "--dry-run", "-", root, "/bin/true");
    expect(stdout).not.toContain("move_mount");
    expect((await runCommand([ns, "--dry-run", "-", root, "/bin/true"])).stdout).toContain("move_mount");
  });
  rootTest("a container with everything", async () => {
    const pre = script("floor-pre", "#!/bin/sh\necho pre $1 | tr -d 0-9\n");
    const init = ["/bin/sh", "--", "-c", "echo $$; ip -o -4 addr show lo; ls /proc/self/fd; exit 7"];
    const ran = await on("4.14", ns, "-n", "-m", "64M", pre, root, ...init);
    expect(ran).toMatchObject({ status: 7, stderr: "" });
    expect(ran.stdout).toMatch(/^pre \n1\n.* 127\.0\.0\.1\/8 .*\n0\n1\n2\n3\n$/s);
  });
  rootTest("a user namespace", async () => {
    const init = ["/bin/sh", "65534", "65534", "--", "-c", "id -u; exit 4"];
    expect(await on("4.14", ns, "-u", "-", root, ...init)).toMatchObject({
      status: 4,
      stdout: "0\n",
      stderr: "",
    });
  });
  rootTest("an init that is not there, an init that is killed by its memory limit", async () => {
    expect((await on("4.14", ns, "-", root, "/bin/nothing")).status).toBe(127);
    const hog = await on("4.14", ns, "-m", "16M", "-", root, "/bin/sh", "--", "-c", "exec tail /dev/zero");
    expect(hog).toMatchObject({ status: 137, stderr: "ns: init was killed: out of its 16M memory limit\n" });
  });
});

rootTest("without statx, an error that names the kernel that ns needs", async () => {
  expect(await on("4.10", ns, "-", root, "/bin/true")).toMatchObject({
    status: 125,
    stdout: "",
    stderr: "ns: this kernel is too old: ns needs Linux 4.11 or later\n",
  });
});
