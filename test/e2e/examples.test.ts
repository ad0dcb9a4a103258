/** What ships beside ns in examples/. Networks are made in namespaces of the tests' own. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, cpSync, existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  asOrdinary,
  callers,
  folder,
  isRoot,
  launch,
  leavesNothing,
  ns,
  ordinary,
  project,
  type Ran,
  root,
  rootTest,
  type Running,
  runCommand,
  until,
} from "../harness.ts";

leavesNothing();

// where an ordinary user can read them
const examples = join(folder, "examples");
cpSync(join(project, "examples"), examples, { recursive: true });

describe.each(callers)("shell.sh %s", (_, unprivileged) => {
  const shell = (words: string[], env: Record<string, string> = {}): Promise<Ran> =>
    runCommand(["sh", join(examples, "shell.sh"), ...words], { unprivileged, env: { NS: ns, ...env } });

  test("runs a command, passes its words and its status on", async () => {
    const ran = await shell([root, "sh", "-c", 'echo "$# $1 $(id -u) $$"; exit 6', "sh", "a  b", ""]);
    expect(ran).toMatchObject({ status: 6, stdout: "2 a  b 0 1\n", stderr: "" });
  });
  test("runs a shell", async () => {
    const ran = await runCommand(["sh", join(examples, "shell.sh"), root], {
      unprivileged,
      stdin: "echo $((40+2)); exit 3\n",
      env: { NS: ns },
    });
    expect(ran.stdout).toContain("42\n");
    expect(ran.status).toBe(3);
  });
  test("a mistake is its own, not ns's", async () => {
    expect(await shell([])).toMatchObject({ status: 2, stdout: "" });
    expect(await shell(["/no/root"])).toMatchObject({
      status: 2,
      stderr: "shell.sh: there is no directory /no/root\n",
    });
    expect((await shell(["-x", root])).stderr).toStartWith("shell.sh: usage: ");
  });
});

describe("pre.sh and init.sh", () => {
  const pre = join(examples, "pre.sh");
  const tools = isRoot && Bun.which("ip") !== null && Bun.which("ping") !== null;
  const netTest = (name: string, body: () => Promise<void>): void =>
    test.skipIf(!tools)(tools ? name : `${name} [needs root, ip and ping]`, body);

  /** "The host": a network of its own, with an uplink to "the internet", which knows no way back to the container. */
  let host: Running;
  let internet: Running;
  const on = (side: Running, words: string[]): Promise<Ran> =>
    runCommand(["nsenter", "-t", `${side.pid}`, "-n", "-m", "--", ...words]);
  const must = async (side: Running, text: string): Promise<string> => {
    const ran = await on(side, ["sh", "-ec", text]);
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    return ran.stdout;
  };
  const sandbox = (): Running => launch(["unshare", "-n", "-m", "sh", "-c", "echo up; exec sleep 1000"]);
  const hostState = async (): Promise<string> => {
    const switches = [
      "/proc/sys/net/ipv4/ip_forward",
      "/proc/sys/kernel/core_pattern",
      "/proc/sys/kernel/hostname",
    ];
    const interfaces = readdirSync("/proc/sys/net/ipv4/conf").map(
      (name) => `/proc/sys/net/ipv4/conf/${name}/forwarding`,
    );
    const commands = [
      ["ip", "-o", "link"],
      ["ip", "-4", "route", "show", "table", "all"],
      ["nft", "list", "ruleset"],
    ];
    const shown: string[] = [...switches, ...interfaces].map(
      (file) => `${file} ${readFileSync(file, "utf8")}`,
    );
    for (const words of commands)
      if (Bun.which(words[0]!) !== null) shown.push((await runCommand(words)).stdout);
    return shown.join("\n");
  };
  let before = "";

  beforeAll(async () => {
    if (!tools) return;
    before = await hostState();
    host = sandbox();
    internet = sandbox();
    await Promise.all([host.line(/up/), internet.line(/up/)]);
    await must(
      host,
      `ip link set lo up; ip link add up0 type veth peer name out0 netns ${internet.pid}
      ip addr add 203.0.113.1/24 dev up0; ip link set up0 up; ip route add default via 203.0.113.2`,
    );
    await must(internet, "ip addr add 203.0.113.2/24 dev out0; ip link set out0 up");
  });
  afterAll(async () => {
    if (!tools) return;
    for (const side of [host, internet]) side.kill("SIGKILL");
    await Promise.all([host.ended, internet.ended]);
    expect(await hostState()).toBe(before);
  });

  const enterHost = (): string[] => ["nsenter", "-t", `${host.pid}`, "-n", "-m", "--"];
  const words = (command: string, script = pre): string[] => [
    ...[...enterHost(), ns, "-m", "1G", "-n", script, root],
    ...["/init.sh", "--", "sh", "-c", command],
  ];
  /** A pair goes with the container's network, which the kernel takes down a little later. */
  const noPairs = (): Promise<void> =>
    until("the pairs are gone", () => {
      const listed = Bun.spawnSync([...enterHost(), "ip", "link"], { stderr: "inherit" });
      return listed.exitCode === 0 && !listed.stdout.includes("nsveth");
    });
  const ping = (name: string): string => `ping -c 1 -W 3 ${name} >/dev/null && echo reached ${name}`;
  const HOLD = "echo ready; trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

  netTest("README's line: ns -m 1G -n pre.sh root /init.sh; packets flow both ways", async () => {
    const address = "ip -o -4 addr show dev eth0 | sed -n 's/.* inet \\([0-9.]*\\).*/address \\1/p'";
    const running = launch(words(`${ping("host")}; ${ping("$(hostname)")}; ${address}; ${HOLD}`));
    await running.line(/^ready/);
    expect(running.stdout()).toStartWith("reached host\nreached zzroot\naddress 10.213.");
    const inner = /address (\S+)/.exec(running.stdout())![1]!;
    expect((await on(host, ["ping", "-c", "1", "-W", "3", inner])).status).toBe(0);
    running.kill("SIGTERM");
    expect(await running.ended).toMatchObject({ status: 0, stderr: "" });
    await noPairs();
  });

  const nft = Bun.which("nft") !== null || Bun.which("iptables") !== null;
  test.skipIf(!tools || !nft)("NAT: the container reaches what knows no way back to it", async () => {
    const ran = await runCommand(words(ping("203.0.113.2")));
    expect(ran).toMatchObject({ status: 0, stdout: "reached 203.0.113.2\n", stderr: "" });
    if (Bun.which("nft") !== null) {
      const table = await must(host, "nft list table ip ns_nat");
      expect(table.match(/masquerade/g)?.length).toBe(1);
      // without it the answer does not come: the test can fail
      const without = `${await Bun.file(pre).text()}\nnft delete table ip ns_nat\n`;
      await Bun.write(join(folder, "pre-without-nat.sh"), without);
      chmodSync(join(folder, "pre-without-nat.sh"), 0o755);
      const quick = ping("203.0.113.2").replace("-W 3", "-W 1");
      expect((await runCommand(words(quick, join(folder, "pre-without-nat.sh")))).stdout).toBe("");
    }
  });

  netTest(
    "two containers at once have addresses of their own, and a third after a crash of both",
    async () => {
      const both = [launch(words(`${ping("host")}; ${HOLD}`)), launch(words(`${ping("host")}; ${HOLD}`))];
      for (const running of both) await running.line(/^ready/);
      for (const running of both) expect(running.stdout()).toStartWith("reached host\n");
      const addresses = await must(host, "ip -o -4 addr | grep -o '10.213.[0-9.]*/30'");
      expect(new Set(addresses.trimEnd().split("\n")).size).toBe(2);
      for (const running of both) {
        running.kill("SIGKILL");
        await running.ended;
      }
      expect((await runCommand(words(ping("host")))).stdout).toBe("reached host\n");
    },
  );

  netTest("pre.sh can run again for the same container", async () => {
    const twice = join(folder, "twice.sh");
    await Bun.write(twice, `#!/bin/sh\nset -e\n${pre} "$1"\n${pre} "$1"\n`);
    chmodSync(twice, 0o755);
    expect(await runCommand(words(ping("host"), twice))).toMatchObject({
      status: 0,
      stdout: "reached host\n",
      stderr: "",
    });
  });

  netTest("pre.sh without -n does nothing", async () => {
    await noPairs();
    const state = "ip -o link | wc -l; cat /proc/sys/net/ipv4/conf/*/forwarding";
    const links = await must(host, state);
    const start = [...enterHost(), ns, pre, root, "/bin/sh", "--", "-c", "echo $CLONE_NEWNET-"];
    expect(await runCommand(start)).toMatchObject({ status: 0, stdout: "-\n", stderr: "" });
    expect(await must(host, state)).toBe(links);
  });

  test("pre.sh for an ordinary user says that it takes root, and nothing is started", async () => {
    const own = [
      ns,
      "-un",
      pre,
      root,
      "/init.sh",
      `${ordinary.uid}`,
      `${ordinary.gid}`,
      "--",
      "echo",
      "started",
    ];
    const ran = await runCommand(asOrdinary(own));
    expect(ran).toMatchObject({ status: 125, stdout: "" });
    expect(ran.stderr).toStartWith("pre.sh: only root can connect a container");
  });

  rootTest("init.sh: what it mounts, the name, nothing written to the root, its own words", async () => {
    const look =
      "cut -d' ' -f2 /proc/mounts | grep -e ^/sys -e ^/tmp -e ^/run -e ^/dev; hostname; echo x > /tmp/x && echo x > /run/x";
    const ran = await runCommand([ns, "-", root, "/init.sh", "--", "sh", "-c", look]);
    expect(ran).toMatchObject({
      status: 0,
      stderr: "",
      stdout: "/dev\n/sys\n/tmp\n/run\n/dev/shm\n/dev/pts\nzzroot\n",
    });
    expect(existsSync(join(root, "tmp/x")) || existsSync(join(root, "run/x"))).toBe(false);
  });
});
