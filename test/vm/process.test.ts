/**
 * The process options on pure cgroup v2 and on Linux 5.10, whose close_range(2) cannot mark descriptors close-on-exec: they
 * are closed one by one. Run by `bun test`.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const list = "cd /proc/self/fd; for f in *; do [ -e $f ] && echo $f; done";

const script = `
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
exec 3</etc/passwd 5</etc/group 6</ 7</etc/passwd

run passed ns --pass-fd 5 --pass-fd 7 /pre/fds /box /bin/sh -- -c '${list}'
run passed-user as_user ns -u --pass-fd 5 - /box /bin/sh 1000 1000 -- -c '${list}'
run reaper ns --reaper --pass-fd 5 - /box /bin/sh -- -c 'echo $$; ls /proc/1/fd; ${list}; sleep 0.1; exit 7'
run reaper-user as_user ns -u --reaper - /box /bin/sh 1000 1000 -- -c 'echo $$; ls /proc/1/fd; exit 6'
run reaper-missing ns --reaper - /box /bin/fragment
run reaper-hog ns --reaper -m 16M - /box /bin/sh -- -c 'exec tail /dev/zero'
launch reaper-stopped ns --reaper - /box /bin/sh -- -c 'echo ready >/ready; exec sleep 1000'
kill $job; finish

run timeout ns -m 64M --timeout 0.2s --stop-timeout 0.1s - /box /bin/sh -- -c 'sleep 1000; :'
launch stopped ns -m 64M --stop-timeout 0.1s - /box /bin/sh -- -c 'echo ready >/ready; sleep 1000; :'
kill $job; finish

run post ns -m 64M --post /pre/post /pre/look /box /bin/sh -- -c 'sleep 0.1; exit 4'
run post-user as_user ns -u --post /pre/post - /box /bin/sh 1000 1000 -- -c 'sleep 0.1; exit 4'
run post-brief ns --post /pre/post - /box /bin/sh -- -c 'exit 4'
launch post-killed ns -m 64M --post /pre/post /pre/look /box /bin/sh -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; wait $job
has_post() { [ -s $at/post-fds ]; }
eventually has_post; end 137
exec 3<&- 5<&- 6<&- 7<&-
`;

const fds = `#!/bin/sh
ls /proc/self/fd >$(cat /run/case)/pre
`;

/** What POST sees: its arguments, its descriptors and the listing's, and whether the run's cgroup is gone. */
const post = `#!/bin/sh
at=$(cat /run/case)
echo "$2 $([ "$1" = "$(cat $at/pid 2>/dev/null)" ] && echo PRE)" >$at/post
[ -s $at/cgroup ] && [ -d /sys/fs/cgroup$(cat $at/cgroup) ] && echo cgroup >>$at/post
ls /proc/self/fd >$at/post-fds
`;

describe.skipIf(await vmMissing("the process options on cgroup v2 and Linux 5.10"))("process options", () => {
  let guest: Guest;
  beforeAll(async () => {
    const files = {
      "/pre/fds": { text: fds, mode: 0o755 },
      "/pre/post": { text: post, mode: 0o755 },
      "/box/bin/fragment": { text: "\u007fELF", mode: 0o755 },
    };
    guest = await runGuest({ kernel: "bullseye", script, files });
  }, 240_000);

  const ended = (name: string, status: number, err = ""): void => {
    expect(guest.of(name)).toMatchObject({ status, err, left: "" });
  };

  test("init has the descriptors that were passed and no others; PRE has none", () => {
    ended("passed", 0);
    expect(guest.of("passed").out).toBe("0\n1\n2\n5\n7");
    expect(guest.of("passed").file("pre").split("\n")).toEqual(["0", "1", "2", "3"]);
    ended("passed-user", 0);
    expect(guest.of("passed-user").out).toBe("0\n1\n2\n5");
  });
  test("the reaper keeps three", () => {
    ended("reaper", 7);
    expect(guest.of("reaper").out).toBe("2\n0\n1\n2\n0\n1\n2\n5");
    ended("reaper-user", 6);
    expect(guest.of("reaper-user").out).toBe("2\n0\n1\n2");
  });
  test("a reaper's init that cannot be executed, is out of memory, is stopped", () => {
    expect(guest.of("reaper-missing").status).toBe(126);
    ended("reaper-hog", 137, "ns: init was killed: out of its 16M memory limit");
    ended("reaper-stopped", 143);
  });
  test("time limits with a cgroup", () => {
    ended("timeout", 124, "ns: stopped after its timeout of 200ms");
    ended("stopped", 137, "ns: init was killed: it had not stopped 100ms after it was asked to");
  });
  test.each(["post", "post-user", "post-brief", "post-killed"])("the post script: %s", (name) => {
    const status = name === "post-killed" ? 137 : 4;
    expect(guest.of(name)).toMatchObject({ status, left: "" });
    const pre = name === "post" || name === "post-killed" ? "PRE" : "";
    expect(guest.of(name).file("post").trim()).toBe(`${status} ${pre}`.trim());
    expect(guest.of(name).file("post-fds")).toBe("0\n1\n2\n3");
  });
});
