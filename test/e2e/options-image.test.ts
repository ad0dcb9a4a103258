/** --image end to end: file systems and disks, what is written, hostile and broken images, and that no loop device stays. */
import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  folder,
  isRoot,
  launch,
  leavesNothing,
  line,
  makeSmallRoot,
  root,
  run,
  runCommand,
  script,
  until,
  userIds,
} from "../harness.ts";

leavesNothing();

const types = ["squashfs", "erofs", "ext4"] as const;
const kinds = [...types, "mbr", "gpt"] as const;
const image = (kind: string): string => join(folder, `${kind}.img`);

/** The files in this test's folder that loop devices are bound to. */
const bound = (): string[] =>
  readdirSync("/sys/block")
    .map((name) => `/sys/block/${name}/loop/backing_file`)
    .filter((path) => existsSync(path))
    .flatMap((path) => {
      try {
        const file = readFileSync(path, "utf8").trim();
        return file.startsWith(folder) ? [file] : [];
      } catch {
        return []; // unbound meanwhile
      }
    });

afterEach(async () => {
  await until("no loop device is bound to an image", () => bound().length === 0);
});

const must = (words: string[], stdin = ""): void => {
  const { exitCode, stderr } = Bun.spawnSync(words, { stdin: Buffer.from(stdin), stdout: "ignore" });
  if (exitCode !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
};

function makeDisk(kind: string, label: string, type: string): void {
  writeFileSync(image(kind), "");
  truncateSync(image(kind), 8 << 20);
  must(["sfdisk", "-q", image(kind)], `label: ${label}\nstart=2048, size=8192\nstart=12288, size=2048\n`);
  must(["dd", `if=${image(type)}`, `of=${image(kind)}`, "bs=1M", "seek=1", "conv=notrunc", "status=none"]);
}

beforeAll(() => {
  if (!isRoot) return;
  const where = makeSmallRoot("in-image", [
    "sh",
    "true",
    "cat",
    "ls",
    "mount",
    "touch",
    "sleep",
    "id",
    "grep",
  ]);
  writeFileSync(join(where, "file"), "file\n");
  must(["mknod", "-m", "666", join(where, "one"), "c", "1", "3"]);
  mkdirSync(join(where, "etc"));
  writeFileSync(join(where, "etc/passwd"), "guest:x:7:8::/tmp:/bin/sh\n");
  must(["cp", "-a", "-T", where, `${where}-too`]);
  must(["mv", `${where}-too`, join(where, "sub")]);
  writeFileSync(join(where, "sub/file"), "sub\n");
  symlinkSync("/sub", join(where, "link"));
  symlinkSync("../../../../..", join(where, "out"));
  must(["mksquashfs", where, image("squashfs"), "-noappend", "-quiet", "-no-progress"]);
  must(["mkfs.erofs", "-Enoinline_data", image("erofs"), where]);
  must(["mke2fs", "-q", "-t", "ext4", "-d", where, image("ext4"), "12M"]);
  must(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", where, image("small"), "8M"]);
  makeDisk("mbr", "dos", "squashfs");
  makeDisk("gpt", "gpt", "erofs");
});

const words = (kind: string, init: string[], options: string[] = [], user = false, where = "/") =>
  line(user, init, { options: ["--image", image(kind), ...options], root: where });
const shell = (kind: string, text: string, options: string[] = [], user = false, where = "/") =>
  runCommand(words(kind, ["/bin/sh", "-c", text], options, user, where));

describe.skipIf(!isRoot)(isRoot ? "as root" : "as root [needs root]", () => {
  const before = new Map<string, Buffer>();
  beforeAll(() => {
    for (const kind of kinds) before.set(kind, readFileSync(image(kind)));
  });
  const asItWas = (kind: string): void =>
    expect(readFileSync(image(kind)).equals(before.get(kind)!)).toBe(true);

  describe.each(kinds)("%s", (kind) => {
    test.each([false, true])("is read, and not written; with --user: %p", async (user) => {
      const ran = await shell(
        kind,
        "cat /file; mount -o remount,rw / 2>&-; touch /x; ls /proc/self/fd",
        [],
        user,
      );
      expect(ran.stdout).toBe("file\n0\n1\n2\n3\n");
      expect(ran.stderr).toBe("touch: /x: Read-only file system\n");
      asItWas(kind);
    });
    // the last one is waited for by the waiting program, and not by ns
    test.each([
      [false, "true"],
      [true, "true"],
      [true, "sleep 0.1"],
    ])("--ephemeral; with --user: %p; %s", async (user, more) => {
      const ran = await shell(
        kind,
        `echo new >/tmp/new; cat /tmp/new /file; ${more}`,
        user ? ["--ephemeral", "--idmap-root"] : ["--ephemeral"],
        user,
      );
      expect(ran).toMatchObject({ status: 0, stdout: "new\nfile\n", stderr: "" });
      asItWas(kind);
    });
    test("--overlay keeps the changes elsewhere", async () => {
      const upper = join(folder, `upper-${kind}`);
      mkdirSync(upper);
      const ran = await shell(kind, "echo new >/file; cat /file", ["--overlay", upper]);
      expect(ran).toMatchObject({ status: 0, stdout: "new\n", stderr: "" });
      expect(readFileSync(join(upper, "file"), "utf8")).toBe("new\n");
      asItWas(kind);
    });
    test("together with a limit, a network, a bind and --as by the image's own /etc/passwd", async () => {
      const options = ["-n", "-m", "64M", "--read-only", "--bind", `${root}/bin:/tmp`, "--as", "guest"];
      expect(await shell(kind, "id -u; id -g; ls /tmp/busybox; touch /x", options)).toMatchObject({
        stdout: "7\n8\n/tmp/busybox\n",
        stderr: "touch: /x: Read-only file system\n",
      });
    });
  });

  test("ext4 without a journal", async () => {
    expect(await shell("small", "cat /file")).toMatchObject({ stdout: "file\n", stderr: "" });
  });

  describe.each([
    ["not with --user", []],
    ["with --user", ["--user"]],
    ["with --ephemeral", ["--ephemeral"]],
    ["with --user and --ephemeral", ["--user", "--ephemeral"]],
    ["with --user and --idmap-root", ["--user", "--idmap-root"]],
  ])("%s", (_, asked) => {
    const user = asked.includes("--user");
    const options = asked.filter((option) => option !== "--user");
    test("device files in it do not work", async () => {
      const ran = await shell("ext4", "cat /one", options, user);
      expect(ran.stderr).toContain("Permission denied");
    });
    test.skipIf(!user)("nor when the container's root mounts it anew", async () => {
      const ran = await shell(
        "ext4",
        "mount -o remount,bind,rw,dev / && cat /one; touch /file",
        options,
        true,
      );
      expect(ran.stderr).toContain("can't open '/one': Permission denied");
      expect(readFileSync(image("ext4")).equals(before.get("ext4")!)).toBe(true);
    });
  });

  test("--idmap-root gives its files to the container's root", async () => {
    const owner = "ls -ld /file | grep -o '^-[^ ]* *[0-9]* *[0-9a-z]*'";
    expect((await shell("ext4", owner, [], true)).stdout).toContain(" 65534\n");
    const ran = await shell(
      "ext4",
      `${owner}; touch /file && echo mine`,
      ["--idmap-root", "--ephemeral"],
      true,
    );
    expect(ran.stdout).toMatch(/ 0\nmine\n$/);
  });

  test.each([
    ["/sub", "sub\n"],
    ["sub", "sub\n"],
    ["/link", "sub\n"],
    ["/out", "file\n"],
    ["/sub/..", "file\n"],
    [".", "file\n"],
  ])("NEWROOT %s", async (where, printed) => {
    for (const user of [false, true]) {
      const ran = await shell("squashfs", "cat /file; cat /../file", [], user, where);
      expect(ran).toMatchObject({ stdout: printed + printed, stderr: "" });
    }
  });
  test("with NEWROOT in it, names on the host mean what they did", async () => {
    const options = ["--bind", "squashfs.img:/file:ro"];
    const ran = await shell("ext4", "cat /file", options, false, "/sub");
    expect(ran.stdout).toStartWith("hsqs");
    const pre = script("pre-image", "#!/bin/sh\nls -d /proc/$1 /bin/sh\n");
    const [program, ...rest] = words("ext4", ["/bin/cat", "/file"], [], false, "/sub");
    rest[rest.indexOf("-")] = pre;
    expect((await runCommand([program!, ...rest])).stdout).toMatch(/^\/bin\/sh\n\/proc\/\d+\nsub\n$/);
  });

  test.each([
    ["/bin/nothing", "/", 127, "is not there"],
    ["/file", "/", 126, "is not executable"],
    ["/bin/nothing", "/sub", 127, "is not there"],
  ])("an init that does not work: %s in %s", async (init, where, status, text) => {
    const ran = await runCommand(words("erofs", [init], [], false, where));
    expect(ran.status).toBe(status);
    expect(ran.stderr).toStartWith(`ns: init ${init} in ${where} of ${image("erofs")} ${text}\n`);
  });
  test.each(["/nothing", "/file"])("a NEWROOT that does not work: %s", async (where) => {
    const ran = await runCommand(words("erofs", ["/bin/true"], [], false, where));
    expect(ran.status).toBe(125);
    expect(ran.stderr).toMatch(
      /^ns: cannot use the root \/\w+ in .*\/erofs.img: (no such file|not a directory)/,
    );
  });

  test.each([
    "a link",
    "a fifo",
    "a device",
    "a directory",
    "nothing",
    "zeros",
    "cut",
    "no partition",
    "a wrong one",
  ])("as FILE %s", async (what) => {
    const path = join(folder, `file-${what.replaceAll(" ", "-")}`);
    const make: Record<string, () => void> = {
      "a link": () => symlinkSync(image("squashfs"), path),
      "a fifo": () => must(["mkfifo", path]),
      "a device": () => must(["mknod", path, "c", "1", "5"]),
      "a directory": () => mkdirSync(path),
      nothing: () => {},
      zeros: () => writeFileSync(path, Buffer.alloc(10_000)),
      cut: () => writeFileSync(path, readFileSync(image("squashfs")).subarray(0, 100_000)),
      "no partition": () => {
        must(["cp", image("mbr"), path]);
        must(["sfdisk", "-q", "--delete", path, "1"]);
      },
      "a wrong one": () => {
        must(["cp", image("gpt"), path]);
        truncateSync(path, 3 << 20);
      },
    };
    make[what]!();
    const ran = await run(["--image", path, "-", "/", "/bin/cat", "--", "/file"]);
    if (what === "a link") return expect(ran).toMatchObject({ status: 0, stdout: "file\n" });
    const says: Record<string, string> = {
      "a fifo": "it is not a regular file",
      "a device": "it is not a regular file",
      "a directory": "it is a directory",
      nothing: "no such file or directory",
      zeros: "it holds no file system that ns knows",
      cut: "cannot mount its squashfs: invalid argument",
      "no partition": "it has no partition 1",
      "a wrong one": "its partition table (GPT) is damaged",
    };
    expect(ran.status).toBe(125);
    expect(ran.stderr).toStartWith(`ns: cannot use the image ${path}: ${says[what]}`);
  });

  test("an image that wants the kernel to panic at an error in it is not obeyed", async () => {
    const path = image("panics");
    must(["cp", image("ext4"), path]);
    must(["tune2fs", "-e", "panic", path]);
    const ran = await run(["--image", path, "-", "/", "/bin/grep", "--", " / ", "/proc/mounts"]);
    expect(ran.stdout).toMatch(/ ext4 ro,/);
    expect(ran.stdout).not.toContain("panic");
  });

  test("a kernel without LOOP_CONFIGURE", async () => {
    const inject = ["strace", "-f", "-qq", "-o", join(folder, "trace"), "-e", "trace=ioctl"];
    const trace = await runCommand([...inject, ...words("erofs", ["/bin/true"])]);
    expect(trace.status).toBe(0);
    const calls = readFileSync(join(folder, "trace"), "utf8")
      .split("\n")
      .filter((text) => text.includes("ioctl("));
    const number = calls.findIndex((text) => /LOOP_CONFIGURE|0x4c0a/i.test(text)) + 1;
    expect(number).toBeGreaterThan(0);
    const old = ["-e", `inject=ioctl:error=EINVAL:when=${number}`];
    const ran = await runCommand([...inject, ...old, ...words("gpt", ["/bin/cat", "/file"])]);
    expect(ran).toMatchObject({ status: 0, stdout: "file\n", stderr: "" });
    expect(readFileSync(join(folder, "trace"), "utf8")).toMatch(/LOOP_SET_STATUS64/);
  });

  test("many at once, on one image", async () => {
    const runs = Array.from({ length: 6 }, () => shell("squashfs", "cat /file"));
    for (const ran of await Promise.all(runs))
      expect(ran).toMatchObject({ status: 0, stdout: "file\n", stderr: "" });
  }, 60_000);

  test.each(["SIGKILL", "SIGTERM"] as const)("%s while the container runs", async (signal) => {
    for (const options of [[], ["--ephemeral"]]) {
      const init = ["/bin/sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"];
      const running = launch(words("gpt", init, options));
      await running.line(/ready/);
      expect(bound()).toEqual([image("gpt")]);
      running.kill(signal);
      const ran = await running.ended;
      expect(signal === "SIGKILL" ? ran.signal : ran.status).toBe(signal === "SIGKILL" ? "SIGKILL" : 3);
      await until("the loop device is gone", () => bound().length === 0);
    }
  });
  test("a failing PRE, and SIGKILL while it runs", async () => {
    const fails = script("pre-fails", "#!/bin/sh\nexit 3\n");
    const hangs = script("pre-hangs", "#!/bin/sh\necho ready; exec sleep 1000\n");
    const [program, ...rest] = words("ext4", ["/bin/true"]);
    const at = rest.indexOf("-");
    expect((await runCommand([program!, ...rest.with(at, fails)])).status).toBe(125);
    await until("the loop device is gone", () => bound().length === 0);
    const running = launch([program!, ...rest.with(at, hangs)]);
    await running.line(/ready/);
    running.kill("SIGKILL");
    await running.ended;
  });

  test("what does not go together", async () => {
    expect(await run(["--image", "x", "-", "/a:/b", "/bin/true"])).toMatchObject({ status: 2 });
  });
});

test("an ordinary user is told at once", async () => {
  const path = join(folder, "unreadable");
  writeFileSync(path, "");
  chmodSync(path, 0o644);
  const options = ["-u", "--image", path, "-", "/", "/bin/true", ...userIds];
  const ran = await run(options, { unprivileged: true });
  expect(ran).toMatchObject({ status: 125, stdout: "" });
  expect(ran.stderr).toBe(
    "ns: only root may mount an image (--image)\nnote: as an ordinary user unpack it into a directory\n",
  );
});

test("--dry-run shows it and touches nothing", async () => {
  const path = join(folder, "not-there");
  const user = isRoot ? [] : ["-u"];
  const ran = await run([
    "--dry-run",
    "--image",
    path,
    ...user,
    "-",
    "/",
    "/bin/true",
    ...(isRoot ? [] : userIds),
  ]);
  expect(ran).toMatchObject({ status: 0, stderr: "" });
  expect(ran.stdout).toContain("LOOP_CONFIGURE");
  expect(existsSync(path)).toBe(false);
  if (!isRoot) return;
  const as = (who: string) => run(["--dry-run", "--image", path, "--as", who, "-", "/", "/bin/true"]);
  expect((await as("1:2,3")).status).toBe(0);
  for (const who of ["guest", "1", "1:guest"])
    expect((await as(who)).stderr).toStartWith(
      "ns: --dry-run does not look into the image, where --as would\n",
    );
});
