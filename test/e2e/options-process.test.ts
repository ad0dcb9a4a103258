/** The process options: what init starts with, how it is stopped, the reaper, and the post script. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  asOrdinary,
  callers,
  folder,
  type How,
  launch,
  leavesNothing,
  line,
  makeSmallRoot,
  onTerminal,
  processesLeft,
  type Ran,
  rootTest,
  runCommand,
  type Running,
  script,
  until,
} from "../harness.ts";

leavesNothing();

const PROMPT = /# (\x1b\[6n)?$/; // busybox asks the terminal where its cursor is

describe.each(callers)("%s", (_, unprivileged) => {
  const how = (more: How = {}): How => ({ unprivileged, ...more });
  const sh = (text: string, options: string[] = [], more: Parameters<typeof line>[2] = {}): string[] =>
    line(unprivileged, ["/bin/sh", "-c", text], { options, ...more });
  const run = (text: string, options: string[] = [], more: How = {}): Promise<Ran> =>
    runCommand(sh(text, options), how(more));
  const start = (words: string[], more: How = {}): Running => launch(words, how(more));
  /** with a shell in front that opens descriptors */
  const opening = (redirections: string, words: string[]): string[] => [
    ...["sh", "-c", `exec "$@" ${redirections}`, "sh"],
    ...words,
  ];

  describe("the environment", () => {
    test("order: ns's own, what is kept, files, -e; a name twice: the last", async () => {
      const file = join(folder, "env");
      writeFileSync(file, "# all\nB=file\nC=file\nD=file\n");
      const options = ["-e", "D=e", "-e", "D=last", "--env-file", file, "--keep-env", "A"];
      const ran = await run("echo $A $B $C $D $container", [...options, "--keep-env", "C"], {
        env: { A: "own", B: "own", C: "own", X: "own" },
      });
      expect(ran.stdout).toBe("own file file last ns\n");
    });
    test("nothing of the caller's is kept but what was asked for", async () => {
      const words = line(unprivileged, ["/bin/cat", "/proc/self/environ"], {
        options: ["--keep-env", "KEEP_*", "--clear-env"],
      });
      const ran = await runCommand(words, how({ env: { KEEP_A: "1", KEEPER: "2", SECRET: "3" } }));
      expect(ran.stdout).toBe("KEEP_A=1\0");
    });
    test("values are bytes, not text", async () => {
      const words = sh('printf %s "$V" | od -An -tx1', ["--keep-env", "V"]);
      const ran = await runCommand(["sh", "-c", `V=$(printf 'a\\377\\nb') "$@"`, "sh", ...words], how());
      expect(ran.stdout.trim()).toBe("61 ff 0a 62");
    });
    test("PRE has its documented environment, whatever init's is", async () => {
      const pre = script("pre-env", "#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ | sort\n");
      const ran = await runCommand(sh("exit 0", ["-e", "A=1", "--clear-env"], { pre }), how());
      const user = unprivileged ? "CLONE_NEWUSER=1\nCLONE_USERNS=1\n" : "";
      expect(ran.stdout).toBe(`${user}PATH=/sbin:/bin:/usr/sbin:/usr/bin\n`);
    });
    test("a large file of variables, and one that is too large", async () => {
      const lines = (count: number): string =>
        Array.from({ length: count }, (_, i) => `V${i}=${i}`).join("\n");
      const file = join(folder, "large");
      writeFileSync(file, lines(10_000));
      expect((await run("echo $V9999", ["--env-file", file])).stdout).toBe("9999\n");
      writeFileSync(file, lines(100_000));
      const ran = await run("echo $V9999", ["--env-file", file]);
      expect(ran.stderr).toStartWith("ns: the environment is too large");
      expect(ran.status).toBe(125);
    });
    test("a file that is not there, and one with a bad line", async () => {
      const missing = await run("exit 0", ["--env-file", "/no/env"]);
      expect(missing).toMatchObject({
        status: 125,
        stderr: "ns: cannot read the variables in /no/env: no such file or directory\n",
      });
      const bad = await run("exit 0", ["--env-file", "/dev/stdin"], { stdin: "A=1\nB\n" });
      expect(bad.status).toBe(2);
      expect(bad.stderr).toStartWith("ns: --env-file: /dev/stdin line 2: 'B' has no value");
    });
  });

  test("umask is init's, not PRE's, and not what ns makes things with", async () => {
    const pre = script("pre-umask", "#!/bin/sh\numask\n");
    expect((await runCommand(sh("umask", ["--umask", "7"], { pre }), how())).stdout).toBe("0022\n0007\n");
  });

  describe("descriptors", () => {
    const list = "cd /proc/self/fd; for f in *; do [ -e $f ] && echo -n $f ''; done";
    test("those that were named and no others, under their numbers", async () => {
      const words = sh(list, ["--pass-fd", "8", "--pass-fd", "5"]);
      const ran = await runCommand(
        opening("5</etc/passwd 6</dev/null 8</etc/group 3</dev/null", words),
        how(),
      );
      expect(ran.stdout).toBe("0 1 2 5 8 ");
    });
    test("PRE does not get them", async () => {
      const pre = script("pre-fds", "#!/bin/sh\nls /proc/$$/fd | tr '\\n' ' '\n");
      const ran = await runCommand(opening("9</dev/null", sh("exit 0", ["--pass-fd", "9"], { pre })), how());
      expect(ran.stdout).not.toContain("9 ");
    });
    test("what init closes is closed: neither ns nor the reaper hold it", async () => {
      for (const options of [[], ["--reaper"]]) {
        const words = sh("echo ready; read -r go; exec 9>&-; echo closed; read -r go", [
          "--pass-fd",
          "9",
          ...options,
        ]);
        const fifo = join(folder, `fifo${options.length}`);
        await runCommand(["mkfifo", "-m", "666", fifo]);
        const reader = launch(["cat", fifo]);
        const running = start(["sh", "-c", `"$@" 9>"$0"`, fifo, ...words.slice(0)], { stdin: "\n" });
        await running.line(/closed|^$/);
        // the shell in front of ns has ended its part: the writing end is ns's and init's alone
        expect((await running.ended).status).not.toBeNull();
        expect((await reader.ended).status).toBe(0);
      }
    });
    test("one that is not open is refused, Bun's own numbers too", async () => {
      for (const fd of ["3", "4", "77"]) {
        const ran = await run("exit 0", ["--pass-fd", fd]);
        expect(ran.stderr).toStartWith(`ns: --pass-fd: descriptor ${fd} is not open\nnote: `);
        expect(ran.status).toBe(125);
      }
    });
  });

  describe("being stopped", () => {
    const loop = "while :; do sleep 1000 & wait; done";
    test("a timeout: the stop signal, and what was said about it", async () => {
      const ran = await run(`trap 'echo stopping; exit 3' TERM; echo ready; ${loop}`, ["--timeout", "0.3s"]);
      expect(ran).toMatchObject({
        status: 124,
        stdout: "ready\nstopping\n",
        stderr: "ns: stopped after its timeout of 300ms\n",
      });
    });
    test("a timeout within the time that ns waits itself", async () => {
      const ran = await run(loop, ["--timeout", "1ms", "--stop-timeout", "1ms"]);
      expect(ran).toMatchObject({ status: 124, stderr: "ns: stopped after its timeout of 1ms\n" });
    });
    test("an init that takes no notice is killed", async () => {
      const ran = await run(`trap '' TERM; ${loop}`, ["--timeout", "0.1s", "--stop-timeout", "0.1s"]);
      expect(ran).toMatchObject({ status: 124, stderr: "ns: stopped after its timeout of 100ms\n" });
    });
    test("an init that is faster: its own status, and silence", async () => {
      for (const text of ["exit 5", "sleep 0.1; exit 5"])
        expect(await run(text, ["--timeout", "1000s"])).toMatchObject({ status: 5, stderr: "" });
    });
    test("--stop-signal is sent for SIGTERM, and for nothing else", async () => {
      const text = `trap 'echo usr1' USR1; trap 'echo int' INT; trap 'echo term' TERM; echo ready; ${loop}`;
      const running = start(sh(text, ["--stop-signal", "USR1"]));
      await running.line(/^ready/);
      running.kill("SIGTERM");
      await running.line(/^usr1/);
      running.kill("SIGINT");
      await running.line(/^int/);
      running.kill("SIGTERM");
      expect(await running.ended).toMatchObject({ status: 137, stdout: "ready\nusr1\nint\n" });
    });
    test.each<[NodeJS.Signals]>([["SIGTERM"], ["SIGINT"]])(
      "--stop-timeout: %s and then SIGKILL, from the first moment and later",
      async (signal) => {
        for (const wait of [false, true]) {
          const running = start(sh(`trap : TERM INT; echo ready; ${loop}`, ["--stop-timeout", "50ms"]));
          await running.line(/^ready/);
          if (wait) await until("ns waits", () => isWaiter(running.pid));
          running.kill(signal);
          const stderr = "ns: init was killed: it had not stopped 50ms after it was asked to\n";
          expect(await running.ended).toMatchObject({ status: 137, stderr });
        }
      },
    );
    test("--stop-timeout 0 kills at once; other signals start no clock", async () => {
      const running = start(sh(`trap 'echo usr1' USR1; echo ready; ${loop}`, ["--stop-timeout", "0"]));
      await running.line(/^ready/);
      running.kill("SIGUSR1");
      await running.line(/^usr1/);
      running.kill("SIGTERM");
      expect((await running.ended).status).toBe(137);
    });
  });

  describe("the reaper", () => {
    test("is process 1: sealed memory, three descriptors, no handlers; init is process 2", async () => {
      const text =
        "echo $$; readlink /proc/1/exe; ls /proc/1/fd | tr '\\n' ' '; grep -E 'Sig(Ign|Cgt)' /proc/1/status";
      const ran = await run(text, ["--reaper"]);
      expect(ran.stdout).toBe(
        "2\n/memfd:ns (deleted)\n0 1 2 SigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n",
      );
      expect(ran.status).toBe(0);
    });
    test.each([0, 1, 126, 127, 255])("init's own status %d", async (status) => {
      expect(await run(`exit ${status}`, ["--reaper"])).toMatchObject({ status, stderr: "" });
      expect((await run(`sleep 0.1; exit ${status}`, ["--reaper"])).status).toBe(status);
    });
    test.each<[NodeJS.Signals, number]>([
      ["SIGTERM", 143],
      ["SIGINT", 130],
      ["SIGHUP", 129],
      ["SIGUSR1", 138],
    ])("%s ends a command that has no handler for it", async (signal, status) => {
      const running = start(
        line(unprivileged, ["/bin/sh", "-c", "echo ready; exec sleep 1000"], { options: ["--reaper"] }),
      );
      await running.line(/^ready/);
      await until("sleep runs", () => processesLeft().some((text) => /\d sleep 1000/.test(text)));
      running.kill(signal);
      expect(await running.ended).toMatchObject({ status, stderr: "" });
    });
    test("passes signals on, each once, real-time ones too", async () => {
      const text =
        "trap 'echo rt' 37; trap 'echo usr2; exit 9' USR2; echo ready; while :; do sleep 1000 & wait; done";
      const running = start(sh(text, ["--reaper", "--stop-signal", "RTMIN+3"]));
      await running.line(/^ready/);
      running.kill("SIGTERM");
      await running.line(/^rt/);
      running.kill("SIGUSR2");
      expect(await running.ended).toMatchObject({ status: 9, stdout: "ready\nrt\nusr2\n" });
    });
    test("reaps what others leave behind", async () => {
      const text =
        "for i in 1 2 3 4 5 6 7 8; do (sh -c 'exit 7' & exec true); done; (sleep 0.05 &); sleep 0.2; grep -l 'State:.Z' /proc/[0-9]*/status; exit 6";
      expect(await run(text, ["--reaper"])).toMatchObject({ status: 6, stdout: "" });
    });
    test("what is left ends with init", async () => {
      expect((await run("sleep 1000 & setsid sleep 1000 & exit 3", ["--reaper"])).status).toBe(3);
    });
    test("init that is not there, or cannot be executed", async () => {
      const small = makeSmallRoot(`reaped${unprivileged}`);
      // passes the check and fails at the exec: its format is nobody's
      writeFileSync(join(small, "bin/odd"), "\x7fELF nonsense", { mode: 0o755 });
      const odd = await runCommand(
        line(unprivileged, ["/bin/odd"], { options: ["--reaper"], root: small }),
        how(),
      );
      expect(odd.status).toBe(126);
      expect(odd.stderr).toContain("is a program for another kind of machine");
      expect(
        (await runCommand(line(unprivileged, ["/bin/no"], { options: ["--reaper"] }), how())).status,
      ).toBe(127);
    });
    test("SIGKILL of ns takes it down", async () => {
      const running = start(sh("echo ready; sleep 1000 & exec sleep 1000", ["--reaper"]));
      await running.line(/^ready/);
      running.kill("SIGKILL");
      await running.ended;
    });
    const words = (init: string[]): string[] => {
      const all = line(unprivileged, init, { options: ["--reaper"] });
      return unprivileged ? asOrdinary(all) : all;
    };
    test("on a terminal: Ctrl-C reaches the command once, however often, and ends one without a handler", async () => {
      const count =
        "n=0; trap 'n=$((n+1)); echo got $n; [ $n -lt 5 ] || exit 9' INT; echo ready; while :; do sleep 1000 & wait; done";
      const counting = onTerminal(words(["/bin/sh", "-c", count]));
      await counting.shows(/ready/);
      for (let i = 1; i <= 5; i++) {
        counting.type("\x03");
        expect(await counting.shows(/got \d+\r\n/)).toBe(`^Cgot ${i}\r\n`);
      }
      expect(await counting.ended).toBe(9);
      const command = onTerminal(words(["/bin/sh", "-c", "echo ready; exec sleep 1000"]));
      await command.shows(/ready/);
      await until("sleep runs", () => processesLeft().some((text) => /\d sleep 1000/.test(text)));
      command.type("\x03");
      expect(await command.ended).toBe(130);
    });
    test("on a terminal: a shell has job control", async () => {
      const shell = onTerminal(words(["/bin/sh"]));
      await shell.shows(PROMPT);
      expect(shell.screen()).not.toContain("job control");
      shell.type("sleep 1000\n");
      await until("sleep runs", () => processesLeft().some((text) => /\d sleep 1000/.test(text)));
      shell.type("\x1a");
      await shell.shows(/Stopped/);
      await shell.shows(PROMPT);
      shell.type("exit 4\n");
      await shell.shows(/stopped jobs[\s\S]*# (\x1b\[6n)?$/);
      shell.type("exit 4\n");
      expect(await shell.ended).toBe(4);
    });
  });

  describe("the post script", () => {
    const log = join(folder, `post-log-${unprivileged}`);
    writeFileSync(log, "");
    const text = (end: string): string =>
      `#!/bin/sh\necho "$1 $2 $(cat /proc/$1/cmdline 2>/dev/null)" >>${log}\n${end}\n`;
    const post = script(`post-${unprivileged}`, text(":"));
    const pre = script(`pre-pid-${unprivileged}`, `#!/bin/sh\necho "$1 pre" >>${log}\n`);
    Bun.spawnSync(["chmod", "666", log]);
    /** what the scripts have written: the status that POST was told, if it was told PRE's process id and that is gone */
    const told = (): string[] => {
      const lines = readFileSync(log, "utf8").trimEnd().split("\n");
      writeFileSync(log, "");
      const pids = new Set(lines.map((text) => text.split(" ")[0]));
      expect(pids.size).toBe(1);
      return lines.map((text) => text.replace(/^\d+ /, "").trim());
    };
    const withPost = (init: string, options: string[] = [], script = post, before = pre): string[] =>
      sh(init, ["--post", script, ...options], { pre: before });

    test.each<[string, string, string[], number]>([
      ["exit at once", "exit 0", [], 0],
      ["exit", "exit 5", [], 5],
      ["exit after the handover", "sleep 0.1; exit 6", [], 6],
      ["the timeout", "sleep 1000; :", ["--timeout", "0.1s", "--stop-timeout", "0"], 124],
      ["with a reaper", "kill -9 $$", ["--reaper"], 137],
      ["with all that is said", "exit 7", ["-v"], 7],
    ])("after: %s", async (_, init, options, status) => {
      expect((await runCommand(withPost(init, options), how())).status).toBe(status);
      expect(told()).toEqual(["pre", `${status}`]);
    });
    test("after an init that could not be executed", async () => {
      const small = makeSmallRoot(`posted${unprivileged}`);
      writeFileSync(join(small, "bin/odd"), "\x7fELF nonsense", { mode: 0o755 });
      const ran = await runCommand(
        line(unprivileged, ["/bin/odd"], { options: ["--post", post], pre, root: small }),
        how(),
      );
      expect(ran.status).toBe(126);
      expect(told()).toEqual(["pre", "126"]);
    });
    test("after a PRE that failed half way, and after being stopped while it ran", async () => {
      const half = script(`half-${unprivileged}`, `#!/bin/sh\necho "$1 pre" >>${log}\nexit 3\n`);
      expect((await runCommand(withPost("exit 0", [], post, half), how())).status).toBe(125);
      expect(told()).toEqual(["pre", "125"]);
      const slow = script(
        `slow-${unprivileged}`,
        `#!/bin/sh\necho "$1 pre" >>${log}\necho waiting\nexec sleep 1000\n`,
      );
      const running = start(withPost("exit 0", [], post, slow));
      await running.line(/waiting/);
      running.kill("SIGTERM");
      expect((await running.ended).status).toBe(143);
      expect(told()).toEqual(["pre", "143"]);
    });
    test("not after a failure before PRE", async () => {
      const ran = await runCommand(
        line(unprivileged, ["/bin/no"], { options: ["--post", post], pre }),
        how(),
      );
      expect(ran.status).toBe(127);
      expect(readFileSync(log, "utf8")).toBe("");
    });
    test("after SIGKILL of ns: before it waits, while it waits, and while PRE runs", async () => {
      for (const options of [[], ["-v"]]) {
        const running = start(withPost("echo ready; exec sleep 1000", options));
        await running.line(/^ready/);
        if (options.length > 0) await until("ns waits", () => isWaiter(running.pid));
        running.kill("SIGKILL");
        await running.ended;
        await until("POST has run", () => readFileSync(log, "utf8").split("\n").length === 3);
        expect(told()).toEqual(["pre", "137"]);
      }
      const slow = script(
        `slow-${unprivileged}`,
        `#!/bin/sh\necho "$1 pre" >>${log}\necho waiting\nexec sleep 1000\n`,
      );
      const running = start(withPost("exit 0", [], post, slow));
      await running.line(/waiting/);
      running.kill("SIGKILL");
      await running.ended;
      await until("POST has run", () => readFileSync(log, "utf8").split("\n").length === 3);
      expect(told()).toEqual(["pre", "137"]);
    });
    test("its own failure is ns's only where everything else went well", async () => {
      const failing = script(`failing-${unprivileged}`, text("exit 3"));
      for (const [init, status] of [
        ["exit 0", 125],
        ["sleep 0.1", 125],
        ["exit 4", 4],
      ] as const) {
        const ran = await runCommand(withPost(init, [], failing), how());
        expect(ran).toMatchObject({
          status,
          stderr: `ns: the post script ${failing} exited with status 3\n`,
        });
        told();
      }
    });
    test("it has PRE's environment, and is asked to stop in vain until the third time", async () => {
      const slow = script(
        `slow-post-${unprivileged}`,
        `#!/bin/sh\necho "$1 $2" >>${log}\ntr '\\0' '\\n' </proc/$$/environ | sort\ntrap '' TERM\necho waiting\nsleep 1000\n`,
      );
      const running = start(withPost("exit 0", ["-e", "A=1"], slow));
      await running.line(/waiting/);
      const user = unprivileged ? "CLONE_NEWUSER=1\nCLONE_USERNS=1\n" : "";
      expect(running.stdout()).toBe(`${user}PATH=/sbin:/bin:/usr/sbin:/usr/bin\nwaiting\n`);
      for (let i = 0; i < 3; i++) {
        running.kill("SIGTERM");
        await until("the signal is taken", () => pending(running.pid) === 0n);
      }
      expect(await running.ended).toMatchObject({ status: 125 });
      expect(running.stderr()).toContain("was killed by SIGKILL");
      told();
    });
    test("one that cannot be executed is refused before anything starts", async () => {
      const plain = script(`plain-${unprivileged}`, "#!/bin/sh\n", 0o644);
      for (const [path, why] of [
        ["/no/post", "cannot be used: no such file or directory"],
        [plain, "is not executable"],
      ] as const) {
        const ran = await runCommand(withPost("exit 0", [], path), how());
        expect(ran.stderr).toStartWith(`ns: the post script ${path} ${why}`);
        expect(ran.status).toBe(125);
        expect(readFileSync(log, "utf8")).toBe("");
      }
    });
  });

  test("a hostile root gains nothing by links to what was passed on", async () => {
    const hostile = makeSmallRoot(`hostile${unprivileged}`);
    const outside = join(folder, `outside${unprivileged}`);
    mkdirSync(outside, { recursive: true });
    symlinkSync("/proc/self/fd/9", join(hostile, "work"));
    const words = line(unprivileged, ["/bin/true"], {
      options: ["--pass-fd", "9", "-w", "/work"],
      root: hostile,
    });
    const ran = await runCommand(opening(`9<${outside}`, words), how());
    expect(ran.status).toBe(125);
    expect(ran.stderr).toStartWith("ns: cannot enter the working directory /work");
  });

  test("all of them together", async () => {
    const options = [
      "--reaper",
      "--read-only",
      "-n",
      "-v",
      "--umask",
      "077",
      "-e",
      "A=1",
      "--timeout",
      "100s",
    ];
    const ran = await run("umask; echo $A $$; sleep 0.1; exit 3", [
      ...options,
      "--stop-timeout",
      "1s",
      "--post",
      "/bin/true",
    ]);
    expect(ran).toMatchObject({ status: 3, stdout: "0077\n1 2\n" });
    expect(ran.stderr).toContain("ns: post script: exited with status 0\n");
  });
});

describe("with a memory limit", () => {
  const hog = "exec tail /dev/zero";
  rootTest("a command below a reaper that is killed by it", async () => {
    const ran = await runCommand(line(false, ["/bin/sh", "-c", hog], { options: ["--reaper", "-m", "16M"] }));
    expect(ran).toMatchObject({ status: 137, stderr: "ns: init was killed: out of its 16M memory limit\n" });
  });
  rootTest("SIGKILL of ns: POST runs when the cgroup is gone", async () => {
    const log = join(folder, "limited-log");
    const post = script("limited-post", `#!/bin/sh\necho "$2" >${log}\n`);
    const words = line(false, ["/bin/sh", "-c", "echo ready; exec sleep 1000"], {
      options: ["-m", "64M", "--post", post],
    });
    const running = launch(words);
    await running.line(/^ready/);
    running.kill("SIGKILL");
    await running.ended;
    await until("POST has run", () => readdirSync(folder).includes("limited-log"));
    await until("it is written", () => readFileSync(log, "utf8") === "137\n");
  });
});

rootTest("where nothing may be executed from memory there is no reaper; the other options work", async () => {
  const forbid = 'mount -t proc proc /proc; echo 2 > /proc/sys/vm/memfd_noexec || exit 99; "$@"';
  const where = (words: string[]): string[] => ["unshare", "-mpf", "sh", "-c", forbid, "sh", ...words];
  const refused = await runCommand(where(line(false, ["/bin/true"], { options: ["--reaper"] })));
  if (refused.status === 99) return console.log("not shown: this kernel has no vm.memfd_noexec");
  expect(refused.stderr).toStartWith(
    "ns: --reaper: cannot make a program in memory: permission denied\nnote: ",
  );
  expect(refused.status).toBe(125);
  const options = ["--timeout", "0.1s", "--stop-timeout", "0.1s", "--post", "/bin/true"];
  const ran = await runCommand(where(line(false, ["/bin/sleep", "1000"], { options })));
  expect(ran).toMatchObject({ status: 124, stderr: "ns: stopped after its timeout of 100ms\n" });
});

rootTest("a reaper takes init's ids too, and needs none to reap", async () => {
  const text = "awk '/^(Uid|CapEff)/ { print $2 }' /proc/1/status /proc/self/status; (true &); exit 3";
  const ran = await runCommand(
    line(false, ["/bin/sh", "-c", text], { options: ["--reaper", "--as", "33:33"] }),
  );
  const user = "33\n0000000000000000\n";
  expect(ran).toMatchObject({ status: 3, stdout: user + user, stderr: "" });
});

/** Has ns become the waiting program? */
function isWaiter(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`).startsWith("/memfd:ns");
  } catch {
    return false;
  }
}

/** Signals sent to a process that it has not taken yet. */
function pending(pid: number): bigint {
  try {
    return BigInt(`0x${/^ShdPnd:\t(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]}`);
  } catch {
    return 0n;
  }
}
