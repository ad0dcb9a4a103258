/** Profiles, capabilities, filters and masks, in the container itself: as root and as an ordinary user. */
import { describe, expect, test } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  callers,
  folder,
  inside,
  isRoot,
  leavesNothing,
  line,
  makeSmallRoot,
  rootTest,
  run,
  runCommand,
  script,
} from "../harness.ts";

leavesNothing();

const STATUS = 'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status | tr "\\n" " " | tr -d "\\t"';
const NONE = "0000000000000000";
const APP = "00000000800405fb";

const sets = (capabilities: string, more: string): string =>
  `CapInh:${NONE} CapPrm:${capabilities} CapEff:${capabilities} CapBnd:${capabilities} CapAmb:${NONE} ${more} `;

describe.each(callers)("%s", (_, unprivileged) => {
  const status = async (...options: string[]): Promise<string> => {
    const ran = await inside(STATUS, options, { unprivileged });
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    return ran.stdout;
  };
  test.each<[string[], string, string]>([
    [["--profile=app"], APP, "NoNewPrivs:1 Seccomp:2"],
    [["--profile=strict"], NONE, "NoNewPrivs:1 Seccomp:2"],
    [["--profile=app", "--reaper"], APP, "NoNewPrivs:1 Seccomp:2"],
    [["--profile=app", "--seccomp=none"], APP, "NoNewPrivs:1 Seccomp:0"],
    [["--profile=app", "--cap-drop=ALL"], NONE, "NoNewPrivs:1 Seccomp:2"],
    [["--cap-drop=ALL", "--cap-add=cap_chown,kill"], "0000000000000021", "NoNewPrivs:0 Seccomp:0"],
    [["--cap-drop=ALL", "--cap-add=CHOWN", "--cap-drop=chown"], NONE, "NoNewPrivs:0 Seccomp:0"],
    [["--no-new-privs", "--cap-drop=ALL"], NONE, "NoNewPrivs:1 Seccomp:0"],
  ])("%j", async (options, capabilities, more) => {
    expect(await status(...options)).toBe(sets(capabilities, more));
  });
  test("with --as nothing is left but the bounding set, and that is the profile's", async () => {
    const ran = await inside(STATUS, ["--profile=app", "--as", "0:0"], { unprivileged });
    expect(ran.stdout).toBe(sets(APP, "NoNewPrivs:1 Seccomp:2"));
    if (unprivileged || !isRoot) return;
    const other = await inside(STATUS, ["--profile=app", "--as", "5:5"]);
    expect(other.stdout).toBe(
      `CapInh:${NONE} CapPrm:${NONE} CapEff:${NONE} CapBnd:${APP} CapAmb:${NONE} NoNewPrivs:1 Seccomp:2 `,
    );
  });

  test("profile app: what a service does works, what reaches the machine does not", async () => {
    const ran = await inside(
      [
        "echo a > /tmp/a && chown 0:0 /tmp/a && rm /tmp/a && echo files",
        "(sleep 0 & wait) && echo processes",
        "mount -t tmpfs x /tmp 2>&- || echo no mount",
        "mount -t proc proc /tmp 2>&- || echo no proc",
        "unshare -U true 2>&- || echo no user namespace",
        "chroot / /bin/true && echo chroot",
        'for f in kcore keys timer_list interrupts; do [ ! -e /proc/$f ] || [ -z "$(cat /proc/$f 2>&-)" ] || echo $f is seen; done',
        "echo x 2>&- > /proc/sys/kernel/core_pattern || echo no switch",
      ].join("\n"),
      ["--profile=app"],
      { unprivileged },
    );
    expect(ran.stdout.split("\n")).toEqual([
      "files",
      "processes",
      "no mount",
      "no proc",
      "no user namespace",
      "chroot",
      "no switch",
      "",
    ]);
  });
  test("profile strict: a read-only root, no network but a loopback, no other kinds of sockets", async () => {
    const ran = await inside(
      "echo x 2>&- > /tmp/x || echo read-only; cat /proc/net/dev | grep -c :; chown 1 /tmp 2>&- || echo no chown; busybox ps >/dev/null && echo runs",
      ["--profile=strict"],
      { unprivileged },
    );
    expect(ran.stdout).toBe("read-only\n1\nno chown\nruns\n");
    const written = await inside("echo x > /x && cat /x", ["--profile=strict", "--ephemeral"], {
      unprivileged,
    });
    expect(written.stdout).toBe("x\n");
  });
  test("a filter from a file answers as it says", async () => {
    const file = join(folder, `filter-${unprivileged}.json`);
    const syscalls = [
      { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
      { names: ["sethostname"], action: "SCMP_ACT_KILL_PROCESS" },
    ];
    writeFileSync(file, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls }));
    const ran = await inside("mkdir /tmp/x; hostname x; echo $?", ["--seccomp", file], { unprivileged });
    expect(ran.stderr).toContain("unction not implemented");
    expect(ran.stdout).toBe("159\n"); // 128 + SIGSYS
  });
  test("an init that may not even be executed says so", async () => {
    const file = join(folder, `no-exec-${unprivileged}.json`);
    const syscalls = [{ names: ["execve"], action: "SCMP_ACT_ERRNO" }];
    writeFileSync(file, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls }));
    const ran = await inside("true", ["--seccomp", file], { unprivileged });
    expect(ran.status).toBe(126);
    expect(ran.stderr).toStartWith("ns: cannot execute init /bin/sh");
  });
  test("masked and read-only paths, also through links, and those that are not there", async () => {
    const where = makeSmallRoot(`masks-${unprivileged}`, ["sh", "cat", "ls", "touch", "wc"]);
    writeFileSync(join(where, "secret"), "secret");
    symlinkSync("/secret", join(where, "link"));
    const options = ["--mask=/link", "--mask=/tmp", "--mask=/missing", "--read-only-path=/bin"];
    const ran = await runCommand(
      line(unprivileged, ["/bin/sh", "-c", "wc -c < /secret; ls /tmp; touch /bin/x 2>&- || echo read-only"], {
        options,
        root: where,
      }),
      { unprivileged },
    );
    expect(ran.stdout).toBe("0\nread-only\n");
  });
});

test.each<[string[], string]>([
  [["--profile=apps"], "--profile: 'apps' is not one of init, app, strict"],
  [["--cap-add=SYS_ADMINS"], "--cap-add: 'SYS_ADMINS' is no capability (capabilities(7))"],
  [["--cap-drop="], "--cap-drop needs a value: NAME"],
  [["--mask=etc"], "--mask: 'etc' is not an absolute path"],
  [["--mask=/a/../b"], "--mask: '/a/../b' goes through .."],
])("%j is refused", async (options, words) => {
  const ran = await run([...options, "-", "/", "/bin/true"]);
  expect(ran).toMatchObject({ status: 2, stdout: "" });
  expect(ran.stderr).toStartWith(`ns: ${words}\n`);
});

test.each<[string, string]>([
  ["{", "ns: the seccomp profile is not JSON: "],
  [
    '{"defaultAction": "SCMP_ACT_NONE"}',
    'ns: the seccomp profile: defaultAction: "SCMP_ACT_NONE" is no action\n',
  ],
])("the seccomp profile %j is refused before anything starts", async (text, words) => {
  const file = join(folder, "bad.json");
  writeFileSync(file, text);
  const ran = await inside("echo started", ["--seccomp", file]);
  expect(ran).toMatchObject({ status: 125, stdout: "" });
  expect(ran.stderr).toStartWith(words);
});

test("a seccomp profile that is not there", async () => {
  const ran = await inside("true", ["--seccomp", "/nothing/here"]);
  expect(ran).toMatchObject({
    status: 125,
    stderr: "ns: cannot read the seccomp profile /nothing/here: no such file or directory\n",
  });
});

rootTest("a capability that ns itself has not cannot be given", async () => {
  const ran = await runCommand([
    "setpriv",
    "--bounding-set=-sys_time",
    "--inh-caps=-all",
    ...line(false, ["/bin/true"], { options: ["--cap-add=SYS_TIME"] }),
  ]);
  expect(ran.status).toBe(125);
  expect(ran.stderr).toStartWith("ns: ns itself has not the capability SYS_TIME (--cap-add)\nnote: ");
});

rootTest("PRE is not held", async () => {
  const pre = script("pre-caps.sh", "#!/bin/sh\ngrep CapBnd /proc/self/status >&2\n");
  const ran = await runCommand(
    line(false, ["/bin/true"], { pre, options: ["--profile=strict", "--net=new"] }),
  );
  expect(ran.stderr).toMatch(/^CapBnd:/);
  expect(ran.stderr).not.toContain(NONE);
});
