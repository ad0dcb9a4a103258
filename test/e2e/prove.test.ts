/**
 * `ns prove`: what it says of each profile, that it tells when an option opens something, and that it leaves nothing. Its
 * attacks are worth as much as the controls: each is shown to be open under something that does not hold it.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { attackBy, outputOf } from "../../scripts/containment/attacker.ts";
import { controls, NEEDS_MACHINE, SHOWN_ELSEWHERE } from "../../scripts/containment/controls.ts";
import { allAttacks } from "../../src/plan/attack/all.ts";
import {
  asOrdinary,
  callers,
  folder,
  leavesNothing,
  line,
  makeRoot,
  ns,
  onTerminal,
  root,
  rootTest,
  runCommand,
} from "../harness.ts";

leavesNothing();

interface Told {
  name: string;
  verdict: string;
  why?: string;
  broken: boolean;
}

/** What the command said, by the attacks' names. */
function verdictsOf(stdout: string): Record<string, string> {
  const { attacks } = JSON.parse(stdout) as { attacks: Told[] };
  return Object.fromEntries(attacks.map(({ name, verdict }) => [name, verdict]));
}
const brokenIn = (stdout: string): string[] =>
  (JSON.parse(stdout) as { attacks: Told[] }).attacks.filter(({ broken }) => broken).map(({ name }) => name);

const proveLine = (unprivileged: boolean, options: string[], more: { root?: string } = {}): string[] => {
  const [program, ...words] = line(unprivileged, ["/bin/sh"], { options: ["--json", ...options], ...more });
  return [program!, "prove", ...words];
};

/** What has to hold whatever the profile, where there is all that the attack needs. */
const HELD = [
  ...["descriptors", "working-directory", "environment", "executable", "process-group", "chroot", "old-root"],
  ...["root-below", "core-pattern", "processes", "signals", "trace", "memory", "namespaces", "shared-memory"],
  ...["message-queues", "hostname", "capabilities"],
];
const WITHOUT_PROFILE = ["bpf", "keyrings", "io-uring", "userfaultfd", "user-namespace", "clock", "perf"];
// with a descriptor to lose: those above 3 the runtime closes at an exec anyway
const prove = (words: string[], unprivileged: boolean, env: Record<string, string> = {}) =>
  runCommand(["sh", "-c", 'exec "$@" 3</etc', "sh", ...words], {
    unprivileged,
    env: { SECRET: "of-the-caller", ...env },
  });

describe.each(callers)("%s", (_, unprivileged) => {
  test.each(["init", "app", "strict"])("profile %s holds what it promises", async (profile) => {
    const { stdout, stderr, status } = await prove(
      proveLine(unprivileged, [`--profile=${profile}`]),
      unprivileged,
    );
    expect({ stderr, broken: brokenIn(stdout) }).toEqual({ stderr: "", broken: [] });
    expect(status).toBe(0);
    const told = verdictsOf(stdout);
    expect(HELD.filter((name) => told[name] !== "held")).toEqual([]);
    if (profile !== "init")
      expect(
        [...WITHOUT_PROFILE, "session-keyring", "system-calls"].filter((name) => told[name] === "open"),
      ).toEqual([]);
    if (profile === "strict") {
      expect(told.network).toBe("held");
      expect(told["abstract-sockets"]).toBe("held");
    }
    expect(Object.keys(told)).toEqual(allAttacks().map(({ name }) => name));
  });

  test.each([
    [["--share=ipc"], ["shared-memory", "message-queues"]],
    [["--share=uts"], ["hostname"]],
    [["--keep-env=SECRET"], []], // was asked for
  ])("%p opens what it says", async (options, opened) => {
    const ran = await prove(proveLine(unprivileged, options), unprivileged);
    // what belongs to the user outside is not his who is root inside, unless he is
    const possible = unprivileged ? opened.filter((name) => name !== "hostname") : opened;
    expect(brokenIn(ran.stdout)).toEqual(possible);
    expect(ran.status).toBe(possible.length === 0 ? 0 : 1);
  });

  test("a network of its own closes what the network opens", async () => {
    const names = ["network", "abstract-sockets"] as const;
    const shared = verdictsOf((await prove(proveLine(unprivileged, []), unprivileged)).stdout);
    const own = verdictsOf((await prove(proveLine(unprivileged, ["-n"]), unprivileged)).stdout);
    expect(names.map((name) => [shared[name], own[name]])).toEqual([
      ["open", "held"],
      ["open", "held"],
    ]);
  });

  test("with a reaper, and a root that cannot be written", async () => {
    const options = ["--reaper", "--read-only", "--profile=app"];
    const { stdout, status } = await prove(proveLine(unprivileged, options), unprivileged);
    expect({ status, broken: brokenIn(stdout) }).toEqual({ status: 0, broken: [] });
    const told = verdictsOf(stdout);
    expect(HELD.filter((name) => told[name] !== "held")).toEqual([]);
  });

  test("it needs nothing in the root, and leaves nothing in it or on the host", async () => {
    const empty = makeRoot(`empty-${unprivileged}`);
    for (const name of ["bin", "sbin", "usr"]) rmSync(join(empty, name), { recursive: true });
    await Bun.write(join(empty, "init"), "");
    const files = async () => (await runCommand(["find", empty, "-ls"])).stdout.replace(/^ *\d+/gm, "");
    const host = () => readFileSync("/proc/sysvipc/shm", "utf8");
    const before = [await runCommand(["chmod", "755", join(empty, "init")]).then(files), host()];
    const [program, ...words] = line(unprivileged, ["/init"], { root: empty });
    const { stdout, status } = await prove([program!, "prove", ...words], unprivileged);
    expect(stdout).toMatch(/^What crosses over:\n {2}held +descriptors /);
    expect(stdout).toMatch(
      /\n\d+ held, \d+ open, \d+ untestable; nothing is open that profile init .* promises to hold\n$/,
    );
    expect(status).toBe(0);
    expect([await files(), host()]).toEqual(before);
  });
});

describe("the command line", () => {
  const say = (...words: string[]) => runCommand([ns, "prove", ...words]);

  test("--help", async () => {
    const { stdout, status } = await say("--help");
    expect(status).toBe(0);
    expect(stdout).toStartWith("Usage: ns prove [--json] [options] PRE NEWROOT INIT [UID GID]");
  });
  test("what cannot be meant", async () => {
    expect((await say("--dry-run", "-", root, "/bin/sh")).status).toBe(2);
    expect((await say("-", root)).status).toBe(2);
    const { stdout, stderr, status } = await say("--net=none", "-", root, "/bin/none", ...[]);
    expect({ stdout, status }).toEqual({ stdout: "", status: 127 });
    expect(stderr).toStartWith("ns: ");
  });
  rootTest("an open one names the option that closes it", async () => {
    const { stdout, status } = await say("--share=uts", "-", root, "/bin/sh");
    expect(stdout).toMatch(/\n {2}open {8}hostname .*\(against the promise; leave out --share=uts\)\n/);
    expect(stdout).toMatch(/; open against the promise of profile init as real root: hostname\n$/);
    expect(status).toBe(1);
  });
  rootTest("profile app with everything given back is no profile any more", async () => {
    const words = ["--json", "--profile=app", "--cap-add=ALL", "--seccomp=none", "--unmask=ALL"];
    const { stdout, status } = await say(...words, "-", root, "/bin/sh");
    const broken = brokenIn(stdout);
    for (const name of [
      "core-pattern",
      "switches-remounted",
      "keyrings",
      "io-uring",
      "clock",
      "system-calls",
    ])
      expect(broken).toContain(name);
    expect(status).toBe(1);
  });
});

/** Open by those names under something else than ns. */
async function openUnder(name: string): Promise<{ open: string[]; untestable: string[] }> {
  const control = controls.find((one) => one.name === name)!;
  const own = makeRoot(`control-${controls.indexOf(control)}`);
  const attacked = await attackBy(own, control.change ?? ((bait) => bait), () =>
    outputOf(control.words(own)),
  );
  const { verdicts, stderr } = attacked;
  if (![...verdicts.values()].some(({ verdict }) => verdict === "open"))
    throw new Error(`${name}: ${stderr}`);
  const of = (which: string): string[] =>
    [...verdicts].filter(([, { verdict }]) => verdict === which).map(([attack]) => attack);
  return { open: of("open"), untestable: of("untestable") };
}

describe("controls", () => {
  const missing = controls.filter(({ needs }) => needs !== undefined && Bun.which(needs) === null);
  if (missing.length > 0)
    console.log(`left out, not installed: ${missing.map(({ needs }) => needs).join(", ")}`);

  rootTest(
    "every attack is open somewhere",
    async () => {
      process.env.SECRET = "of-the-caller";
      const open = new Set<string>();
      for (const { name } of controls) {
        if (missing.some((one) => one.name === name)) continue;
        for (const attack of (await openUnder(name)).open) open.add(attack);
      }
      const never = allAttacks()
        .map(({ name }) => name)
        .filter((name) => !open.has(name));
      const excused = new Set([...Object.keys(SHOWN_ELSEWHERE), ...NEEDS_MACHINE]);
      if (missing.length > 0) for (const name of ["executable", "process-group"]) excused.add(name);
      expect(never.filter((name) => !excused.has(name))).toEqual([]);
    },
    60_000,
  );

  rootTest("the terminal: characters can be pushed into the caller's, where it is not replaced", async () => {
    const own = makeRoot("control-terminal");
    const terminal = onTerminal([
      ...[
        "sh",
        "-c",
        'stat -L -c "%Hd:%Ld %i." /dev/stdin; read -r go; chroot "$1" /attacker >"$2"; echo done.',
      ],
      ...["sh", own, join(folder, "pushed")],
    ]);
    const shown = await terminal.shows(/(\d+:\d+ \d+)\./);
    const id = /(\d+:\d+ \d+)\./.exec(shown)![1]!;
    const { verdicts } = await attackBy(
      own,
      (bait) => ({ ...bait, terminal: id }),
      async () => {
        terminal.type("\n");
        await terminal.shows(/done\./);
        return { stdout: await Bun.file(join(folder, "pushed")).bytes(), stderr: "" };
      },
    );
    await terminal.ended;
    expect(verdicts.get("terminal")).toMatchObject({ verdict: "open" });
  });
});

describe.each(callers)("on a terminal, %s", (_, unprivileged) => {
  const onOne = async (name: string, options: string[]) => {
    const file = join(folder, `prove-${name}-${unprivileged}`);
    await Bun.write(file, "");
    const words = proveLine(unprivileged, options);
    const terminal = onTerminal([
      ...["sh", "-c", '"$@" >"$0"', file],
      ...(unprivileged ? asOrdinary(words) : words),
    ]);
    const status = await terminal.ended;
    const stdout = await Bun.file(file).text();
    const { terminal: pushes, "process-group": signals } = verdictsOf(stdout);
    return { status, pushes, signals, broken: brokenIn(stdout) };
  };

  test("the container's own is not the caller's", async () => {
    const held = { status: 0, pushes: "held", signals: "held", broken: [] };
    expect(await onOne("own", [])).toEqual(held);
  });
  test("with --tty=no it is, and the process group too", async () => {
    const { status, signals, broken } = await onOne("callers", ["--tty=no"]);
    expect({ status, signals }).toEqual({ status: 1, signals: "open" });
    expect(broken).toContain("process-group");
    if (!unprivileged) expect(broken).toContain("terminal");
  });
});
