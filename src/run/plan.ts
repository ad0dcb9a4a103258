/** The whole plan of a run as text, one system call a line, without running it: `--dry-run`. */
import { memorySettings } from "../host/cgroup/controllers/memory.ts";
import { memoryLocation } from "../host/cgroup/cgroup.ts";
import { probe } from "../host/facts.ts";
import { idMaps } from "../host/idmap.ts";
import { childPlan, enterPlan } from "../plan/child.ts";
import { cloneFlags } from "../plan/namespaces.ts";
import { closeDescriptors } from "../plan/process.ts";
import { prePlan } from "../plan/pre.ts";
import { showChild, showClone, showOp } from "../plan/show.ts";
import { endCgroup, endInit, watchPlan } from "../plan/watch.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { quote } from "../sys/bytes.ts";
import { CLONE } from "../sys/constants.ts";

export interface PlanLine {
  /** who makes the call */
  readonly who: "ns" | "init" | "pre" | "watch";
  readonly call: string;
}

// the numbers that a run's descriptors happen to have do not matter to a reader
const PIDFD = 7;
const PLACE = { gate: [3, 4], life: 6, report: 8, rootPath: "NEWROOT", inherited: [] } as const;

const OPEN_GATE = 'write(gate, "g", 1)';

const cgroupPath = (spec: Spec): string | null => {
  if (spec.limits.memory === null) return null;
  return `${memoryLocation()?.own ?? "CGROUP"}/ns/RUN`;
};

const write = (file: string, content: string): string => `write(${quote(file)}, ${quote(content)})`;

/** What `start()` would do for this spec on a host with these facts. Starts nothing and changes nothing. */
export function plan(spec: Spec, facts: Facts = probe()): PlanLine[] {
  const lines: PlanLine[] = [];
  const add = (who: PlanLine["who"], calls: readonly string[]): void => {
    for (const call of calls) lines.push({ who, call });
  };
  const enter = [...enterPlan(spec, PLACE), ...closeDescriptors(facts, [])];
  const ops = childPlan(spec, facts, PLACE);
  const gate = ops.findIndex((op) => op.stopAtZero) + 1;
  const cgroup = cgroupPath(spec);

  add("ns", [`open(${quote(spec.root)}, O_PATH|O_DIRECTORY) = root`, "fchdir(root)"]);
  if (cgroup !== null && spec.limits.memory !== null) {
    const settings = memorySettings(memoryLocation()?.version ?? 2, spec.limits.memory);
    add("ns", [`mkdirat(AT_FDCWD, ${quote(cgroup)}, 0755)`]);
    add(
      "ns",
      settings.map(({ file, value }) => write(`${cgroup}/${file}`, value)),
    );
  }
  if (spec.user !== null && facts.capabilities.setGid) add("ns", ["setgroups(0, NULL)"]);
  add("ns", [`${showClone(cloneFlags(spec, facts))} = PID`, 'chdir("/")']);
  add("ns", [`${showClone(CLONE.CLONE_VM)} = WATCHER`]);
  const end = [...watchPlan([PLACE.life - 1, PLACE.life], []), ...endInit(PIDFD)];
  add(
    "watch",
    [...end, ...(cgroup === null ? [] : endCgroup({ run: cgroup, parent: null, left: null }))].map(showOp),
  );
  if (spec.user !== null) {
    const maps = idMaps("PID", spec.user.uid, spec.user.gid);
    add("ns", [...maps.map((map) => write(map.path, map.content)), OPEN_GATE]);
  }
  add("init", showChild(enter, ops.slice(0, gate)));
  if (cgroup !== null) add("ns", [write(`${cgroup}/cgroup.procs`, "PID")]);
  if (spec.pre !== null) add("pre", prePlan(spec, facts, spec.pre, "PID", [], []).map(showOp));
  const second = ops.findIndex((op, i) => op.stopAtZero && i >= gate) + 1;
  for (const part of [ops.slice(gate, second), ops.slice(second)]) {
    add("ns", [OPEN_GATE]);
    add("init", part.map(showOp));
  }
  return lines;
}
