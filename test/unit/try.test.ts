/** `ns try` without a container: its line, the overlay that it asks for, and the removal of hostile trees. */
import { expect, test } from "bun:test";
import {
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
  const down = "d/".repeat(1900);
  const pieces = Array.from({ length: 4 }, (_, i) => join(place, `${i}`));
  for (const piece of pieces) mkdirSync(join(piece, down), { recursive: true });
  for (const i of [2, 1, 0]) renameSync(pieces[i + 1]!, join(pieces[i]!, down, "d"));
  expect(readdirSync(place)).toEqual(["0"]);
  expect(removeTree(place, AT_FDCWD)).toBe(0);
  expect(existsSync(place)).toBe(false);
});
