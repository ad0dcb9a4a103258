/** Golden text of how /dev is made. */
import { expect, test } from "bun:test";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { devMount, hasOwnDev, sealDev } from "../../src/plan/mounts/dev.ts";
import { showOp } from "../../src/plan/show.ts";
import type { Identity } from "../../src/spec/ids.ts";
import { type DevSource, NO_SOURCES } from "../../src/spec/mounts.ts";

const specFor = (words: string) => specOf(parseArgv(words.split(" ")), false);
const made = (words: string, dev: DevSource, identity: Identity | null = null): string[] =>
  devMount(specFor(words), dev, identity).map(showOp);

test.each<[string, DevSource]>([
  ["- /r /i", "left"],
  ["- /r /i", "own"],
  ["- /r /i", "made"],
  ["-u --profile=app - /r /i 5 6", "bound"],
])("golden: %s, %s", (words, dev) => {
  expect(made(words, dev)).toMatchSnapshot();
});

test("the group of terminals, where it has an id inside", () => {
  const options = (words: string, identity: Identity | null) =>
    made(words, "bound", identity).find((op) => op.includes('"devpts"'))!;
  const range = (count: number) => [{ inside: 0, outside: 100_000, count }];
  const identity = (count: number): Identity => ({
    maps: { uids: range(count), gids: range(count), setgroups: "allow" },
    init: null,
  });
  expect(options("- /r /i", null)).toContain(",gid=5");
  expect(options("-u - /r /i 5 6", null)).not.toContain("gid=");
  expect(options("-u --map=auto - /r /i", identity(65536))).toContain(",gid=5");
  expect(options("-u --map=auto - /r /i", identity(5))).not.toContain("gid=");
});

test("no message queues where they are somebody else's", () => {
  const has = (words: string) => made(words, "bound").some((op) => op.includes("mqueue"));
  expect(has("-u - /r /i 5 6")).toBe(true);
  expect(has("--share=ipc - /r /i")).toBe(true);
  expect(has("-u --share=ipc - /r /i 5 6")).toBe(false);
});

test("it is sealed in profile strict alone, and only if it is ns's", () => {
  const sealed = (words: string, dev: DevSource) =>
    sealDev(specFor(words), { ...NO_SOURCES, dev }).map(showOp);
  expect(sealed("- /r /i", "made")).toEqual([]);
  expect(sealed("--profile=app - /r /i", "made")).toEqual([]);
  expect(sealed("--profile=strict --dev=keep - /r /i", "own")).toEqual([]);
  expect(sealed("--profile=strict - /r /i", "made")[1]).toContain("MS_RDONLY");
});

test("which are ns's own", () => {
  const own = (["left", "own", "made", "bound"] as const).filter((dev) => hasOwnDev({ dev }));
  expect(own).toEqual(["made", "bound"]);
});
