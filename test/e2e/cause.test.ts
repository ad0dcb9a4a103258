/** Why a run ended: every cause is made to happen, at once (ns waits itself) and later (the waiting program does). */
import { afterEach, describe, expect, test } from "bun:test";
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { exit, FAULTS, syscall, syscall32, writeProgram } from "../elf.ts";
import {
  asOrdinary,
  callers,
  expectNothingLeft,
  folder,
  isRoot,
  launch,
  line,
  type Ran,
  root,
  rootTest,
  runCommand,
  type Running,
  script,
  until,
} from "../harness.ts";

afterEach(expectNothingLeft);

for (const [name, code] of Object.entries(FAULTS)) writeProgram(join(root, name), code);
writeProgram(join(root, "mkdir-call"), [...syscall(83), ...exit]);
writeProgram(join(root, "old-mkdir"), [...syscall32(39), ...exit]);
Bun.spawnSync(["mkfifo", "-m", "666", join(root, "go")]);

const words = (unprivileged: boolean, init: string[], options: string[] = []): string[] => {
  const all = line(unprivileged, init, { options });
  return unprivileged ? asOrdinary(all) : all;
};

const becameWaiter = (running: Running): Promise<void> =>
  until("ns has become the waiting program", () =>
    readlinkSync(`/proc/${running.pid}/exe`).startsWith("/memfd:ns"),
  );

/** Runs it when ns has handed over to the waiting program. */
async function later(unprivileged: boolean, command: string, options: string[] = []): Promise<Ran> {
  const all = words(unprivileged, ["/bin/sh", "-c", `echo ready; read x </go; ${command}`], options);
  const running = launch(all);
  await running.line(/^ready/);
  await becameWaiter(running);
  const go = openSync(join(root, "go"), "r+");
  writeSync(go, "go\n");
  const ran = await running.ended;
  closeSync(go);
  return ran;
}

/** A container whose init waits for ever, and init's process id. */
async function hold(
  unprivileged: boolean,
  options: string[] = [],
): Promise<{ running: Running; pid: number }> {
  const running = launch(words(unprivileged, ["/bin/sh", "-c", "echo ready; exec sleep 1000"], options));
  await running.line(/^ready/);
  await becameWaiter(running);
  let pid = 0;
  await until("init runs sleep", () => {
    const children = readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, "utf8")
      .trim()
      .split(" ");
    const found = children.find((child) =>
      readFileSync(`/proc/${child}/cmdline`, "utf8").startsWith("sleep\0"),
    );
    pid = Number(found ?? 0);
    return found !== undefined;
  });
  return { running, pid };
}

const killing = script(
  "kill.json",
  JSON.stringify({
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_KILL_PROCESS" }],
  }),
  0o644,
);

describe.each(callers)("%s", (_, unprivileged) => {
  // first: crashes use up what the kernel prints in five seconds
  describe("a seccomp filter that kills", () => {
    const readable = !unprivileged || readFileSync("/proc/sys/kernel/dmesg_restrict", "utf8") === "0\n";
    const unnamed =
      /^ns: init was killed by a seccomp filter \(SIGSYS\)\nnote: .* dmesg \| grep 'type=1326\.\* pid=(\d+) ', .*\n$/;
    /** The call by its name, unless the log cannot be read or the kernel has left the record out (kernel.printk_ratelimit). */
    const expectCall = ({ status, stderr }: Ran, call: string): void => {
      expect(status).toBe(159);
      if (stderr === `ns: init was killed by a seccomp filter: it called ${call}\n`) {
        expect(readable).toBe(true);
        return;
      }
      const pid = unnamed.exec(stderr)?.[1];
      expect(pid, stderr).toBeString();
      if (!readable) return;
      const log = Bun.spawnSync(["dmesg"]).stdout.toString();
      expect(
        log.split("\n").filter((text) => text.includes("type=1326") && text.includes(` pid=${pid} `)),
      ).toEqual([]);
      console.log("not shown: the kernel logs too much just now");
    };
    test("by the call that it refused, if the kernel's log can be read", async () => {
      const options = ["--seccomp", killing];
      expectCall(await runCommand(words(unprivileged, ["/mkdir-call"], options)), "mkdir");
      expectCall(await later(unprivileged, "exec /mkdir-call", options), "mkdir");
    });
    test("by the call of a program of another kind", async () => {
      const ran = await runCommand(words(unprivileged, ["/old-mkdir"], ["--seccomp", killing]));
      if (ran.status === 139) return console.log("not shown: this kernel runs no 32-bit programs");
      expectCall(ran, "mkdir as a program for i386");
    });
  });

  test.each(Object.keys(FAULTS))("a crash by %s, at once and later", async (signal) => {
    const status = 128 + { SIGSEGV: 11, SIGILL: 4, SIGFPE: 8, SIGTRAP: 5 }[signal]!;
    const expected = { status, stderr: `ns: init crashed: ${signal}\n` };
    expect(await runCommand(words(unprivileged, [`/${signal}`]))).toMatchObject(expected);
    expect(await later(unprivileged, `exec /${signal}`)).toMatchObject(expected);
  });

  test("an init that ends by itself has no cause, whatever its status", async () => {
    for (const status of [0, 1, 7, 126, 127, 137, 139, 255]) {
      const ran = await runCommand(words(unprivileged, ["/bin/sh", "-c", `exit ${status}`]));
      expect(ran).toMatchObject({ status, stderr: "" });
    }
    expect(await later(unprivileged, "exit 1")).toMatchObject({ status: 1, stderr: "" });
    expect(await later(unprivileged, "exit 139")).toMatchObject({ status: 139, stderr: "" });
    expect(await later(unprivileged, "exit 0")).toMatchObject({ status: 0, stderr: "" });
  });

  test("an init that switches itself off, or starts again, has no cause", async () => {
    for (const [command, status] of [
      ["poweroff", 130],
      ["reboot", 129],
    ] as const) {
      const init = ["/bin/busybox", command, "-f"];
      expect(await runCommand(words(unprivileged, init))).toMatchObject({ status, stderr: "" });
      expect(await later(unprivileged, `exec ${init.join(" ")}`)).toMatchObject({ status, stderr: "" });
    }
  });

  test("a crash of somebody else inside is init's own affair", async () => {
    const ran = await runCommand(words(unprivileged, ["/bin/sh", "-c", "/SIGSEGV 2>/dev/null; exit 3"]));
    expect(ran.status).toBe(3);
    expect(ran.stderr).not.toContain("ns:");
  });

  test("SIGKILL from outside", async () => {
    const { running, pid } = await hold(unprivileged);
    process.kill(pid, "SIGKILL");
    const { status, stderr } = await running.ended;
    expect(status).toBe(137);
    expect(stderr).toMatch(/^ns: init was killed by SIGKILL, not by ns\nnote: .*\n$/);
  });

  test("SIGKILL by ns, which was asked to stop three times", async () => {
    const { running, pid } = await hold(unprivileged);
    const pending = (of: number): boolean => {
      try {
        return !/^ShdPnd:\t0+$/m.test(readFileSync(`/proc/${of}/status`, "utf8"));
      } catch {
        return false;
      }
    };
    expect(pid).toBeGreaterThan(1);
    for (let i = 0; i < 3; i++) {
      running.kill("SIGTERM");
      await until("the signal is taken", () => !pending(running.pid));
    }
    const { status, stderr } = await running.ended;
    expect({ status, stderr }).toEqual({
      status: 137,
      stderr: "ns: init was killed: ns was asked to stop three times\n",
    });
  });

  test("SIGKILL by ns, when init has not stopped in its time", async () => {
    const { running } = await hold(unprivileged, ["--stop-timeout", "0.1s"]);
    running.kill("SIGTERM");
    const { status, stderr } = await running.ended;
    expect({ status, stderr }).toEqual({
      status: 137,
      stderr: "ns: init was killed: it had not stopped 100ms after it was asked to\n",
    });
  });

  test("the time that it may run is over", async () => {
    const { running } = await hold(unprivileged, ["--timeout", "0.2s", "--stop-timeout", "0s"]);
    const { status, stderr } = await running.ended;
    expect({ status, stderr }).toEqual({ status: 124, stderr: "ns: stopped after its timeout of 200ms\n" });
  });

  describe("an init that cannot be executed", () => {
    const bad = join(folder, `bad-${unprivileged}`);
    mkdirSync(join(bad, "proc"), { recursive: true });
    mkdirSync(join(bad, "directory"));
    const file = (name: string, content: string, mode = 0o755): void =>
      void script(`bad-${unprivileged}/${name}`, content, mode);
    file("plain", "#!/bin/sh\n", 0o644);
    file("text", "echo\n");
    writeProgram(join(bad, "arm"), exit, 183);
    file("empty-line", "#!\n");
    const loader = Buffer.alloc(0x54 + 20);
    loader.write("\x7fELF\x01\x01\x01", "latin1");
    loader.writeUInt16LE(2, 16);
    loader.writeUInt16LE(3, 18);
    loader.writeUInt32LE(52, 28);
    loader.writeUInt16LE(32, 42);
    loader.writeUInt16LE(1, 44);
    loader.writeUInt32LE(3, 52); // PT_INTERP
    loader.writeUInt32LE(0x54, 56);
    loader.writeUInt32LE(19, 68);
    loader.write("/lib/ld-linux.so.2", 0x54);
    file("old", loader.toString("latin1"));
    const cases: [string, string, string][] = [
      ["a directory", "#!/directory\n", "is a script for /directory, which is a directory"],
      ["not executable", "#!/plain\n", "is a script for /plain, which is not executable\nnote: chmod +x it"],
      [
        "a text without #!",
        "#!/text\n",
        "is a script for /text, which is neither a program nor a script with a #! line\nnote: begin the script with #!/bin/sh",
      ],
      [
        "for another machine",
        "#!/arm -x\n",
        "is a script for /arm, which is a program for arm64, and this machine is x86-64\nnote: take one",
      ],
      ["missing", "#!/usr/bin/nothing\n", "is a script for /usr/bin/nothing, which is not in the root"],
    ];
    test.each(cases)("its interpreter is %s", async (name, content, text) => {
      const path = name.replaceAll(/\W/g, "-");
      file(path, content);
      const ran = await runCommand(
        unprivileged
          ? asOrdinary(line(true, [`/${path}`], { root: bad }))
          : line(false, [`/${path}`], { root: bad }),
      );
      expect(ran.status).toBe(126);
      expect(ran.stderr).toStartWith(`ns: init /${path} in ${bad} ${text}`);
    });
    test.each([
      ["/arm", "is a program for arm64, and this machine is x86-64\n"],
      ["/empty-line", "begins with #! and names no interpreter\n"],
      ["/old", "needs the loader /lib/ld-linux.so.2, which is not in the root\nnote: install the C library"],
    ])("%s", async (path, text) => {
      const all = line(unprivileged, [path], { root: bad });
      const ran = await runCommand(unprivileged ? asOrdinary(all) : all);
      expect(ran.status).toBe(126);
      expect(ran.stderr).toStartWith(`ns: init ${path} in ${bad} ${text}`);
    });
    rootTest("the interpreter is on a file system without exec", async () => {
      mkdirSync(join(bad, "noexec"), { recursive: true });
      file("on-noexec", "#!/noexec/busybox sh\n");
      const mount = `mount -t tmpfs -o noexec,mode=755 none ${bad}/noexec && cp ${root}/bin/busybox ${bad}/noexec/ && exec "$@"`;
      const all = line(unprivileged, ["/on-noexec"], { root: bad });
      const ran = await runCommand([
        "unshare",
        "-m",
        "sh",
        "-c",
        mount,
        "sh",
        ...(unprivileged ? asOrdinary(all) : all),
      ]);
      expect(ran.status).toBe(126);
      expect(ran.stderr).toStartWith(
        `ns: init /on-noexec in ${bad} is a script for /noexec/busybox, which is on a file system mounted noexec\nnote: remount`,
      );
    });
  });
});

describe("limits of the run's own, on this host's cgroup v1", () => {
  const own = (controller: string): string | null => {
    const path = new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, "m").exec(
      readFileSync("/proc/self/cgroup", "utf8"),
    )?.[1];
    const mount = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .find((text) => new RegExp(` - cgroup \\S+ \\S*\\b${controller}\\b`).test(text))
      ?.split(" ")[4];
    return path === undefined || mount === undefined ? null : join(mount, path);
  };
  const v1Test = (name: string, controller: string, body: (directory: string) => Promise<void>): void => {
    const directory = own(controller);
    const missing = !isRoot || directory === null;
    test.skipIf(missing)(missing ? `${name} [needs root and ${controller} on cgroup v1]` : name, () =>
      body(directory!),
    );
  };
  const FORKS = "for i in 1 2 3 4 5 6; do sleep 1000 & done";

  v1Test("processes", "pids", async () => {
    const text = "ns: init exited with status 2 after it had reached its limit of 4 processes\n";
    const limited = ["--pids", "4"];
    const ran = await runCommand(words(false, ["/bin/sh", "-c", FORKS], limited));
    expect(ran.status).toBe(2);
    expect(ran.stderr).toEndWith(text);
    expect((await later(false, FORKS, limited)).stderr).toEndWith(text);
    const unlimited = await later(false, "exit 2", limited);
    expect(unlimited).toMatchObject({ status: 2, stderr: "" });
    const coped = await later(false, `(${FORKS}) 2>/dev/null; exit 0`, limited);
    expect(coped).toMatchObject({ status: 0, stderr: "" });
  });

  v1Test("memory of a cgroup above its own", "memory", async (directory) => {
    const outer = join(directory, "outer");
    mkdirSync(outer);
    try {
      writeFileSync(join(outer, "memory.limit_in_bytes"), `${192 << 20}`);
      const hog = `exec awk 'BEGIN { s = "x"; while (1) s = s s }'`;
      const enter = `echo $$ > ${outer}/cgroup.procs; exec "$@"`;
      for (const options of [[], ["-m", "8G"]]) {
        const ran = await runCommand([
          "sh",
          "-c",
          enter,
          "sh",
          ...words(false, ["/bin/sh", "-c", hog], options),
        ]);
        expect(ran.status).toBe(137);
        expect(ran.stderr).toMatch(
          /^ns: init was killed by the kernel: the cgroup \S+\/outer was out of memory\n$/,
        );
      }
    } finally {
      await until("the cgroup is empty", () => readFileSync(join(outer, "cgroup.procs"), "utf8") === "");
      rmdirSync(outer);
    }
  });
});
