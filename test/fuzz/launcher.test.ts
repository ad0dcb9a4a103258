/**
 * The launcher's interpreter under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer: launcher.c here is the
 * target, alone.c that of frozen starts, and they say what must hold. The inputs grow from plans as ns encodes them.
 * NS_FUZZ=N: so many inputs, for a longer run.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChildPlace, childPlan, enterPlan } from "../../src/plan/child.ts";
import { encodeTask, TASK_HEADER } from "../../src/plan/encode.ts";
import { keeperPlan, launchPlan } from "../../src/plan/keeper.ts";
import type { Op } from "../../src/plan/op.ts";
import { NO_SOURCES } from "../../src/spec/mounts.ts";
import { defaultSpec, type Facts } from "../../src/spec/spec.ts";
import { createMemory } from "../../src/sys/memory.ts";
import { project } from "../project.ts";

const folder = mkdtempSync(join(tmpdir(), "ns-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Why it cannot run here, or null when the target has been built. */
function build(name: string): string | null {
  if (process.arch !== "x64") return "the target is for x86-64";
  if (Bun.which("clang") === null) return "clang is missing (Debian: clang, libclang-rt-14-dev)";
  const flags =
    "-g -O1 -fno-inline -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Wno-everything";
  const source = join(project, `test/fuzz/${name}.c`);
  const argv = ["clang", "-D_GNU_SOURCE", ...flags.split(" "), source, "-o", join(folder, name)];
  const { exitCode, stderr } = Bun.spawnSync(argv);
  const words = stderr.toString();
  if (exitCode === 0) return null;
  // what is missing is the linker's to tell; anything else is a fault of the target
  if (/libclang_rt\.(fuzzer|asan|ubsan)/.test(words))
    return "clang has no libFuzzer (Debian: libclang-rt-14-dev)";
  throw new Error(words);
}

const facts: Facts = {
  ...{ pid: 1, uid: 0, gid: 0, ignoredSignals: [13], cgroupNamespace: true, onRootfs: false },
  ...{ openFiles: null, terminal: null },
  capabilities: { mask: "1ffffffffff", sysAdmin: true, setUid: true, setGid: true },
  kernel: { mountDescriptors: true, closeRange: true, openat2: true, pidfd: true, mountSetattr: true },
};
const place: ChildPlace = {
  gate: [3, 4],
  ...{ life: 6, report: 8, rootPath: "/r", inherited: [7, 9], sources: NO_SOURCES },
};

/** Plans as they are encoded, cut to what the target takes: 64 ops, without the header and the results. */
function* encodedPlans(): Generator<Uint8Array> {
  const spec = { ...defaultSpec(), root: "/r", init: "/init", args: ["a"] };
  const job = { task: 64, directory: 5, network: [6, 7] as [number, number], group: 8, closing: [9] };
  const plans: (readonly Op[])[] = [
    [...enterPlan(spec, place), ...childPlan(spec, facts, place)],
    [...childPlan({ ...spec, user: { uid: 5, gid: 6 } }, facts, place)],
    keeperPlan(facts, 64, 5),
    launchPlan(job),
  ];
  for (const ops of plans) {
    const memory = createMemory(new ArrayBuffer(1 << 20), 0x10000);
    const { address } = encodeTask(ops, { flags: 0, report: -1 }, memory);
    const at = memory.offsetOf(address) + TASK_HEADER;
    yield new Uint8Array(memory.buffer.slice(at, at + 64 * Math.min(ops.length, 64)));
  }
}

const missing = build("launcher") ?? build("alone");
const why = missing === null ? "" : ` [${missing}]`;
const RUNS = process.env.NS_FUZZ ?? "100000";

/** A long answer behind the first bytes. */
const bytesBy = (by: number, first: readonly number[]): Buffer =>
  Buffer.concat([
    Buffer.from(first),
    Uint8Array.from({ length: 400 }, (_, i) => (i * i * by + i * by + by) & 255),
  ]);

/** Runs it; names the functions that have been reached. */
function fuzz(name: string, corpus: string): Set<string> {
  const words = `-runs=${RUNS} -seed=1 -max_len=10000 -detect_leaks=0 -print_coverage=1 -artifact_prefix=${folder}/`;
  const argv = [join(folder, name), ...words.split(" "), corpus];
  const ran = Bun.spawnSync(argv, { stdout: "ignore", stderr: "pipe" });
  const text = ran.stderr.toString();
  const shown = text
    .split("\n")
    .filter((line) => /rror|broken|^ {4}#|Base64/.test(line))
    .join("\n");
  expect({ status: ran.exitCode, shown: ran.exitCode === 0 ? "" : shown }).toEqual({ status: 0, shown: "" });
  return new Set([...text.matchAll(/^COVERED_FUNC: \S+ \d+ \S+ \S+ (\w+) /gm)].map(([, func]) => func!));
}

// what has not been reached has not been tried
const PARTS =
  "runOps runTask start keep obey endAll takeReport supervise nextSignal relay drain fill passPty catches foreground " +
  "giveSettings takeTerminal decimal onSignal signalJob performMore";

test.skipIf(missing !== null)(
  `the launcher's interpreter, ${RUNS} inputs${why}`,
  () => {
    const corpus = join(folder, "corpus");
    mkdirSync(corpus);
    const answers = Uint8Array.from({ length: 300 }, (_, i) => (i * 37) & 255);
    // a short task and a long answer: the parts that a task does not steer
    for (let part = 0; part < 10; part++)
      for (let by = 1; by < 90; by += 11)
        writeFileSync(join(corpus, `${part}-by-${by}`), bytesBy(by, [part, 0, 0]));
    for (const ops of encodedPlans())
      for (let part = 0; part < 10; part++) {
        // two tasks: in a keeper's part one of them launches
        const task = Buffer.concat([Buffer.of(ops.length / 64 - 1, 1), ops, Buffer.of(1)]);
        const input = Buffer.concat([Buffer.of(part, 1), task, task, answers]);
        writeFileSync(join(corpus, `${part}-${ops.length}`), input);
      }
    const reached = fuzz("launcher", corpus);
    for (const name of PARTS.split(" ")) expect(reached, name).toContain(name);
  },
  120_000,
);

const ALONE =
  "runOps performMore listen digits both behind says takeArguments removeTree removeCgroup tell check milliseconds";

test.skipIf(missing !== null)(
  `what frozen starts do besides, ${RUNS} inputs${why}`,
  () => {
    const corpus = join(folder, "alone-corpus");
    mkdirSync(corpus);
    for (let part = 0; part < 7; part++)
      for (let by = 1; by < 90; by += 11)
        writeFileSync(join(corpus, `${part}-by-${by}`), bytesBy(by, [part]));
    const reached = fuzz("alone", corpus);
    for (const name of ALONE.split(" ")) expect(reached, name).toContain(name);
  },
  120_000,
);
