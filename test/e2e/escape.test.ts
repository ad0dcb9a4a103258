/**
 * What runs inside, and its neighbours on the host, cannot reach what is not theirs: the classic ways out of a chroot,
 * looking into the set-up, groups, and mounts. Dropping root's own capabilities is not what ns does yet: a container
 * of root's without --user may make device nodes and mount the cgroup hierarchies (SECURITY.md).
 */
import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  asOrdinary,
  callers,
  folder,
  inside,
  launch,
  leavesNothing,
  line,
  ns,
  ordinary,
  root,
  rootTest,
  runCommand,
  script,
  until,
  userIds,
} from "../harness.ts";

leavesNothing();

const secret = join(folder, "secret");
writeFileSync(secret, "the host's\n");
mkdirSync(join(root, "jail/bin"), { recursive: true });
cpSync(join(root, "bin/busybox"), join(root, "jail/bin/busybox"));

/** chroot into a folder while the working directory stays outside of it, then up until there is no more up. */
const doubleChroot = `/bin/busybox nsenter -r/jail -w/ /bin/busybox sh -c \
  'i=0; while [ $i -lt 40 ]; do cd ..; i=$((i+1)); done; echo up; ls -d jail; /bin/busybox cat .${secret} tmp/../..${secret}'`;

/** Opens, and does not write, the file that has the host's kernel run a program when a cgroup is empty. */
const releaseAgent = `for c in memory pids cpu freezer; do
  mount -t cgroup -o $c none /mnt || continue
  echo mounted; ( exec 5<>/mnt/release_agent ) && echo opened; umount /mnt; done 2>&1`;

describe.each(callers)("%s", (_, unprivileged) => {
  const how = { unprivileged };

  test("the double chroot ends at the container's root", async () => {
    const ran = await inside(doubleChroot, [], how);
    expect(ran.stdout).toBe("up\njail\n"); // out of the jail, and no further
  });

  test("uid_map and gid_map are exactly what was asked for, setgroups is denied", async () => {
    const read = "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups";
    const ran = await inside(read, ["-u"], how);
    const [uid, gid] = userIds;
    expect(ran.stdout.replace(/ +/g, " ")).toBe(` 0 ${uid} 1\n 0 ${gid} 1\ndeny\n`);
  });

  // pid namespaces do not stop it: the group of whoever started ns would be signalled, the caller's script among it
  test.each(["init", "reaper"])("kill(0) inside reaches nobody outside (%s)", async (kind) => {
    const kill = line(unprivileged, ["/bin/sh", "-c", "trap 'echo inside; exit 5' TERM; kill -TERM 0"], {
      options: kind === "reaper" ? ["--reaper"] : [],
    });
    const script = 'trap "echo outside" TERM; "$@"; echo $?';
    const ran = await runCommand(["setsid", "-w", "sh", "-c", script, "sh", ...kill], { unprivileged });
    expect(ran).toMatchObject({ status: 0, stdout: "inside\n5\n", stderr: "" });
  });

  test("with --user the cgroup hierarchies' release_agent cannot be opened for writing (CVE-2022-0492)", async () => {
    expect((await inside(releaseAgent, ["-u"], how)).stdout).not.toContain("opened");
  });
});

rootTest("a container without namespaces of users and cgroups can open it", async () => {
  const ran = await runCommand(["unshare", "-m", `--root=${root}`, "/bin/sh", "-c", releaseAgent]);
  expect(ran.stdout).toContain("mounted\n");
  expect(ran.stdout).toContain("opened\n");
});

rootTest("root's supplementary groups are dropped", async () => {
  const words = line(false, ["/bin/grep", "Groups", "/proc/self/status"]);
  const ran = await runCommand(["setpriv", "--groups", "5,6,7", ...words]);
  expect(ran.stdout.trim()).toBe("Groups:");
});

rootTest("out of chroot(8)'s jail the same attack leads to the host", async () => {
  const ran = await runCommand(["chroot", root, "/bin/sh", "-c", doubleChroot]);
  expect(ran.stdout).toStartWith("up\n");
  expect(ran.stdout).toContain("the host's\n");
});

describe("while the pre script runs, the child, which is a copy of ns", () => {
  const tries = [
    "cat /proc/PID/environ",
    "head -c 1 /proc/PID/mem",
    "cat /proc/PID/maps",
    "readlink /proc/PID/exe",
    "ls /proc/PID/cwd/",
    "ls /proc/PID/fd",
    "cat /proc/PID/auxv",
    "kill -0 PID",
  ];
  const stranger = asOrdinary(["sh", "-c", 'eval "$1"', "sh"]).join(" ");
  const quoted = (text: string): string =>
    text.replace("sh -c eval", "sh -c 'eval").replace('"$1" sh', '"$1"\' sh');
  const attempts = tries
    .map(
      (text) =>
        `${quoted(stranger)} '${text.replace("PID", "'$1'")} >/dev/null 2>&1' && echo "done: ${text}"`,
    )
    .join("\n");

  rootTest("tells an ordinary user nothing, though the container will run as him", async () => {
    const pre = script("peek", `#!/bin/sh\n${attempts}\necho tried\n`);
    for (const options of [[], ["-u"]]) {
      const ids = options.length > 0 ? userIds : [];
      const ran = await runCommand([ns, ...options, pre, root, "/bin/true", ...ids]);
      // with -u the child has his id by then: its descriptors can be counted and it can be signalled, as always
      const harmless = options.length > 0 ? "done: ls /proc/PID/fd\ndone: kill -0 PID\n" : "";
      expect(ran).toMatchObject({ status: 0, stdout: `${harmless}tried\n` });
    }
  });

  rootTest("would tell it if it were his own", async () => {
    const sleeper = launch(["sh", "-c", "echo up; exec sleep 1000"], { unprivileged: true });
    await sleeper.line(/up/);
    await until("it sleeps", () => readFileSync(`/proc/${sleeper.pid}/comm`, "utf8") === "sleep\n");
    const file = script("peek-own", `#!/bin/sh\n${attempts}\necho tried\n`);
    const ran = await runCommand(["sh", file, `${sleeper.pid}`]);
    sleeper.kill("SIGKILL");
    await sleeper.ended;
    expect(ran.stdout.split("\n").filter((text) => text.startsWith("done")).length).toBeGreaterThanOrEqual(6);
  });

  const strace = Bun.which("strace");
  test.skipIf(strace === null || ordinary.uid === process.getuid?.())("cannot be traced by him", async () => {
    const attach = `setpriv --reuid=${ordinary.uid} --regid=${ordinary.gid} --clear-groups strace -o /dev/null -p $1 2>&1`;
    const pre = script("attach", `#!/bin/sh\n${attach}\ntrue\n`);
    const ran = await runCommand([ns, "-u", pre, root, "/bin/true", ...userIds]);
    expect(ran.stdout).toMatch(/attach: ptrace\(PTRACE_SEIZE, \d+\): Operation not permitted/);
    expect(ran.status).toBe(0);
  });
});

describe("mounts stay on their side, even where the host's are shared", () => {
  const points = (pid: number): string[] =>
    readFileSync(`/proc/${pid}/mountinfo`, "utf8")
      .trimEnd()
      .split("\n")
      .map((text) => text.split(" ").slice(2, 5).join(" "));

  rootTest(
    "inside ones do not come out, the host's new ones do not come in, SIGKILL of ns or not",
    async () => {
      // a mount namespace of the test's own, in which every mount is shared, as systemd makes them
      const holder = launch([
        "unshare",
        "-m",
        "--propagation",
        "shared",
        "sh",
        "-c",
        "echo up; exec sleep 1000",
      ]);
      await holder.line(/up/);
      const enter = ["nsenter", "-m", "-t", `${holder.pid}`, "--"];
      expect(readFileSync(`/proc/${holder.pid}/mountinfo`, "utf8")).toContain(" shared:");
      const before = points(holder.pid);
      try {
        for (const signal of ["SIGTERM", "SIGKILL"] as const) {
          const show = "cut -d' ' -f5 /proc/self/mountinfo; echo end";
          const init = `mount -t tmpfs none /tmp; mount --bind /bin /mnt; mount --make-rshared /; mount -t tmpfs none /run
          trap '${show.replaceAll("'", `'"'"'`)}' USR1; trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done`;
          const running = launch([...enter, ...line(false, ["/bin/sh", "-c", init])]);
          await running.line(/^ready/);
          expect(points(holder.pid)).toEqual(before);
          expect(
            (await runCommand([...enter, "mount", "-t", "tmpfs", "none", join(root, "var")])).status,
          ).toBe(0);
          running.kill("SIGUSR1");
          await running.line(/^end/);
          expect(running.stdout()).toContain("\n/tmp\n/mnt\n/run\n");
          expect(running.stdout()).not.toContain("/var");
          await runCommand([...enter, "umount", join(root, "var")]);
          running.kill(signal);
          await running.ended;
          await until("the host's mounts are as before", () => `${points(holder.pid)}` === `${before}`);
        }
      } finally {
        holder.kill("SIGKILL");
        await holder.ended;
      }
    },
  );
});
