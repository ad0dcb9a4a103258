/**
 * Lays a frozen start out as the data of its file: first the address of the parent's task and what tells such a file, then
 * the tasks, the memory that they share, and the words for when something fails. docs/frozen.md has the layout.
 */
import { CLONE, SIGNALS, type SignalName } from "../../sys/constants.ts";
import { createMemory } from "../../sys/memory.ts";
import type { AlonePlaces } from "../../sys/elf-alone.ts";
import type { MachineAbi } from "../../sys/machines.ts";
import { encodeTask, flagsInto, placeStrings, sizeOf, type TaskOptions } from "../../plan/encode.ts";
import { type FrozenBranch, isLeftOut, parentOf } from "../../plan/frozen/branch.ts";
import { RUN_ENDING } from "../../plan/frozen/cgroup.ts";
import { loadAttributes } from "../../plan/frozen/devices.ts";
import { frozenChild } from "../../plan/frozen/child.ts";
import { descriptorsOf } from "../../plan/frozen/descriptors.ts";
import { FROZEN_FACTS } from "../../plan/frozen/facts.ts";
import { CHILD_BASE, PRE_BASE, rowsOf } from "../../plan/frozen/messages.ts";
import { parentPlan } from "../../plan/frozen/parent.ts";
import type { ParentPlace } from "../../plan/frozen/place.ts";
import { LIST } from "../../plan/frozen/search.ts";
import { frozenWatcher } from "../../plan/frozen/watcher.ts";
import { cloneFlags } from "../../plan/namespaces.ts";
import { type Op, type Place, resultsOf } from "../../plan/op.ts";
import { prePlan } from "../../plan/pre.ts";
import { putRules, ruleAt, RULES_SIZE } from "../../plan/supervise.ts";
import type { Identity } from "../../spec/ids.ts";
import type { Sources } from "../../spec/mounts.ts";
import type { Spec } from "../../spec/spec.ts";
import { forMachine } from "./machine.ts";
import { packStrings, pathWithPid, placeTable } from "./strings.ts";

/** All that is known when a start is frozen. */
export interface Frozen {
  readonly spec: Spec;
  readonly identity: Identity | null;
  readonly filter: Uint8Array | null;
  /** what becomes of /dev and /sys */
  readonly sources: Sources;
  readonly branches: readonly FrozenBranch[];
  /** the id maps, by the name of their file */
  readonly maps: readonly { readonly file: string; readonly content: string }[];
  /** what it was made by, and with */
  readonly version: string;
}

/** Tells a frozen file, behind the task's address. */
export const MAGIC = "ns-froze";
/** Where in the data the places and sizes of the two texts are. */
export const TEXTS_AT = 16;
const PREFACE = 48;

const STACK = 16384;
/** for a path (PATH_MAX), and for /proc/self/cgroup: where that is longer, a cgroup behind it is not found, which is an error */
const TEXT = 4096;
const PATIENCE = 3;
const STOPPING: readonly SignalName[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];
const PASSED_ON: readonly SignalName[] = [
  ...STOPPING,
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
  "SIGCONT",
  "SIGCHLD",
];
/** a process group that cannot be: ids are smaller */
const NOBODY = -0x7fffffff;
const OPS_AT = 56;
const OP_SIZE = 64;
const ARGS_AT = 16;

const maskOf = (names: readonly SignalName[]): number =>
  names.reduce((mask, name) => mask + 2 ** (SIGNALS[name] - 1), 0);

const place = (at: number, means: string): Place => ({ at, means });

/**
 * The data, and the ops of each who runs them.
 * @param show what `--ns-show` prints, made of the ops
 * @throws RangeError when it is too much
 */
export function layOut(
  { spec, identity, filter, sources, branches, maps, version }: Frozen,
  machine: MachineAbi,
  places: AlonePlaces,
  show: (parts: { parent: Op[]; child: Op[]; pre: Op[]; watcher: Op[] }) => string,
): Uint8Array {
  const most = places.empty - places.address;
  const memory = packStrings(createMemory(new ArrayBuffer(most), places.address));
  memory.reserve(PREFACE);
  let top = places.empty;
  const stack = (): number => (top += STACK);
  const encode = (ops: readonly Op[], options: Partial<TaskOptions>): number =>
    encodeTask(
      forMachine(ops, machine),
      {
        flags: 0,
        report: -1,
        word: machine.word,
        calls: machine.calls,
        results: resultsOf(ops, options.given),
        ...options,
        stackAt: options.stackAt ?? stack(),
      },
      memory,
    ).address;

  const descriptors = descriptorsOf(spec, branches);
  const { stop } = spec.process;
  const rulesAt = memory.reserve(RULES_SIZE);
  putRules(
    {
      ...{ who: -1, signals: maskOf(PASSED_ON), caught: -1, patience: PATIENCE, impatience: 0, until: 0 },
      stopSignal: spec.pre === null ? stop.signal : SIGNALS.SIGTERM,
      grace: spec.pre === null ? (stop.grace ?? -1) : -1,
      lastGrace: stop.grace ?? 10_000,
      ...{
        deadline: 0,
        stopping: 0,
        other: 0,
        others: 0,
        stops: maskOf(STOPPING),
        stopped: 0,
        group: spec.pre === null ? 0 : 1,
      },
    },
    (offset, value) => memory.putI64(rulesAt + offset, value),
  );
  const runs = branches.map((branch, i) => {
    const parent = parentOf(branch, descriptors.branches[i]!);
    return pathWithPid(memory, parent, RUN_ENDING, `${parent}/PID${RUN_ENDING}`);
  });
  const capabilities = place(memory.reserve(24), "CAPABILITIES");
  memory.clear(capabilities.at, 24);
  const pid = place(memory.reserve(16), '"PID"');
  memory.clear(pid.at, 16);
  const argv = [spec.process.arg0 ?? spec.init, ...spec.args];
  const start = place(top, "START");
  top += TEXT;
  const list = top;
  const rest = places.emptySize - TEXT - 4 * STACK;
  const room = Math.floor(rest / machine.word) - argv.length - 1;
  top += rest;
  const watcherStack = stack();
  // where it is used later: one page less
  const textAt = watcherStack - TEXT;
  const scratch = { text: place(textAt, "TEXT"), size: TEXT, list: place(textAt - LIST, "LIST") };
  const programs = branches.map(({ program }) => {
    if (program === null) return null;
    const { instructions, allows } = program;
    const load = loadAttributes(instructions, memory.placeBuffer(instructions), memory.placeString("MIT"));
    return place(memory.placeBuffer(load), `{BPF_PROG_TYPE_CGROUP_DEVICE, allow ${allows}}`);
  });

  const child = frozenChild(
    spec,
    identity,
    { filter, sources },
    descriptors,
    place(list, `${argv.length} arguments`),
    capabilities,
    start,
  );
  const pre = spec.pre === null ? [] : prePlan(spec, FROZEN_FACTS, spec.pre, pid, [], []);
  const watcher = frozenWatcher(spec, descriptors, branches, runs, NOBODY);
  const flags = cloneFlags(spec, FROZEN_FACTS) & ~CLONE.CLONE_VM;
  const begins = branches.findIndex(({ version }) => version === 2);
  const into = begins < 0 ? null : descriptors.branches[begins]!.into;
  const isAsked = into !== null && isLeftOut(branches[begins]!);
  const childTask = encode(child, {
    ...{ flags, report: descriptors.report[1], base: CHILD_BASE },
    ...(into !== null && !isAsked && { cgroup: into }),
  });
  const preTask = encode(pre, { flags: CLONE.CLONE_VM, report: descriptors.report[1], base: PRE_BASE });
  const watcherTask = encode(watcher.ops, { flags: CLONE.CLONE_VM, stackAt: watcherStack });
  // init's first arguments are copied to where more can be appended
  const fixed = placeStrings(argv, memory, machine.word);
  const text = (content: string, means: string) => ({
    ...place(memory.placeString(content), means),
    length: content.length,
  });
  const parentPlace: Omit<ParentPlace, "show" | "table"> = {
    ...{ descriptors, branches, runs, programs, scratch, start, room, maps, pid, nobody: NOBODY },
    version: text(version, "VERSION"),
    fixed: place(fixed, "INIT's"),
    list: place(list, "ARGUMENTS"),
    proc: pathWithPid(memory, "/proc", "", '"/proc/PID"'),
    status: pathWithPid(memory, "/proc", "/status", '"/proc/PID/status"'),
    rules: place(rulesAt, "RULES"),
    rule: (name) => place(rulesAt + ruleAt(name), `RULES.${name}`),
    child: place(childTask, "CHILD"),
    childInto: isAsked ? { flags: flagsInto(flags), cgroup: into } : null,
    watcher: place(watcherTask, "WATCHER"),
    pre: place(preTask, "PRE"),
    preKilled: place(watcherTask + OPS_AT + OP_SIZE * watcher.preKill + ARGS_AT, "WATCHER.pre"),
  };
  const nowhere = { ...place(0, "PLAN"), length: 0 };
  const draft = parentPlan(spec, { ...parentPlace, show: nowhere, table: nowhere });
  const table = placeTable(
    memory,
    rowsOf(spec, [
      { base: 0, ops: draft.ops },
      { base: CHILD_BASE, ops: child },
      { base: PRE_BASE, ops: pre },
    ]),
  );
  const shown = text(show({ parent: draft.ops, child, pre, watcher: watcher.ops }), "PLAN");
  const plan = parentPlan(spec, { ...parentPlace, show: shown, table: place(table, "MESSAGES") });
  if (memory.used() + sizeOf(plan.ops, 0) > most) throw new RangeError("too much for one file");
  const task = encode(plan.ops, { rescue: plan.rescue, given: ["stack"] });
  memory.putI64(places.address, task);
  for (let i = 0; i < MAGIC.length; i++) memory.putByte(places.address + 8 + i, MAGIC.charCodeAt(i));
  [shown, parentPlace.version].forEach(({ at, length }, i) => {
    memory.putU32(places.address + TEXTS_AT + 8 * i, at);
    memory.putU32(places.address + TEXTS_AT + 8 * i + 4, length);
  });
  return new Uint8Array(memory.buffer, 0, memory.used());
}
