/** A real Debian under ns: its shell and tools, and its systemd as init. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { debianImage } from "./debian.ts";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const script = `
switches() { # of the whole machine; but for what the kernel counts there
  find /proc/sys -type f | sort | xargs grep -H '' 2>/dev/null |
    grep -v -e ^/proc/sys/kernel/random/ -e ^/proc/sys/fs/.*-nr: -e ^/proc/sys/fs/.*-state: -e ^/proc/sys/kernel/ns_last_pid: -e ^/proc/sys/kernel/pty/nr:
}
host_dev() { grep ' /dev devtmpfs ' /proc/mounts; }
switches >/root/switches
mkfifo /debian/up

run tools ns - /debian /bin/sh -- -c '. /etc/os-release; echo $ID $VERSION_ID; readlink /proc/$$/exe; dpkg -s systemd | sed -n "/^Status/p"; dpkg --audit && apt-get --version'
run apt ns - /debian /usr/bin/apt-get -- --simulate remove dbus
run users ns - /debian /bin/bash -- -c 'useradd --create-home somebody && su somebody -c "id -un; pwd; echo ~"'

cmdline() { tr '\\0' ' ' </proc/$init/cmdline; }
boot() { # CASE HOW-IT-ENDS NS-OPTION...: systemd as init until its boot is over
  name=$1; how=$2; shift 2
  begin $name
  # what a shell puts into the background has SIGINT ignored: that must not be ns
  { read -r -t 90 state <>/debian/up; echo "$state" >$at/state; init=$(cat $at/pid); cmdline >$at/cmdline; $how; } & other=$!
  ns "$@" /pre/look /debian /sbin/init >$at/out 2>$at/err </dev/null
  end $?
  wait $other
}
reexecuted() { cmdline | grep -q deserialize; }
# from the exec until it has blocked its signals again, systemd loses them
listening() { sed -n 's/^SigBlk:.*\\(.\\)$/\\1/p' /proc/$init/status | grep -q '[2367abef]'; }
interrupt() {
  kill -TERM $(cat $at/pid-of-ns)
  eventually reexecuted && echo yes >$at/reexecuted
  eventually listening
  kill -INT $(cat $at/pid-of-ns)
}
halt_init() { kill -37 $init; } # SIGRTMIN+3
host_dev >/root/dev
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
boot halted halt_init -n -m 256M
host_dev | diff /root/dev - >$at/dev
patience=2
boot interrupted interrupt -n
wc -l </root/switches >$at/number-of-switches
switches | diff /root/switches - >$at/switches
`;

const needs = { mmdebstrap: "mmdebstrap" };
describe.skipIf(await vmMissing("Debian under ns", needs))("Debian under ns", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({
      script,
      mounts: { "/debian": await debianImage() },
      memory: 1024,
      timeoutMs: 200_000,
    });
  }, 300_000);

  const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");

  describe("its own programs run", () => {
    test("shell, dpkg and apt", () => {
      const { status, out, err } = guest.of("tools");
      expect({ status, err }).toEqual({ status: 0, err: "" });
      expect(out).toStartWith("debian 12\n/usr/bin/dash\nStatus: install ok installed\napt 2.");
      nothingLeft("tools");
    });
    test("apt works out what to do", () => {
      expect(guest.of("apt")).toMatchObject({ status: 0, err: "" });
      expect(guest.of("apt").out).toContain("Remv dbus [");
      nothingLeft("apt");
    });
    test("users are made and become themselves", () => {
      expect(guest.of("users")).toMatchObject({ status: 0, out: "somebody\n/\n/home/somebody" });
      nothingLeft("users");
    });
  });

  describe("its systemd as init", () => {
    test.each(["halted", "interrupted"])("comes up whole, no unit failed: %s", (name) => {
      expect(guest.of(name).file("cmdline")).toBe("/sbin/init ");
      expect(guest.of(name).file("state")).toBe("running");
      expect(guest.console).not.toContain("[FAILED]");
    });
    test("with -m: SIGRTMIN+3 to the process that -v and the pre script name halts it, status 130", () => {
      expect(guest.of("halted")).toMatchObject({ status: 130, out: "", err: "" });
      expect(guest.console).toContain("Halting system.");
    });
    test("SIGTERM makes it start itself anew: it goes on", () => {
      expect(guest.of("interrupted").file("reexecuted")).toBe("yes");
    });
    test("SIGINT to ns stops it in order, status 129", () => {
      expect(guest.of("interrupted")).toMatchObject({ status: 129, out: "" });
      expect(guest.console).toContain("Rebooting.");
    });
    test("with -m it leaves nothing: its cgroups go with the run's", () => {
      expect(guest.of("halted").file("cgroup")).toMatch(/^\/ns\/\d+-\w+$/);
      nothingLeft("halted");
    });
    test("without -m it leaves nothing", () => nothingLeft("interrupted"));
    // it would mount devtmpfs, of which the machine has only one, with options of its own, if /dev were no mount point
    test("the host's /dev is not touched", () => {
      expect(guest.of("halted").file("dev")).toBe("");
    });
    test("it changes no switch of the machine", () => {
      expect(Number(guest.of("interrupted").file("number-of-switches"))).toBeGreaterThan(500);
      expect(guest.of("interrupted").file("switches")).toBe("");
    });
  });
});
