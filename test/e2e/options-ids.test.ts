/** The options about ids: maps of user namespaces, what init runs as, and roots whose ids are shifted. */
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  asOrdinary,
  callers,
  folder,
  isRoot,
  launch,
  leavesNothing,
  makeSmallRoot,
  ns,
  ordinary,
  root,
  rootTest,
  run,
  runCommand,
  script,
} from "../harness.ts";

leavesNothing();

const STATUS = "id -u; id -g; echo $(grep -E '^(Groups|CapPrm|CapEff|CapAmb|CapInh)' /proc/self/status)";
const NONE = "0000000000000000";
const NO_CAPABILITIES = ` CapInh: ${NONE} CapPrm: ${NONE} CapEff: ${NONE} CapAmb: ${NONE}`;
const words = (options: string[], command: string, pre = "-", where = root): string[] => [
  ...[ns, ...options, pre, where, "/bin/sh", "--", "-c", command],
];
/** One id of the caller's, as a container's only one. */
const oneId = (unprivileged: boolean, inside: number): string[] => {
  const { uid, gid } = unprivileged ? ordinary : { uid: 0, gid: 0 };
  return ["--map-uid", `${inside}:${uid}:1`, "--map-gid", `${inside}:${gid}:1`];
};

describe.each(callers)("%s", (_, unprivileged) => {
  const start = (options: string[], command: string, pre?: string) =>
    runCommand(words(options, command, pre), { unprivileged });
  const own = unprivileged ? ordinary : { uid: 0, gid: 0 };

  test("--map=keep: who one is, inside too, and nothing more", async () => {
    const { stdout, status } = await start(["--map=keep"], `${STATUS}; cat /proc/self/uid_map`);
    const [uid, gid, line, map] = stdout.split("\n");
    expect([uid, gid]).toEqual([`${own.uid}`, `${own.gid}`]);
    if (unprivileged) expect(line).toEndWith(NO_CAPABILITIES);
    expect(map).toMatch(new RegExp(`^ +${own.uid} +${own.uid} +1$`));
    expect(status).toBe(0);
  });

  test("a map without 0: init is what --as says, without capabilities, and the mounts are made all the same", async () => {
    const options = [
      ...oneId(unprivileged, 1000),
      "--as",
      "1000:1000",
      "-n",
      "--read-only",
      "--hostname",
      "box",
    ];
    const ran = await start(
      options,
      `${STATUS}; hostname; touch /tmp/x 2>/dev/null || echo ro; ls /proc/sys/net/ipv4/conf | tr '\\n' ' '; mount -t tmpfs t /tmp 2>/dev/null || echo no`,
    );
    const [uid, gid, line, ...rest] = ran.stdout.split("\n");
    expect([uid, gid]).toEqual(["1000", "1000"]);
    expect(line).toEndWith(NO_CAPABILITIES);
    expect(rest).toEqual(["box", "ro", "all default lo no", ""]);
    expect(ran.status).toBe(0);
  });

  test("no descriptor above 2 comes along", async () => {
    const options = [...oneId(unprivileged, 5), "--as", "5:5"];
    expect((await start(options, "echo /proc/self/fd/*")).stdout).toMatch(
      /^\/proc\/self\/fd\/0 \/proc\/self\/fd\/1 \/proc\/self\/fd\/2( \/proc\/self\/fd\/3)?\n$/,
    );
  });

  test("signals reach an init with other ids, from the waiting program too", async () => {
    const options = [...oneId(unprivileged, 7), "--as", "7:7"];
    const running = launch(words(options, 'trap "exit 6" TERM; echo ready; sleep 1000 & wait'), {
      unprivileged,
    });
    await running.line(/ready/);
    running.kill("SIGTERM");
    expect((await running.ended).status).toBe(6);
  });

  test("SIGKILL of ns ends it", async () => {
    const options = [...oneId(unprivileged, 7), "--as", "7:7"];
    const running = launch(words(options, "echo ready; sleep 1000 & exec sleep 1000"), { unprivileged });
    await running.line(/ready/);
    running.kill("SIGKILL");
    expect((await running.ended).signal).toBe("SIGKILL");
  });

  test("PRE sees the maps; when it fails nothing is left", async () => {
    const pre = script("see-maps", "#!/bin/sh\ncat /proc/$1/uid_map; cat /proc/$1/setgroups; exit 3\n");
    const ran = await start(oneId(unprivileged, 0), "true", pre);
    expect(ran.stdout).toMatch(new RegExp(`^ +0 +${own.uid} +1\\n${unprivileged ? "deny" : "allow"}\\n$`));
    expect(ran.status).toBe(125);
  });

  test("--as 0 is as without it", async () => {
    const ran = await start([...oneId(unprivileged, 0), "--as", "0:0"], STATUS);
    expect(ran.stdout).toStartWith("0\n0\n");
    expect(ran.stdout).toContain("CapEff: 000001ffffffffff");
  });

  test("an id that is not mapped, and a user that is not there", async () => {
    const options = oneId(unprivileged, 0);
    expect(await start([...options, "--as", "nobody"], "true")).toMatchObject({
      status: 125,
      stderr: "ns: --as: uid 65534 has no uid outside\nnote: map it: --map=auto, or --map-uid 65534:OUT:1\n",
    });
    expect(await start([...options, "--as", "eve"], "true")).toMatchObject({
      status: 125,
      stderr:
        "ns: --as: the root's /etc/passwd has no user eve\nnote: name one that it has, or give numbers: --as UID:GID\n",
    });
  });

  test("--dry-run shows it", async () => {
    const ran = await start([...oneId(unprivileged, 3), "--as", "3:3", "--dry-run"], "true");
    expect(ran.stdout).toContain('_map", "3 ');
    expect(ran.stdout).toContain("init  setresuid(3, 3, 3)\n");
    expect(ran.status).toBe(0);
  });
});

describe("what an ordinary user may not", () => {
  test("others' ids: refused before anything runs", async () => {
    const ran = await run(["--map-uid", "0:1:5", "-", root, "/bin/true"], { unprivileged: true });
    expect(ran.stderr).toContain(
      "ns: --map-uid 0:1:5: those uids outside are not yours\nnote: let root add a line to /etc/subuid",
    );
    expect(ran.status).toBe(125);
  });
  test("--idmap-root", async () => {
    const ran = await run(["--map=keep", "--idmap-root", "-", root, "/bin/true"], { unprivileged: true });
    expect(ran.stderr).toStartWith("ns: only root may shift a root's ids (--idmap-root)\nnote: ");
    expect(ran.status).toBe(125);
  });
  test("--as without a user namespace", async () => {
    const ran = await run(["--as", "nobody", "-", root, "/bin/true"], { unprivileged: true });
    expect(ran.stderr).toStartWith("ns: only root may start a container without --user\n");
  });
});

describe("--as by names, as root", () => {
  const named = isRoot ? makeSmallRoot("named", ["sh", "id", "grep", "cat", "env", "tr"]) : root;
  if (isRoot) {
    mkdirSync(join(named, "etc"));
    writeFileSync(join(named, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nal:x:1000:100::/home/al:/bin/sh\n");
    writeFileSync(join(named, "etc/group"), "root:x:0:\nusers:x:100:\naudio:x:29:bob,al\nwheel:x:10:al\n");
  }
  const start = (options: string[], command: string) => runCommand(words(options, command, "-", named));
  rootTest("user, groups and home are the root's own", async () => {
    const ran = await start(["--as", "al"], `${STATUS}; env | grep HOME`);
    expect(ran.stdout).toBe(`1000\n100\nGroups: 10 29${NO_CAPABILITIES}\nHOME=/home/al\n`);
    expect(ran.status).toBe(0);
  });
  rootTest("groups that are named, and no others", async () => {
    expect((await start(["--as", "al:wheel"], STATUS)).stdout).toStartWith("1000\n10\nGroups: Cap");
    expect((await start(["--as", "1000:audio,100,7"], STATUS)).stdout).toStartWith(
      "1000\n29\nGroups: 7 100 Cap",
    );
  });
  rootTest("the host's user of the same name does not count", async () => {
    expect((await start(["--as", "daemon"], "true")).stderr).toContain("has no user daemon");
  });
  rootTest("a link to the host's file is a link inside the root", async () => {
    const hostile = makeSmallRoot("passwd-link");
    mkdirSync(join(hostile, "etc"));
    symlinkSync("../../../../../../../../etc/passwd", join(hostile, "etc/passwd"));
    const ran = await runCommand(words(["--as", "daemon"], "true", "-", hostile));
    expect(ran.stderr).toContain("ns: cannot use the root's /etc/passwd: too many levels of symbolic links");
    expect(ran.status).toBe(125);
  });
  rootTest("an init that the user may not execute", async () => {
    writeFileSync(join(named, "secret"), "#!/bin/sh\n");
    chmodSync(join(named, "secret"), 0o700);
    const ran = await run(["--as", "al", "-", named, "/secret"]);
    expect(ran.stderr).toBe(
      `ns: cannot execute init /secret in ${named}: permission denied\nnote: user al may not read or enter something on the way to it\n`,
    );
    expect(ran.status).toBe(126);
  });
  rootTest("capabilities are gone: what root may, it may not", async () => {
    const command = "echo x >/etc/passwd; echo $?; kill -0 1; echo $?";
    expect((await start(["--as", "al"], command)).stdout).toBe("1\n0\n");
  });
});

describe("maps of many ids, as root", () => {
  rootTest("as given, and setgroups works inside", async () => {
    const maps = ["--map-uid", "0:100000:1000", "--map-uid", "1000:5:1", "--map-gid", "0:200000:1000"];
    const ran = await run([
      ...maps,
      "-",
      root,
      "/bin/sh",
      "--",
      "-c",
      "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups",
    ]);
    expect(ran.stdout.replaceAll(/ +/g, " ")).toBe(" 0 100000 1000\n 1000 5 1\n 0 200000 1000\nallow\n");
  });
  rootTest("--map-gid is --map-uid if it is not given", async () => {
    const ran = await run(["--map-uid", "0:100000:10", "-", root, "/bin/cat", "--", "/proc/self/gid_map"]);
    expect(ran.stdout.replaceAll(/ +/g, " ")).toBe(" 0 100000 10\n");
  });
  rootTest("with a memory limit, --as and a waiting program, and SIGKILL of ns", async () => {
    const options = ["-m", "64M", "--map-uid", "0:100000:1000", "--as", "9:9"];
    expect(await runCommand(words(options, "id -u; sleep 0.1; exit 7"))).toMatchObject({
      status: 7,
      stdout: "9\n",
    });
    const running = launch(words(options, "echo ready; exec sleep 1000"));
    await running.line(/ready/);
    running.kill("SIGKILL");
    await running.ended;
  });
});

describe("--map=auto", () => {
  const subuid = join(folder, "subuid");
  const subgid = join(folder, "subgid");
  writeFileSync(subuid, "nobody:200000:1000\nnobody:300000:7\nroot:500000:100\n");
  writeFileSync(subgid, "65534:400000:1000\nroot:600000:100\n");
  /** with an /etc/subuid and /etc/subgid of the test's own */
  const granted = (command: string[], first = "true") =>
    runCommand([
      ...[
        "unshare",
        "-m",
        "sh",
        "-ec",
        `mount --bind ${subuid} /etc/subuid; mount --bind ${subgid} /etc/subgid; ${first}; exec "$@"`,
      ],
      ...["sh", ...command],
    ]);
  const MAPS = "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups | tr -s ' '";

  rootTest("as an ordinary user: himself, and what he was granted", async () => {
    const ran = await granted(asOrdinary(words(["--map=auto"], `id -u; ${MAPS}`)));
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    expect(ran.stdout).toBe(
      "0\n 0 65534 1\n 1 200000 1000\n 1001 300000 7\n 0 65534 1\n 1 400000 1000\nallow\n",
    );
  });
  rootTest("as root: what it was granted, and never itself", async () => {
    const ran = await granted(words(["--map=auto"], `id -u; ${MAPS}`));
    expect(ran.stdout).toBe("0\n 0 500000 100\n 0 600000 100\nallow\n");
  });
  rootTest("the caller's supplementary groups are dropped", async () => {
    const caller = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=4242"];
    const options = words(["--map=auto"], "grep Groups /proc/self/status | tr -s '\\t '");
    expect((await granted([...caller, ...options])).stdout.trim()).toBe("Groups:");
  });
  rootTest("--as any of them, with groups", async () => {
    const ran = await granted(asOrdinary(words(["--map=auto", "--as", "5:6,7"], STATUS)));
    expect(ran.stdout).toBe(`5\n6\nGroups: 7${NO_CAPABILITIES}\n`);
  });
  rootTest("a map of one's own by ids that were granted; -v tells how", async () => {
    const options = ["-v", "--map-uid", "0:200000:10", "--map-gid", "0:400000:10", "--as", "2:2"];
    const ran = await granted(asOrdinary(words(options, "id -u; sleep 0.1")));
    expect(ran.stderr).toMatch(/^ns: map: \/usr\/bin\/newuidmap \d+ 0 200000 10$/m);
    expect(ran).toMatchObject({ status: 0, stdout: "2\n" });
  });
  rootTest("what is beyond the grant is refused", async () => {
    const options = ["--map-uid", "0:200001:1000", "--map-gid", "0:400000:10"];
    const ran = await granted(asOrdinary(words(options, "true")));
    expect(ran.stderr).toStartWith("ns: --map-uid 0:200001:1000: those uids outside are not yours\n");
  });
  rootTest("without a grant", async () => {
    const ran = await granted(
      asOrdinary(words(["--map=auto"], "true")),
      "mount --bind /dev/null /etc/subgid",
    );
    expect(ran.stderr).toBe(
      "ns: no gids in /etc/subgid are for nobody\nnote: let root add a line to /etc/subgid, with ids that nobody else has: nobody:100000:65536\n",
    );
    expect(ran.status).toBe(125);
  });
  rootTest("without newuidmap", async () => {
    const ran = await granted(
      asOrdinary(words(["--map=auto"], "true")),
      "mount --bind /dev/null /usr/bin/newuidmap",
    );
    expect(ran.stderr).toBe(
      "ns: an ordinary user's maps of more than one id need newuidmap, which is not in /usr/bin or /bin\nnote: install it: apt install uidmap (Debian, Ubuntu), or the package shadow or shadow-utils\n",
    );
    expect(ran.status).toBe(125);
  });
  rootTest("a newuidmap that may not: its words, and nothing is left", async () => {
    const ran = await granted(["setpriv", "--no-new-privs", ...asOrdinary(words(["--map=auto"], "true"))]);
    expect(ran.stderr).toMatch(
      /^ns: cannot map ids: newuidmap: .*\nnote: \/usr\/bin\/newuidmap has to be setuid root/,
    );
    expect(ran.status).toBe(125);
  });
});

describe("--idmap-root, as root", () => {
  const maps = ["--idmap-root", "--map-uid", "0:100000:65536"];
  rootTest("files belong inside to whom they belong on the disk, and new ones too", async () => {
    const where = makeSmallRoot("shifted", ["sh", "stat", "touch", "rm"]);
    writeFileSync(join(where, "five"), "");
    chownSync(join(where, "five"), 5, 6);
    const ran = await runCommand(words(maps, "stat -c '%u %g' /five /bin/busybox; touch /new", "-", where));
    expect(ran).toMatchObject({ status: 0, stdout: "5 6\n0 0\n", stderr: "" });
    expect(statSync(join(where, "new"))).toMatchObject({ uid: 0, gid: 0 });
    rmSync(join(where, "new"));
    const as = await runCommand(
      words([...maps, "--as", "5:6", "--read-only"], "touch /five || echo ro", "-", where),
    );
    expect(as.stdout).toBe("ro\n");
  });
  rootTest("with -u UID GID; no descriptor is left inside", async () => {
    const ran = await run([
      "-u",
      "--idmap-root",
      "-",
      root,
      "/bin/sh",
      "1000",
      "1000",
      "--",
      "-c",
      "stat -c %u /etc; ls /proc/self/fd",
    ]);
    expect(ran).toMatchObject({ status: 0, stdout: "0\n0\n1\n2\n3\n", stderr: "" });
  });
  rootTest("a root with something mounted below it is refused: the container could unmount it", async () => {
    const where = makeSmallRoot("mounted-below");
    const ran = await runCommand([
      "unshare",
      "-m",
      "sh",
      "-ec",
      `mount -t tmpfs t ${where}/tmp; exec "$@"`,
      "sh",
      ...words(maps, "true", "-", where),
    ]);
    expect(ran.stderr).toBe(
      `ns: cannot shift the ids of the root: ${where}/tmp is mounted below it\nnote: unmount it, or let ns mount it inside\n`,
    );
    expect(ran.status).toBe(125);
  });
  rootTest(
    "over it changes may go to memory; other directories are refused, whose ids would not be shifted",
    async () => {
      const ran = await runCommand(words([...maps, "--ephemeral"], "touch /new; stat -c %u /etc /new"));
      expect(ran).toMatchObject({ status: 0, stdout: "0\n0\n", stderr: "" });
      const overlay = await runCommand(words([...maps, "--overlay", folder], "true"));
      expect(overlay.stderr).toStartWith("ns: --idmap-root and --overlay exclude each other\n");
      const layers = await runCommand(words(maps, "true", "-", `${folder}:${root}`));
      expect(layers.stderr).toStartWith("ns: --idmap-root: NEWROOT has to be one directory, and not A:B\n");
      expect(layers.status).toBe(2);
    },
  );
  rootTest("a file system that cannot do it is refused", async () => {
    const ran = await runCommand(words(maps, "true", "-", "/proc"));
    expect(ran.status).toBe(127); // nothing to execute there: it fails even before
    const sys = await runCommand([
      ...[
        "unshare",
        "-m",
        "sh",
        "-ec",
        `mkdir -p ${folder}/ov ${folder}/up ${folder}/wk; mount -t tmpfs t ${folder}/up; mkdir ${folder}/up/u ${folder}/up/w; mount -t overlay o -o lowerdir=${root},upperdir=${folder}/up/u,workdir=${folder}/up/w ${folder}/ov; exec "$@"`,
      ],
      ...["sh", ...words(maps, "true", "-", `${folder}/ov`)],
    ]);
    expect(sys.stderr).toMatch(
      /^ns: cannot shift the ids of the root: invalid argument\nnote: its file system cannot/,
    );
    expect(sys.status).toBe(125);
  });
});
