/**
 * Root and mounts on pure cgroup v2, and on Debian 11's Linux 5.10, which cannot change the flags of a tree of mounts at
 * once (mount_setattr(2)): ns remounts one after the other. Run by `bun test`.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const script = `
mkdir -p /src/below /up /user /box/x
echo dir >/src/file; mount -t tmpfs -o nosuid,noexec none /src/below; echo below >/src/below/file
mount -t tmpfs none /box/mnt; chmod 777 /src /src/file /src/below /box/mnt
mkdir /user/upper; chown -R 1000 /user
look='cat /tmp/file /tmp/below/file; (echo x >/tmp/file); (echo x >/tmp/below/x); grep -o " /tmp[a-z/]* r[ow][a-z,]*" /proc/self/mountinfo'
run bind ns --bind /src:/tmp:ro - /box /bin/sh -- -c "$look"
run bind-writable ns --bind /src:/tmp - /box /bin/sh -- -c 'echo y >/tmp/y; grep -o " /tmp r[ow][a-z,]*" /proc/self/mountinfo'
run bind-file ns --bind /src/file:/x/one:ro - /box /bin/sh -- -c 'cat /x/one; echo x >/x/one'
run bind-user as_user ns -u --bind /src:/tmp:ro - /box /bin/sh 1000 1000 -- -c "$look"
run read-only ns --read-only - /box /bin/sh -- -c '(echo x >/x/new); (echo x >/mnt/new); echo y >/dev/null && echo done'
run kinds ns -n --mount type=cgroup,dst=/tmp --mount type=sysfs,dst=/mnt - /box /bin/sh -- -c 'ls /tmp/cgroup.procs; mkdir /tmp/x; ls -d /mnt/kernel'
run ephemeral ns --ephemeral - /box /bin/sh -- -c 'echo x >/x/new && rm -r /etc && ls /x/new'
ls /box/x /box/etc >$at/after
run overlay ns --overlay /up - /box /bin/sh -- -c 'echo x >/x/new; rm /init.sh; ls /x/new'
ls / /up >$at/after
launch overlay-killed ns --overlay /up - /box /bin/sh -- -c 'touch /again; echo ready >/ready; exec sleep 1000'
kill -9 $job; finish
ls / /up >$at/after
run overlay-below as_user ns -u --ephemeral - /box /bin/true 1000 1000
umount /box/mnt
run overlay-user as_user ns -u --overlay /user/upper - /box /bin/sh 1000 1000 -- -c 'mkdir /made; ls -d /made'
ls /user /user/upper >$at/after
`;

describe.skipIf(await vmMissing("root and mounts"))("root and mounts", () => {
  describe.each(["bookworm", "bullseye"] as const)("on the kernel of %s", (kernel) => {
    let guest: Guest;
    beforeAll(async () => {
      guest = await runGuest({ kernel, modules: ["overlay"], script });
    }, 240_000);
    const old = kernel === "bullseye";
    const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");
    const readOnly = /Read-only file system/g;

    test.each(["bind", "bind-user"])("a read-only bind and what is mounted below it (%s)", (name) => {
      const { out, err } = guest.of(name);
      expect(out.split("\n").slice(0, 2)).toEqual(["dir", "below"]);
      expect(err.match(readOnly)).toHaveLength(2);
      expect(out).toMatch(/ \/tmp ro,nosuid,nodev/);
      // what it had already it keeps
      expect(out).toMatch(/ \/tmp\/below ro,nosuid,nodev,noexec/);
      nothingLeft(name);
    });
    test("a bind that can be written, without devices and set-user-id programs", () => {
      expect(guest.of("bind-writable")).toMatchObject({ status: 0, err: "" });
      expect(guest.of("bind-writable").out).toMatch(/ \/tmp rw,nosuid,nodev/);
    });
    test("a file", () => {
      expect(guest.of("bind-file").out).toBe("dir");
      expect(guest.of("bind-file").err).toMatch(readOnly);
    });
    test("a read-only root and what is mounted below it", () => {
      expect(guest.of("read-only").err.match(readOnly)).toHaveLength(2);
      expect(guest.of("read-only").out).toBe("done");
    });
    test("cgroup and sysfs", () => {
      const { out, err } = guest.of("kinds");
      expect(out).toBe("/tmp/cgroup.procs\n/mnt/kernel");
      expect(err).toMatch(readOnly);
    });
    test("--ephemeral", () => {
      const { status, out, err, file } = guest.of("ephemeral");
      expect({ status, out, err }).toEqual({ status: 0, out: "/x/new", err: "" });
      expect(file("after").split("\n")).not.toContain("new");
      expect(file("after")).toContain("passwd");
      nothingLeft("ephemeral");
    });
    test("--overlay, also after SIGKILL of ns", () => {
      expect(guest.of("overlay")).toMatchObject({ status: 0, out: "/x/new", err: "" });
      for (const name of ["overlay", "overlay-killed"]) {
        expect(guest.of(name).file("after")).not.toContain("ns-work");
        nothingLeft(name);
      }
      expect(guest.of("overlay-killed").file("after")).toContain("again");
    });
    test("an ordinary user's overlay cannot leave out what is mounted below the root", () => {
      expect(guest.of("overlay-below").err).toBe(
        "ns: cannot take the root without what is mounted below it: invalid argument\n" +
          "note: this user may not leave it out, and an overlay cannot have it: unmount it first",
      );
    });
    test(`--overlay of an ordinary user ${old ? "is refused" : "works"}`, () => {
      const { status, out, err, file } = guest.of("overlay-user");
      if (old) {
        expect(status).toBe(125);
        expect(err).toContain("note: ordinary users may mount overlays from Linux 5.11 on");
      } else expect({ status, out, err }).toEqual({ status: 0, out: "/made", err: "" });
      expect(file("after")).not.toContain("ns-work");
    });
  });
});
