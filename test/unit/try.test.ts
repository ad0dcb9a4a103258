/** `ns try` without a container: its line, the overlay that it asks for, and the removal of hostile trees. */
import { expect, test } from "bun:test";
import {
  closeSync,
  openSync,
  readFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryCommand } from "../../src/cli/commands/try.ts";
import { parseArgv } from "../../src/cli/argv.ts";
import { removeTree } from "../../src/host/changes/remove.ts";
import { headersOf, TYPE } from "../../src/host/changes/tar.ts";
import { attributeOf, attributesOf } from "../../src/sys/inode.ts";
import { AT_FDCWD } from "../../src/sys/constants.ts";
import { errnoNumber } from "../../src/sys/errno.ts";

test("options end with CMD", () => {
  const parse = (...words: string[]) => parseArgv(words, tryCommand);
  const { draft, positionals, args } = parse("-u", "/r", "--keep", "/k", "/bin/a", "-x", "--", "--keep", "b");
  expect({ keep: draft.own.keep, user: draft.user, positionals, args }).toEqual({
    ...{ keep: "/k", user: true },
    positionals: ["/r", "/bin/a"],
    args: ["-x", "--", "--keep", "b"],
  });
  expect(parse("/r", "--", "/bin/a", "-u")).toMatchObject({ positionals: ["/r"], args: ["/bin/a", "-u"] });
  expect(() => parse("/r", "--kep", "x")).toThrow("unknown option --kep; did you mean --keep?");
});

const folder = (): string => mkdtempSync(join(tmpdir(), "ns-unit-try-"));

test("a tree is removed, and what its links lead to is not", () => {
  const place = folder();
  const outside = folder();
  writeFileSync(join(outside, "precious"), "");
  const tree = join(place, "tree");
  mkdirSync(join(tree, "a/b/c"), { recursive: true });
  symlinkSync(outside, join(tree, "link"));
  symlinkSync("..", join(tree, "a/b/up"));
  linkSync(join(outside, "precious"), join(tree, "a/hard"));
  for (let i = 0; i < 3000; i++) writeFileSync(join(tree, `a/b/${i}`), "");
  chmodSync(join(tree, "a/b"), 0);
  chmodSync(join(tree, "a"), 0o100);
  expect(removeTree(tree, AT_FDCWD)).toBe(0);
  expect(readdirSync(place)).toEqual([]);
  expect(readdirSync(outside)).toEqual(["precious"]);
  expect(removeTree(outside, AT_FDCWD)).toBe(0);
  expect(removeTree(place, AT_FDCWD)).toBe(0);
});

test("a link in the place of a tree is not gone through", () => {
  const outside = folder();
  writeFileSync(join(outside, "precious"), "");
  const place = folder();
  symlinkSync(outside, join(place, "tree"));
  expect(removeTree(join(place, "tree"), AT_FDCWD)).toBe(-errnoNumber("ENOTDIR"));
  expect(existsSync(join(outside, "precious"))).toBe(true);
  expect(removeTree(outside, AT_FDCWD)).toBe(0);
  expect(removeTree(place, AT_FDCWD)).toBe(0);
});

test("a tree that is deeper than any path is long", () => {
  const place = folder();
  // pieces whose names the kernel takes, each put into the end of another
  const down = `${"d".repeat(40)}/`.repeat(80);
  const pieces = Array.from({ length: 4 }, (_, i) => join(place, `${i}`));
  for (const piece of pieces) mkdirSync(join(piece, down), { recursive: true });
  for (const i of [2, 1, 0]) renameSync(pieces[i + 1]!, join(pieces[i]!, down, "d"));
  expect(readdirSync(place)).toEqual(["0"]);
  expect(removeTree(place, AT_FDCWD)).toBe(0);
  expect(existsSync(place)).toBe(false);
});

test("a tar file holds what ustar has no room for", () => {
  const place = folder();
  const entry = {
    ...{ type: TYPE.file, path: "f", mode: 0o640, uid: 4294967294, gid: 2097152, size: 0, seconds: -7 },
    attributes: [["user.ns", "a\nb\0\xff"]] as const,
  };
  const large = { ...entry, path: "l".repeat(101), size: 2 ** 40, seconds: 2 ** 35, attributes: [] };
  writeFileSync(
    join(place, "t.tar"),
    Buffer.from(
      headersOf(entry) +
        headersOf({ ...entry, path: "z", size: 3, uid: 1 }) +
        "abc".padEnd(512, "\0") +
        headersOf(large),
      "latin1",
    ),
  );
  const tar = (...words: string[]) =>
    Bun.spawnSync(["tar", ...words], {
      cwd: place,
      env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
    }).stdout.toString();
  expect(tar("--numeric-owner", "--full-time", "-tvf", "t.tar").replaceAll(/ +/g, " ")).toBe(
    "-rw-r----- 4294967294/2097152 0 1969-12-31 23:59:53 f\n" +
      "-rw-r----- 1/2097152 3 1969-12-31 23:59:53 z\n" +
      `-rw-r----- 4294967294/2097152 1099511627776 3058-10-26 03:46:08 ${"l".repeat(101)}\n`,
  );
  tar("--no-same-owner", "--xattrs", "-xf", "t.tar", "f", "z");
  expect(readFileSync(join(place, "z"), "utf8")).toBe("abc");
  const fd = openSync(place, "r");
  expect(attributesOf(fd, "f")).toContain("user.ns");
  expect(attributeOf(fd, "f", "user.ns")).toBe("a\nb\0\xff");
  expect(attributeOf(fd, "f", "user.none")).toBe(null);
  closeSync(fd);
  expect(removeTree(place, AT_FDCWD)).toBe(0);
});
