/**
 * The launcher's interpreter under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer: launcher.c here is the
 * target and says what must hold. The inputs grow from plans as ns encodes them. NS_FUZZ=N: so many inputs, for a longer run.
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
const fuzzer = join(folder, "fuzzer");

/** Why it cannot run here, or null when the target has been built. */
function build(sources: string): string | null {
  if (process.arch !== "x64") return "the target is for x86-64";
  if (Bun.which("clang") === null) return "clang is missing (Debian: clang, libclang-rt-14-dev)";
  const flags =
    "-g -O1 -fno-inline -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Wno-everything";
  const { exitCode, stderr } = Bun.spawnSync(["clang", ...flags.split(" "), sources, "-o", fuzzer]);
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

const missing = build(join(project, "test/fuzz/launcher.c"));
const RUNS = process.env.NS_FUZZ ?? "100000";

test.skipIf(missing !== null)(
  `the launcher's interpreter, ${RUNS} inputs${missing === null ? "" : ` [${missing}]`}`,
  () => {
    const corpus = join(folder, "corpus");
    mkdirSync(corpus);
    const answers = Uint8Array.from({ length: 300 }, (_, i) => (i * 37) & 255);
    // a short task and a long answer: the parts that a task does not steer
    for (let part = 0; part < 10; part++)
      for (let by = 1; by < 90; by += 11) {
        const long = Uint8Array.from({ length: 400 }, (_, i) => (i * i * by + by) & 255);
        writeFileSync(join(corpus, `${part}-by-${by}`), Buffer.concat([Buffer.of(part, 0, 0), long]));
      }
    for (const ops of encodedPlans())
      for (let part = 0; part < 10; part++) {
        // two tasks: in a keeper's part one of them launches
        const task = Buffer.concat([Buffer.of(ops.length / 64 - 1, 1), ops, Buffer.of(1)]);
        const input = Buffer.concat([Buffer.of(part, 1), task, task, answers]);
        writeFileSync(join(corpus, `${part}-${ops.length}`), input);
      }
    const words = `-runs=${RUNS} -seed=1 -max_len=10000 -detect_leaks=0 -print_coverage=1 -artifact_prefix=${folder}/`;
    const ran = Bun.spawnSync([fuzzer, ...words.split(" "), corpus], { stdout: "ignore", stderr: "pipe" });
    const text = ran.stderr.toString();
    const shown = text
      .split("\n")
      .filter((line) => /rror|broken|^ {4}#|Base64/.test(line))
      .join("\n");
    expect({ status: ran.exitCode, shown: ran.exitCode === 0 ? "" : shown }).toEqual({
      status: 0,
      shown: "",
    });
    // what has not been reached has not been tried
    const reached = new Set(
      [...text.matchAll(/^COVERED_FUNC: \S+ \d+ \S+ \S+ (\w+) /gm)].map(([, name]) => name),
    );
    const parts =
      "runOps runTask start keep obey endAll takeReport supervise nextSignal relay drain fill passPty";
    for (const name of [
      ...parts.split(" "),
      "catches",
      "foreground",
      "giveSettings",
      "takeTerminal",
      "decimal",
      "onSignal",
    ])
      expect(reached, name).toContain(name);
  },
  120_000,
);
