/** Golden text of what the network options add to plans. */
import { describe, expect, test } from "bun:test";
import { openHostResolvConf, resolvConf } from "../../src/plan/mounts/resolv-conf.ts";
import { pastaPlan } from "../../src/plan/pasta.ts";
import { showOp } from "../../src/plan/show.ts";
import { innerEndPlan } from "../../src/plan/veth.ts";
import { endHelper } from "../../src/plan/watch.ts";
import { networkLines } from "../../src/run/network.ts";
import { defaultSpec, type Facts, type Spec } from "../../src/spec/spec.ts";
import type { Network } from "../../src/spec/network.ts";

const facts: Facts = {
  ...{ pid: 1, uid: 0, gid: 0, ignoredSignals: [], cgroupNamespace: true, onRootfs: false },
  capabilities: { mask: "1ffffffffff", sysAdmin: true, setUid: true, setGid: true },
  kernel: { mountDescriptors: true, closeRange: true, openat2: true, pidfd: true, mountSetattr: true },
  ...{ openFiles: null, terminal: null },
};
const spec = (network: Network): Spec => ({ ...defaultSpec(), root: "/r", init: "/init", network });

describe("resolv.conf", () => {
  test("none: not one call", () => {
    expect([
      ...openHostResolvConf(spec({ mode: "new" })),
      ...resolvConf(spec({ mode: "new" }), facts, "x"),
    ]).toEqual([]);
  });
  test("a copy", () => {
    const wanted = spec({ mode: "new", resolvConf: "copy" });
    expect(openHostResolvConf(wanted)).toEqual([]);
    expect(resolvConf(wanted, facts, "nameserver 192.0.2.1\n").map(showOp).join("\n")).toMatchSnapshot();
  });
  test("the host's file", () => {
    const wanted = spec({ mode: "host", resolvConf: "host" });
    const ops = [...openHostResolvConf(wanted), ...resolvConf(wanted, facts, undefined)];
    expect(ops.map(showOp).join("\n")).toMatchSnapshot();
  });
  test("every descriptor that it opens is closed again", () => {
    const wanted = spec({ mode: "host", resolvConf: "copy" });
    const texts = resolvConf(wanted, facts, "x").map(showOp);
    for (const name of ["resolvContext", "resolvFiles", "file", "resolvTree", "resolvTarget"])
      expect(texts).toContain(`close(${name})`);
  });
});

test("pasta", () => {
  const place = { executable: "/usr/bin/pasta", args: ["--foreground", "42"], stdin: "/dev/null" };
  const ops = pastaPlan(facts, { ...place, ready: 10, errors: 12, inherited: [], caught: [15] });
  expect(ops.map(showOp).join("\n")).toMatchSnapshot();
});

test("the inner end of a pair", () => {
  expect(innerEndPlan(42, 5).map(showOp).join("\n")).toMatchSnapshot();
  expect(innerEndPlan(42, null).map(showOp).join("\n")).not.toContain("169.254");
});

test("what the watcher does to pasta", () => {
  expect(showOp(endHelper(42))).toBe("kill(-42, SIGKILL)");
});

describe("--dry-run", () => {
  test("shows what is done beside the child", () => {
    expect(networkLines(spec({ mode: "veth" }), facts).slice(0, 2)).toEqual([
      "rtnetlink: RTM_NEWLINK ns-PID up type veth peer eth0 netns PID",
      "rtnetlink: RTM_NEWADDR 169.254.192.1/30 ns-PID",
    ]);
    expect(networkLines(spec({ mode: "veth", bridge: "br0" }), facts)[0]).toBe(
      "rtnetlink: RTM_NEWLINK ns-PID up master br0 type veth peer eth0 netns PID",
    );
    expect(networkLines(spec({ mode: "pasta" }), facts).at(-1)).toMatch(
      /^execve\(".*pasta", .*"--no-map-gw"/,
    );
  });
  test.each(["host", "new", "none"] as const)("--net=%s: not one call", (mode) => {
    expect(networkLines(spec({ mode }), facts)).toEqual([]);
  });
});
