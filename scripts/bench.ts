/**
 * How fast and how light ns is beside its peers: `bun run scripts/bench.ts`, as root, on a quiet machine, writes
 * docs/performance.{md,svg,json}. `--short` takes less than half a minute, writes nothing and prints each ratio beside the
 * recorded one. `--rounds N` says how often each command is run. Needs a C compiler and the release build.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureMany } from "./bench-many.ts";
import { chart } from "./bench/chart.ts";
import { type Level, LEVELS } from "./bench/levels.ts";
import { measure, median, whyNot } from "./bench/measure.ts";
import { findMemoryPlace } from "./bench/memory-place.ts";
import { putMeasured } from "./bench/page.ts";
import { freezeFor, type Peer, peers } from "./bench/peers.ts";
import { INIT, makePlace, type Place, removePlace } from "./bench/place.ts";
import { compare, type LevelResult, type Results, ratiosOf, rowsOf } from "./bench/results.ts";
import { tables } from "./bench/table.ts";
import { WAITING_INIT, waitingMemory } from "./bench/waiting.ts";

const docs = join(import.meta.dir, "../docs");
const STARTS = 40;
const BARE = LEVELS[0]!;

/** Where a peer's executable is; the project's own are in the place. */
const programOf = (peer: Peer): string | null =>
  peer.name.startsWith("ns") || peer.name === "C reference" ? peer.name : Bun.which(peer.name);

function measureLevel(level: Level, all: readonly Peer[], place: Place, rounds: number): LevelResult {
  const commands: Record<string, string[]> = {};
  const apart: { peer: Peer; words: string[] }[] = [];
  const leftOut: { name: string; why: string }[] = [];
  for (const peer of all) {
    const program = programOf(peer);
    const words = peer.command(program ?? peer.name, level, place, [INIT]);
    if (words === null) continue;
    const why = program === null ? "it is not on this machine" : whyNot(words, peer.within);
    if (why !== null) leftOut.push({ name: peer.name, why });
    else if (peer.within === undefined) commands[peer.name] = words;
    else apart.push({ peer, words });
  }
  if (commands.ns === undefined) throw new Error(`ns does not run: ${leftOut[0]?.why}`);
  const rows = rowsOf(measure(place, commands, rounds));
  for (const { peer, words } of apart) {
    const pair = { ns: commands.ns, [peer.name]: words };
    rows.push(...rowsOf(measure(place, pair, rounds, peer.within)).slice(1));
  }
  return { name: level.name, rows, leftOut };
}

/** `ns --version` beside a program that does nothing. */
function measureNothing(place: Place, rounds: number): LevelResult {
  const commands = { "ns --version": [place.ns, "--version"], "an empty Bun program": [place.empty] };
  return { name: "no container at all", rows: rowsOf(measure(place, commands, rounds)), leftOut: [] };
}

/** Starts a second of a loop in a shell, one after the other. */
function measureRate(all: readonly Peer[], place: Place, rounds: number): Record<string, number> {
  const commands: Record<string, string[]> = {};
  for (const peer of all) {
    const program = programOf(peer);
    const words = program === null || peer.slow ? null : peer.command(program, BARE, place, [INIT]);
    if (words === null || peer.within !== undefined || whyNot(words) !== null) continue;
    const loop = `i=0; while [ $i -lt ${STARTS} ]; do "$@" >/dev/null; i=$((i+1)); done`;
    commands[peer.name] = ["/bin/sh", "-c", loop, "sh", ...words];
  }
  const times = Object.entries(measure(place, commands, rounds));
  return Object.fromEntries(times.map(([name, { end }]) => [name, (STARTS * 1000) / median(end)]));
}

/** The library's starts a second, by scripts/bench-many.ts. */
async function measureLibrary(root: string): Promise<Record<string, number>> {
  const { library, inTurn, limited } = await measureMany(root);
  return {
    "the library, many at once": library,
    "the library, one after the other": inTurn,
    "the library, each with a memory limit": limited,
  };
}

async function measureWaiting(all: readonly Peer[], place: Place): Promise<Record<string, number>> {
  const waiting: Record<string, number> = {};
  const look = async (name: string, words: string[] | null): Promise<void> => {
    const size = words === null ? null : await waitingMemory(words);
    if (size !== null) waiting[name] = size;
  };
  for (const peer of all) {
    const program = programOf(peer);
    if (program === null || peer.slow || peer.within !== undefined) continue;
    await look(peer.name, peer.command(program, BARE, place, WAITING_INIT));
  }
  const options = ["-v", "-n", "-m", "64M", "-", place.root];
  await look(`ns ${options.slice(0, 4).join(" ")}`, [
    place.ns,
    ...options,
    "/bin/sh",
    "--",
    ...WAITING_INIT.slice(1),
  ]);
  return waiting;
}

function sizes(all: readonly Peer[], place: Place): Record<string, number> {
  const paths = all.map((peer) => {
    const own: Record<string, string> = {
      ns: place.ns,
      "C reference": place.reference,
    };
    const frozen = peer.name.startsWith("ns, frozen") ? peer.command("", BARE, place, [INIT])![0]! : null;
    return [peer.name, own[peer.name] ?? frozen ?? programOf(peer)] as const;
  });
  return Object.fromEntries(
    paths.flatMap(([name, path]) => (path === null ? [] : [[name, statSync(path).size] as const])),
  );
}

async function measureAll(all: readonly Peer[], place: Place, rounds: number): Promise<Results> {
  const levels: LevelResult[] = [];
  for (const level of LEVELS) {
    console.error(`bench: ${level.name}`);
    levels.push(measureLevel(level, all, place, rounds));
  }
  levels.push(measureNothing(place, rounds));
  console.error("bench: starts a second, memory, size");
  return {
    machine: `${cpus().length} processors, Linux ${release()}`,
    rounds,
    levels,
    rate: { ...measureRate(all, place, Math.ceil(rounds / 8)), ...(await measureLibrary(place.root)) },
    waiting: await measureWaiting(all, place),
    size: sizes(all, place),
  };
}

function writeDocs(results: Results): void {
  const page = join(docs, "performance.md");
  const measured = `${results.rounds} rounds on ${results.machine}.\n\n![](performance.svg)\n\n${tables(results)}`;
  writeFileSync(page, putMeasured(readFileSync(page, "utf8"), measured));
  writeFileSync(join(docs, "performance.svg"), chart(results.levels));
  const record = { ratios: ratiosOf(results.levels), ...results };
  writeFileSync(join(docs, "performance.json"), `${JSON.stringify(record, null, 2)}\n`);
  console.log(`bench: wrote docs/performance.md, .svg and .json`);
}

function runShort(all: readonly Peer[], place: Place, rounds: number): void {
  const quick = all.filter((peer) => !peer.slow);
  const levels = LEVELS.map((level) => measureLevel(level, quick, place, rounds));
  levels.push(measureNothing(place, rounds));
  const path = join(docs, "performance.json");
  const recorded = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).ratios : {};
  for (const { name, leftOut } of levels)
    for (const peer of leftOut) console.log(`bench: ${name}: without ${peer.name}: ${peer.why}`);
  for (const line of compare(ratiosOf(levels), recorded)) console.log(line);
}

const { values } = parseArgs({
  options: { short: { type: "boolean", default: false }, rounds: { type: "string" } },
  strict: true,
});
const rounds = Number(values.rounds ?? (values.short ? 15 : 60));
if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a whole number from 1");
if (process.getuid?.() !== 0) throw new Error("the benchmark needs root");
const place = await makePlace();
try {
  const all = peers(findMemoryPlace());
  freezeFor(INIT, LEVELS, place);
  freezeFor(WAITING_INIT[0]!, [BARE], place);
  if (values.short) runShort(all, place, rounds);
  else writeDocs(await measureAll(all, place, rounds));
} finally {
  removePlace(place);
}
