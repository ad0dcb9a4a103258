/** ns on an initramfs, whose root cannot be pivoted away from: it moves the new root over it. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

/** Keeps a directory open, changes its root to one below, and climbs from the open one. */
const climb = `#!/bin/sh
mkdir -p /tmp/jail/bin /tmp/jail/proc
cp /bin/busybox /tmp/jail/bin/
mount -t proc none /tmp/jail/proc
exec 5</
exec chroot /tmp/jail /bin/busybox sh -c '
  cd /proc/self/fd/5/ || exit 99
  for i in 1 2 3 4 5 6 7 8; do cd -P ..; done
  exec /bin/busybox chroot . /bin/busybox ls /'
`;

const detach = `#!/bin/sh
cd /proc/1/ns
umount -l / || exit 98
exec nsenter --mount=mnt /bin/busybox ls /
`;

const script = `
echo +memory >/sys/fs/cgroup/cgroup.subtree_control # as systemd leaves it
run control unshare -m chroot /box /climb
rm -rf /box/tmp/jail

run plain ns -v - /box /bin/sh -- -c 'echo $$ /proc/[0-9]*; exit 7'
run root ns - /box /bin/ls -- /
run mounts ns - /box /bin/cat -- /proc/self/mountinfo
run everything ns -n -m 64M /pre/look /box /bin/sh -- -c 'cat /proc/self/cgroup; ip -o -4 addr show lo; exit 8'
run hog ns -m 16M - /box /bin/sh -- -c 'exec tail /dev/zero'
run user as_user ns -u - /box /bin/sh 1000 1000 -- -c 'id -u; echo $$ /proc/[0-9]*; exit 9'
run user-root as_user ns -u - /box /bin/ls 1000 1000 -- /
run read-only ns - /box /bin/sh -- -c 'echo 1 >/proc/sys/kernel/sysrq'
run climb ns - /box /climb
rm -rf /box/tmp/jail
run detach as_user ns -u - /box /detach 1000 1000
run failing-pre ns -m 64M /pre/fail /box /bin/true
run missing ns - /box /bin/nothing
launch killed ns -m 64M - /box /bin/sh -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; finish
`;

describe.skipIf(await vmMissing("ns on an initramfs"))("on an initramfs", () => {
  let guest: Guest;
  beforeAll(async () => {
    const files = {
      "/the-initramfs": { text: "" },
      "/box/climb": { text: climb, mode: 0o755 },
      "/box/detach": { text: detach, mode: 0o755 },
    };
    guest = await runGuest({ initramfs: true, script, files });
  }, 240_000);

  const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");
  const initramfs = "the-initramfs";
  const box = "climb";
  const names = (name: string): string[] => guest.of(name).out.split("\n");

  test("the root is moved, not pivoted to", () => {
    const { err } = guest.of("plain");
    expect(err).toContain('ns: op: mount(".", "/", NULL, MS_MOVE, NULL)\nns: op: chroot(".")\n');
    expect(err).not.toContain("pivot_root");
  });
  test("init is process 1 and alone, and its status is passed on", () => {
    expect(guest.of("plain")).toMatchObject({ status: 7, out: "1 /proc/1" });
    nothingLeft("plain");
  });
  test("the root is NEWROOT", () => {
    expect(names("root")).toContain(box);
    expect(names("root")).not.toContain(initramfs);
  });
  test("of the mounts only the root, its /dev and /proc are to be seen", () => {
    const points = names("mounts").map((line) => line.split(" ")[4]);
    expect(points).toEqual([
      "/",
      "/dev",
      "/proc",
      "/proc/sys",
      "/proc/sysrq-trigger",
      "/proc/irq",
      "/proc/bus",
    ]);
  });
  test("a network and a memory limit of its own", () => {
    const { status, out, err, file } = guest.of("everything");
    expect({ status, err }).toEqual({ status: 8, err: "" });
    expect(out).toMatch(/^0::\/\n.* 127\.0\.0\.1\/8 /);
    expect(file("memory.max")).toBe("67108864");
    nothingLeft("everything");
  });
  test("an init that wants more is killed, and ns says why", () => {
    expect(guest.of("hog")).toMatchObject({
      status: 137,
      err: "ns: init was killed: out of its 16M memory limit",
    });
    nothingLeft("hog");
  });
  test("as an ordinary user", () => {
    expect(guest.of("user")).toMatchObject({ status: 9, out: "0\n1 /proc/1", err: "" });
    expect(names("user-root")).toContain(box);
    expect(names("user-root")).not.toContain(initramfs);
    nothingLeft("user");
  });
  test("switches of the whole machine are read-only", () => {
    expect(guest.of("read-only").status).toBe(1);
    expect(guest.of("read-only").err).toContain("Read-only file system");
  });
  test("climbing out with a second chroot: works against chroot(8), not against ns", () => {
    expect(names("control")).toContain(initramfs);
    expect(guest.of("climb").status).toBe(0);
    expect(names("climb")).toContain(box);
    expect(names("climb")).not.toContain(initramfs);
  });
  // root in the container can unmount its root, and below it is the initramfs, which cannot be unmounted
  test.failing("a container with --user cannot take its root away and look below", () => {
    expect(names("detach")).not.toContain(initramfs);
  });
  test("nothing is left by a failing pre script, a missing init, SIGKILL of ns", () => {
    expect(guest.of("failing-pre").status).toBe(125);
    nothingLeft("failing-pre");
    expect(guest.of("missing").status).toBe(127);
    nothingLeft("missing");
    expect(guest.of("killed").status).toBe(137);
    nothingLeft("killed");
  });
});
