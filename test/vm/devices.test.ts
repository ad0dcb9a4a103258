/** Which devices root's containers may open on pure cgroup v2, where a program decides. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

// the machine's disk, as the container's own node and as one that the root brings
const script = `
cg=/sys/fs/cgroup
echo +memory +pids >$cg/cgroup.subtree_control # as systemd leaves it
disk=$(sed 's/:/ /' /sys/block/nvme0n1/dev)
numbers=$(cat /sys/block/nvme0n1/dev)
mknod -m 666 /box/dev/disk b $disk
probe="mknod /tmp/own b $disk; for node in /tmp/own /dev/disk; do head -c 1024 \\$node | wc -c; done; rm -f /tmp/own
for name in null zero random; do head -c 1 /dev/\\$name >/dev/null || echo no \\$name; done; cat /proc/self/cgroup"
export probe

run open ns --allow-device=all - /box /bin/sh -- -c "$probe"
run root ns - /box /bin/sh -- -c "$probe"
run app ns --profile=app - /box /bin/sh -- -c 'head -c 1024 /dev/disk | wc -c'
run strict ns --profile=strict - /box /bin/sh -- -c 'head -c 1024 /dev/disk | wc -c'
run limits ns -m 64M --pids 20 - /box /bin/sh -- -c "$probe"
run named ns --cgroup /a/b - /box /bin/sh -- -c "$probe"
run allowed ns --allow-device b:$numbers:r - /box /bin/sh -- -c "$probe; (: >>/dev/disk) || echo not for writing"
run allowed-file ns --allow-device /dev/nvme0n1:r - /box /bin/sh -- -c "$probe"
run bound ns --bind /dev/nvme0n1:/dev/disk:ro,dev - /box /bin/sh -- -c 'head -c 1024 /dev/disk | wc -c'
run user ns -u - /box /bin/sh 1000 1000 -- -c "$probe"
run pre ns /pre/look /box /bin/sh -- -c "$probe"

# root inside looks for a way to lift it: the program is not in the cgroup that it sees
run lift ns - /box /bin/sh -- -c 'mkdir -p /tmp/cg && mount -t cgroup2 none /tmp/cg && ls /tmp/cg; echo 1 >/tmp/cg/cgroup.procs; mkdir /tmp/cg/more && echo 1 >/tmp/cg/more/cgroup.procs; head -c 1024 /dev/disk | wc -c; cat /proc/self/cgroup'
run left ns - /box /bin/sh -- -c 'mkdir -p /tmp/cg && mount -t cgroup2 none /tmp/cg && mkdir /tmp/cg/one /tmp/cg/one/two'
launch killed ns - /box /bin/sh -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; finish

# two at once, each with its own list
launch first ns --allow-device b:$numbers:r - /box /bin/sh -- -c 'echo ready >/ready; read x </go; head -c 1024 /dev/disk | wc -c'
ns - /box /bin/sh -- -c 'head -c 1024 /dev/disk | wc -c' >$at/second 2>/dev/null
release

# where there is no place for a cgroup
umount $cg
run nowhere ns -v - /box /bin/true
run nowhere-asked ns --allow-device c:1:11:r - /box /bin/true
mount -t cgroup2 none $cg
mount -o remount,ro $cg
run read-only ns -v - /box /bin/true
mount -o remount,rw $cg
`;

describe.skipIf(await vmMissing("devices on cgroup v2"))("devices on cgroup v2", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({ script, timeoutMs: 150_000 });
  }, 200_000);
  const REFUSED = "0\n0\n0::/";
  const READ = "1024\n1024\n0::/";

  test("without the restriction the disk can be read, so that this could fail", () => {
    expect(guest.of("open")).toMatchObject({ status: 0, out: READ, left: "" });
  });
  test.each(["root", "limits", "named", "pre"])(
    "neither an own node nor the root's can be opened: %s",
    (name) => {
      const { out, err, left } = guest.of(name);
      expect({ out, left }).toEqual({ out: REFUSED, left: "" });
      expect(err).toContain("head: /tmp/own: Operation not permitted");
      expect(err).toContain("head: /dev/disk: Operation not permitted");
    },
  );
  test.each(["app", "strict"])("nor in profile %s", (name) => {
    expect(guest.of(name)).toMatchObject({ out: "0", left: "" });
    expect(guest.of(name).err).toContain("head: /dev/disk: ");
  });
  test("what is allowed can be opened, in that way", () => {
    expect(guest.of("allowed").out).toBe(`${READ}\nnot for writing`);
    expect(guest.of("allowed-file").out).toBe(READ);
    expect(guest.of("bound").out).toBe("1024");
  });
  test("a user namespace: no node can be made, and the root's cannot be opened either", () => {
    const { out, err } = guest.of("user");
    expect(out).toBe(REFUSED);
    expect(err).toContain("mknod: /tmp/own: Operation not permitted");
    expect(err).toContain("head: /dev/disk: Operation not permitted");
  });
  test("root inside sees an empty cgroup as its own, and cannot leave", () => {
    const { out } = guest.of("lift");
    expect(out).toContain("cgroup.procs");
    expect(out).toEndWith("0\n0::/more");
    expect(guest.of("lift").left).toBe("");
  });
  test.each(["left", "killed", "first"])("nothing is left: %s", (name) => {
    expect(guest.of(name).left).toBe("");
  });
  test("two at once", () => {
    expect(guest.of("first").out).toBe("1024");
    expect(guest.of("first").file("second")).toBe("0");
  });
  test("where there is no place for a cgroup, -v says so", () => {
    expect(guest.of("nowhere")).toMatchObject({ status: 0 });
    expect(guest.of("nowhere").err).toContain(
      "ns: devices: any may be opened: cannot restrict devices: no cgroup hierarchy is mounted that can",
    );
    expect(guest.of("read-only")).toMatchObject({ status: 0 });
    expect(guest.of("read-only").err).toContain("ns: devices: any may be opened: cannot restrict devices: ");
  });
  test("and a list that was asked for is an error", () => {
    expect(guest.of("nowhere-asked")).toMatchObject({
      status: 125,
      out: "",
      err: expect.stringMatching(/^ns: cannot restrict devices: .*\nnote: mount one/),
    });
  });
});
