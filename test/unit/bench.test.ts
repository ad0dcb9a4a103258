/** The pure parts of the benchmark: what becomes of the timer's lines, tables, chart, page and ratios. */
import { expect, test } from "bun:test";
import { chart } from "../../scripts/bench/chart.ts";
import { LEVELS } from "../../scripts/bench/levels.ts";
import { median, pairedRatio, parseTimes } from "../../scripts/bench/measure.ts";
import { putMeasured } from "../../scripts/bench/page.ts";
import { peers } from "../../scripts/bench/peers.ts";
import { compare, type LevelResult, ratiosOf, rowsOf } from "../../scripts/bench/results.ts";
import { costTable, levelTable } from "../../scripts/bench/table.ts";

// index, wait status, nanoseconds to the end and to init (-1: not told), microseconds of processor time
const TIMER = `0 0 9000000 8000000 1 1
1 0 3000000 -1 1 1
1 0 4000000 -1 1 1
0 0 8000000 7000000 1 1
0 0 5000000 4000000 1 1
1 0 1000000 -1 1 1
`;
const level: LevelResult = {
  name: "bare",
  rows: rowsOf(parseTimes(TIMER, ["ns", "a<b"])),
  leftOut: [{ name: "crun", why: "it is not on this machine" }],
};

test("medians and ratios of what was measured in the same round", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(pairedRatio([9, 8, 5], [3, 4, 1])).toBe(3);
  const [ours, theirs] = level.rows;
  expect(ours).toEqual({ name: "ns", end: 8, start: 7, endRatio: 1, startRatio: 1 });
  expect(theirs).toEqual({ name: "a<b", end: 3, start: null, endRatio: 3, startRatio: null });
  expect(ratiosOf([level])).toEqual({ "bare / a<b": 3 });
});

test("a run that failed while it was measured is an error, and so is a line that is none", () => {
  expect(() => parseTimes("0 256 9 9 1 1\n", ["ns"])).toThrow("ns failed in the middle of the measurement");
  expect(() => parseTimes("7 0 9 9 1 1\n", ["ns"])).toThrow("the timer said: 7 0");
});

test("a ratio stands beside the recorded one", () => {
  expect(compare({ "bare / bwrap": 2.5, "bare / new": 1 }, { "bare / bwrap": 2.25 })).toEqual([
    "bench: bare / bwrap: 2.50 (recorded 2.25)",
    "bench: bare / new: 1.00 (not recorded)",
  ]);
});

test("tables", () => {
  expect(levelTable(level)).toBe(`### bare

|  | start to end | ns takes | exec to init | ns takes |
| --- | --- | --- | --- | --- |
| ns | 8.00 ms |  | 7.00 ms |  |
| a<b | 3.00 ms | 3.00 × |  |  |

Left out: crun: it is not on this machine.`);
  const costs = { rate: { ns: 81.6 }, waiting: { ns: 48 }, size: { ns: 111e6, bwrap: 72_000 } };
  expect(
    costTable({ machine: "", rounds: 1, levels: [], ...costs }),
  ).toBe(`|  | starts a second | memory while init runs | executable |
| --- | --- | --- | --- |
| ns | 82 | 48 kB | 111.0 MB |
| bwrap |  |  | 72 kB |`);
});

test("the chart is well-formed, has a bar for each row, and cuts what is too long for it", () => {
  const bars = (svg: string): number => svg.match(/<rect /g)!.length;
  const svg = chart([level]);
  expect(svg).toContain("a&lt;b");
  expect(svg).not.toContain("a<b");
  expect(bars(svg)).toBe(2);
  const slow = { ...level.rows[1]!, name: "slow", end: 100 };
  expect(bars(chart([{ ...level, rows: [...level.rows, slow] }]))).toBe(4);
  const widths = [...chart([{ ...level, rows: [...level.rows, slow] }]).matchAll(/width="([\d.]+)"/g)];
  expect(Math.max(...widths.map((match) => Number(match[1])))).toBe(760);
});

test("only what lies between the marks of the page is replaced", () => {
  const page = "words\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nmore words\n";
  expect(putMeasured(page, "new")).toBe(
    "words\n<!-- measured: begin -->\n\nnew\n\n<!-- measured: end -->\nmore words\n",
  );
  expect(() => putMeasured("words", "new")).toThrow("are missing");
});

test("a peer is asked only for what it can do, and ns and the reference for everything", () => {
  const place = { folder: "/f", root: "/r", ns: "/ns", empty: "", timer: "", reference: "/ref" };
  const all = peers({ directory: "/c", settings: "a=1" }).filter(({ name }) => !/crun|runc/.test(name));
  const last = LEVELS.at(-1)!;
  const able = all.flatMap((peer) => {
    const words = peer.command("x", last, place, ["/i"]);
    return words === null ? [] : [words.join(" ")];
  });
  expect(able).toEqual([
    "/ns -u -n -m67108864 - /r /i 65534 65534 --",
    "/f/ns-frozen-everything-i --",
    "/f/ns-frozen-any-device-everything-i --",
    "/ref -u 65534 65534 -n -m /c a=1 /r /i",
  ]);
});
