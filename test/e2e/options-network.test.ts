/**
 * --net, --publish and --resolv-conf with real packets. What touches the host's network runs in a network and mount
 * namespace of its own, in which this file sets up an uplink with a neighbour that answers, a bridge, a resolv.conf and a
 * /dev/net/tun that everybody may open.
 */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  callers,
  folder,
  isRoot,
  launch,
  leavesNothing,
  line,
  makeSmallRoot,
  ns,
  root,
  run,
  runCommand,
  script,
  until,
  user,
  ids,
} from "../harness.ts";

leavesNothing();

const nameservers = "nameserver 192.0.2.53\nsearch example.org\n";
writeFileSync(join(folder, "resolv.conf"), nameservers);

/** Asks the neighbour for its word, without a half-closed connection: the pasta of Debian 12 does not end one. */
const fetch = "busybox nc -w 5 10.9.9.1 9000 -e /bin/sh -c 'read -r word; echo $word >&2' 2>&1";

/** Becomes its arguments in a small world: uplink 10.9.9.2 with a neighbour 10.9.9.1, bridge br0 with 10.8.8.1. */
const world = script(
  "world",
  `#!/bin/sh
set -e
ip link set lo up
ip link add up0 type veth peer name up1
mkfifo "$HOME/neighbour.$$"
# it dies with the one that this shell becomes
unshare -n sh -c 'echo here >"$1"; read -r _ <"$1"
  ip addr add 10.9.9.1/24 dev up1; ip link set up1 up; echo up >"$1"
  # what dies with it must be of a user that it may send signals to
  exec setpriv --reuid=65534 --regid=65534 --clear-groups --pdeathsig KILL sh -c "
    while :; do setpriv --pdeathsig KILL busybox nc -l -p 9000 -e /bin/echo from-outside; done"
  ' sh "$HOME/neighbour.$$" </dev/null >/dev/null 2>&1 &
read -r _ <"$HOME/neighbour.$$"
ip link set up1 netns $!
echo go >"$HOME/neighbour.$$"
read -r _ <"$HOME/neighbour.$$"
rm "$HOME/neighbour.$$"
ip addr add 10.9.9.2/24 dev up0; ip link set up0 up; ip route add default via 10.9.9.1
ip link add br0 type bridge; ip addr add 10.8.8.1/24 dev br0; ip link set br0 up
mount -t tmpfs none /dev/net; mknod /dev/net/tun c 10 200; chmod 666 /dev/net/tun
mount --bind "$HOME/resolv.conf" /etc/resolv.conf
exec "$@"
`,
);
const inWorld = (words: string[], unprivileged = false): string[] => [
  ...["env", `HOME=${folder}`, "unshare", "-n", "-m", world],
  ...(unprivileged ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []),
  ...words,
];
const sh = (unprivileged: boolean, text: string, options: string[], pre = "-"): string[] =>
  inWorld(line(unprivileged, ["/bin/sh", "-c", text], { options, pre }), unprivileged);

const pastas = (): string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && /pasta\0--foreground\0/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
    } catch {
      return false;
    }
  });
const noPasta = () => until("no pasta is left", () => pastas().length === 0, 3000);

/** Tests that make networks: only root can; for others they are skipped, and their name says why. */
const rootDescribe = describe.skipIf(!isRoot);
const named = (name: string): string => (isRoot ? name : `${name} [needs root]`);

rootDescribe.each(callers)(named("pasta, %s"), (_, unprivileged) => {
  const ps = (options: string[] = []): string[] => ["--net=pasta", ...options];

  test("connections to the outside, none to the host's loopback", async () => {
    const text = `${fetch}; ip -4 -o addr | grep -c 10.9.9.2; busybox nc -w 5 127.0.0.1 9001 2>/dev/null || echo none`;
    // what listens there would answer: that is the host's loopback, not the container's
    const listener = `busybox nc -l -p 9001 -e /bin/echo the-hosts & until grep -q :2329 /proc/net/tcp /proc/net/tcp6; do :; done
      "$@"; status=$?; kill $!; exit $status`;
    const words = line(unprivileged, ["/bin/sh", "-c", text], { options: ps() });
    const ran = await runCommand(inWorld(["sh", "-c", listener, "sh", ...words], unprivileged));
    expect(ran).toMatchObject({ status: 0, stdout: "from-outside\n1\nnone\n", stderr: "" });
    await noPasta();
  });

  test("a published port leads inside, others do not", async () => {
    // one shell is the world outside: it starts the container, and its client asks until there is an answer
    const client = `"$@" & i=0
      until answer=$(busybox nc -w 5 127.0.0.1 8080 </dev/null 2>/dev/null) && [ -n "$answer" ]; do
        i=$((i + 1)); [ $i -lt 500 ] || exit 9
      done
      echo "$answer"; busybox nc -w 5 127.0.0.1 80 </dev/null 2>/dev/null || echo closed
      wait $!; echo $?`;
    const server = line(unprivileged, ["/bin/sh", "-c", "busybox nc -l -p 80 -e /bin/echo inside"], {
      options: ps(["--publish", "127.0.0.1:8080:80"]),
    });
    const ran = await runCommand(inWorld(["sh", "-c", client, "sh", ...server], unprivileged));
    expect(ran).toMatchObject({ stdout: "inside\nclosed\n0\n" });
    await noPasta();
  });

  test("with a memory limit's machinery, a pre script and a read-only root", async () => {
    const pre = script(
      "pre-net",
      `#!/bin/sh\nip link >/dev/null && nsenter --net=/proc/$1/ns/net true && echo pre $CLONE_NEWNET\n`,
    );
    const options = ps(["--read-only", ...(unprivileged ? [] : ["-m", "64M"])]);
    const ran = await runCommand(
      sh(unprivileged, "ip -4 -o addr | grep -c 10.9.9.2", options, unprivileged ? "-" : pre),
    );
    expect(ran).toMatchObject({ status: 0, stdout: `${unprivileged ? "" : "pre 1\n"}1\n` });
    await noPasta();
  });

  test("an init that runs long enough for the handover", async () => {
    const ran = await runCommand(sh(unprivileged, `usleep 200000; ${fetch}; exit 3`, ps(["-v"])));
    expect(ran).toMatchObject({ status: 3, stdout: "from-outside\n" });
    expect(ran.stderr).toContain("network: pasta is process");
    await noPasta();
  });

  test.each([
    ["at once", "echo ready"],
    ["after the handover", "usleep 100000; echo ready"],
  ])("SIGKILL of ns %s ends pasta", async (_when, text) => {
    const running = launch(sh(unprivileged, `${text}; sleep 1000`, ps()));
    await running.line(/ready/);
    expect(pastas()).toHaveLength(1);
    running.kill("SIGKILL");
    await running.ended;
    await noPasta();
  });

  test("an init that is not there, and a pre script that fails, leave no pasta", async () => {
    const missing = await runCommand(
      inWorld(line(unprivileged, ["/bin/no"], { options: ps() }), unprivileged),
    );
    expect(missing).toMatchObject({ status: 127 });
    const fails = script("pre-fails", "#!/bin/sh\nexit 1\n");
    const failed = await runCommand(sh(unprivileged, "true", ps(), fails));
    expect(failed).toMatchObject({ status: 125 });
    expect(failed.stderr).toContain("exited with status 1");
    await noPasta();
  });

  test("a port in use, no device, no route: pasta's own words and a note", async () => {
    const busy = `busybox nc -l -p 8080 & until grep -q :1F90 /proc/net/tcp /proc/net/tcp6; do :; done
      "$@"; status=$?; kill $!; exit $status`;
    const wanted = line(unprivileged, ["/bin/true"], { options: ps(["--publish", "8080:80"]) });
    const ran = await runCommand(inWorld(["sh", "-c", busy, "sh", ...wanted], unprivileged));
    expect(ran).toMatchObject({ status: 125, stdout: "" });
    expect(ran.stderr).toMatch(
      /^ns: pasta did not set up the network: .*8080.*\nnote: the host's port is in use/,
    );
    const lonely = inWorld(["sh", "-c", 'ip route del default; exec "$@"', "sh", ...wanted]);
    const noRoute = await runCommand(lonely);
    expect(noRoute).toMatchObject({ status: 125 });
    expect(noRoute.stderr).toMatch(/note: pasta needs a default route/);
    await noPasta();
  });
});

test.skipIf(!isRoot)(named("pasta for root's container with ids of its own"), async () => {
  const words = [ns, "-u", "--net=pasta", "-", root, "/bin/sh", "12345", "12345", "--", "-c", fetch];
  expect(await runCommand(inWorld(words))).toMatchObject({ status: 0, stdout: "from-outside\n" });
  await noPasta();
});

test.skipIf(!isRoot)(named("an ordinary user without the device, and with a port of root's"), async () => {
  const closed = (publish: string): string[] =>
    line(true, ["/bin/true"], { options: ["--net=pasta", "--publish", publish] });
  const device = inWorld([
    ...["sh", "-c", 'chmod 600 /dev/net/tun; exec "$@"', "sh"],
    ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...closed("8080:80")],
  ]);
  expect((await runCommand(device)).stderr).toMatch(/tun.*\nnote: pasta needs \/dev\/net\/tun/);
  expect((await runCommand(inWorld(closed("80:80"), true))).stderr).toMatch(/80:80.*\nnote: .*below 1024/);
  await noPasta();
});

rootDescribe(named("veth"), () => {
  const ends = '[ -z "$(ip -o link | grep ns-)" ]';
  const gone = (words: string[]): string[] => [
    ...["sh", "-c", `"$@"; status=$?; until ${ends}; do :; done; exit $status`, "sh", ...words],
  ];
  test("packets between the two ends, and the outer one is gone afterwards", async () => {
    const text =
      "ping -c 1 -W 5 $(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p') | grep -c '1 packets received'";
    const words = line(false, ["/bin/sh", "-c", text], { options: ["--net=veth"] });
    expect(await runCommand(inWorld(gone(words)))).toMatchObject({ status: 0, stdout: "1\n", stderr: "" });
  });
  test.each([
    ["as root", [], []],
    ["with ids of its own", ["-u"], ["12345", "12345"]],
  ] as [string, string[], string[]][])("packets through a bridge, %s", async (_, switches, mapped) => {
    const text =
      "ip -4 -o addr show eth0 | wc -l; ip addr add 10.8.8.2/24 dev eth0; ping -c 1 -W 5 10.8.8.1 | grep -c '1 packets received'";
    const words = [ns, ...switches, "--net=veth:br0", "-", root, "/bin/sh", ...mapped, "--", "-c", text];
    expect(await runCommand(inWorld(gone(words)))).toMatchObject({ status: 0, stdout: "0\n1\n", stderr: "" });
  });
  test("two at a time have different addresses", async () => {
    const address = "ip -4 -o addr show eth0 | sed 's/.*inet \\([^ ]*\\).*/\\1/'";
    const words = line(false, ["/bin/sh", "-c", `${address}; read -r _; true`], { options: ["--net=veth"] });
    const text = `mkfifo "$HOME/hold"
      "$@" <"$HOME/hold" >"$HOME/one" & exec 9>"$HOME/hold"
      until [ -s "$HOME/one" ]; do :; done
      "$@" </dev/null; cat "$HOME/one"; exec 9>&-; wait`;
    const both = await runCommand(inWorld(["sh", "-c", text, "sh", ...words]));
    const addresses = both.stdout.trim().split("\n");
    expect(addresses).toHaveLength(2);
    for (const one of addresses) expect(one).toMatch(/^169\.254\.\d+\.\d+\/30$/);
    expect(new Set(addresses).size).toBe(2);
  });
  test("what is no bridge, and what is not there", async () => {
    const missing = await runCommand(inWorld(line(false, ["/bin/true"], { options: ["--net=veth:br9"] })));
    expect(missing).toMatchObject({
      status: 125,
      stderr:
        "ns: --net=veth: the host has no interface br9\nnote: ip link add br9 type bridge && ip link set br9 up\n",
    });
    const none = await runCommand(inWorld(line(false, ["/bin/true"], { options: ["--net=veth:up0"] })));
    expect(none).toMatchObject({ status: 125, stderr: "ns: --net=veth: up0 is not a bridge\n" });
  });
});

test("veth is for root", async () => {
  const ran = await runCommand(line(true, ["/bin/true"], { options: ["--net=veth"] }), {
    unprivileged: true,
  });
  expect(ran).toMatchObject({ status: 125, stdout: "" });
  expect(ran.stderr).toBe(
    "ns: --net=veth: only root may make interfaces in the host's network\nnote: as an ordinary user: --net=pasta\n",
  );
});

describe.each(callers)("a network of its own, %s", (_, unprivileged) => {
  test.each(["none", "new"])("--net=%s: a loopback that works, and nothing else", async (mode) => {
    const text = "ip -o link | grep -v LOOPBACK; ping -c 1 -W 5 127.0.0.1 | grep -c '1 packets received'";
    const words = line(unprivileged, ["/bin/sh", "-c", text], { options: [`--net=${mode}`] });
    expect(await runCommand(words, { unprivileged })).toMatchObject({ status: 0, stdout: "1\n", stderr: "" });
  });
  test("--net=host is the host's", async () => {
    const own = await runCommand(["readlink", "/proc/self/ns/net"]);
    const words = line(unprivileged, ["/bin/readlink", "/proc/self/ns/net"], { options: ["--net=host"] });
    expect((await runCommand(words, { unprivileged })).stdout).toBe(own.stdout);
  });
  test("none and a pre script exclude each other", async () => {
    const pre = script("pre-true", "#!/bin/sh\n");
    const ran = await runCommand(line(unprivileged, ["/bin/true"], { options: ["--net=none"], pre }), {
      unprivileged,
    });
    expect(ran).toMatchObject({ status: 2, stdout: "" });
    expect(ran.stderr).toStartWith("ns: --net=none leaves nothing to a pre script");
    expect(ran.stderr).toContain("usage: ");
  });
});

rootDescribe.each(callers)(named("resolv.conf, %s"), (_, unprivileged) => {
  const cat = "cat /etc/resolv.conf; echo x 2>/dev/null >/etc/resolv.conf || echo read-only";
  test.each([
    ["copy", []],
    ["host", []],
    ["copy", ["--read-only", "-n"]],
    ["host", ["--read-only", "-n"]],
  ] as [string, string[]][])("--resolv-conf=%s %p", async (how, more) => {
    const ran = await runCommand(sh(unprivileged, cat, [`--resolv-conf=${how}`, ...more]));
    expect(ran).toMatchObject({ status: 0, stdout: `${nameservers}read-only\n` });
  });
  test("none leaves the root's, and copy leaves it as it was", async () => {
    const before = readFileSync(join(root, "etc/resolv.conf"), "utf8");
    await runCommand(sh(unprivileged, cat, ["--resolv-conf=copy"]));
    const ran = await runCommand(sh(unprivileged, "cat /etc/resolv.conf", ["--resolv-conf=none"]));
    expect(ran).toMatchObject({ status: 0, stdout: before });
    expect(readFileSync(join(root, "etc/resolv.conf"), "utf8")).toBe(before);
  });
  test("every user inside may read the copy, whatever the caller's umask", async () => {
    const words = sh(unprivileged, "stat -c %a /etc/resolv.conf", ["--resolv-conf=copy"]);
    const ran = await runCommand(["sh", "-c", 'umask 077; exec "$@"', "sh", ...words]);
    expect(ran).toMatchObject({ status: 0, stdout: "644\n" });
  });
  test("no descriptor and no other mount stays", async () => {
    const text = "ls /proc/self/fd | wc -l; grep -c tmpfs /proc/self/mountinfo; ls /proc/1/fd >/dev/null";
    const with_ = await runCommand(sh(unprivileged, text, ["--resolv-conf=copy"]));
    expect(with_.stdout).toBe("4\n1\n");
  });
});

rootDescribe(named("a hostile root's /etc/resolv.conf"), () => {
  const box = isRoot ? makeSmallRoot("resolv-box", ["sh", "cat", "true", "ls"]) : "";
  const etc = join(box, "etc");
  const target = join(etc, "resolv.conf");
  const fresh = (): void => {
    rmSync(etc, { recursive: true, force: true });
    mkdirSync(etc);
  };
  const start = (options: string[], init = ["/bin/cat", "/etc/resolv.conf"]) =>
    runCommand(inWorld(line(false, init, { options, root: box })));

  test("a link with .. in it stays inside", async () => {
    fresh();
    writeFileSync(join(box, "tmp/there"), "inside\n");
    symlinkSync("../../../../../../../tmp/there", target);
    const ran = await start(["--resolv-conf=copy"], ["/bin/sh", "-c", "cat /etc/resolv.conf /tmp/there"]);
    expect(ran).toMatchObject({ status: 0, stdout: nameservers + nameservers });
    expect(readFileSync(join(box, "tmp/there"), "utf8")).toBe("inside\n");
  });
  test("a link to a file of the host's makes nothing there", async () => {
    fresh();
    const outside = join(folder, "victim");
    symlinkSync(outside, target);
    const ran = await start(["--resolv-conf=copy"]);
    expect(ran).toMatchObject({ status: 125, stdout: "" });
    expect(ran.stderr).toBe(
      "ns: cannot make /etc/resolv.conf in the root: file exists\nnote: /etc/resolv.conf in the root is a link to a file that is not there\n",
    );
    expect(readdirSync(folder)).not.toContain("victim");
  });
  test.each(["/proc/self/exe", "/proc/self/fd/3", "/proc/1/root/etc/resolv.conf"])(
    "a link through %s is refused",
    async (to) => {
      fresh();
      symlinkSync(to, target);
      for (const how of ["copy", "host"]) {
        const ran = await start([`--resolv-conf=${how}`]);
        expect(ran).toMatchObject({ status: 125, stdout: "" });
        expect(ran.stderr).toMatch(/^ns: cannot (open|make) \/etc\/resolv.conf in the root/);
      }
    },
  );
  test("a link in the place of /etc", async () => {
    rmSync(etc, { recursive: true, force: true });
    symlinkSync(folder, etc);
    const ran = await start(["--resolv-conf=host"]);
    expect(ran).toMatchObject({ status: 125, stdout: "" });
    rmSync(etc);
  });
  test("a directory", async () => {
    fresh();
    mkdirSync(target);
    const ran = await start(["--resolv-conf=copy"]);
    expect(ran).toMatchObject({ status: 125, stdout: "" });
    expect(ran.stderr).toContain("note: /etc/resolv.conf in the root is not a file");
  });
  test("one that is missing is made, in a root that can be written", async () => {
    fresh();
    const refused = await start(["--resolv-conf=copy", "--read-only"]);
    expect(refused).toMatchObject({ status: 125, stdout: "" });
    expect(refused.stderr).toMatch(/read-only file system\nnote: .*make it beforehand/);
    expect(readdirSync(etc)).toEqual([]);
    expect(await start(["--resolv-conf=copy"])).toMatchObject({ status: 0, stdout: nameservers });
    expect(readFileSync(target, "utf8")).toBe("");
  });
});

test("values that are none, and options that need another", async () => {
  for (const [options, words] of [
    [["--net=bridge"], "ns: --net: 'bridge' is none of"],
    [["--net=new", "-n"], "ns: --net and --network exclude each other"],
    [["--publish", "80:80"], "ns: --publish needs --net"],
    [["--net=new", "--publish", "80:80"], "ns: --publish needs --net=pasta"],
    [["--net=pasta", "--publish", "80"], "ns: --publish: '80' is not HOST:CONTAINER"],
    [["--resolv-conf=yes"], "ns: --resolv-conf: 'yes' is none of copy, host, none"],
  ] as [string[], string][]) {
    const ran = await run([...user, ...options, "-", root, "/bin/true", ...ids]);
    expect(ran).toMatchObject({ status: 2, stdout: "" });
    expect(ran.stderr).toStartWith(words);
  }
});
