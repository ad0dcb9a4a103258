/**
 * --image on pure cgroup v2, on Debian 11's Linux 5.10, where a tree of mounts cannot be changed at once, and on an
 * initramfs, where the root cannot be pivoted to. Run by `bun test`.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { folder, root } from "../harness.ts";
import { run } from "./cache.ts";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const script = `
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
free() { ! ls /sys/block/loop*/loop/backing_file 2>/dev/null; }
loops() { eventually free; free >$at/loops; }
look='ls -d /bin; grep -o "^[^ ]* / [a-z0-9]*" /proc/mounts; touch /x || exit 5'
run squashfs ns -m 64M --image /i/squashfs - / /bin/sh -- -c "$look"; loops
run ext4 ns --image /i/ext4 --read-only - / /bin/sh -- -c "$look"; loops
run below ns --image /i/ext4 - /etc/.. /bin/sh -- -c "$look"; loops
run ephemeral ns --image /i/ext4 --ephemeral - / /bin/sh -- -c 'echo x >/x && cat /x'; loops
run user ns -m 64M -u --image /i/squashfs - / /bin/sh 1000 1000 -- -c "$look"; loops
run shifted ns -u --idmap-root --image /i/ext4 --ephemeral - / /bin/sh 1000 1000 -- -c 'id -u; echo x >/x && cat /x'; loops
mkdir -p /fifos; mkfifo -m 666 /fifos/ready; exec 8<>/fifos/ready
launch killed ns -m 64M --image /i/ext4 --bind /fifos:/tmp - / /bin/sh -- -c 'echo ready >/tmp/ready; exec sleep 1000'
ls /sys/block/loop*/loop/backing_file >$at/bound
kill -9 $job; finish; loops
run failing-pre ns -m 64M --image /i/squashfs /pre/fail / /bin/true; loops
run other-type ns --image /i/erofs - / /bin/true; loops
`;

describe.skipIf(await vmMissing("--image"))("--image", () => {
  const images: Record<string, string> = {};
  beforeAll(async () => {
    for (const type of ["squashfs", "ext4", "erofs"]) images[`/i/${type}`] = join(folder, `vm-${type}`);
    await run([
      "mksquashfs",
      root,
      images["/i/squashfs"]!,
      "-noappend",
      "-quiet",
      "-no-progress",
      "-comp",
      "xz",
    ]);
    await run(["mke2fs", "-q", "-t", "ext4", "-d", root, images["/i/ext4"]!, "16M"]);
    await run(["mkfs.erofs", images["/i/erofs"]!, root]);
  });

  describe.each([
    ["bookworm", false],
    ["bullseye", false],
    ["bookworm", true],
  ] as const)("on the kernel of %s, on an initramfs: %p", (kernel, initramfs) => {
    let guest: Guest;
    beforeAll(async () => {
      guest = await runGuest({
        kernel,
        initramfs,
        modules: ["overlay", "loop", "squashfs"],
        script,
        files: images,
      });
    }, 240_000);
    const old = kernel === "bullseye";
    const nothingLeft = (name: string): void => {
      expect(guest.of(name).left).toBe("");
      expect(guest.of(name).file("loops")).toBe("");
    };

    test.each([
      ["squashfs", "/dev/loop0 / squashfs"],
      ["ext4", "/dev/loop0 / ext4"],
      ["below", "/dev/loop0 / ext4"],
    ])("%s", (name, mount) => {
      const { status, out, err } = guest.of(name);
      expect({ status, out }).toEqual({ status: 5, out: `/bin\n${mount}` });
      expect(err).toContain("Read-only file system");
      nothingLeft(name);
    });
    test("--ephemeral", () => {
      expect(guest.of("ephemeral")).toMatchObject({ status: 0, out: "x", err: "" });
      nothingLeft("ephemeral");
    });
    test("--user", () => {
      const { status, out, err } = guest.of("user");
      if (old) {
        expect(status).toBe(125);
        expect(err).toContain("note: ordinary users may mount overlays from Linux 5.11 on");
      } else {
        expect({ status, out }).toEqual({ status: 5, out: "/bin\noverlay / overlay" });
      }
      nothingLeft("user");
    });
    test("--user and --idmap-root", () => {
      if (old) expect(guest.of("shifted").err).toStartWith("ns: --idmap-root needs Linux 5.12 or newer");
      else expect(guest.of("shifted")).toMatchObject({ status: 0, out: "0\nx", err: "" });
      nothingLeft("shifted");
    });
    test("SIGKILL of ns, a failing pre script", () => {
      expect(guest.of("killed").status).toBe(137);
      expect(guest.of("killed").file("bound")).toContain("/loop0/");
      nothingLeft("killed");
      expect(guest.of("failing-pre").status).toBe(125);
      nothingLeft("failing-pre");
    });
    test("a file system that this kernel does not have", () => {
      const { status, err } = guest.of("other-type");
      expect(status).toBe(125);
      expect(err).toBe(
        "ns: cannot use the image /i/erofs: cannot mount its erofs: no such device\nnote: this kernel has no erofs: modprobe erofs",
      );
      nothingLeft("other-type");
    });
  });
});
