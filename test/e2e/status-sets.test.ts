/**
 * The sets of /proc/self/status that say what init may: exact in every profile, whoever starts it, and whatever the caller's
 * own are. The securebits, which are not in it, by what they would do.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { isRoot, leavesNothing, line, rootTest, runCommand } from "../harness.ts";

leavesNothing();

const NONE = 0n;
const APP = 0x800405fbn;
/** What profile init has as real root: all but what reaches the machine, and its network. */
const MACHINE = [2, 9, 16, 17, 20, 25, 32, 33, 34, 35, 36, 37, 38, 39, 40].reduce(
  (set, one) => set | (1n << BigInt(one)),
  0n,
);
const NETWORK = (1n << 12n) | (1n << 13n);
/** ns can give what it has itself. */
const own = BigInt(`0x${readFileSync("/proc/self/status", "utf8").match(/CapEff:\t(\w+)/)![1]!}`);
/** A user namespace has all that the kernel knows. */
const all = (1n << (BigInt(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8")) + 1n)) - 1n;

const SHOW = 'grep -E "^(Cap|NoNewPrivs|Seccomp:|Groups)" /proc/self/status';

interface Sets {
  bounding: bigint;
  /** effective and permitted; left out: the bounding set */
  effective?: bigint;
  noNewPrivs?: boolean;
  filter?: boolean;
}

function expectSets(stdout: string, { bounding, effective = bounding, noNewPrivs, filter }: Sets): void {
  const hex = (set: bigint): string => set.toString(16).padStart(16, "0");
  expect(
    stdout
      .split("\n")
      .slice(0, -1)
      .map((text) => text.replace(/\s+/g, "")),
  ).toEqual([
    "Groups:",
    `CapInh:${hex(NONE)}`,
    `CapPrm:${hex(effective)}`,
    `CapEff:${hex(effective)}`,
    `CapBnd:${hex(bounding)}`,
    `CapAmb:${hex(NONE)}`,
    `NoNewPrivs:${noNewPrivs ? 1 : 0}`,
    `Seccomp:${filter ? 2 : 0}`,
  ]);
}

type Row = [options: string[], Sets];
const held = { noNewPrivs: true, filter: true };
const rows = (root: bigint, shared: bigint): Row[] => [
  [[], { bounding: shared }],
  [["-n"], { bounding: root }],
  [["--reaper"], { bounding: shared }],
  [["--no-new-privs"], { bounding: shared, noNewPrivs: true }],
  [["--cap-drop=CHOWN"], { bounding: shared & ~1n }],
  [["--cap-drop=ALL", "--cap-add=KILL"], { bounding: 1n << 5n }],
  [["--profile=app"], { bounding: APP, ...held }],
  [["--profile=app", "--cap-add=NET_RAW"], { bounding: APP | (1n << 13n), ...held }],
  [["--profile=strict"], { bounding: NONE, ...held }],
  [["--profile=strict", "--cap-add=CHOWN"], { bounding: 1n, ...held }],
];
const sets = async (words: string[], unprivileged: boolean, expected: Sets): Promise<void> => {
  const ran = await runCommand(words, { unprivileged });
  expect(ran).toMatchObject({ status: 0, stderr: "" });
  // an ordinary user's groups cannot be dropped
  expectSets(unprivileged || !isRoot ? ran.stdout.replace(/^Groups:.*/m, "Groups:") : ran.stdout, expected);
};
const shell = ["/bin/sh", "-c", SHOW];

describe.if(isRoot)("as root", () => {
  const root = own & ~MACHINE;
  test.each(rows(root, root & ~NETWORK))("%j", (options, expected) =>
    sets(line(false, shell, { options }), false, expected),
  );
  test.each<Row>([
    [["--cap-add=SYS_TIME,NET_ADMIN"], { bounding: (root & ~NETWORK) | (1n << 25n) | (1n << 12n) }],
    [["--cap-add=ALL"], { bounding: own }],
    [["--profile=app", "--cap-add=ALL"], { bounding: own, ...held }],
  ])("what is given back: %j", (options, expected) => sets(line(false, shell, { options }), false, expected));
  test.each<Row>([
    [[], { bounding: root & ~NETWORK, effective: NONE }],
    [["--profile=app"], { bounding: APP, effective: NONE, ...held }],
    [["--profile=strict"], { bounding: NONE, effective: NONE, ...held }],
  ])("--as another than root: %j", (options, expected) =>
    sets(line(false, shell, { options: ["--as", "5:5", ...options] }), false, expected),
  );
});

describe("with a user namespace", () => {
  test.each(rows(all, all))("%j", (options, expected) =>
    sets(line(true, shell, { options }), true, expected),
  );
});

describe.if(isRoot)("with a user namespace of root's making", () => {
  test.each(rows(all, all).slice(0, 3))("%j", (options, expected) => {
    const words = line(true, shell, { options });
    return sets(words, false, expected);
  });
  test.each<Row>([
    [[], { bounding: all, effective: NONE }],
    [["--profile=app"], { bounding: APP, effective: NONE, ...held }],
  ])("--as another than root: %j", async (options, expected) => {
    const [program, ...rest] = line(false, shell, {
      options: ["-u", "--map-uid=0:100000:65536", "--as", "5:5", ...options],
    });
    await sets([program!, ...rest], false, expected);
  });
});

describe("what the caller has set does not come along", () => {
  const CALLER = ["setpriv", "--inh-caps=+sys_time,+sys_module,+chown", "--ambient-caps=+sys_time,+chown"];
  rootTest("inheritable and ambient capabilities", async () => {
    for (const [options, bounding] of [
      [[], own & ~MACHINE & ~NETWORK],
      [["--profile=strict"], NONE],
    ] as const) {
      const words = [...CALLER, ...line(false, shell, { options: [...options] })];
      await sets(words, false, { bounding, ...(options.length > 0 ? held : {}) });
    }
  });
  rootTest("securebits: root's exec gives what it always gives", async () => {
    const words = ["setpriv", "--securebits=+no_setuid_fixup", ...line(false, shell)];
    await sets(words, false, { bounding: own & ~MACHINE & ~NETWORK });
    // with noroot only ambient capabilities survive an exec
    const given = Array.from({ length: 64 }, (_, one) => one).filter((one) => (own >> BigInt(one)) & 1n);
    const caps = given.map((one) => `+cap_${one}`).join(",");
    const noroot = ["setpriv", "--securebits=+noroot", `--inh-caps=${caps}`, `--ambient-caps=${caps}`];
    const ran = await runCommand([...noroot, ...line(false, shell)]);
    expect(ran.status).toBe(0);
    expectSets(ran.stdout, { bounding: own & ~MACHINE & ~NETWORK });
  });
});
