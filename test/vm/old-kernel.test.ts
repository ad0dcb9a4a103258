/** ns on Debian 11's Linux 5.10: no close_range(CLOEXEC), and user namespaces not for everybody. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const script = `
exec 5</etc/passwd 7</

run control ls /proc/self/fd
run descriptors ns /pre/descriptors /box /bin/ls -- /proc/self/fd
run root ns - /box /bin/sh -- -c 'echo $$ /proc/[0-9]*; id -u; exit 7'
uname -r >$at/release
launch killed-init ns /pre/look /box /bin/sh -- -c 'echo ready >/ready; read x </go'
kill -9 $(cat $at/pid); finish
run network ns -n - /box /bin/sh -- -c 'ls /sys /proc/sys/net/ipv4/conf; ip -o -4 addr show lo; ping -c 1 127.0.0.1 >/dev/null && echo up'
run read-only ns - /box /bin/sh -- -c 'echo 1 >/proc/sys/kernel/sysrq'
run as ns --as 5:6,7 - /box /bin/sh -- -c 'id -u; id -g; grep Groups /proc/self/status'
run no-root ns --map-uid 5:1000:10 --as 5:6 - /box /bin/sh -- -c 'id -u; id -g'
run time ns --time --boottime-offset 86400000 - /box /bin/cat -- /proc/uptime
run idmap ns --idmap-root --map-uid 0:1000:10 - /box /bin/true
run missing ns - /box /bin/nothing
run not-executable ns - /box /etc/passwd

echo +memory >/sys/fs/cgroup/cgroup.subtree_control
launch memory ns -m 64M /pre/look /box /bin/sh -- -c 'cat /proc/self/cgroup; echo ready >/ready; read x </go'
ls /sys/fs/cgroup$(cat $at/cgroup) >$at/files
release
run hog ns -m 16M - /box /bin/sh -- -c 'exec tail /dev/zero'
launch killed ns -n -m 64M - /box /bin/sh -- -c 'echo ready >/ready; sleep 1000 & exec sleep 1000'
kill -9 $job; finish
launch terminated ns - /box /bin/sh -- -c 'trap "exit 6" TERM; echo ready >/ready; sleep 1000 & wait'
kill $job; finish

sysctl -w kernel.unprivileged_userns_clone=0 # as it was up to Debian 10, and is where somebody wants it so
run refused as_user ns -u - /box /bin/true 1000 1000
cat /proc/sys/kernel/unprivileged_userns_clone >$at/switch
run root-with-user ns -u - /box /bin/sh 1000 1000 -- -c 'id -u; cat /proc/self/uid_map; exit 3'
sh -c "$(sed -n 's/^note: .*: sysctl/sysctl/p' /results/refused/err)"
run user as_user ns -u -n /pre/descriptors /box /bin/sh 1000 1000 -- -c 'id -u; cat /proc/self/uid_map; ls /proc/self/fd; exit 4'
`;

/** A pre script that writes down which descriptors it has got, its listing's own included. */
const descriptors = `#!/bin/sh
ls /proc/self/fd >$(cat /run/case)/pre
`;

describe.skipIf(await vmMissing("ns on an old kernel"))("on Linux 5.10", () => {
  let guest: Guest;
  beforeAll(async () => {
    const files = { "/pre/descriptors": { text: descriptors, mode: 0o755 } };
    guest = await runGuest({ kernel: "bullseye", cmdline: "swapaccount=0", script, files });
  }, 240_000);

  const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");
  const standardAndListing = "0\n1\n2\n3";

  test("that is the kernel", () => {
    expect(guest.of("root").file("release")).toStartWith("5.10.");
  });
  test("no descriptor above 2 reaches init", () => {
    expect(guest.of("control").out.split("\n")).toEqual(expect.arrayContaining(["5", "7"]));
    const { status, out, err } = guest.of("descriptors");
    expect({ status, out, err }).toEqual({ status: 0, out: standardAndListing, err: "" });
    nothingLeft("descriptors");
  });
  // the /dev/null that ns opens for its standard input
  test("nor the pre script", () => {
    expect(guest.of("descriptors").file("pre")).toBe(standardAndListing);
    expect(guest.of("user").file("pre")).toBe(standardAndListing);
  });
  test("init is process 1, alone and root", () => {
    expect(guest.of("root")).toMatchObject({ status: 7, out: "1 /proc/1\n0", err: "" });
    nothingLeft("root");
  });
  test("init killed by a signal", () => {
    expect(guest.of("killed-init").status).toBe(137);
    expect(guest.of("killed-init").err).toStartWith("ns: init was killed by SIGKILL, not by ns\nnote: ");
    nothingLeft("killed-init");
  });
  test("SIGTERM reaches init", () => {
    expect(guest.of("terminated")).toMatchObject({ status: 6, err: "" });
    nothingLeft("terminated");
  });
  test("--as, and a map without root, need nothing new", () => {
    expect(guest.of("as")).toMatchObject({ status: 0, out: "5\n6\nGroups:\t7 ", err: "" });
    expect(guest.of("no-root")).toMatchObject({ status: 0, out: "5\n6", err: "" });
    nothingLeft("no-root");
  });
  test("clocks of its own, from init on", () => {
    expect(guest.of("time")).toMatchObject({ status: 0, err: "" });
    expect(Number.parseFloat(guest.of("time").out)).toBeGreaterThanOrEqual(86400000);
  });
  test("what it cannot do is refused", () => {
    expect(guest.of("idmap")).toMatchObject({
      status: 125,
      err: "ns: --idmap-root needs Linux 5.12 or newer",
    });
    nothingLeft("idmap");
  });
  test("an init that is missing or cannot be executed", () => {
    expect(guest.of("missing").status).toBe(127);
    expect(guest.of("not-executable").status).toBe(126);
  });
  test("the loopback of an own network is up", () => {
    const { out, status } = guest.of("network");
    expect(out).toMatch(/ 127\.0\.0\.1\/8 /);
    expect(out).toEndWith("\nup");
    expect(status).toBe(0);
    nothingLeft("network");
  });
  test("switches of the whole machine are read-only", () => {
    expect(guest.of("read-only").status).toBe(1);
    expect(guest.of("read-only").err).toContain("Read-only file system");
  });
  test("a memory limit without the file for swap", () => {
    const { status, out, err, file } = guest.of("memory");
    expect({ status, out, err }).toEqual({ status: 0, out: "0::/", err: "" });
    expect(file("files").split("\n")).not.toContain("memory.swap.max"); // else this kernel shows nothing new
    expect(file("memory.max")).toBe("67108864");
    expect(file("memory.oom.group")).toBe("1");
    nothingLeft("memory");
  });
  test("an init that wants more is killed, and ns says why", () => {
    expect(guest.of("hog")).toMatchObject({
      status: 137,
      err: "ns: init was killed: out of its 16M memory limit",
    });
    nothingLeft("hog");
  });
  test("SIGKILL of ns leaves nothing", () => {
    expect(guest.of("killed").status).toBe(137);
    nothingLeft("killed");
  });

  describe("--user", () => {
    test("is refused to an ordinary user, with the switch and the command", () => {
      expect(guest.of("refused").file("switch")).toBe("0");
      expect(guest.of("refused")).toMatchObject({
        status: 125,
        err: [
          "ns: cannot make a user namespace: kernel.unprivileged_userns_clone is 0",
          "note: allow them for everybody: sysctl -w kernel.unprivileged_userns_clone=1",
        ].join("\n"),
      });
      nothingLeft("refused");
    });
    test("is not refused to root", () => {
      const { status, out, err } = guest.of("root-with-user");
      expect({ status, err }).toEqual({ status: 3, err: "" });
      expect(out).toMatch(/^0\n\s+0\s+1000\s+1$/);
    });
    test("works after that command", () => {
      const { status, out, err } = guest.of("user");
      expect({ status, err }).toEqual({ status: 4, err: "" });
      expect(out).toMatch(/^0\n\s+0\s+1000\s+1\n0\n1\n2\n3$/);
      nothingLeft("user");
    });
  });
});
