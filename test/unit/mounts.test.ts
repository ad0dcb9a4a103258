/** What the options about root and mounts take, and what they refuse with which words. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { NsError } from "../../src/spec/error.ts";
import { splitEscaped } from "../../src/spec/path-words.ts";
import type { Spec } from "../../src/spec/spec.ts";

const take = (...words: string[]): Spec => specOf(parseArgv([...words, "-", "R", "/i"]), false);
const refuse = (words: string[]): string => {
  try {
    take(...words);
  } catch (error) {
    expect(error).toBeInstanceOf(NsError);
    expect((error as NsError).status).toBe(2);
    return (error as NsError).message;
  }
  throw new Error(`${words} was taken`);
};

/** The defaults, and what differs from them. */
const flags = (more: object = {}) => ({
  readOnly: false,
  nosuid: true,
  nodev: true,
  noexec: false,
  ...more,
});
const bind = (more: object) => ({
  type: "bind",
  source: "/a",
  target: "/b",
  flags: flags(),
  recursive: true,
  optional: false,
  ...more,
});

test.each<[string, string, object]>([
  ["bind", "/a:/b", bind({})],
  ["bind", "a/b:/b", bind({ source: "a/b" })],
  ["bind", "/a:/b:ro", bind({ flags: flags({ readOnly: true }) })],
  ["bind", "/a:/b:rw,rec,nosuid,nodev", bind({})],
  [
    "bind",
    "/a:/b:norec,suid,dev,noexec",
    bind({ recursive: false, flags: { ...flags(), nosuid: false, nodev: false, noexec: true } }),
  ],
  ["bind", "/x\\:y:/b\\:c", bind({ source: "/x:y", target: "/b:c" })],
  ["bind", "/a\\b:/b", bind({ source: "/a\\b" })],
  ["bind", "/a://b/./c/", bind({ target: "/b/c" })],
  ["bind", "/a:/b/..c/c..", bind({ target: "/b/..c/c.." })],
  ["bind-try", "/a:/b:ro", bind({ optional: true, flags: flags({ readOnly: true }) })],
  ["tmpfs", "/t", { type: "tmpfs", target: "/t", flags: flags({ noexec: true }), size: null, mode: 0o1777 }],
  [
    "tmpfs",
    "/t:size=1M,mode=700,exec,ro",
    { type: "tmpfs", target: "/t", flags: flags({ readOnly: true }), size: 1048576n, mode: 0o700 },
  ],
  ["mount", "type=bind,src=/a,dst=/b", bind({})],
  ["mount", "type=bind,source=/a,destination=/b,readonly", bind({ flags: flags({ readOnly: true }) })],
  ["mount", "type=bind,src=/a,target=/b,ro=false", bind({})],
  ["mount", "type=bind,src=/a\\,b,dst=/b", bind({ source: "/a,b" })],
  [
    "mount",
    "type=tmpfs,dst=/t,tmpfs-size=1k,tmpfs-mode=0755",
    { type: "tmpfs", target: "/t", flags: flags({ noexec: true }), size: 1024n, mode: 0o755 },
  ],
  [
    "mount",
    "type=overlay,src=/a:/b\\:c,dst=/o",
    { type: "overlay", target: "/o", flags: flags(), lower: ["/a", "/b:c"] },
  ],
  [
    "mount",
    "type=proc,dst=/p",
    { type: "proc", target: "/p", flags: flags({ readOnly: true, noexec: true }) },
  ],
  ["mount", "type=sysfs,dst=/p,rw", { type: "sysfs", target: "/p", flags: flags({ noexec: true }) }],
  [
    "mount",
    "type=cgroup,dst=/p",
    { type: "cgroup", target: "/p", flags: flags({ readOnly: true, noexec: true }) },
  ],
  ["mount", "type=devpts,dst=/p", { type: "devpts", target: "/p", flags: flags() }],
  ["mount", "type=mqueue,dst=/p", { type: "mqueue", target: "/p", flags: flags({ noexec: true }) }],
  ["symlink", "../a b:/l/m", { type: "symlink", content: "../a b", target: "/l/m" }],
  ["dir", "/d/e", { type: "directory", target: "/d/e" }],
  ["file", "3:/f", { type: "file", descriptor: 3, target: "/f" }],
])("--%s %s", (option, value, mount) => {
  expect(take(`--${option}`, value).mounts).toEqual([mount as never]);
});

test("mounts keep the order of the command line, whatever option they come from", () => {
  const spec = take(
    "--tmpfs",
    "/a",
    "--bind",
    "/x:/a/b",
    "--dir",
    "/a/c",
    "--tmpfs",
    "/a/d",
    "--mount",
    "type=proc,dst=/e",
  );
  expect(spec.mounts.map(({ target }) => target)).toEqual(["/a", "/a/b", "/a/c", "/a/d", "/e"]);
});

describe("refused", () => {
  const long = "x".repeat(256);
  test.each<[string, string, string]>([
    ["bind", "/a", "--bind: '/a' is not SRC:DST"],
    ["bind", ":/b", "--bind: SRC is empty"],
    ["bind", "/a:", "--bind: DST is empty"],
    ["bind", "/a::ro", "--bind: DST is empty"],
    ["bind", "/a:b", "--bind: DST b is not an absolute path"],
    ["bind", "/a:/", "--bind: DST / is the root itself"],
    ["bind", "/a:/./", "--bind: DST /./ is the root itself"],
    ["bind", "/a:/b/../c", "--bind: DST /b/../c may not hold '..'"],
    ["bind", "/a:/..", "--bind: DST /.. may not hold '..'"],
    ["bind", `/a:/${long}`, `--bind: DST /${long} holds a name that is too long`],
    ["bind", "/a:/b:ro:x", "--bind: too many colons; write \\: for one in a name"],
    ["bind", "/a:/b:", "--bind: an option in it is empty"],
    ["bind", "/a:/b:ro,", "--bind: an option in it is empty"],
    ["bind", "/a:/b:ro,rw", "--bind: ro and rw exclude each other"],
    ["bind", "/a:/b:ro,ro", "--bind: ro is given more than once"],
    ["bind", "/a:/b:rec,norec", "--bind: rec and norec exclude each other"],
    ["bind", "/a:/b:ro=1", "--bind: ro takes no value"],
    ["bind", "/a:/b:RO", "--bind: unknown option 'RO' of a bind mount"],
    ["bind", "/a:/b:size=1M", "--bind: unknown option 'size' of a bind mount"],
    ["bind-try", ":/b", "--bind-try: SRC is empty"],
    ["tmpfs", "t", "--tmpfs: DST t is not an absolute path"],
    ["tmpfs", "/t:size=0", "--tmpfs: the size must be more than 0"],
    ["tmpfs", "/t:size=", "--tmpfs: '' is not a size"],
    ["tmpfs", "/t:size", "--tmpfs: size needs a value"],
    ["tmpfs", "/t:size=1k,tmpfs-size=1k", "--tmpfs: size and tmpfs-size are the same"],
    ["tmpfs", "/t:mode=9", "--tmpfs: mode '9' is not octal, like 0755"],
    ["tmpfs", "/t:mode=77777", "--tmpfs: mode '77777' is not octal"],
    ["tmpfs", "/t:rec", "--tmpfs: unknown option 'rec' of a tmpfs mount"],
    ["mount", "src=/a,dst=/b", "--mount: type= is missing"],
    ["mount", "type=bind,dst=/b", "--mount: src= is missing"],
    ["mount", "type=bind,src=/a", "--mount: dst= is missing"],
    ["mount", "type=bind,src=,dst=/b", "--mount: SRC is empty"],
    ["mount", "type=bind,src=/a,dst=", "--mount: DST is empty"],
    ["mount", "type=nfs,dst=/b", "--mount: type 'nfs' is none of bind, tmpfs, overlay, proc,"],
    ["mount", "type=constructor,dst=/b", "--mount: type 'constructor' is none of"],
    ["mount", "type=proc,src=/a,dst=/b", "--mount: unknown option 'src' of a proc mount"],
    ["mount", "type=overlay,src=/a:,dst=/b", "--mount: src is empty"],
    ["mount", "type=bind,src=/a,dst=/b,target=/c", "--mount: dst and destination and target are the same"],
    ["symlink", "x", "--symlink: 'x' is not TARGET:LINK"],
    ["symlink", ":/x", "--symlink: TARGET is empty"],
    ["symlink", "a:b", "--symlink: LINK b is not an absolute path"],
    ["symlink", "a:/b:c", "--symlink: 'a:/b:c' is not TARGET:LINK"],
    ["dir", "d", "--dir: DST d is not an absolute path"],
    ["dir", "/d/../e", "--dir: DST /d/../e may not hold '..'"],
    ["file", "/x", "--file: '/x' is not FD:DST"],
    ["file", "x:/x", "--file: 'x' is not a descriptor's number"],
    ["file", "-1:/x", "--file: '-1' is not a descriptor's number"],
    ["file", "01:/x", "--file: '01' is not a descriptor's number"],
    ["overlay", "a:b:c", "--overlay: 'a:b:c' is not UPPER[:WORK]"],
    ["overlay", ":b", "--overlay: a directory in it is empty"],
    ["overlay", "a:", "--overlay: a directory in it is empty"],
    ["overlay", "a,b", "--overlay: a,b may hold no comma, colon or backslash"],
    ["ephemeral", "0", "--ephemeral: the size must be more than 0"],
  ])("--%s=%s", (option, value, message) => {
    expect(refuse([`--${option}=${value}`])).toStartWith(message);
  });
  test.each<[string[], string]>([
    [["--read-only", "--ephemeral"], "--read-only and --ephemeral exclude each other"],
    [["--ephemeral", "--overlay", "u"], "--ephemeral and --overlay exclude each other"],
    [["--ephemeral", "--ephemeral=1M"], "--ephemeral is given more than once"],
    [["--overlay", "u", "--overlay", "v"], "--overlay is given more than once"],
    [["--bind", "--tmpfs", "/a"], "--bind needs a value: SRC:DST[:OPTS]"],
  ])("%j", (words, message) => {
    expect(refuse(words)).toBe(message);
  });
});

test("the root's options", () => {
  expect(take("--ephemeral").rootfs.changes).toEqual({ to: "memory", size: null });
  expect(take("--ephemeral=1M").rootfs.changes).toEqual({ to: "memory", size: 1048576n });
  expect(take("--overlay", "u").rootfs.changes).toEqual({ to: "directory", upper: "u", work: null });
  expect(take("--overlay=u:w").rootfs.changes).toEqual({ to: "directory", upper: "u", work: "w" });
});

test("NEWROOT as several directories", () => {
  const rootOf = (text: string) => {
    const { root, rootfs } = specOf(parseArgv(["-", text, "/i"]), false);
    return [root, ...rootfs.lower];
  };
  expect(rootOf("/a:b:/c")).toEqual(["/a", "b", "/c"]);
  expect(rootOf("/a\\:b")).toEqual(["/a:b"]);
  expect(rootOf("/a\\b")).toEqual(["/a\\b"]);
  for (const text of [":", "/a:", ":/a", "/a::/b"]) expect(() => rootOf(text)).toThrow("holds an empty name");
});

test("what is split can be put together again", () => {
  const name = fc.string({ unit: fc.constantFrom("a", ":", ",", "/") });
  fc.assert(
    fc.property(fc.array(name, { minLength: 1 }), (names) => {
      const text = names.map((part) => part.replaceAll(":", "\\:")).join(":");
      expect(splitEscaped(text, ":")).toEqual(names);
    }),
  );
});

test("any text is a mount with a target inside, or a usage error", () => {
  const options = ["bind", "bind-try", "tmpfs", "mount", "symlink", "dir", "file"];
  const word = fc.constantFrom(
    "/",
    "..",
    ".",
    ":",
    ",",
    "a",
    "\\",
    "=",
    "ro",
    "type=bind,src=",
    "dst=",
    "3",
    "\0",
    "\xff",
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...options),
      fc.array(word).map((parts) => parts.join("")),
      (option, text) => {
        let spec: Spec;
        try {
          spec = take(`--${option}=${text}`);
        } catch (error) {
          expect((error as NsError).status).toBe(2);
          return;
        }
        const { target } = spec.mounts[0]!;
        expect(target).toStartWith("/");
        expect(target.split("/")).not.toContain("..");
      },
    ),
    { numRuns: 2000 },
  );
});
