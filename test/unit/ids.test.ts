/** Parsers of ids, of maps, and of the files that give them: /etc/subuid, and a root's /etc/passwd and /etc/group. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { specOfJson } from "../../src/cli/json.ts";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { findIdentity } from "../../src/host/identity.ts";
import { idMaps } from "../../src/host/idmap.ts";
import { accountNamed, accountOfId, groupNamed, groupsOf } from "../../src/host/passwd.ts";
import { foreignRange, parseSubids } from "../../src/host/subid.ts";
import {
  completeMaps,
  type IdRange,
  isMapped,
  parseAs,
  parseIdRange,
  parseUserns,
  showRange,
} from "../../src/spec/ids.ts";
import { defaultSpec, type Facts, type Spec } from "../../src/spec/spec.ts";
import { O } from "../../src/sys/constants.ts";
import { close, open } from "../../src/sys/file.ts";

const range = (text: string): IdRange => parseIdRange(text, "--map-uid", []);
const parse = (words: string): Spec => specOf(parseArgv(words.split(" ")), false);

describe("IN:OUT:COUNT", () => {
  test("a property: what is shown is read back, and maps its ids and no others", () => {
    const id = fc.integer({ min: 0, max: 2 ** 31 });
    fc.assert(
      fc.property(id, id, fc.integer({ min: 1, max: 2 ** 31 - 1 }), (inside, outside, count) => {
        const read = range(showRange({ inside, outside, count }));
        expect(read).toEqual({ inside, outside, count });
        expect(isMapped([read], inside)).toBe(true);
        expect(isMapped([read], inside + count - 1)).toBe(true);
        expect(isMapped([read], inside + count)).toBe(false);
        expect(isMapped([read], inside - 1)).toBe(false);
      }),
    );
  });
  test.each(["0:4294967294:1", "4294967294:0:1", "0:0:4294967295", "5:6"])("%s", (text) => {
    range(text);
  });
  test("COUNT is 1 if it is left out", () => {
    expect(range("5:6")).toEqual({ inside: 5, outside: 6, count: 1 });
  });
  test.each([
    ["", "'\"\"' is not a map like 0:100000:65536, IN:OUT:COUNT"],
    ["5", "'5' is not a map like"],
    ["1:2:3:4", "'1:2:3:4' is not a map like"],
    ["a:2:3", "--map-uid: IN 'a' is not a whole number from 0 to 4294967294"],
    ["1:-2:3", "--map-uid: OUT '-2' is not"],
    ["1:2:03", "--map-uid: COUNT '03' is not"],
    ["1:2: 3", "--map-uid: COUNT '\" 3\"' is not"],
    ["1:2:", "--map-uid: COUNT '\"\"' is not"],
    ["1:2:0", "'1:2:0' maps no id: COUNT is 0"],
    ["0:4294967294:2", "goes beyond the last id"],
    ["2:0:4294967294", "goes beyond the last id"],
    ["0:4294967295:1", "OUT '4294967295' is not"],
  ])("%s is refused", (text, words) => {
    expect(() => range(text)).toThrow(words);
  });
  test.each([
    ["9:500:1", "and 0:100:10 map the same id inside"],
    ["0:500:1", "and 0:100:10 map the same id inside"],
    ["10:109:5", "and 0:100:10 map to the same id outside"],
    ["10:91:10", "and 0:100:10 map to the same id outside"],
  ])("%s after 0:100:10 is refused", (text, words) => {
    expect(() => parseIdRange(text, "--map-uid", [range("0:100:10")])).toThrow(words);
  });
  test("right beside it is taken", () => {
    expect(parseIdRange("10:110:1", "--map-uid", [range("0:100:10")]).inside).toBe(10);
  });
  test("as many as the kernel takes", () => {
    const many = Array.from({ length: 340 }, (_, i) => ({ inside: i, outside: i, count: 1 }));
    expect(() => parseIdRange("999:999:1", "--map-uid", many)).toThrow(
      "is one too many: the kernel takes 340",
    );
  });
});

describe("maps as a whole", () => {
  const zero = [range("0:1:1")];
  const other = [range("5:6:1")];
  test("what is said of one kind holds for both", () => {
    expect(completeMaps({ uids: zero, gids: [] }, null)).toEqual({ uids: zero, gids: zero });
    expect(completeMaps({ uids: [], gids: zero }, null)).toEqual({ uids: zero, gids: zero });
  });
  test("without 0 somebody has to say what init is", () => {
    expect(() => completeMaps({ uids: other, gids: zero }, null)).toThrow(
      "--map-uid gives the container no id 0",
    );
    expect(() => completeMaps({ uids: zero, gids: other }, null)).toThrow(
      "--map-gid gives the container no id 0",
    );
    completeMaps({ uids: other, gids: other }, { user: "5", group: null, groups: [] });
  });
  test.each([
    ["--map-uid 0:1:1 - R /i", { uids: zero, gids: zero }],
    ["-u --map-uid 0:1:1 - R /i", { uids: zero, gids: zero }],
    ["--map-gid 5:6:1 --map-gid 0:1:1 --map-uid 0:1:1 - R /i", { uids: zero, gids: [...other, ...zero] }],
    ["--map keep - R /i", { map: "keep" }],
    ["--map=auto -u - R /i", { map: "auto" }],
  ] as [string, Spec["user"]][])("%s", (words, user) => {
    expect(parse(words).user).toEqual(user);
  });
  test.each([
    ["--map-uid 0:1:1 - R /i 5 6", "UID and GID '5' are not needed: the options say which ids are mapped"],
    ["-u --map=keep - R /i 5", "UID and GID '5' are not needed"],
    ["--map=keep --map-uid 0:1:1 - R /i", "--map and --map-uid exclude each other"],
    ["--map-gid 0:1:1 --map=keep - R /i", "--map and --map-gid exclude each other"],
    ["--map=yes - R /i", "--map: 'yes' is neither auto nor keep"],
    ["--map=auto --map=auto - R /i", "--map is given more than once"],
    ["--map-uid 0:1:1 --map-uid 0:2:1 - R /i", "--map-uid: '0:2:1' and 0:1:1 map the same id inside"],
    ["--idmap-root - R /i", "--idmap-root needs --user or --map or --map-uid or --map-gid"],
  ])("%s is refused", (words, message) => {
    expect(() => parse(words)).toThrow(message);
  });
  test("as JSON", () => {
    const json = { root: "R", init: "/i", "map-uid": ["0:1:1", "5:6:1"], as: "5:0", "idmap-root": true };
    expect(specOfJson(json)).toEqual(parse("--map-uid 0:1:1 --map-uid 5:6:1 --as 5:0 --idmap-root - R /i"));
    expect(() => specOfJson({ root: "R", init: "/i", "map-uid": ["0:1:1", "x"] })).toThrow('"map-uid[1]"');
    expect(() => specOfJson({ root: "R", init: "/i", map: "keep", uid: 5 })).toThrow("are not needed");
  });
});

describe("USER[:GROUP[,GROUP...]]", () => {
  test.each<[string, [string, string | null, string[]]]>([
    ["0", ["0", null, []]],
    ["alice", ["alice", null, []]],
    ["alice:users", ["alice", "users", []]],
    ["1000:100,27,wheel", ["1000", "100", ["27", "wheel"]]],
    ["_apt", ["_apt", null, []]],
    ["svc.web@x$", ["svc.web@x$", null, []]],
  ])("%s", (text, [user, group, groups]) => {
    expect(parseAs(text, "--as")).toEqual({ user, group, groups });
  });
  test.each([
    "",
    ":",
    "a:",
    ":a",
    "a:b,",
    "a:,b",
    "a:b:c",
    "-1",
    "+a",
    "a b",
    "a\nb",
    "1:-2",
    "4294967295",
    "01",
    "a,b",
  ])("%j is refused", (text) => {
    expect(() => parseAs(text, "--as")).toThrow("--as: ");
  });
});

test("/etc/subuid: the lines for a name, and no improper ones", () => {
  const text =
    "al:1:2\nal:100:10\n1000:300:5\nbob:1:1\nal:x:1\nal:5\n#al:1:1\nal:4294967290:10\nal:7:0\nal:8:1:9\n";
  expect(parseSubids(text, ["al", "1000"])).toEqual([
    { start: 1, count: 2 },
    { start: 100, count: 10 },
    { start: 300, count: 5 },
  ]);
  expect(parseSubids("", ["al"])).toEqual([]);
});

test("whose ids they are", () => {
  const granted = [{ start: 100, count: 10 }];
  const foreign = (text: string) => foreignRange([range(text)], 7, granted) !== undefined;
  expect(foreign("0:7:1")).toBe(false);
  expect(foreign("0:7:2")).toBe(true);
  expect(foreign("0:100:10")).toBe(false);
  expect(foreign("0:99:2")).toBe(true);
  expect(foreign("0:109:2")).toBe(true);
  expect(foreign("0:8:1")).toBe(true);
});

const passwd =
  "root:x:0:0:r:/root:/bin/sh\nal:x:5:6::/home/al:\nal:x:9:9::/:\nbad:x:-1:0::/:\nshort:x:1:1\nodd:x:1:1::/a\tb:\nbig:x:4294967295:0::/:\n";
const group =
  "root:x:0:\nusers:x:6:al,bob\nwheel:x:10:root,al\nwheel2:x:10:al\nbad:x:ten:al\nlong:x:11:al:x\n";

describe("a root's /etc/passwd and /etc/group", () => {
  test("the first line for a name or a number", () => {
    expect(accountNamed(passwd, "al")).toEqual({ name: "al", uid: 5, gid: 6, home: "/home/al" });
    expect(accountOfId(passwd, 0)?.name).toBe("root");
  });
  test.each(["bad", "short", "odd", "big", "", "Al", "a"])("%j is nobody", (name) => {
    expect(accountNamed(passwd, name)).toBeNull();
  });
  test("groups", () => {
    expect(groupNamed(group, "wheel")?.gid).toBe(10);
    expect(groupNamed(group, "bad")).toBeNull();
    expect(groupNamed(group, "long")).toBeNull();
    expect(groupsOf(group, "al")).toEqual([6, 10]);
    expect(groupsOf(group, "a")).toEqual([]);
  });
  test("a property: no text is read as something that is not in it, and none makes it fail", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const found = accountNamed(`${text}\n`, "al");
        if (found !== null) expect(text).toContain("al:");
        groupsOf(text, "al");
      }),
    );
  });
});

const folder = mkdtempSync(join(tmpdir(), "ns-test-ids-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, "root/etc"), { recursive: true });
writeFileSync(join(folder, "root/etc/passwd"), passwd);
writeFileSync(join(folder, "root/etc/group"), group);

const someone: Facts = {
  pid: 1,
  uid: 1000,
  gid: 1001,
  capabilities: { mask: "1ffffffffff", sysAdmin: false, setUid: false, setGid: false },
} as Facts;
const real: Facts = {
  ...someone,
  uid: 0,
  gid: 0,
  capabilities: { mask: "1ffffffffff", sysAdmin: true, setUid: true, setGid: true },
};

function identity(words: string, facts = real, root = "root") {
  const fd = open(join(folder, root), O.O_PATH | O.O_DIRECTORY);
  try {
    return findIdentity(parse(`${words} - R /i`.trim()), facts, fd);
  } finally {
    close(fd);
  }
}

describe("what init is", () => {
  test("without options nothing is looked for", () => {
    expect(identity("")).toBeNull();
    const fd = -1;
    expect(findIdentity({ ...defaultSpec(), user: { uid: 1, gid: 1 } }, real, fd)).toBeNull();
  });
  test.each<[string, object]>([
    ["--as al", { uid: 5, gid: 6, groups: [6, 10], home: "/home/al" }],
    ["--as 5", { uid: 5, gid: 6, groups: [6, 10], home: "/home/al" }],
    ["--as 77", { uid: 77, gid: 0, groups: [], home: null }],
    ["--as al:wheel", { uid: 5, gid: 10, groups: [], home: "/home/al" }],
    ["--as 77:78", { uid: 77, gid: 78, groups: [], home: null }],
    ["--as 77:users,wheel,9", { uid: 77, gid: 6, groups: [10, 9], home: null }],
  ])("%s", (words, init) => {
    expect(identity(words)).toEqual({ maps: null, init } as never);
  });
  test.each([
    ["--as eve", "--as: the root's /etc/passwd has no user eve"],
    ["--as bad", "--as: the root's /etc/passwd has no user bad"],
    ["--as al:nobodies", "--as: the root's /etc/group has no group nobodies"],
    ["--as al --map-uid 0:1:5", "--as: uid 5 has no uid outside"],
    ["--as 1:9 --map-uid 0:1:5", "--as: gid 9 has no gid outside"],
    ["--as 1:1,9 --map-uid 0:1:5", "--as: gid 9 has no gid outside"],
  ])("%s is refused", (words, message) => {
    expect(() => identity(words)).toThrow(message);
  });
  test("memberships count as far as they are mapped", () => {
    expect(identity("--as al --map-uid 0:1:7")?.init?.groups).toEqual([6]);
  });
  test("more groups where setgroups is denied are refused", () => {
    expect(() => identity("--as 0:0,0 --map-uid 0:1000:1 --map-gid 0:1001:1", someone)).toThrow(
      "setgroups is denied",
    );
    expect(identity("--as 0 --map-uid 0:1000:1 --map-gid 0:1001:1", someone)?.init?.groups).toEqual([]);
  });
});

describe("a hostile root's files", () => {
  const hostile = (name: string, make: (etc: string) => void): string => {
    const etc = join(folder, name, "etc");
    mkdirSync(etc, { recursive: true });
    make(etc);
    return name;
  };
  test("a link leads nowhere but inside", () => {
    const name = hostile("link", (etc) => symlinkSync(join(folder, "root/etc/passwd"), join(etc, "passwd")));
    expect(() => identity("--as al", real, name)).toThrow("has no user al");
    const up = hostile("up", (etc) => symlinkSync("../../../root/etc/passwd", join(etc, "passwd")));
    expect(() => identity("--as al", real, up)).toThrow("has no user al");
  });
  test("a directory and a fifo are refused, and nobody waits for a writer", () => {
    const name = hostile("dir", (etc) => mkdirSync(join(etc, "passwd")));
    expect(() => identity("--as al", real, name)).toThrow(
      "cannot use the root's /etc/passwd: it is not a regular file",
    );
    const fifo = hostile("fifo", (etc) => {
      Bun.spawnSync(["mkfifo", join(etc, "passwd")]);
    });
    expect(() => identity("--as al", real, fifo)).toThrow("it is not a regular file");
  });
  test("a file that is too large is refused, just not so one is not", () => {
    const last = "al:x:3:4::/:\n";
    const name = hostile("large", (etc) =>
      writeFileSync(join(etc, "passwd"), `${"#".repeat(2 ** 20 - last.length)}\n${last}`),
    );
    expect(() => identity("--as al", real, name)).toThrow("it is larger than 1 MiB");
    writeFileSync(join(folder, name, "etc/passwd"), `${"#".repeat(2 ** 20 - last.length - 1)}\n${last}`);
    expect(identity("--as al", real, name)?.init?.uid).toBe(3);
  });
});

describe("how maps are written", () => {
  const steps = (words: string, facts: Facts) =>
    idMaps(9, parse(`${words} - R /i`).user!, identity(words, facts), facts);
  test("root writes them itself, and setgroups stays allowed", () => {
    expect(steps("--map-uid 0:100:10 --map-uid 10:5:1 --map-gid 0:200:10", real)).toEqual([
      { path: "/proc/9/uid_map", content: "0 100 10\n10 5 1" },
      { path: "/proc/9/gid_map", content: "0 200 10" },
    ]);
  });
  test("one's own ids an ordinary user writes himself, after setgroups is denied (CVE-2014-8989)", () => {
    expect(steps("--map=keep", someone)).toEqual([
      { path: "/proc/9/uid_map", content: "1000 1000 1" },
      { path: "/proc/9/setgroups", content: "deny" },
      { path: "/proc/9/gid_map", content: "1001 1001 1" },
    ]);
  });
  test("others' ids are refused before anything runs", () => {
    expect(() => steps("--map-uid 0:1:1 --map-gid 0:1001:1", someone)).toThrow(
      "--map-uid 0:1:1: those uids outside are not yours",
    );
    expect(() => steps("--map-uid 0:1000:1 --map-gid 0:1001:2", someone)).toThrow(
      "--map-gid 0:1001:2: those gids outside are not yours",
    );
  });
});

describe("--userns", () => {
  test("a path that is too long", () => {
    expect(() => parseUserns(`/${"x".repeat(4096)}`, "--userns")).toThrow("is no PATH or PID");
  });
  test.each(["1", "4194304", "/proc/1/ns/user", "./bound", "/a b"])("%p is a PATH or a PID", (text) => {
    expect(parseUserns(text, "--userns")).toBe(text);
  });
  test.each(["", "0", "01", "-1", "1x", "name", "99999999999"])("%p is none", (text) => {
    expect(() => parseUserns(text, "--userns")).toThrow("is no PATH or PID of a user namespace");
  });
});
