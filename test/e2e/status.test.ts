/** --status-fd and --status-file: what is told, to whom, and that it is what docs/status.schema.json says. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { KINDS } from "../../src/run/outcome.ts";
import { NAMESPACES } from "../../src/spec/spec.ts";
import { FAULTS, writeProgram } from "../elf.ts";
import {
  asOrdinary,
  callers,
  expectNothingLeft,
  folder,
  isRoot,
  launch,
  line,
  project,
  root,
  rootTest,
  runCommand,
  script,
  until,
} from "../harness.ts";
import { violations } from "../schema.ts";

afterEach(expectNothingLeft);

const schema = JSON.parse(readFileSync(join(project, "docs/status.schema.json"), "utf8"));
writeProgram(join(root, "crash"), FAULTS.SIGSEGV!);

interface Line {
  event: string;
  pid: number;
  status: number;
  signal: string | null;
  cause: { kind: string; text: string } | null;
  namespaces: Record<string, number>;
  cgroup: string[];
  cpu: { user: number; system: number };
  memory: { peak: number | null };
  duration: number;
  error: string;
  note: string | null;
}

/** The lines, each as the schema says. */
function parse(text: string): Line[] {
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text
    .split("\n")
    .slice(0, -1)
    .map((one) => {
      const event = JSON.parse(one);
      expect(violations(schema, event), one).toEqual([]);
      return event;
    });
}

interface Asked {
  options?: string[];
  pre?: string;
  root?: string;
}

const words = (unprivileged: boolean, init: string[], { options = [], ...more }: Asked = {}): string[] => {
  const all = line(unprivileged, init, { options: ["--status-fd", "9", ...options], ...more });
  return unprivileged ? asOrdinary(all) : all;
};
/** The command with its standard output on descriptor 9, and nothing else there. */
const onlyStatus = (all: string[]): string[] => ["sh", "-c", 'exec "$@" 9>&1 1>/dev/null', "sh", ...all];

/** Runs a container to its end. */
async function tell(unprivileged: boolean, init: string[], asked: Asked = {}) {
  const ran = await runCommand(onlyStatus(words(unprivileged, init, asked)));
  return { ...ran, lines: parse(ran.stdout) };
}

const sh = (command: string): string[] => ["/bin/sh", "-c", command];
const isWaiter = (pid: number): boolean => readlinkSync(`/proc/${pid}/exe`).startsWith("/memfd:ns");

test("the kinds of causes are those of the schema and of docs/status.md", () => {
  const kinds = schema.oneOf[1].properties.cause.oneOf[1].properties.kind.enum;
  expect(kinds).toEqual([...KINDS]);
  const told = readFileSync(join(project, "docs/status.md"), "utf8").matchAll(/^\| `([a-z-]+)` \|/gm);
  expect([...told].map(([, kind]) => kind!)).toEqual([...KINDS]);
});

test("the validator finds what is wrong", () => {
  const good = { event: "failed", status: 125, error: "x", note: null };
  expect(violations(schema, good)).toEqual([]);
  for (const bad of [
    { ...good, status: 0 },
    { ...good, more: 1 },
    { event: "failed" },
    [],
    null,
    { ...good, note: 1 },
  ])
    expect(violations(schema, bad)).not.toEqual([]);
});

describe.each(callers)("%s", (_, unprivileged) => {
  test("started and exited, of a run that is over at once", async () => {
    const { lines, status, stderr } = await tell(unprivileged, ["/bin/true"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(lines).toMatchObject([
      { event: "started" },
      { event: "exited", status: 0, signal: null, cause: null, memory: { peak: null } },
    ]);
    // made before init runs: known however short it is
    const early = ["mnt", "pid", "uts", "ipc", "net", "user"];
    for (const name of early) expect(Object.keys(lines[0]!.namespaces)).toContain(name);
  });

  test("what is told is true while it runs", async () => {
    const running = launch(onlyStatus(words(unprivileged, sh("exec sleep 1000"))));
    const told = parse(`${await running.line(/started/)}\n`)[0]!;
    await until("ns has become the waiting program", () => isWaiter(running.pid));
    const names = NAMESPACES.filter((name) => existsSync(`/proc/self/ns/${name}`));
    const real = names.map((name) => [
      name,
      Number(/\d+/.exec(readlinkSync(`/proc/${told.pid}/ns/${name}`))![0]),
    ]);
    expect(Object.fromEntries(real)).toEqual(told.namespaces);
    process.kill(told.pid, "SIGKILL");
    const { stdout, status } = await running.ended;
    expect(status).toBe(137);
    expect(parse(stdout)[1]).toMatchObject({
      event: "exited",
      status: 137,
      signal: "SIGKILL",
      cause: { kind: "signal", text: "init was killed by SIGKILL, not by ns" },
    });
  });

  test("with every option that makes an end longer", async () => {
    const post = script("post", "#!/bin/sh\nexit 0\n");
    const options = ["-v", "--timeout", "1m", "--post", post, "--reaper", "--ephemeral"];
    const { lines, status } = await tell(unprivileged, sh("sleep 0.1; exit 3"), { options });
    expect(status).toBe(3);
    expect(lines).toMatchObject([
      { event: "started" },
      { event: "exited", status: 3, signal: null, cause: null },
    ]);
    expect(lines[1]!.duration).toBeGreaterThanOrEqual(0.1);
  });

  test.each([
    ["crash", ["/crash"], [], 139, "SIGSEGV"],
    ["timeout", sh("exec sleep 1000"), ["--timeout", "0.1s", "--stop-timeout", "0s"], 124, "SIGKILL"],
    ["timeout", sh("exec sleep 1000"), ["--timeout", "0.1s", "--reaper"], 124, null],
  ] as const)("an end by %s", async (kind, init, options, status, signal) => {
    const { lines } = await tell(unprivileged, [...init], { options: [...options] });
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({ event: "exited", status, signal, cause: { kind } });
  });

  test("stopped by ns when it was asked to", async () => {
    const options = ["--stop-timeout", "0.1s"];
    const running = launch(onlyStatus(words(unprivileged, sh("exec sleep 1000"), { options })));
    await running.line(/started/);
    running.kill("SIGTERM");
    const lines = parse((await running.ended).stdout);
    expect(lines[1]).toMatchObject({ status: 137, signal: "SIGKILL", cause: { kind: "stopped" } });
  });

  test("a post script that fails", async () => {
    const post = script("post-fails", "#!/bin/sh\nexit 4\n");
    const { lines, status } = await tell(unprivileged, ["/bin/true"], { options: ["--post", post] });
    expect(status).toBe(125);
    expect(lines[1]).toMatchObject({
      status: 125,
      cause: { kind: "post-script", text: `the post script ${post} exited with status 4` },
    });
  });

  test("one line, failed, when init never ran", async () => {
    const failed = async (init: string[], asked: Asked, status: number, error: RegExp): Promise<void> => {
      const { lines, stderr, ...ran } = await tell(unprivileged, init, asked);
      expect(ran.status).toBe(status);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatchObject({ event: "failed", status });
      expect(lines[0]!.error).toMatch(error);
      const { error: text, note } = lines[0]!;
      expect(stderr).toBe(`ns: ${text}\n${note === null ? "" : `note: ${note}\n`}`);
    };
    const bare = script("bare", "echo\n");
    await runCommand(["cp", bare, join(root, "bare")]);
    const pre = script("pre-fails", "#!/bin/sh\nexit 3\n");
    await failed(["/no"], {}, 127, /is not there/);
    await failed(["/bare"], {}, 126, /is neither a program nor a script/);
    await failed(["/bin/true"], { root: "/nowhere" }, 125, /cannot use the root \/nowhere/);
    await failed(["/bin/true"], { pre }, 125, /the pre script .* exited with status 3/);
    await failed(
      ["/bin/true"],
      { pre, options: ["--post", script("post-too", "#!/bin/sh\nexit 9\n")] },
      125,
      /status 3: .*; the post script .* exited with status 9/,
    );
  });

  test("failed, when ns was asked to stop before init ran", async () => {
    const pre = script("pre-waits", "#!/bin/sh\necho waiting >&2\nexec sleep 1000\n");
    const running = launch(onlyStatus(words(unprivileged, ["/bin/true"], { pre })));
    await running.line(/waiting/);
    running.kill("SIGTERM");
    const { stdout, status } = await running.ended;
    expect(status).toBe(143);
    expect(parse(stdout)).toMatchObject([{ event: "failed", status: 143 }]);
  });

  test("neither init nor a script gets the descriptor", async () => {
    const seen = join(folder, `seen-${unprivileged}`);
    writeFileSync(seen, "");
    chmodSync(seen, 0o666);
    const look = `for fd in /proc/self/fd/*; do echo "$0 \${fd##*/}"; done | grep ' 9$'`;
    const pre = script("pre-looks", `#!/bin/sh\n{ echo pre; ${look}; } >>${seen}\nexit 0\n`);
    const post = script("post-looks", `#!/bin/sh\n{ echo post; ${look}; } >>${seen}\nexit 0\n`);
    for (const how of ["", "sleep 0.1; "]) {
      writeFileSync(seen, "");
      const { stderr, lines } = await tell(unprivileged, sh(`${how}${look} >&2; exit 0`), {
        pre,
        options: ["--post", post],
      });
      expect(stderr).toBe("");
      expect(readFileSync(seen, "utf8")).toBe("pre\npost\n");
      expect(lines).toHaveLength(2);
    }
  });

  test("SIGKILL of ns: the reader sees the end of the file, and no exited", async () => {
    const running = launch(onlyStatus(words(unprivileged, sh("exec sleep 1000"))));
    await running.line(/started/);
    await until("ns has become the waiting program", () => isWaiter(running.pid));
    running.kill("SIGKILL");
    const { stdout } = await running.ended;
    expect(parse(stdout)).toMatchObject([{ event: "started" }]);
  });

  test("a reader that is gone, and a full disk, change nothing", async () => {
    const all = words(unprivileged, sh("sleep 0.1; exit 5"));
    const gone = await runCommand(["bash", "-c", 'exec 9> >(:); wait $!; "$@"', "bash", ...all]);
    expect(gone).toMatchObject({ status: 5, stderr: "" });
    const full = await runCommand(["sh", "-c", '"$@" 9>/dev/full', "sh", ...all]);
    expect(full).toMatchObject({ status: 5, stderr: "" });
  });

  test("a file: made for its owner alone, or emptied", async () => {
    const directory = join(folder, `files-${unprivileged}`);
    mkdirSync(directory);
    chmodSync(directory, 0o777);
    const path = join(directory, "status.json");
    const told = async (init: string[], file = path) => {
      const all = line(unprivileged, init, { options: ["--status-file", file] });
      return runCommand(unprivileged ? asOrdinary(all) : all);
    };
    expect((await told(sh("sleep 0.1; exit 6"))).status).toBe(6);
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    expect(parse(readFileSync(path, "utf8"))).toMatchObject([
      { event: "started" },
      { event: "exited", status: 6 },
    ]);
    expect((await told(["/no"])).status).toBe(127);
    expect(parse(readFileSync(path, "utf8"))).toMatchObject([{ event: "failed", status: 127 }]);

    const link = join(directory, "link");
    symlinkSync(path, link);
    const refused = await told(["/bin/true"], link);
    expect(refused).toMatchObject({
      status: 125,
      stderr: `ns: --status-file: cannot write ${link}: too many levels of symbolic links\nnote: it is a link, which ns does not follow here\n`,
    });
    expect(parse(readFileSync(path, "utf8"))).toHaveLength(1);
    expect((await told(["/bin/true"], directory)).stderr).toBe(
      `ns: --status-file: cannot write ${directory}: is a directory\n`,
    );
    expect((await told(["/bin/true"], "/nowhere/x")).stderr).toBe(
      "ns: --status-file: cannot write /nowhere/x: no such file or directory\n",
    );
    rmSync(directory, { recursive: true });
  });

  test("what cannot be told to is an error before anything starts", async () => {
    const pre = script("pre-runs", `#!/bin/sh\ntouch ${folder}/ran\n`);
    const started = async (command: string, options: string[]) => {
      const all = line(unprivileged, ["/bin/true"], { options, pre });
      const ran = await runCommand(["sh", "-c", command, "sh", ...(unprivileged ? asOrdinary(all) : all)]);
      expect(existsSync(join(folder, "ran"))).toBe(false);
      return ran;
    };
    const closed = "note: open it for ns: ns … 9>FILE\n";
    expect(await started('"$@"', ["--status-fd", "9"])).toMatchObject({
      status: 125,
      stderr: `ns: --status-fd: descriptor 9 is not open\n${closed}`,
    });
    for (const fd of ["3", "4", "5", "6", "7", "8"]) // some of these are Bun's own
      expect(await started('"$@" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&-', ["--status-fd", fd])).toMatchObject({
        status: 125,
        stderr: expect.stringContaining(`descriptor ${fd} is not open`),
      });
    expect((await started('"$@" 9</dev/null', ["--status-fd", "9"])).stderr).toBe(
      `ns: --status-fd: descriptor 9 is not open for writing\n${closed}`,
    );
    const usage = async (options: string[], text: string): Promise<void> => {
      const ran = await started('"$@" 9>/dev/null', options);
      expect(ran.status).toBe(2);
      expect(ran.stderr).toStartWith(`ns: ${text}\n`);
    };
    await usage(["--status-fd", "1"], "--status-fd: descriptor 1 is init's own; give one above 2");
    await usage(["--status-fd", "x"], "--status-fd: 'x' is not the number of a descriptor above 2");
    await usage(
      ["--status-fd", "9", "--status-file", "/x"],
      "--status-fd and --status-file exclude each other",
    );
    await usage(
      ["--status-fd", "9", "--pass-fd", "9"],
      "--status-fd and --pass-fd: init must not have descriptor 9, which tells about it",
    );
  });

  test("processor time is init's and its descendants', not the pre script's", async () => {
    const burn = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
    const pre = script("pre-burns", `#!/bin/sh\n${burn}\nexit 0\n`);
    const used = async (init: string[], asked: Asked = {}): Promise<number> => {
      const { cpu } = (await tell(unprivileged, init, asked)).lines[1]!;
      return cpu.user + cpu.system;
    };
    const inInit = await used(sh(`(${burn}); exit 0`));
    expect(inInit).toBeGreaterThan(0);
    expect(await used(["/bin/true"], { pre })).toBeLessThan(inInit / 4);
  });
});

rootTest("a memory limit, its peak and its directory (cgroup v1)", async () => {
  const hog = sh(`exec awk 'BEGIN { s = "x"; while (1) s = s s }'`);
  const { lines, status } = await tell(false, hog, { options: ["-m", "16M"] });
  if (status === 125 && isRoot) return console.log(`not shown: ${lines[0]!.error}`);
  expect(lines).toMatchObject([
    { event: "started" },
    {
      event: "exited",
      status: 137,
      cause: { kind: "memory-limit", text: "init was killed: out of its 16M memory limit" },
    },
  ]);
  for (const directory of lines[0]!.cgroup) expect(directory).toMatch(/\/ns\/\d+-\w+$/);
  expect(lines[0]!.cgroup.length).toBeGreaterThan(0);
  const { peak } = lines[1]!.memory;
  expect(peak!).toBeGreaterThan(8 << 20);
  expect(peak!).toBeLessThanOrEqual(16 << 20);
});
