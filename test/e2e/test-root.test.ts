/** scripts/mk-test-root.sh: the root that people try ns with. */
import { beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { callers, folder, leavesNothing, project, type Ran, runCommand } from "../harness.ts";

leavesNothing();

// where an ordinary user can read it, with ns on the PATH
for (const name of ["examples", "scripts/mk-test-root.sh"])
  cpSync(join(project, name), join(folder, name), { recursive: true });
const tool = join(folder, "scripts/mk-test-root.sh");
const path = `${folder}:${process.env.PATH}`;

describe.each(callers)("mk-test-root.sh %s", (_, unprivileged) => {
  const home = join(folder, `home-${unprivileged}`);
  mkdirSync(home);
  chmodSync(home, 0o777);
  const made = join(home, "a root");
  const make = (where: string): Promise<Ran> =>
    runCommand(["sh", tool, where], {
      unprivileged,
      env: { PATH: path },
      cwd: home,
    });
  let ran: Ran;
  beforeAll(async () => {
    ran = await make("a root");
  });

  test("says what it made and the command to try, and that command works", async () => {
    expect(ran.status).toBe(0);
    const [said, command] = ran.stdout.trimEnd().split("\n");
    expect(said).toBe(`Made ${made}. Try it:`);
    expect(command).toContain(`'${made}' /init.sh`);
    if (unprivileged) {
      expect(ran.stderr).toContain("no device nodes: only root");
      const tried = await runCommand(["sh", "-c", `${command} -- id -u`], { unprivileged });
      expect(tried).toMatchObject({ status: 0, stdout: "0\n", stderr: "" });
    } else {
      // its -n is tried below, in a network of the test's own
      expect(ran.stderr).toBe("");
      const tried = await runCommand([
        "sh",
        "-c",
        `${command!.replace(/^\s*sudo /, "").replace("-n ", "")} -- id -u`,
      ]);
      expect(tried).toMatchObject({ status: 0, stdout: "0\n", stderr: "" });
    }
  });

  test("every applet of busybox, each a link that leads to it", async () => {
    const list = (await runCommand(["busybox", "--list-full"])).stdout.trimEnd().split("\n");
    expect(list.length).toBeGreaterThan(200);
    for (const applet of list.filter((name) => name !== "linuxrc" && name !== "bin/busybox")) {
      expect(lstatSync(join(made, applet)).isSymbolicLink()).toBe(true);
      expect(statSync(join(made, applet)).ino).toBe(statSync(join(made, "bin/busybox")).ino);
      expect(readlinkSync(join(made, applet))).not.toStartWith("/");
    }
    for (const name of ["bin", "sbin", "etc", "proc", "dev", "sys", "tmp"])
      expect(statSync(join(made, name)).isDirectory()).toBe(true);
    for (const name of ["init.sh", "pre.sh"])
      expect(readFileSync(join(made, name), "utf8")).toBe(
        readFileSync(join(folder, "examples", name), "utf8"),
      );
  });

  test("device nodes with the kernel's numbers, and the links", async () => {
    const nodes: [string, number, number, number][] = [
      ["null", 1, 3, 0o666],
      ["zero", 1, 5, 0o666],
      ["full", 1, 7, 0o666],
      ["random", 1, 8, 0o666],
      ["urandom", 1, 9, 0o666],
      ["kmsg", 1, 11, 0o644],
      ["tty", 5, 0, 0o666],
      ["console", 5, 1, 0o600],
      ["net/tun", 10, 200, 0o666],
    ];
    for (const [name, major, minor, mode] of nodes) {
      expect(existsSync(join(made, "dev", name))).toBe(!unprivileged);
      if (unprivileged) continue;
      const status = statSync(join(made, "dev", name));
      expect(status.isCharacterDevice()).toBe(true);
      expect([status.rdev >> 8, status.rdev & 255, status.mode & 0o777]).toEqual([major, minor, mode]);
    }
    for (const [name, target] of [
      ["fd", ""],
      ["stdin", "/0"],
      ["stdout", "/1"],
      ["stderr", "/2"],
    ])
      expect(readlinkSync(join(made, "dev", name!))).toBe(`/proc/self/fd${target}`);
  });

  test("refuses a directory, a file and a link that are there, and leaves them alone", async () => {
    for (const [name, command] of [
      ["dir", "mkdir dir"],
      ["file", ": > file"],
      ["link", "ln -s nowhere link"],
    ]) {
      await runCommand(["sh", "-c", command!], { unprivileged, cwd: home });
      const refused = await make(name!);
      expect(refused.status).toBe(1);
      expect(refused.stdout).toBe("");
      expect(refused.stderr).toEndWith(
        `mk-test-root.sh: ${name} has to be a new directory: remove what is there, or name another\n`,
      );
    }
    expect(readdirSync(join(home, "dir"))).toEqual([]);
    expect(readlinkSync(join(home, "link"))).toBe("nowhere");
    expect(existsSync(join(home, "nowhere"))).toBe(false);
  });

  test.each([[["--help"]], [["-x"]], [[""]], [["a", "b"]]])("wrong use: %j", async (words) => {
    const refused = await runCommand(["sh", tool, ...words], { unprivileged, cwd: home });
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("usage: mk-test-root.sh [DIR]");
    expect(readdirSync(home)).not.toContain("a");
  });
});
