/** The memory limit on pure cgroup v2, in a machine whose kernel has it that way. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const script = `
cg=/sys/fs/cgroup
echo +memory >$cg/cgroup.subtree_control # as systemd leaves it
waits='echo ready >/ready; read x </go;'

launch limit ns -m 64M /pre/look /box /bin/sh -- -c "cat /proc/self/cgroup; sleep 1000 & $waits exit 7"
members >$at/members
sort -n $cg$(cat $at/cgroup)/inside/cgroup.procs >$at/in-the-cgroup
ls $cg$(cat $at/cgroup) >$at/files
release

run hog ns -m 16M - /box /bin/sh -- -c 'exec tail /dev/zero'
run child-hog ns -m 16M - /box /bin/sh -- -c 'tail /dev/zero; echo survived'
run fits ns -m 64M - /box /bin/sh -- -c 'head -c 20000000 /dev/zero | tail -c 20000000 | wc -c'
launch killed-init ns -m 64M /pre/look /box /bin/sh -- -c "$waits"
kill -9 $(cat $at/pid); finish
run failing-pre ns -m 64M /pre/fail /box /bin/true
run no-limit ns /pre/look /box /bin/true

launch killed ns -m 64M - /box /bin/sh -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; finish

# the first line of -v comes after the cgroup is made and before anything is started: ns blocks on it here
begin unwatched
mkfifo /run/full; exec 7<>/run/full; head -c 65536 /dev/zero >&7
ns -v -m 64M - /box /bin/true 2>&7 >$at/out </dev/null & job=$!
made() { ls -d $cg/ns/$job-* >/dev/null 2>&1; }
eventually made
kill -9 $job; wait $job; status=$?
exec 7>&-
made && echo a cgroup >$at/remains
ns -m 64M - /box /bin/true; echo $? >$at/next
end $status

begin two
ns -m 100M - /box /bin/sh -- -c "$waits exit 1" </dev/null & first=$!
ready
ns -m 200M - /box /bin/sh -- -c "$waits exit 2" </dev/null & second=$!
ready
for pid in $(members); do
  own=$(sed -n 's/^0:://p' /proc/$pid/cgroup); own=\${own%/inside}
  echo "$own $(cat $cg$own/memory.max)" >>$at/cgroups
done
echo go >&9; echo go >&9
wait $first; one=$?; wait $second; end $((one + $?))

launch others ns -m 64M /pre/look /box /bin/sh -- -c "$waits exit 4"
ns -m 64M - /box /bin/true; echo $? >$at/second
[ -d $cg$(cat $at/cgroup) ] && echo yes >$at/still
release

# the caller alone in a cgroup that has a limit of its own
mkdir $cg/outer; echo 192M >$cg/outer/memory.max
run leaf in_cgroup $cg/outer ns -m 1G /pre/look /box /bin/sh -- -c 'cat /proc/self/cgroup; exit 5'
run leaf-no-limit in_cgroup $cg/outer ns /pre/look /box /bin/true
run leaf-outer-limit in_cgroup $cg/outer ns -m 1G - /box /bin/sh -- -c 'exec tail /dev/zero'
run leaf-failing-pre in_cgroup $cg/outer ns -m 1G /pre/fail /box /bin/true
run leaf-bad-init in_cgroup $cg/outer ns -m 1G - /box /bin/fragment
launch leaf-killed in_cgroup $cg/outer ns -m 1G /pre/look /box /bin/sh -- -c 'echo ready >/ready; exec sleep 1000'
kill -9 $job; wait $job; status=$?
eventually nobody
in_cgroup $cg/outer ns -m 1G - /box /bin/true 2>$at/next-err; echo $? >$at/next
patience=1; end $status; patience=20
rmdir $cg/outer/ns/init $cg/outer/ns 2>/dev/null; rmdir $cg/outer

# the caller in a cgroup of threads
mkdir -p $cg/whole/threads; echo threaded >$cg/whole/threads/cgroup.type
run threads in_cgroup $cg/whole/threads ns /pre/look /box /bin/true
rmdir $cg/whole/threads $cg/whole

# the caller with others in its cgroup
mkdir $cg/mid $cg/mid/busy; echo +memory >$cg/mid/cgroup.subtree_control
in_cgroup $cg/mid/busy sleep 1000 & other=$!
eventually has_process $cg/mid/busy
run busy in_cgroup $cg/mid/busy ns -m 64M /pre/look /box /bin/sh -- -c 'exit 6'
kill $(cat $cg/mid/busy/cgroup.procs); wait $other
rmdir $cg/mid/busy $cg/mid

launch below ns -m 64M - /box /below
find $cg/ns -mindepth 2 -type d >$at/tree
release
launch below-killed ns -m 64M - /box /below
kill -9 $job; wait $job; status=$?
eventually nobody
ns -m 64M - /box /bin/true
end $status

# an ordinary user with a cgroup of his own, and without
mkdir $cg/own; chown 1000 $cg/own $cg/own/cgroup.procs $cg/own/cgroup.subtree_control
run delegated in_cgroup $cg/own as_user ns -u -m 32M /pre/look /box /bin/sh 1000 1000 -- -c 'id -u; cat /proc/self/cgroup; exit 9'
run delegated-hog in_cgroup $cg/own as_user ns -u -m 16M - /box /bin/sh 1000 1000 -- -c 'exec tail /dev/zero'
in_cgroup $cg/own sleep 1000 & other=$!
eventually has_process $cg/own
run delegated-shared in_cgroup $cg/own as_user ns -u -m 32M - /box /bin/true 1000 1000
kill $(cat $cg/own/cgroup.procs); wait $other
rmdir $cg/own
run undelegated as_user ns -u -m 32M - /box /bin/true 1000 1000

run read-only unshare -m sh -c "mount -o remount,bind,ro $cg && exec ns -m 64M - /box /bin/true"
run read-only-no-limit unshare -m sh -c "mount -o remount,bind,ro $cg && exec ns - /box /bin/true"
`;

/** An init that makes cgroups of its own. */
const below = `#!/bin/sh
mkdir -p /tmp/cg && mount -t cgroup2 none /tmp/cg && mkdir -p /tmp/cg/a/b /tmp/cg/c || exit 99
sleep 1000 &
echo $! >/tmp/cg/a/b/cgroup.procs
cat /proc/$!/cgroup
echo ready >/ready
read x </go
exit 8
`;

describe.skipIf(await vmMissing("the memory limit on cgroup v2"))("memory limit on cgroup v2", () => {
  let guest: Guest;
  beforeAll(async () => {
    const files = {
      "/box/below": { text: below, mode: 0o755 },
      "/box/bin/fragment": { text: "\u007fELF", mode: 0o755 },
    };
    guest = await runGuest({ script, files });
  }, 240_000);

  const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");

  describe("as root", () => {
    test("the cgroup is the run's own, below one that is called ns", () => {
      const { status, file } = guest.of("limit");
      expect(file("cgroup")).toMatch(/^\/ns\/\d+-[a-z0-9]+$/);
      expect(status).toBe(7);
      nothingLeft("limit");
    });
    test("the limit is set before the pre script runs, with no swap on top and death as a group", () => {
      const { file } = guest.of("limit");
      expect(file("memory.max")).toBe("67108864");
      expect(file("files").split("\n")).toContain("memory.swap.max");
      expect(file("memory.swap.max")).toBe("0");
      expect(file("memory.oom.group")).toBe("1");
    });
    test("every process of the container is in it, and nobody else", () => {
      const { file } = guest.of("limit");
      expect(file("members").split("\n")).toHaveLength(2);
      expect(file("in-the-cgroup")).toBe(file("members"));
      expect(file("cgroup-of-ns")).toBe("0::/");
    });
    test("inside, it is the root of all cgroups", () => {
      expect(guest.of("limit").out).toBe("0::/");
    });
    test("an init that wants more is killed, and ns says why", () => {
      expect(guest.of("hog")).toMatchObject({
        status: 137,
        out: "",
        err: "ns: init was killed: out of its 16M memory limit",
      });
      nothingLeft("hog");
    });
    test("so is the whole container when a child of init wants more", () => {
      expect(guest.of("child-hog")).toMatchObject({
        status: 137,
        out: "",
        err: "ns: init was killed: out of its 16M memory limit",
      });
      nothingLeft("child-hog");
    });
    test("a container that stays below its limit is left alone", () => {
      expect(guest.of("fits")).toMatchObject({ status: 0, out: "20000000", err: "" });
    });
    test("an init that somebody else killed is not called out of memory", () => {
      expect(guest.of("killed-init").status).toBe(137);
      expect(guest.of("killed-init").err).toStartWith("ns: init was killed by SIGKILL, not by ns\nnote: ");
      nothingLeft("killed-init");
    });
    test("without -m the cgroup has no limit", () => {
      expect(guest.of("no-limit").file("cgroup")).toMatch(/^\/ns\/\d+-\w+$/);
      expect(guest.of("no-limit").file("memory.max")).toMatch(/^(max)?$/);
      nothingLeft("no-limit");
    });
    test("two runs have two cgroups with two limits", () => {
      const { status, file } = guest.of("two");
      const cgroups = file("cgroups").split("\n");
      expect(cgroups.map((line) => line.replace(/\d+-\w+/, "RUN")).sort()).toEqual([
        "/ns/RUN 104857600",
        "/ns/RUN 209715200",
      ]);
      expect(new Set(cgroups.map((line) => line.split(" ")[0])).size).toBe(2);
      expect(status).toBe(3);
      nothingLeft("two");
    });
    test("the end of one run leaves another one's cgroup alone", () => {
      const { status, file } = guest.of("others");
      expect(file("second")).toBe("0");
      expect(file("still")).toBe("yes");
      expect(status).toBe(4);
      nothingLeft("others");
    });
  });

  describe("nothing is left", () => {
    test("after a pre script that fails", () => {
      expect(guest.of("failing-pre").status).toBe(125);
      nothingLeft("failing-pre");
    });
    test("after SIGKILL of ns", () => {
      expect(guest.of("killed").status).toBe(137);
      nothingLeft("killed");
    });
    test("after SIGKILL of ns before its watcher is there, once the next start has swept", () => {
      const { status, file } = guest.of("unwatched");
      expect(status).toBe(137);
      expect(file("remains")).toBe("a cgroup"); // else this shows nothing
      expect(file("next")).toBe("0");
      nothingLeft("unwatched");
    });
    test("of the cgroups that the container made in its own", () => {
      const { status, out, file } = guest.of("below");
      expect(out).toBe("0::/a/b");
      expect(
        file("tree")
          .replace(/\/\d+-\w+\//g, "/RUN/")
          .split("\n")
          .sort(),
      ).toEqual(
        ["inside", "inside/a", "inside/a/b", "inside/c"].map((path) => `/sys/fs/cgroup/ns/RUN/${path}`),
      );
      expect(status).toBe(8);
      nothingLeft("below");
    });
    test("of those after SIGKILL of ns, once the next start has swept", () => {
      expect(guest.of("below-killed").status).toBe(137);
      nothingLeft("below-killed");
    });
  });

  describe("from a cgroup below the root", () => {
    test("alone in it: ns makes room in it, so that its limits hold for the container too", () => {
      const { status, out, err, file } = guest.of("leaf");
      expect({ status, out, err }).toEqual({ status: 5, out: "0::/", err: "" });
      expect(file("cgroup")).toMatch(/^\/outer\/ns\/\d+-\w+$/);
      expect(file("cgroup-of-ns")).toBe("0::/outer/ns/init");
    });
    test("without a limit of its own too, and no controller has to be switched on", () => {
      const { status, err, file } = guest.of("leaf-no-limit");
      expect({ status, err }).toEqual({ status: 0, err: "" });
      expect(file("cgroup")).toMatch(/^\/outer\/ns\/\d+-\w+$/);
      expect(file("cgroup-of-ns")).toBe("0::/outer");
    });
    test("the outer limit kills a container whose own is wider", () => {
      expect(guest.of("leaf-outer-limit").status).toBe(137);
    });
    test.each(["leaf", "leaf-no-limit", "leaf-outer-limit", "leaf-failing-pre", "leaf-bad-init"])(
      "it is as it was afterwards: %s",
      nothingLeft,
    );
    test("errors have their statuses there too", () => {
      expect(guest.of("leaf-failing-pre").status).toBe(125);
      expect(guest.of("leaf-bad-init").status).toBe(126);
    });
    test("SIGKILL of ns: it is as it was and can be used again", () => {
      const { status, file } = guest.of("leaf-killed");
      expect(status).toBe(137);
      expect(file("next-err")).toBe("");
      expect(file("next")).toBe("0");
      nothingLeft("leaf-killed");
    });
    test("of threads, without a limit: the nearest cgroup above that takes processes", () => {
      const { status, err, file } = guest.of("threads");
      expect({ status, err }).toEqual({ status: 0, err: "" });
      expect(file("cgroup")).toMatch(/^\/ns\/\d+-\w+$/);
      expect(file("cgroup-of-ns")).toBe("0::/whole/threads");
      nothingLeft("threads");
    });
    test("with others in it: the nearest cgroup above that has room", () => {
      const { status, err, file } = guest.of("busy");
      expect({ status, err }).toEqual({ status: 6, err: "" });
      expect(file("cgroup")).toMatch(/^\/mid\/ns\/\d+-\w+$/);
      expect(file("cgroup-of-ns")).toBe("0::/mid/busy");
      nothingLeft("busy");
    });
  });

  describe("as an ordinary user", () => {
    test("in a delegated cgroup", () => {
      const { status, out, err, file } = guest.of("delegated");
      expect({ status, out, err }).toEqual({ status: 9, out: "0\n0::/", err: "" });
      expect(file("cgroup")).toMatch(/^\/own\/ns\/\d+-\w+$/);
      expect(file("memory.max")).toBe("33554432");
      nothingLeft("delegated");
    });
    test("the limit holds there", () => {
      expect(guest.of("delegated-hog")).toMatchObject({
        status: 137,
        err: "ns: init was killed: out of its 16M memory limit",
      });
      nothingLeft("delegated-hog");
    });
    test("in a delegated cgroup with other processes in it: refused", () => {
      const { status, err } = guest.of("delegated-shared");
      expect(err).toStartWith("ns: cannot limit memory: cannot make a cgroup in /sys/fs/cgroup/own/ns: ");
      expect(err).toContain(
        "\nnote: other processes are in /sys/fs/cgroup/own; run it in a cgroup of your own: systemd-run",
      );
      expect(status).toBe(125);
      nothingLeft("delegated-shared");
    });
    test("without one: refused, with the way to get one", () => {
      const { status, err } = guest.of("undelegated");
      expect(err).toBe(
        [
          "ns: cannot limit memory: cannot make a cgroup in /sys/fs/cgroup/ns: permission denied",
          "note: run it in a cgroup of your own: systemd-run --user --scope -p Delegate=yes ns …",
        ].join("\n"),
      );
      expect(status).toBe(125);
      nothingLeft("undelegated");
    });
  });

  describe("cgroups mounted read-only", () => {
    test("a limit is refused, and ns says why", () => {
      expect(guest.of("read-only")).toMatchObject({
        status: 125,
        err: [
          "ns: cannot limit memory: cannot make a cgroup in /sys/fs/cgroup/ns: read-only file system",
          "note: /sys/fs/cgroup is mounted read-only here",
        ].join("\n"),
      });
      nothingLeft("read-only");
    });
    test("without a limit they do not matter", () => {
      expect(guest.of("read-only-no-limit")).toMatchObject({ status: 0, err: "" });
    });
  });
});
