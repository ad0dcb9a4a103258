/**
 * --systemd where systemd rules: a Debian is booted under ns in the machine, and ns runs inside it, from a service, from a
 * login session's scope, and as an ordinary user with a user manager. Run by `bun test`.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { debianImage } from "./debian.ts";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

/** What the host sees of the waiting child and of its scope, by the pre script. */
const look = `#!/bin/sh
at=$(cat /run/case)
own=$(sed -n 's/^0:://p' /proc/$1/cgroup); own=\${own%/inside}
echo $own >$at/cgroup
cd /sys/fs/cgroup$own && grep -H . memory.max memory.swap.max cpu.max pids.max >$at/values 2>/dev/null
unit=$(echo $own | grep -o 'ns-[^/]*[.]scope') || exit 0
[ "$(id -u)" = 0 ] || exit 0
systemctl show -p Description -p Slice -p Delegate -p ActiveState -p TasksMax $unit >$at/show
systemctl status --no-pager $unit >$at/status-of-scope
exit 0
`;

const cases = `#!/bin/sh
now() { read -r up rest </proc/uptime && echo "\${up%.*}"; }
eventually() {
  deadline=$(($(now) + 20))
  until "$@"; do [ "$(now)" -lt "$deadline" ] || { echo "never: $*" >>"$at/err"; return 1; }; done
}
# what a run could leave: units, cgroups but those of systemd's own units, processes of the container
world() {
  systemctl list-units --all --no-legend --plain 'ns-*' | cut -d ' ' -f 1
  find /sys/fs/cgroup -type d | grep -e /ns -e '/[0-9]*-[a-z0-9]*$'
  ls -l /proc/[0-9]*/exe 2>/dev/null | grep -e busybox -e memfd: -e /usr/bin/ns
}
nothing() { [ -z "$(world)" ]; }
begin() { echo "case $1" >/dev/console; at=/out/$1; mkdir -p $at; chmod 777 $at; echo $at >/run/case; }
finish() {
  { sleep 30; echo "never ended" >>$at/err; kill -9 $job; } 8>&- & dog=$!
  wait $job; status=$?
  kill $dog
  eventually nothing; world >$at/left; echo $status >$at/status
}
run() { begin $1; shift; "$@" >$at/out 2>$at/err </dev/null & job=$!; finish; }
launch() { begin $1; shift; "$@" >$at/out 2>$at/err </dev/null & job=$!; timeout 20 head -n 1 <&8 >/dev/null || echo "never ready" >>$at/err; }
in_session() { exec systemd-run --quiet --scope --unit=session-9 --slice=user-0 "$@"; }
as_user() { exec setpriv --reuid 1000 --regid 1000 --clear-groups env -i PATH=/usr/bin:/bin "$@"; }
exec 8<>/box/ready
waits='echo ready >/ready; exec sleep 1000'

run limits ns --systemd -m 64M --memory-swap 96M --pids 20 --cpus 1.5 /look /box /bin/sh -- -c 'cat /proc/self/cgroup; exit 5'
run unlimited ns --systemd /look /box /bin/true
run oom ns --systemd --pids 20 -m 16M - /box /bin/sh -- -c 'sleep 1; exec tail /dev/zero'
run oom-at-once ns --systemd -m 16M - /box /usr/bin/tail -- /dev/zero
run failing ns --systemd -m 64M /bin/false /box /bin/true
launch killed ns --systemd -m 64M - /box /bin/sh -- -c "$waits"
kill -9 $job; finish
launch reloaded ns --systemd -m 64M /look /box /bin/sh -- -c 'trap "exit 9" TERM; echo ready >/ready; while :; do sleep 1000 & wait; done'
systemctl daemon-reload
cat /sys/fs/cgroup$(cat $at/cgroup)/memory.max >$at/memory.max
systemctl stop $(grep -o 'ns-[^/]*[.]scope' $at/cgroup)
finish
run service ns -m 64M /look /box /bin/true
run session in_session ns -m 64M /look /box /bin/true
run session-no in_session ns --systemd=no -m 64M /look /box /bin/true
run session-unlimited in_session ns /look /box /bin/true

run no-manager as_user ns -u --systemd -m 64M /look /box /bin/true 1000 1000
systemctl start user@1000.service
mkdir /run/proc && mount -t proc proc /run/proc # what user namespaces need to see: ns has covered parts of /proc
run user as_user ns -u --systemd -m 64M --pids 20 /look /box /bin/sh 1000 1000 -- -c 'cat /proc/self/cgroup; exit 5'
run user-session in_session setpriv --reuid 1000 --regid 1000 --clear-groups ns -u -m 64M /look /box /bin/true 1000 1000
launch user-killed as_user ns -u --systemd -m 64M - /box /bin/sh 1000 1000 -- -c "$waits"
kill -9 $job; finish
systemctl stop user@1000.service
systemctl --no-block halt
`;

const service = `[Service]
ExecStart=/cases
[Install]
WantedBy=multi-user.target
`;

const script = `
echo +memory +cpu +pids >/sys/fs/cgroup/cgroup.subtree_control
cp /usr/bin/ns /debian/usr/bin/ns
cp -a /box /debian/box
cp -a /inside/. /debian/
mkdir -p /debian/out /debian/etc/systemd/system/user@1000.service.d
echo user:x:1000:1000::/:/bin/sh >>/debian/etc/passwd
echo user:x:1000: >>/debian/etc/group
printf '[Service]\\nPAMName=\\nEnvironment=XDG_RUNTIME_DIR=/run/user/1000\\n' >/debian/etc/systemd/system/user@1000.service.d/here.conf
ln -s ../cases.service /debian/etc/systemd/system/multi-user.target.wants/cases.service
ns -n -m 800M --pids 10000 --cpus 2 - /debian /sbin/init
cp -r /debian/out/. /results/
`;

const needs = { mmdebstrap: "mmdebstrap" };
describe.skipIf(await vmMissing("ns under systemd", needs))("ns under systemd", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({
      script,
      files: {
        "/inside/look": { text: look, mode: 0o755 },
        "/inside/cases": { text: cases, mode: 0o755 },
        "/inside/etc/systemd/system/cases.service": { text: service },
      },
      mounts: { "/debian": await debianImage() },
      memory: 1280,
      timeoutMs: 200_000,
    });
  }, 300_000);

  const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");
  const scoped = (slice: string): RegExp => new RegExp(`^${slice}/ns-\\d+-\\w+\\.scope/ns/\\d+-\\w+$`);

  const SLICES = { system: "/system.slice", user: "/user.slice/user-1000.slice/user@1000.service/app.slice" };
  const ran = (name: string): string => guest.of(name).file("cgroup");

  describe("--systemd", () => {
    test("the limits hold in a cgroup below the scope, which systemctl knows", () => {
      const { status, out, err, file } = guest.of("limits");
      expect({ status, out, err }).toEqual({ status: 5, out: "0::/", err: "" });
      expect(ran("limits")).toMatch(scoped(SLICES.system));
      expect(file("values").split("\n")).toEqual([
        "memory.max:67108864",
        "memory.swap.max:33554432",
        "cpu.max:150000 100000",
        "pids.max:20",
      ]);
      expect(file("show").split("\n").sort()).toEqual([
        "ActiveState=active",
        "Delegate=yes",
        "Description=ns: /bin/sh in /box",
        "Slice=system.slice",
        "TasksMax=infinity",
      ]);
      expect(file("status-of-scope")).toContain("ns --systemd -m 64M");
    });
    test("without limits too", () => {
      expect(guest.of("unlimited")).toMatchObject({ status: 0 });
      expect(ran("unlimited")).toMatch(scoped(SLICES.system));
    });
    test.each(["oom", "oom-at-once"])("out of memory is still told: %s", (name) => {
      const err = "ns: init was killed: out of its 16M memory limit";
      expect(guest.of(name)).toMatchObject({ status: 137, out: "", err });
    });
    test("a failing pre script, SIGKILL of ns", () => {
      expect(guest.of("failing").status).toBe(125);
      expect(guest.of("killed")).toMatchObject({ status: 137, err: "" });
    });
    test("daemon-reload leaves the limits; systemctl stop is a SIGTERM to init", () => {
      expect(guest.of("reloaded").status).toBe(9);
      expect(guest.of("reloaded").file("memory.max")).toBe("67108864");
    });
  });

  describe("nothing said", () => {
    test("in a login session a limit makes a scope, in the slice of the session", () => {
      expect(guest.of("session").status).toBe(0);
      expect(ran("session")).toMatch(scoped("/user.slice/user-0.slice"));
    });
    test("in a session without limits, and in a service, there is none", () => {
      expect(ran("session-unlimited")).toMatch(
        /^\/user\.slice\/user-0\.slice\/session-9\.scope\/ns\/\d+-\w+$/,
      );
      expect(guest.of("service").status).toBe(0);
      expect(ran("service")).toMatch(/^\/system\.slice\/ns\/\d+-\w+$/);
    });
    test("--systemd=no writes below the session's own", () => {
      expect(guest.of("session-no").status).toBe(0);
      expect(ran("session-no")).toMatch(/\/session-9\.scope\/ns\/\d+-\w+$/);
    });
  });

  describe("an ordinary user", () => {
    test("without a user manager that is an error", () => {
      const { status, err } = guest.of("no-manager");
      expect(status).toBe(125);
      expect(err).toStartWith(
        "ns: cannot ask systemd for a scope at /run/user/1000/systemd/private: no such file or directory\n" +
          "note: an ordinary user needs a user manager",
      );
    });
    test("with one the limits hold", () => {
      expect(guest.of("user")).toMatchObject({ status: 5, out: "0::/" });
      expect(guest.of("user").file("values")).toContain("memory.max:67108864");
      expect(guest.of("user").file("values")).toContain("pids.max:20");
      expect(ran("user")).toMatch(scoped(SLICES.user));
    });
    test("in a login session nothing has to be said", () => {
      expect(guest.of("user-session").status).toBe(0);
      expect(ran("user-session")).toMatch(scoped(SLICES.user));
    });
    test("SIGKILL of ns", () => expect(guest.of("user-killed")).toMatchObject({ status: 137, err: "" }));
  });

  const all =
    "limits unlimited oom oom-at-once failing killed reloaded service session session-no session-unlimited";
  test.each(`${all} no-manager user user-session user-killed`.split(" "))("nothing is left: %s", nothingLeft);
});
