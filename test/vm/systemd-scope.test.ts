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
own=$(sed -n 's/^0:://p' /proc/$1/cgroup)
echo $own >$at/cgroup
cd /sys/fs/cgroup$own && grep -H . memory.max memory.swap.max cpu.max pids.max >$at/values
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
begin() { at=/out/$1; mkdir -p $at; chmod 777 $at; echo $at >/run/case; }
finish() { wait $job; status=$?; eventually nothing; world >$at/left; echo $status >$at/status; }
run() { begin $1; shift; "$@" >$at/out 2>$at/err </dev/null & job=$!; finish; }
launch() { begin $1; shift; "$@" >$at/out 2>$at/err </dev/null & job=$!; read -r word <&8; }
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

begin no-manager
run no-manager as_user ns -u --systemd -m 64M /look /box /bin/true 1000 1000
systemctl start user@1000.service
run user as_user ns -u --systemd -m 64M --pids 20 /look /box /bin/sh 1000 1000 -- -c 'cat /proc/self/cgroup; exit 5'
launch user-killed as_user ns -u --systemd -m 64M - /box /bin/sh 1000 1000 -- -c "$waits"
kill -9 $job; finish
systemctl stop user@1000.service
[ ! -e /measure ] || . /measure
systemctl --no-block halt
`;

const service = `[Service]
ExecStart=/cases
[Install]
WantedBy=multi-user.target
`;

const script = `
patience=60
echo +memory +cpu +pids >/sys/fs/cgroup/cgroup.subtree_control
cp /usr/bin/ns /debian/usr/bin/ns
cp -a /box /debian/box
cp -a /inside/. /debian/
mkdir -p /debian/out /debian/etc/systemd/system/user@1000.service.d
echo user:x:1000:1000::/:/bin/sh >>/debian/etc/passwd
echo user:x:1000: >>/debian/etc/group
printf '[Service]\\nPAMName=\\nEnvironment=XDG_RUNTIME_DIR=/run/user/1000\\n' >/debian/etc/systemd/system/user@1000.service.d/here.conf
ln -s ../cases.service /debian/etc/systemd/system/multi-user.target.wants/cases.service
run debian ns -n -m 800M --pids 10000 --cpus 2 - /debian /sbin/init
cp -r /debian/out/. /results/
`;

const needs = { mmdebstrap: "mmdebstrap" };
describe.skipIf(await vmMissing("ns under systemd", needs))("ns under systemd", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({
      script: script.replace("run debian", "begin debian; ").replace("/sbin/init\n", "/sbin/init; end $?\n"),
      files: {
        "/inside/look": { text: look, mode: 0o755 },
        "/inside/cases": { text: cases, mode: 0o755 },
        "/inside/etc/systemd/system/cases.service": { text: service },
        ...(process.env.MEASURE === undefined ? {} : { "/inside/measure": process.env.MEASURE }),
      },
      mounts: { "/debian": await debianImage() },
      memory: 1280,
      timeoutMs: 280_000,
    });
    if (process.env.MEASURE !== undefined) console.log(guest.of("measured").out);
  }, 300_000);

  const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");
  const scoped = (slice: string): RegExp => new RegExp(`^${slice}/ns-\\d+-\\w+\\.scope/ns/\\d+-\\w+$`);

  test("dump", () => {
    for (const name of [
      "limits",
      "unlimited",
      "oom",
      "oom-at-once",
      "failing",
      "killed",
      "reloaded",
      "service",
      "session",
      "session-no",
      "session-unlimited",
      "no-manager",
      "user",
      "user-killed",
    ]) {
      const c = guest.of(name);
      console.log(
        name,
        c.status,
        JSON.stringify([
          c.out,
          c.err,
          c.left,
          c.file("cgroup"),
          c.file("values"),
          c.file("show"),
          c.file("memory.max"),
        ]),
      );
    }
    console.log(guest.of("limits").file("status-of-scope"), scoped("/system.slice"));
    nothingLeft("limits");
  });
});
