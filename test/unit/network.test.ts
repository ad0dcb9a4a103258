/** Network options: parsers, what pasta is asked for, messages to the kernel, which resolv.conf is copied. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { newAddress, newVeth } from "../../src/host/network/netlink.ts";
import { lastWords, pastaArguments, pastaNote } from "../../src/host/network/pasta.ts";
import { onlyLoopback, readResolvConf } from "../../src/host/network/resolv-conf.ts";
import { vethAddresses } from "../../src/plan/veth.ts";
import { NsError } from "../../src/spec/error.ts";
import { isIpv4, isIpv6, type Network, networkConflict, parsePublish } from "../../src/spec/network.ts";

const network = (words: string): Network =>
  specOf(parseArgv([...words.split(" "), "-", "R", "/i"]), false).network;

describe("what is taken", () => {
  test.each<[string, Network]>([
    ["--net=host", { mode: "host" }],
    ["--net=new", { mode: "new" }],
    ["--net none", { mode: "none" }],
    ["--net=pasta", { mode: "pasta" }],
    ["--net=veth", { mode: "veth" }],
    ["--net=veth:br-lan.5", { mode: "veth", bridge: "br-lan.5" }],
    ["--resolv-conf=copy", { mode: "host", resolvConf: "copy" }],
    ["--resolv-conf=host -n", { mode: "new", resolvConf: "host" }],
    ["--resolv-conf=none", { mode: "host" }],
    [
      "--net=pasta --publish 8080:80 --publish 8080:80/udp --publish 127.0.0.1:1:65535/tcp --publish [::1]:53:5353/udp",
      {
        mode: "pasta",
        publish: [
          { address: null, host: 8080, inside: 80, protocol: "tcp" },
          { address: null, host: 8080, inside: 80, protocol: "udp" },
          { address: "127.0.0.1", host: 1, inside: 65535, protocol: "tcp" },
          { address: "::1", host: 53, inside: 5353, protocol: "udp" },
        ],
      },
    ],
    [
      "--net=pasta --publish 127.0.0.1:80:80 --publish 127.0.0.2:80:80",
      {
        mode: "pasta",
        publish: [
          { address: "127.0.0.1", host: 80, inside: 80, protocol: "tcp" },
          { address: "127.0.0.2", host: 80, inside: 80, protocol: "tcp" },
        ],
      },
    ],
  ])("%s", (words, expected) => {
    expect(network(words)).toEqual(expected);
  });
});

describe("what is refused, and the words it is refused with", () => {
  const modes = "is none of none, host, new, pasta, veth, veth:BRIDGE";
  test.each([
    ["--net=bridge", `--net: 'bridge' ${modes}`],
    ["--net=", "--net needs a value: none|host|new|pasta|veth[:BRIDGE]"],
    ["--net=Pasta", `--net: 'Pasta' ${modes}`],
    ["--net=pasta:br0", "--net: pasta takes nothing behind it"],
    ["--net=veth:", "--net: '\"\"' is not the name of an interface"],
    ["--net=veth:a/b", "--net: 'a/b' is not the name of an interface"],
    ["--net=veth:..", "--net: '..' is not the name of an interface"],
    ["--net=veth:1234567890123456", "--net: '1234567890123456' is not the name of an interface"],
    ["--net=new -n", "--net and --network exclude each other"],
    ["--net=new --net=none", "--net is given more than once"],
    ["--publish 80:80", "--publish needs --net"],
    [
      "--net=pasta --publish 80",
      "--publish: '80' is not HOST:CONTAINER, like 8080:80, 127.0.0.1:8080:80 or 53:53/udp",
    ],
    ["--net=pasta --publish 0:80", "--publish: '0' in '0:80' is not a port from 1 to 65535"],
    ["--net=pasta --publish 80:65536", "--publish: '65536' in '80:65536' is not a port from 1 to 65535"],
    ["--net=pasta --publish 080:80", "--publish: '080' in '080:80' is not a port from 1 to 65535"],
    ["--net=pasta --publish 80-90:80", "--publish: '80-90' in '80-90:80' is not a port from 1 to 65535"],
    ["--net=pasta --publish 80:80/sctp", "--publish: 'sctp' in '80:80/sctp' is neither tcp nor udp"],
    [
      "--net=pasta --publish 256.0.0.1:80:80",
      "--publish: '256.0.0.1' in '256.0.0.1:80:80' is not an address",
    ],
    ["--net=pasta --publish [::g]:80:80", "--publish: '::g' in '[::g]:80:80' is not an address"],
    [
      "--net=pasta --publish localhost:80:80",
      "--publish: 'localhost' in 'localhost:80:80' is not an address",
    ],
    ["--net=pasta --publish 80:1 --publish 80:2", "--publish 80:2: the host's tcp port 80 is taken"],
    ["--net=pasta --publish 1.2.3.4:80:1 --publish 80:2", "--publish 80:2: the host's tcp port 80 is taken"],
    ["--resolv-conf=auto", "--resolv-conf: 'auto' is none of copy, host, none"],
  ])("%s", (words, message) => {
    expect(() => network(words)).toThrow(new NsError(message));
  });
  test("pairs that only all options together tell", () => {
    const publish = [parsePublish("80:80", "--publish")];
    expect(networkConflict({ network: { mode: "new", publish }, pre: null })?.message).toBe(
      "--publish needs --net=pasta",
    );
    expect(networkConflict({ network: { mode: "none" }, pre: "/p" })?.message).toBe(
      "--net=none leaves nothing to a pre script: use --net=new, or - for PRE",
    );
    expect(networkConflict({ network: { mode: "none" }, pre: null })).toBeNull();
    expect(networkConflict({ network: { mode: "pasta", publish }, pre: "/p" })).toBeNull();
  });
});

describe("addresses", () => {
  test("every address that the kernel's own notation gives is one", () => {
    fc.assert(fc.property(fc.ipV4(), (text) => isIpv4(text)));
    fc.assert(
      fc.property(
        fc.ipV6().filter((text) => !text.includes(".")), // one with IPv4 in its end is not taken
        (text) => isIpv6(text),
      ),
    );
  });
  test.each([
    "",
    "1",
    "::1::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "::12345",
    "1.2.3",
    "01.2.3.4",
    "fe80::1%eth0",
  ])("'%s' is none", (text) => {
    expect(isIpv4(text) || isIpv6(text)).toBe(false);
  });
  test("a published port is taken as it was written", () => {
    const port = fc.integer({ min: 1, max: 65535 });
    const address = fc.option(fc.ipV4());
    const protocol = fc.constantFrom("tcp" as const, "udp" as const);
    fc.assert(
      fc.property(address, port, port, protocol, (where, host, inside, kind) => {
        const text = `${where === null ? "" : `${where}:`}${host}:${inside}/${kind}`;
        expect(parsePublish(text, "-")).toEqual({ address: where, host, inside, protocol: kind });
      }),
    );
  });
});

describe("pasta", () => {
  const common = ["--foreground", "--quiet", "--config-net", "--no-map-gw", "--pid", "/proc/self/fd/1"];
  test("no port of either side is open unless published", () => {
    expect(pastaArguments({ mode: "pasta" }, 42, false)).toEqual([
      ...common,
      ...["-t", "none", "-u", "none", "-T", "none", "-U", "none", "42"],
    ]);
  });
  test("as root, without a user namespace, with ports", () => {
    const publish = ["80:8080", "127.0.0.1:22:22", "[::1]:53:5353/udp"].map((text) => parsePublish(text, ""));
    expect(pastaArguments({ mode: "pasta", publish }, null, true)).toEqual([
      ...common,
      ...["--runas", "0", "-t", "80:8080", "-t", "127.0.0.1/22:22", "-u", "::1/53:5353"],
      ...["-T", "none", "-U", "none", "--netns", "/proc/self/fd/0"],
    ]);
  });
  test("its last words, without the noise", () => {
    expect(
      lastWords("a\nFailed to open tun socket in namespace\nFailed to send 46 bytes to syslog\n\n"),
    ).toBe("Failed to open tun socket in namespace");
    expect(lastWords("")).toBe("");
  });
  test.each([
    ["Failed to open tun socket in namespace", /modprobe tun/],
    ["Failed to bind any port for '-t 80:80', exiting", /in use, or below 1024/],
    ["External interface not usable", /default route/],
  ])("what to do about: %s", (words, note) => {
    expect(pastaNote(words)).toMatch(note);
  });
});

describe("messages of rtnetlink", () => {
  const hex = (bytes: Uint8Array): string =>
    Buffer.from(bytes)
      .toString("hex")
      .replace(/(.{8})(?=.)/g, "$1 ");
  test("a new pair of interfaces", () => {
    expect(hex(newVeth({ outside: "ns-7", inside: "eth0", pid: 7, bridge: null }))).toMatchSnapshot();
    expect(hex(newVeth({ outside: "ns-12345", inside: "eth0", pid: 12345, bridge: 3 }))).toMatchSnapshot();
  });
  test("an address", () => {
    expect(hex(newAddress(5, [169, 254, 192, 1], 30))).toBe(
      // header: 40 bytes, RTM_NEWADDR, REQUEST|ACK|EXCL|CREATE; AF_INET, /30, interface 5; IFA_LOCAL, IFA_ADDRESS
      "28000000 14000506 01000000 00000000 021e0000 05000000 08000200 a9fec001 08000100 a9fec001",
    );
  });
  test("lengths say what follows", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z]{1,15}$/),
        fc.integer({ min: 1, max: 4194304 }),
        (outside, pid) => {
          const bytes = newVeth({ outside, inside: "eth0", pid, bridge: 1 });
          const view = new DataView(bytes.buffer);
          expect(view.getUint32(0, true)).toBe(bytes.length);
          let at = 32;
          while (at < bytes.length) at += (view.getUint16(at, true) + 3) & ~3;
          expect(at).toBe(bytes.length);
        },
      ),
    );
  });
});

test("the ends of a pair have neighbouring addresses that no other pair of the time has", () => {
  const seen = new Set<string>();
  for (let index = 1; index <= 3968; index++) {
    const { outside, inside } = vethAddresses(index);
    expect(outside[3] % 4).toBe(1);
    expect(inside).toEqual([outside[0], outside[1], outside[2], (outside[3] + 1) as number]);
    expect(outside[2]).toBeGreaterThanOrEqual(192);
    expect(outside[2]).toBeLessThanOrEqual(253);
    seen.add(outside.join("."));
  }
  expect(seen.size).toBe(3968);
});

describe("which resolv.conf is copied", () => {
  const folder = mkdtempSync(join(tmpdir(), "ns-test-resolv-"));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const stub = file("stub", "nameserver 127.0.0.53\noptions edns0\n");
  const real = file("real", "nameserver 192.0.2.1\n");
  const none = join(folder, "none");
  test.each([
    ["nameserver 127.0.0.53\n", true],
    ["nameserver ::1\nnameserver 127.0.0.1", true],
    ["nameserver 127.0.0.1\nnameserver 192.0.2.1\n", false],
    ["# nameserver 127.0.0.1\n", false],
    ["", false],
  ])("%j: only loopback is %p", (text, expected) => {
    expect(onlyLoopback(text)).toBe(expected);
  });
  test("the host's own in the host's network, what stands behind the stub elsewhere", () => {
    expect(readResolvConf(false, { own: stub, behind: real })).toStartWith("nameserver 127.0.0.53");
    expect(readResolvConf(true, { own: stub, behind: real })).toBe("nameserver 192.0.2.1\n");
    expect(readResolvConf(true, { own: real, behind: none })).toBe("nameserver 192.0.2.1\n");
  });
  test("none that is of use is an error", () => {
    expect(() => readResolvConf(true, { own: stub, behind: none })).toThrow(/loopback/);
    expect(() => readResolvConf(false, { own: none, behind: real })).toThrow(/no such file/);
    const long = file("long", "#".repeat(65537));
    expect(() => readResolvConf(false, { own: long, behind: real })).toThrow(/longer than 65536/);
    rmSync(folder, { recursive: true });
  });
});
