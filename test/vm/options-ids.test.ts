/** The options about ids and namespaces where cgroup v2 is all there is, on Debian 12's Linux 6.1. Run by `bun test`. */
import { beforeAll, describe, expect, test } from "bun:test";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

const script = `
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
limit=/sys/fs/cgroup/own
mkdir $limit && chown 1000 $limit $limit/cgroup.procs $limit/cgroup.subtree_control

run maps ns -m 64M --map-uid 0:100000:1000 --as 9:8,7 - /box /bin/sh -- -c 'id -u; id -g; cat /proc/self/cgroup; grep CapEff /proc/self/status'
run no-root ns -n -m 64M --read-only --map-uid 1000:100000:10 --as 1001:1002 - /box /bin/sh -- -c 'id -u; touch /x || exit 5'
run keep as_user ns --map=keep - /box /bin/sh -- -c 'id -u; grep CapEff /proc/self/status'
run keep-delegated in_cgroup $limit as_user ns -m 32M --map=keep - /box /bin/sh -- -c 'id -u; cat /proc/self/cgroup'
run one as_user ns --map-uid 7:1000:1 --as 7:7 --time --boottime-offset 86400000 - /box /bin/sh -- -c 'id -u; cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime'
run time ns --time --boottime-offset 86400000 - /box /bin/cat -- /proc/uptime

touch /box/five; chown 5:6 /box/five
run shifted ns -m 64M --idmap-root --map-uid 0:100000:1000 - /box /bin/sh -- -c 'stat -c "%u %g" /five /bin; touch /new'
stat -c '%u %g' /box/new >$at/new; rm /box/new
run shifted-ro ns --idmap-root --read-only -u - /box /bin/sh 1000 1000 -- -c 'touch /new || exit 4'
mkdir -p /tmp/mem; mount -t tmpfs t /tmp/mem; cp -a /box/bin /tmp/mem; mkdir /tmp/mem/proc
run no-idmap ns --idmap-root -u - /tmp/mem /bin/true 1000 1000
umount /tmp/mem

run shared ns -m 64M --share=cgroup,uts - /box /bin/sh -- -c 'cat /proc/self/cgroup; readlink /proc/self/ns/uts'
readlink /proc/self/ns/uts >$at/uts
launch other ns -n - /box /bin/sh -- -c 'ip addr add 10.9.9.9/32 dev lo; echo ready >/ready; read x </go'
inner=$(members | head -n 1)
ns --join-net $inner - /box /bin/sh -- -c 'ip -4 -o addr show lo' >$at/joined 2>&1
release

launch terminated ns -m 64M --map-uid 0:100000:1000 --as 9:9 - /box /bin/sh -- -c 'trap "exit 6" TERM; echo ready >/ready; sleep 1000 & wait'
kill $job; finish
launch killed ns -m 64M --idmap-root --map-uid 0:100000:1000 --as 9:9 --time - /box /bin/sh -- -c 'echo ready >/ready; sleep 1000 & exec sleep 1000'
kill -9 $job; finish
run failing-pre ns -m 64M --idmap-root --map-uid 0:100000:1000 --time /pre/fail /box /bin/true
`;

const NONE = "CapEff:\t0000000000000000";

describe.skipIf(await vmMissing("ids and namespaces on cgroup v2"))("ids and namespaces on cgroup v2", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({ script });
  }, 240_000);

  const nothingLeft = (name: string): void => expect(guest.of(name).left).toBe("");

  test("many ids, --as and a limit", () => {
    expect(guest.of("maps")).toMatchObject({ status: 0, out: `9\n8\n0::/\n${NONE}`, err: "" });
    nothingLeft("maps");
  });
  test("a map without root, with a network, a limit and a read-only root", () => {
    const { status, out, err } = guest.of("no-root");
    expect({ status, out }).toEqual({ status: 5, out: "1001" });
    expect(err).toContain("Read-only file system");
    nothingLeft("no-root");
  });
  test("--map=keep, as an ordinary user", () => {
    expect(guest.of("keep")).toMatchObject({ status: 0, out: `1000\n${NONE}`, err: "" });
    expect(guest.of("keep-delegated")).toMatchObject({ status: 0, out: "1000\n0::/", err: "" });
    nothingLeft("keep-delegated");
  });
  test("clocks of its own", () => {
    const [id, monotonic, boottime, up] = guest.of("one").out.split("\n");
    expect([id, monotonic, boottime].map((text) => text!.replaceAll(/ +/g, " "))).toEqual([
      "7",
      "monotonic 0 0",
      "boottime 86400000 0",
    ]);
    expect(Number(up)).toBeGreaterThanOrEqual(86400000);
    expect(Number.parseFloat(guest.of("time").out)).toBeGreaterThanOrEqual(86400000);
    nothingLeft("time");
  });
  test("a root whose ids are shifted", () => {
    const { status, out, err, file } = guest.of("shifted");
    expect({ status, out, err }).toEqual({ status: 0, out: "5 6\n0 0", err: "" });
    expect(file("new")).toBe("0 0");
    expect(guest.of("shifted-ro").status).toBe(4);
    nothingLeft("shifted");
  });
  test("a file system whose ids this kernel cannot shift is refused", () => {
    const { status, err } = guest.of("no-idmap");
    expect(err).toStartWith("ns: cannot shift the ids of the root: invalid argument\nnote: its file system");
    expect(status).toBe(125);
    nothingLeft("no-idmap");
  });
  test("shared namespaces", () => {
    const [cgroup, uts] = guest.of("shared").out.split("\n");
    expect(cgroup).toMatch(/^0::\/ns\/\d+-\w+\/inside$/);
    expect(uts).toBe(guest.of("shared").file("uts"));
    nothingLeft("shared");
  });
  test("another container's network", () => {
    expect(guest.of("other").file("joined")).toContain("inet 10.9.9.9/32");
    nothingLeft("other");
  });
  test.each<[string, number]>([
    ["terminated", 6],
    ["killed", 137],
    ["failing-pre", 125],
  ])("nothing is left: %s", (name, status) => {
    expect(guest.of(name).status).toBe(status);
    nothingLeft(name);
  });
});
