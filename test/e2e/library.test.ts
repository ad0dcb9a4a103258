/** The library's start(): what a program gives it, gets from it and keeps for itself. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ContainerOptions, NsError, start, type Wanted } from "../../src/index.ts";
import { folder, isRoot, leavesNothing, ordinary, root, rootTest, script, until } from "../harness.ts";

leavesNothing();

/** Whoever runs the tests may start it. */
const wanted = (command: string, more: Partial<Wanted> = {}): Wanted => ({
  root,
  init: "/bin/sh",
  args: ["-c", command],
  ...(isRoot ? {} : { user: ordinary }),
  ...more,
});

async function outputOf(spec: Wanted, options: ContainerOptions = {}) {
  const container = await start(spec, { stdout: "pipe", ...options });
  const text = await new Response(container.stdout).text();
  return { text, ...(await container.exited) };
}

const failure = async (spec: Wanted, options: ContainerOptions = {}): Promise<NsError> => {
  try {
    const container = await start(spec, options);
    await container.exited;
  } catch (error) {
    expect(error).toBeInstanceOf(NsError);
    return error as NsError;
  }
  throw new Error("it was started");
};

describe("a container", () => {
  test("is as the command's: process 1, uid 0, its own /proc, nothing else open", async () => {
    const { text, status } = await outputOf(
      wanted(
        "echo $$; id -u; pwd; ls /proc/self/fd | tr '\\n' ' '; echo; grep SigBlk /proc/self/status; umask; exit 3",
      ),
    );
    expect(status).toBe(3);
    const [pid, uid, cwd, descriptors, blocked, umask] = text.split("\n");
    expect([pid, uid, cwd, umask]).toEqual(["1", "0", "/", "0022"]);
    expect(descriptors!.trim().split(" ").length).toBeLessThanOrEqual(4); // 0, 1, 2 and the listing's own
    expect(blocked).toMatch(/\t0+$/);
  });
  test("root and init are enough", async () => {
    const container = await start({ root, init: "/bin/true", ...(isRoot ? {} : { user: ordinary }) });
    expect(container.pid).toBeGreaterThan(1);
    expect([container.stdin, container.stdout, container.stderr]).toEqual([null, null, null]);
    expect(await container.exited).toEqual({ status: 0, cause: null });
  });
  test("text is UTF-8", async () => {
    const { text } = await outputOf(
      wanted('printf "%s" "$1"', { args: ["-c", 'printf %s "$1"', "sh", "ä€😀"] }),
    );
    expect(text).toBe("ä€😀");
  });
  test("in a user namespace and a network of its own", async () => {
    const { text } = await outputOf(
      wanted("cat /proc/self/uid_map; cat /proc/self/setgroups; grep -c : /proc/net/dev", {
        user: ordinary,
        network: { mode: "new" },
      }),
    );
    expect(text.replaceAll(/ +/g, " ")).toBe(` 0 ${ordinary.uid} 1\ndeny\n1\n`);
  });
  test("the pre script runs before init, with its process id", async () => {
    const pre = script("lib-pre", `#!/bin/sh\nreadlink /proc/$1/ns/pid >${folder}/pre-says\n`);
    const { text } = await outputOf(wanted("readlink /proc/1/ns/pid", { pre }));
    expect(text).toBe(readFileSync(join(folder, "pre-says"), "utf8"));
  });
  rootTest("a memory limit kills it, and says so", async () => {
    const eat = "x=xxxxxxxx; while :; do x=$x$x; done";
    const ended = await (await start(wanted(eat, { limits: { memory: "16M" } }), { stderr: "ignore" }))
      .exited;
    expect(ended).toEqual({ status: 137, cause: "init was killed: out of its 16M memory limit" });
  });
  rootTest("a limit that is too small for anything does not kill the program", async () => {
    const ended = await start(wanted("exit 0", { limits: { memory: 4096 } })).then(
      (container) => container.exited,
      (error: NsError) => error,
    );
    expect(ended).toBeDefined();
    expect((await outputOf(wanted("echo still here"))).text).toBe("still here\n");
  });
});

describe("standard streams", () => {
  test("megabytes both ways", async () => {
    const container = await start(wanted("cat"), { stdin: "pipe", stdout: "pipe" });
    const block = new Uint8Array(1 << 20).map((_, i) => i % 251);
    const sending = (async () => {
      const writer = container.stdin!.getWriter();
      for (let i = 0; i < 8; i++) await writer.write(block);
      await writer.close();
    })();
    const back = new Uint8Array(await new Response(container.stdout).arrayBuffer());
    await sending;
    expect(back.length).toBe(8 << 20);
    for (let i = 0; i < 8; i++) expect(Buffer.compare(back.subarray(i << 20, (i + 1) << 20), block)).toBe(0);
    expect((await container.exited).status).toBe(0);
  });
  test("standard error apart from output, and descriptors that cross", async () => {
    const container = await start(wanted("echo out; echo err >&2"), { stdout: "pipe", stderr: "pipe" });
    expect(await new Response(container.stderr).text()).toBe("err\n");
    expect(await new Response(container.stdout).text()).toBe("out\n");
    await container.exited;
    const text = script("input", "from a file\n");
    const file = (await import("node:fs")).openSync(text, "r");
    expect((await outputOf(wanted("cat"), { stdin: file })).text).toBe("from a file\n");
    (await import("node:fs")).closeSync(file);
  });
  test("a writer learns that nobody reads", async () => {
    const container = await start(wanted("exec <&-; exit 0"), { stdin: "pipe" });
    await container.exited;
    await expect(container.stdin!.getWriter().write("x".repeat(1 << 20))).rejects.toThrow();
  });
  test("nothing is read from the program's own input unless asked for", async () => {
    expect((await outputOf(wanted("cat; echo end"))).text).toBe("end\n");
  });
});

describe("errors", () => {
  test.each([
    [{ root: "", init: "/x" }, 2, /^root: not a text/],
    [{ root, init: "bin/sh" }, 2, /^init: 'bin\/sh' is not an absolute path/],
    [{ root, init: "/bin/s\0h" }, 2, /^init: a text cannot hold a zero byte/],
    [{ root, init: "/bin/sh", args: ["a\0b"] }, 2, /^args/],
    [{ root, init: "/bin/sh", memory: 5 }, 2, /^memory: unknown key/],
    [{ root, init: "/bin/sh", limits: { memroy: 5 } }, 2, /^limits.memroy: unknown key/],
    [{ root, init: "/bin/sh", limits: { memory: "64X" } }, 2, /^limits.memory: '64X' is not a size/],
    [{ root, init: "/bin/sh", limits: { memory: 1.5 } }, 2, /not a whole number/],
    [{ root, init: "/bin/sh", user: { uid: -1, gid: 0 } }, 2, /^UID '-1'/],
    [{ root, init: "/bin/sh", user: { uid: 1 } }, 2, /^user: neither/],
    [{ root, init: "/bin/sh", namespaces: { share: ["uts"], hostname: "x" } }, 2, /exclude each other/],
    [{ init: "/bin/sh" }, 2, /^root is missing/],
    [{ root, init: "/bin/sh", pre: "x" }, 2, /^pre: 'x' is not an absolute path/],
    [{ root: "/nowhere", init: "/bin/sh" }, 125, /^cannot use the root \/nowhere: no such file/],
    [{ root, init: "/bin/nope" }, 127, /is not there$/],
    [{ root, init: "/etc" }, 126, /is a directory$/],
  ])("%o", async (spec, status, message) => {
    const error = await failure({ ...(isRoot ? {} : { user: ordinary }), ...(spec as unknown as Wanted) });
    expect(error.message).toMatch(message);
    expect(error.status).toBe(status);
  });
  test("one that only the child can meet names the step and the reason", async () => {
    const error = await failure(wanted("true", { process: { workdir: "/not/there" } }));
    expect(error.message).toMatch(/cannot enter the working directory \/not\/there: no such file/);
    expect(error.errno).toBe(2);
  });
  test("a pre script that fails", async () => {
    const pre = script("lib-fails", "#!/bin/sh\nexit 9\n");
    expect((await failure(wanted("true", { pre }))).message).toMatch(/lib-fails exited with status 9/);
  });
  test("a descriptor that is not open", async () => {
    expect((await failure(wanted("true"), { stdin: 999 })).message).toMatch(
      /^cannot use 999 for stdin: bad file/,
    );
  });
});

test("the program keeps its directory, groups, umask, signal dispositions and descriptors", async () => {
  const status = (): string[] =>
    readFileSync("/proc/self/status", "utf8")
      .split("\n")
      .filter((line) => /^(Groups|Umask|Sig(Ign|Cgt|Blk)|Uid|Gid|CapEff)/.test(line));
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  const before = { status: status(), cwd: process.cwd(), descriptors: descriptors() };
  const heard: string[] = [];
  const onChild = (): void => void heard.push("SIGCHLD");
  await outputOf(wanted("true", { user: ordinary, pre: script("lib-true", "#!/bin/sh\nexit 0\n") }));
  process.on("SIGCHLD", onChild);
  await outputOf(wanted("true"));
  expect(heard).toEqual([]); // containers are the keeper's children, not the program's
  process.off("SIGCHLD", onChild);
  // the keeper goes when there has been nothing to do for a while
  await until("the keeper is gone", () => descriptors() <= before.descriptors);
  expect(process.cwd()).toBe(before.cwd);
  expect(status().filter((line) => !line.startsWith("SigCgt"))).toEqual(
    before.status.filter((line) => !line.startsWith("SigCgt")),
  );
});
