/** The options about namespaces: shared ones, names, clocks, and networks to join. */
import { describe, expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import {
  callers,
  folder,
  launch,
  leavesNothing,
  line,
  ns,
  root,
  rootTest,
  runCommand,
  script,
  userIds,
} from "../harness.ts";

leavesNothing();

const hosts = (name: string): string => readlinkSync(`/proc/self/ns/${name}`);
const KINDS = ["mnt", "pid", "uts", "ipc", "cgroup", "net", "time"];

describe.each(callers)("%s", (_, unprivileged) => {
  const start = (options: string[], command: string, pre = "-") =>
    runCommand(line(unprivileged, ["/bin/sh", "-c", command], { options, pre }), { unprivileged });
  /** which of the host's namespaces the container is in */
  const shared = async (options: string[]): Promise<string[]> => {
    const ran = await start(options, `cd /proc/self/ns; for n in ${KINDS.join(" ")}; do readlink $n; done`);
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    const inside = ran.stdout.split("\n");
    return KINDS.filter((name, i) => inside[i] === hosts(name));
  };

  test.each<[string[], string[]]>([
    [[], ["net", "time"]],
    [["--share=uts"], ["uts", "net", "time"]],
    [["--share=ipc"], ["ipc", "net", "time"]],
    [["--share=cgroup"], ["cgroup", "net", "time"]],
    [
      ["--share=ipc,uts", "--share=cgroup,net,time"],
      ["uts", "ipc", "cgroup", "net", "time"],
    ],
    [["-n", "--time"], []],
    [["-n", "--time", "--share=ipc"], ["ipc"]],
  ])("%j: %j are the host's", async (options, expected) => {
    expect(await shared(options)).toEqual(expected);
  });

  test("names are the container's own", async () => {
    const names = await start(
      ["--hostname", "box", "--domainname", "nis.example"],
      "hostname; cat /proc/sys/kernel/domainname",
    );
    expect(names).toMatchObject({ status: 0, stdout: "box\nnis.example\n", stderr: "" });
    const again = await runCommand(["cat", "/proc/sys/kernel/domainname"]);
    expect(again.stdout).not.toContain("nis.example");
  });

  test("a uts namespace that is shared cannot be given a name", async () => {
    const ran = await start(["--share=uts", "--hostname", "box"], "true");
    expect(ran.stderr).toStartWith(
      "ns: --share=uts and --hostname exclude each other: the host's own name would change\n",
    );
    expect(ran.status).toBe(2);
  });

  const uptime = async (): Promise<number> =>
    Number.parseFloat((await runCommand(["cat", "/proc/uptime"])).stdout);

  test("clocks are as far ahead as said, for children of init too", async () => {
    const options = ["--time", "--boottime-offset", "86400000", "--monotonic-offset", "7"];
    const before = await uptime();
    const ran = await start(options, "cat /proc/uptime; (cat /proc/uptime); cat /proc/self/timens_offsets");
    const after = await uptime();
    const [first, second, ...offsets] = ran.stdout.split("\n");
    for (const text of [first!, second!]) {
      expect(Number.parseFloat(text)).toBeGreaterThanOrEqual(before + 86400000 - 0.02);
      expect(Number.parseFloat(text)).toBeLessThanOrEqual(after + 86400000 + 0.02);
    }
    expect(offsets.map((text) => text.replaceAll(/ +/g, " "))).toEqual([
      "monotonic 7 0",
      "boottime 86400000 0",
      "",
    ]);
  });

  test("init itself has them", async () => {
    const { stdout } = await runCommand(
      line(unprivileged, ["/bin/cat", "/proc/uptime"], { options: ["--time", "--boottime-offset=86400000"] }),
      { unprivileged },
    );
    expect(Number.parseFloat(stdout)).toBeGreaterThanOrEqual(86400000);
  });

  test("with a map that has no root, a waiting program, and SIGTERM", async () => {
    const options = ["--time", "--boottime-offset=-1", "--map=keep"];
    const words = [
      ns,
      ...options,
      "-",
      root,
      "/bin/sh",
      "--",
      "-c",
      'trap "exit 6" TERM; echo ready $(tail -n 1 /proc/self/timens_offsets); sleep 1000 & wait',
    ];
    const running = launch(words, { unprivileged });
    expect(await running.line(/ready/)).toBe("ready boottime -1 0");
    running.kill("SIGTERM");
    expect((await running.ended).status).toBe(6);
  });

  test("a clock that would go below 0 is refused before init runs, and nothing is left", async () => {
    const ran = await start(["--time", "--boottime-offset=-4000000000"], "echo ran");
    expect(ran).toMatchObject({
      status: 125,
      stdout: "",
      stderr:
        "ns: cannot set the clocks' offsets: result too large\nnote: a clock would show less than 0, or more than the kernel can count\n",
    });
  });

  test.each([
    [
      "--join-net=nope",
      "cannot join the network namespace /run/netns/nope: no such file or directory\nnote: make it: ip netns add nope",
    ],
    ["--join-net=/etc/passwd", "/etc/passwd is not a network namespace"],
    ["--join-net=/proc/self/ns/uts", "/proc/self/ns/uts is not a network namespace"],
    [
      "--join-net=4194304",
      "cannot join the network namespace /proc/4194304/ns/net: no such file or directory",
    ],
  ])("%s is refused", async (option, words) => {
    const ran = await start([option], "echo ran");
    expect(ran).toMatchObject({ status: 125, stdout: "", stderr: `ns: ${words}\n` });
  });

  test("a fifo instead of a network namespace keeps nobody waiting", async () => {
    const fifo = join(folder, `fifo-${unprivileged}`);
    await runCommand(["mkfifo", "-m", "666", fifo]);
    expect((await start([`--join-net=${fifo}`], "true")).stderr).toBe(
      `ns: ${fifo} is not a network namespace\n`,
    );
  });
});

describe("--join-net, as root", () => {
  /** in a host with a named network, whose loopback has an address of its own */
  const withNetwork = (command: string) =>
    runCommand([
      ...["unshare", "-n", "-m", "sh", "-ec"],
      `mount -t tmpfs none /run; ip netns add blue; ip netns exec blue ip addr add 10.9.9.9/32 dev lo; ${command}`,
    ]);
  const address = "ip -4 -o addr show lo | tr -s ' ' | cut -d' ' -f4";
  const container = (option: string, command: string, pre = "-", ids = "") =>
    `${ns} ${option} ${pre} ${root} /bin/sh ${ids} -- -c '${command.replaceAll("'", `'\\''`)}'`;

  rootTest("by name and by path", async () => {
    expect((await withNetwork(container("--join-net blue", address))).stdout).toBe("10.9.9.9/32\n");
    expect((await withNetwork(container("--join-net=/run/netns/blue", address))).stdout).toBe(
      "10.9.9.9/32\n",
    );
  });
  rootTest("by a process's id", async () => {
    const ran = await withNetwork(
      `ip netns exec blue sh -c 'echo up; exec sleep 1000' >/run/out & pid=$!; until grep -q up /run/out; do :; done; ${container("--join-net $pid", address)}; kill $pid`,
    );
    expect(ran.stdout).toBe("10.9.9.9/32\n");
  });
  rootTest("with a user namespace, whose root has no power over it", async () => {
    const command = `ip link set lo up 2>/dev/null || echo no; ${address}`;
    const ran = await withNetwork(container("-u --join-net blue", command, "-", userIds.join(" ")));
    expect(ran.stdout).toBe("no\n10.9.9.9/32\n");
  });
  rootTest("PRE and ns itself stay where they are; a waiting program too", async () => {
    const pre = script(
      "where",
      "#!/bin/sh\nreadlink /proc/self/ns/net; readlink /proc/$PPID/ns/net; readlink /proc/$1/ns/net\n",
    );
    const ran = await withNetwork(
      `readlink /proc/self/ns/net; ${container("--join-net blue", "readlink /proc/self/ns/net; sleep 0.1", pre)}`,
    );
    const [host, before, itself, child, inside] = ran.stdout.split("\n");
    expect([before, itself]).toEqual([host, host]);
    expect(child).not.toBe(host);
    expect(inside).toBe(child);
    expect(ran.status).toBe(0);
  });
  rootTest("its switches in /proc/sys are read-only: it is others' too", async () => {
    const ran = await withNetwork(
      container("--join-net blue", "echo 1 >/proc/sys/net/ipv4/ip_forward || echo ro"),
    );
    expect(ran.stdout).toBe("ro\n");
  });
  rootTest("an ordinary user is told that he may not", async () => {
    const ran = await withNetwork(
      `setpriv --reuid=65534 --regid=65534 --clear-groups ${ns} -u --join-net blue - ${root} /bin/true 65534 65534`,
    );
    expect(ran.stderr).toBe("ns: only root may join a network namespace (--join-net)\n");
  });
  rootTest("--dry-run shows it", async () => {
    const ran = await withNetwork(`${ns} --dry-run --join-net blue - ${root} /bin/true | grep -A1 network`);
    expect(ran.stdout).toContain('open("/run/netns/blue") = network\nns    setns(network, CLONE_NEWNET)\n');
  });
});

rootTest("a limit and a shared cgroup namespace: init sees the host's tree", async () => {
  const ran = await runCommand(
    line(false, ["/bin/grep", ":memory:", "/proc/self/cgroup"], { options: ["-m", "64M", "--share=cgroup"] }),
  );
  expect(ran.stdout).toMatch(/^\d+:memory:\/.*\/ns\/\d+-\w+$/m);
});

rootTest("--share=uts: a name that the host is given is the container's", async () => {
  const ran = await runCommand([
    ...["unshare", "-u", "sh", "-c", 'hostname outer; "$@"', "sh"],
    ...line(false, ["/bin/hostname"], { options: ["--share=uts"] }),
  ]);
  expect(ran.stdout).toBe("outer\n");
});
