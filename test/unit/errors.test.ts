/** Every message that ns can print, walked in its sources; and what is said of a system's error that nobody has foreseen. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { childError, cloneError } from "../../src/run/failure.ts";
import { cannotStart } from "../../src/run/task.ts";
import { enterPlan, childPlan } from "../../src/plan/child.ts";
import type { Op } from "../../src/plan/op.ts";
import { NsError } from "../../src/spec/error.ts";
import { NO_SOURCES } from "../../src/spec/mounts.ts";
import { defaultSpec, type Facts, type Spec } from "../../src/spec/spec.ts";
import { type ErrnoName, errnoNumber, errnoText } from "../../src/sys/errno.ts";
import { messagesIn } from "../messages.ts";
import { project } from "../project.ts";

const sources = [...new Bun.Glob("**/*.ts").scanSync(join(project, "src"))].sort().map((file) => ({
  file,
  text: readFileSync(join(project, "src", file), "utf8"),
}));
const messages = sources.flatMap(({ file, text }) => messagesIn(text, file));
const at = ({ file, line, text }: { file: string; line: number; text: string }): string =>
  `${file}:${line}: ${text}`;

describe("every message in the sources", () => {
  test("is found", () => {
    // one of each kind of place that a text stands in
    for (const text of [
      "only root may start a container without --user",
      "as an ordinary user: ns -u PRE NEWROOT INIT $(id -u) $(id -g)",
      "cannot use the root …: …",
      "…: '…' is not a capability (capabilities(7))",
      "--systemd=no makes the cgroup without it",
      "is on a file system mounted noexec",
    ])
      expect(messages.some((one) => one.text === text) || text).toBeOneOf([true, text]);
    expect(messages.length).toBeGreaterThan(400);
  });
  test("is one line, and short", () => {
    expect(messages.filter(({ text }) => text.includes("\n") || text.length > 150).map(at)).toEqual([]);
  });
  test("begins with a small letter, and ends without a full stop", () => {
    expect(messages.filter(({ text }) => /^[A-Z][a-z]/.test(text)).map(at)).toEqual([]);
    // what is spoken of may be a dot
    const ends = messages.filter(({ text }) => /[.!]$/.test(text) && !/ and \.$| through \.\.$/.test(text));
    expect(ends.map(at)).toEqual([]);
  });
  test("asks nobody to please, and apologises for nothing", () => {
    const polite = messages.filter(({ text }) => /\b(sorry|oops|failed to|unable to)\b/i.test(text));
    expect(polite.map(at)).toEqual([]);
  });
  test("is said in one place only, unless it is about what is filled in", () => {
    const whole = messages.filter(({ text }) => !text.includes("…") && text.split(" ").length > 4);
    const places = Map.groupBy(whole, ({ text }) => text);
    const twice = [...places.values()].filter((all) => new Set(all.map(({ file }) => file)).size > 1);
    // what a container is told (host/sources.ts) and what its image is (host/image.ts) are files of the same kind
    expect(twice.flatMap((all) => all.map(at)).filter((text) => !text.includes("regular file"))).toEqual([]);
  });
  test("that gives the system's reason gives its number too, so that a note can be found for it", () => {
    const lacking = sources.flatMap(({ file, text }) =>
      [...text.matchAll(/new NsError\((`[^`]*errnoText\([^`]*`)(\)|, \{([^}]*)\})/g)]
        .filter((match) => !/\berrno\b/.test(match[3] ?? ""))
        .map((match) => `${file}: ${match[1]}`),
    );
    expect(lacking).toEqual([]);
  });
  test("is NsError's, but where only ns itself can be wrong, or the caller makes one of it", () => {
    const others = sources
      .filter(({ text }) => /\bnew (Error|RangeError|TypeError)\(/.test(text))
      .map(({ file }) => file);
    expect(others).toEqual([
      "cli/builtins.ts",
      "host/systemd/connection.ts",
      "host/systemd/dbus.ts",
      "host/systemd/message.ts",
      "plan/encode.ts",
      "run/frozen/layout.ts",
      "run/systemd.ts",
      "sys/compile.ts",
      "sys/elf-alone.ts",
      "sys/elf.ts",
      "sys/kernel.ts",
      "sys/memory.ts",
      "sys/pool.ts",
      "sys/relax.ts",
    ]);
  });
});

const facts: Facts = {
  pid: 1,
  uid: 0,
  gid: 0,
  capabilities: { mask: "1ffffffffff", sysAdmin: true, setUid: true, setGid: true },
  ignoredSignals: [],
  cgroupNamespace: true,
  kernel: { mountDescriptors: true, closeRange: true, openat2: true, pidfd: true, mountSetattr: true },
  onRootfs: false,
  openFiles: null,
  terminal: null,
};
const place = { gate: [3, 4], life: 6, report: 8, rootPath: "/r", inherited: [] } as const;

const flags = { readOnly: false, nosuid: true, nodev: true, noexec: true };
const plain: Spec = { ...defaultSpec(), root: "/r", init: "/i" };
const SPECS: readonly Spec[] = [
  plain,
  { ...plain, user: { uid: 1000, gid: 1000 }, network: { mode: "new" } },
  { ...plain, rootfs: { ...plain.rootfs, readOnly: true, changes: { to: "memory", size: null } } },
  { ...plain, security: { ...plain.security, profile: "strict" }, network: { mode: "none" } },
  {
    ...plain,
    namespaces: { ...plain.namespaces, hostname: "a", domainname: "b", time: { boottime: 1, monotonic: 1 } },
  },
  {
    ...plain,
    mounts: [
      { type: "tmpfs", target: "/t", flags, size: 1n << 20n, mode: 0o755 },
      { type: "devpts", target: "/dev/pts", flags },
      { type: "directory", target: "/d/e" },
      { type: "symlink", target: "/l", content: "d" },
    ],
  },
];
/** Every step of every plan, and the errors that Linux's own pages name for such calls. */
const steps: [Spec, Op][] = SPECS.flatMap((spec) => {
  const sources = { ...NO_SOURCES, mounts: spec.mounts.map(() => []) };
  const filter = new Uint8Array(8);
  return [...enterPlan(spec, place), ...childPlan(spec, facts, { ...place, sources, filter })]
    .filter(({ call }) => call !== "execve")
    .map((op): [Spec, Op] => [spec, op]);
});
const ERRNOS: readonly ErrnoName[] = [
  ...([
    "EPERM",
    "ENOENT",
    "EIO",
    "EAGAIN",
    "ENOMEM",
    "EACCES",
    "EBUSY",
    "EEXIST",
    "ENODEV",
    "ENOTDIR",
  ] as const),
  ...([
    "EINVAL",
    "ENFILE",
    "EMFILE",
    "ENOSPC",
    "EROFS",
    "ENAMETOOLONG",
    "ENOSYS",
    "ELOOP",
    "EUSERS",
    "EDQUOT",
  ] as const),
];
/** What a person can do something about, wherever it happens. */
const ACTABLE: readonly ErrnoName[] = ["EPERM", "ENOMEM", "ENFILE", "EMFILE", "ENOSYS", "EDQUOT", "EIO"];

describe("a failing step", () => {
  const names = [...new Set(steps.map(([, { step }]) => step))];
  test("there are many", () => expect(names.length).toBeGreaterThan(50));

  test.each(ERRNOS)("with %s names itself and the reason, in at most two lines", (name) => {
    for (const [spec, op] of steps) {
      const { message, note, status } = childError(spec, op, errnoNumber(name), -1);
      expect(message).toBe(`cannot ${op.step}: ${errnoText(errnoNumber(name))}`);
      expect(status).toBe(125);
      if (note !== undefined) expect(note).toMatch(/^[^A-Z\n][^\n]{10,160}[^.\n]$/);
      if (ACTABLE.includes(name)) expect(`${op.step}: ${note ?? "no note"}`).not.toEndWith("no note");
    }
  });

  test.each([
    ["make the directory /proc", "EROFS", /make one in it/],
    ["make the directory /proc", "ENOSPC", /full.*df/],
    ["open the directory /proc", "ELOOP", /not a directory/],
    ["mount proc on /proc", "EPERM", /covered in part/],
    ["pivot into the root", "EINVAL", /chroot/],
    ["bind the root", "EACCES", /may not enter NEWROOT/],
    ["become uid 0", "EAGAIN", /ulimit -u/],
    ["drop supplementary groups", "EPERM", /use -u/],
    ["make the time namespace", "ENOSPC", /\/proc\/sys\/user/],
    ["install the seccomp filter", "ENOSYS", /seccomp filter around ns/],
  ] as const)("%s: %s has what to do", (step, name, note) => {
    expect(names).toContain(step);
    const [spec, op] = steps.find(([, one]) => one.step === step)!;
    expect(childError(spec, op, errnoNumber(name), -1).note).toMatch(note);
  });
});

describe("a process that cannot be started", () => {
  test("for want of a number of processes", () => {
    const { message, note } = cannotStart("the watcher", errnoNumber("EAGAIN"));
    expect(message).toBe("cannot start the watcher: resource temporarily unavailable");
    expect(note).toContain("ulimit -u");
  });
  test.each([
    ["EAGAIN", /ulimit -u/],
    ["ENOSPC", /\/proc\/sys\/user|max_user_namespaces/],
    ["EPERM", /confined here/],
    ["EMFILE", /ulimit -n/],
    ["ENOMEM", /memory/],
  ] as const)("the container's: %s", (name, note) => {
    expect(cloneError(plain, facts, errnoNumber(name)).note).toMatch(note);
  });
});

describe("the system's errors", () => {
  test("have a note where a person can act, unless the error has a better one", () => {
    const errno = errnoNumber("EMFILE");
    expect(new NsError("x", { errno }).note).toContain("ulimit -n");
    expect(new NsError("x", { errno, note: "y" }).note).toBe("y");
    expect(new NsError("x", { errno: errnoNumber("ENOENT") }).note).toBeUndefined();
    expect(new NsError("x").note).toBeUndefined();
  });
});
