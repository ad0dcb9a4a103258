/** What a program may hand to the library, and what becomes of it. */
import { describe, expect, test } from "bun:test";
import { NsError } from "../../src/spec/error.ts";
import { checkSupported } from "../../src/run/unsupported.ts";
import { defaultSpec, type Spec } from "../../src/spec/spec.ts";
import { specOf, type Wanted } from "../../src/spec/wanted.ts";

const least = { root: "/r", init: "/i" };
const of = (more: object) => specOf({ ...least, ...more } as Wanted);

test("all but root and init is the default", () => {
  expect(specOf(least)).toEqual({ ...defaultSpec(), ...least });
  expect(of({ pre: undefined, user: null, limits: {}, args: [] })).toEqual(specOf(least));
});

test("what only the command can do is refused, whatever asks for it", () => {
  const spec = specOf(least);
  expect(() => checkSupported(spec)).not.toThrow();
  const refused: Partial<Spec>[] = [
    { user: { join: "/proc/1/ns/user" } },
    { network: { mode: "pasta" } },
    { rootfs: { ...spec.rootfs, image: "/image" } },
    { limits: { ...spec.limits, systemd: true } },
    { process: { ...spec.process, post: "/post" } },
    { process: { ...spec.process, tty: "yes" } },
    { process: { ...spec.process, stop: { ...spec.process.stop, timeout: 1000 } } },
  ];
  for (const more of refused) expect(() => checkSupported({ ...spec, ...more })).toThrow("only the command");
});

test("text becomes bytes, everywhere", () => {
  const spec = specOf({
    root: "/ä",
    init: "/ä",
    args: ["ä", ""],
    process: { workdir: "/ä", env: { set: ["A=ä"] } },
  });
  expect([spec.root, spec.args[0], spec.process.workdir]).toEqual(["/\xc3\xa4", "\xc3\xa4", "/\xc3\xa4"]);
  expect(spec.args[1]).toBe("");
  expect(spec.process.env.set).toEqual(["A=\xc3\xa4"]);
});

test("values are taken as the options take them", () => {
  const spec = of({
    user: { uid: 1000, gid: 1000 },
    ids: { as: "web:web" },
    namespaces: { hostname: "box", share: ["ipc"], time: { boottime: 60, monotonic: 0 } },
    network: { mode: "new" },
    limits: { memory: "64M", memoryHigh: 4096, pids: 10, rlimits: ["nofile=10:20"] },
    rootfs: { readOnly: true, changes: { to: "memory", size: "1M" } },
    process: { reaper: true, umask: 0o77, passFds: [5] },
  });
  expect(spec.limits).toMatchObject({ memory: 64n << 20n, memoryHigh: 4096n, pids: 10 });
  expect(spec.limits.rlimits).toEqual([{ name: "RLIMIT_NOFILE", soft: 10n, hard: 20n }]);
  expect(spec.ids.as).toEqual({ user: "web", group: "web", groups: [] });
  expect(spec.namespaces).toMatchObject({
    hostname: "box",
    share: ["ipc"],
    time: { boottime: 60, monotonic: 0 },
  });
  expect(spec.rootfs).toMatchObject({ readOnly: true, changes: { to: "memory", size: 1n << 20n } });
  expect(spec.process).toMatchObject({ reaper: true, umask: 0o77, passFds: [5] });
  expect(of({ user: { uids: [{ inside: 0, outside: 100000, count: 10 }], gids: [] } }).user).toEqual({
    uids: [{ inside: 0, outside: 100000, count: 10 }],
    gids: [{ inside: 0, outside: 100000, count: 10 }],
  });
});

describe("what is wrong is named by its key", () => {
  test.each<[object, RegExp]>([
    [{ memory: "64M" }, /^memory: unknown key/],
    [{ limits: { memroy: 1 } }, /^limits\.memroy: unknown key/],
    [{ constructor: 1 }, /^constructor: unknown key/],
    [{ limits: "64M" }, /^limits: not an object/],
    [{ limits: { pids: "many" } }, /^limits\.pids: not a number/],
    [{ limits: { pids: 0 } }, /^limits\.pids: '0' is not a whole number from 1/],
    [{ network: { mode: "nwe" } }, /^network\.mode: neither "host" nor "new"/],
    [{ rootfs: { readOnly: 1 } }, /^rootfs\.readOnly: neither true nor false/],
    [{ user: 1000 }, /^user: not an object/],
    [{ user: { uid: "1x", gid: 0 } }, /^UID '1x'/],
    [{ user: { uids: [{ inside: 0, outside: 1 }], gids: [] } }, /^user\.uids: .*COUNT/],
    [{ namespaces: { hostname: "a b" } }, /^namespaces\.hostname: .* is not a host name/],
    [{ namespaces: { hostname: "a", share: ["uts"] } }, /exclude each other/],
    [{ process: { workdir: "srv" } }, /^process\.workdir: 'srv' is not an absolute path/],
    [{ process: { post: "/x" } }, /^process\.post: the library cannot take this yet/],
    [{ mounts: [{ type: "tmpfs" }] }, /^mounts: the library cannot take this yet/],
    [{ ids: { idmapRoot: true } }, /^ids\.idmapRoot needs user/],
    [{ args: ["a\0"] }, /^args\[0\]: a text cannot hold a zero byte/],
    [{ root: "/".repeat(5000) }, /^root: .*too long/],
  ])("%#", (more, message) => {
    expect(() => of(more)).toThrow(message);
    expect(() => of(more)).toThrow(NsError);
  });
});
