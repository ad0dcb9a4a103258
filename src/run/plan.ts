/** The whole plan of a run as text, one system call a line, without running it: `--dry-run`. */
import { networkFile } from "../host/netns.ts";
import { probe } from "../host/facts.ts";
import { findIdentity } from "../host/identity.ts";
import { idMaps, type MapStep } from "../host/idmap.ts";
import { assumeSources } from "../host/sources.ts";
import { assumeMaps, userFile } from "../host/userns.ts";
import { childPlan, enterPlan } from "../plan/child.ts";
import { cloneFlags } from "../plan/namespaces.ts";
import { setPriorities } from "../plan/limits.ts";
import { closeDescriptors, preEnvironment } from "../plan/process.ts";
import { postPlan, prePlan } from "../plan/pre.ts";
import { flagsInside } from "../plan/userns.ts";
import { showChild, showClone, showOp, showOps } from "../plan/show.ts";
import { enterRelay, giveBack, relayPlan } from "../plan/relay.ts";
import { endCgroup, endInit, watchPlan } from "../plan/watch.ts";
import { NsError } from "../spec/error.ts";
import { type Identity, numberOf } from "../spec/ids.ts";
import type { Limits } from "../spec/limits.ts";
import { type Facts, joinedUser, makesUser, type Spec } from "../spec/spec.ts";
import { quote } from "../sys/bytes.ts";
import { CLONE, O } from "../sys/constants.ts";
import { close, open } from "../sys/file.ts";
import { networkLines, networkPlace } from "./network.ts";
import { plannedCgroups, showWrite as write } from "./plan-cgroups.ts";
import { isConfined } from "./limits.ts";
import { scopeLines } from "./systemd.ts";
import { findTerminal } from "./terminal.ts";

export interface PlanLine {
  /** who makes the call */
  readonly who: "ns" | "init" | "pre" | "watch" | "net" | "tty" | "post";
  readonly call: string;
}

// the numbers that a run's descriptors happen to have do not matter to a reader
const PIDFD = 7;
const PLACE = { gate: [3, 4], life: 6, report: 8, rootPath: "NEWROOT", inherited: [] } as const;

const ROOT_TREE = 9;
const TOLD = 10;
const SOCKET = [20, 21] as const;

/** What the parent does to the child besides. */
function confining({ priority }: Limits): string[] {
  if (priority === null) return [];
  const { oomScoreAdj } = priority;
  const score = oomScoreAdj === null ? [] : [write("/proc/PID/oom_score_adj", `${oomScoreAdj}`)];
  return [...setPriorities(priority, { memory: new Uint8Array(0), means: "PID" }).map(showOp), ...score];
}

const OPEN_GATE = 'write(gate, "g", 1)';

/** The ids of the run, for which files of the root may have to be read. */
function identityOf(spec: Spec, facts: Facts): Identity | null {
  const { image } = spec.rootfs;
  const { as } = spec.ids;
  const words = as === null ? [] : [as.user, as.group ?? "", ...as.groups];
  if (image !== null && words.some((word) => numberOf(word) === null))
    throw new NsError("--dry-run does not look into the image, where --as would", {
      note: "give numbers: --as UID:GID",
    });
  const root = image === null ? open(spec.root, O.O_PATH | O.O_DIRECTORY) : -1;
  try {
    const joined = joinedUser(spec);
    return findIdentity(spec, facts, root, joined === null ? null : assumeMaps(joined));
  } finally {
    if (root >= 0) close(root);
  }
}

/** What is done so that the child is in this network namespace, or has this root. */
function aroundClone(spec: Spec, facts: Facts): string[] {
  const { namespaces, ids, rootfs } = spec;
  const flags = cloneFlags(spec, facts);
  const joined = joinedUser(spec);
  const { joinNet } = namespaces;
  const tree = [
    `clone(CLONE_VM|CLONE_NEWUSER|SIGCHLD) = HOLDER, with the same maps`,
    `open("/proc/HOLDER/ns/user") = userns`,
    ...(rootfs.image === null
      ? [`${ROOT_TREE} = open_tree(root, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH)`]
      : []),
    `mount_setattr(${ROOT_TREE}, "", AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_IDMAP, userns_fd=userns}, 32)`,
    "kill(HOLDER, SIGKILL)",
  ];
  return [
    ...(ids.idmapRoot ? tree : []),
    ...(joinNet === null
      ? []
      : [`open(${quote(networkFile(joinNet))}) = network`, "setns(network, CLONE_NEWNET)"]),
    ...(joined === null
      ? [`${showClone(flags)} = PID`]
      : [
          `open(${quote(userFile(joined))}) = userns`,
          `${showClone(CLONE.CLONE_VM)} = DOOR, which does the next two`,
          "setns(userns, CLONE_NEWUSER)",
          `${showClone(flagsInside(flags))} = PID`,
        ]),
    ...(joinNet === null ? [] : ["setns(own network, CLONE_NEWNET)"]),
    'chdir("/")',
  ];
}

/** NEWROOT as a descriptor; what is in an image is known when it is mounted. */
function openRoot({ root, rootfs: { image } }: Spec): string[] {
  if (image === null) return [`open(${quote(root)}, O_PATH|O_DIRECTORY) = root`, "fchdir(root)"];
  return [
    `open(${quote(image)}, O_RDONLY) = image`,
    'ioctl(open("/dev/loop-control"), LOOP_CTL_GET_FREE) = N',
    'ioctl(open("/dev/loopN"), LOOP_CONFIGURE, {image, lo_flags=LO_FLAGS_READ_ONLY|LO_FLAGS_AUTOCLEAR})',
    "fsopen(TYPE, FSOPEN_CLOEXEC) = context",
    'fsconfig(context, FSCONFIG_SET_STRING, "source", "/dev/loopN", 0)',
    'fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0)',
    "fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0)",
    `fsmount(context, FSOPEN_CLOEXEC, MOUNT_ATTR_RDONLY|MOUNT_ATTR_NODEV) = root, its directory ${quote(root)}`,
    `fcntl(root, F_DUPFD_CLOEXEC, 0) = ${ROOT_TREE}`,
  ];
}

const showMap = (step: MapStep): string =>
  "path" in step
    ? write(step.path, step.content)
    : `execve(${[step.program, ...step.args].map(quote).join(", ")})`;

/** What a run would do for this spec on a host with these facts. Starts nothing and changes nothing. */
export function plan(spec: Spec, facts: Facts = probe()): PlanLine[] {
  const lines: PlanLine[] = [];
  const add = (who: PlanLine["who"], calls: readonly string[]): void => {
    for (const call of calls) lines.push({ who, call });
  };
  const identity = identityOf(spec, facts);
  const { image } = spec.rootfs;
  const rootTree = spec.ids.idmapRoot || image !== null ? { rootTree: ROOT_TREE } : {};
  const scope = scopeLines(spec, facts);
  const cgroups = plannedCgroups(spec, facts, scope !== null);
  // run/join.ts
  const joined = cgroups.filter(({ version }) => version === 1);
  const tasks = joined.map((_, i) => TOLD + 1 + i);
  const told = isConfined(spec, []) ? TOLD : null;
  const join = tasks.length === 0 ? {} : { join: { tasks, told } };
  const terminal = findTerminal(spec, facts);
  const place = {
    ...PLACE,
    terminal,
    terminalSocket: SOCKET[1],
    identity,
    sources: assumeSources(spec, facts, identity),
    ...rootTree,
    ...join,
    ...networkPlace(spec),
  };
  const enter = [...enterPlan(spec, place), ...closeDescriptors(facts, [])];
  const ops = childPlan(spec, facts, place);
  const gate = ops.findIndex((op) => op.stopAtZero) + 1;

  add("ns", openRoot(spec));
  add("ns", scope ?? []);
  for (const { calls } of cgroups) add("ns", calls);
  add(
    "ns",
    joined.map(({ inside }, i) => `open(${quote(`${inside}/tasks`)}, O_WRONLY) = ${tasks[i]}`),
  );
  if (spec.user !== null && facts.capabilities.setGid) add("ns", ["setgroups(0, NULL)"]);
  add("ns", aroundClone(spec, facts));
  add("ns", [`${showClone(CLONE.CLONE_VM)} = WATCHER`]);
  const end = [...watchPlan([PLACE.life - 1, PLACE.life], []), ...giveBack(terminal), ...endInit(PIDFD)];
  add(
    "watch",
    [
      ...end,
      ...cgroups.flatMap(({ directory: run, inside }) =>
        endCgroup({ run, inside: inside === run ? null : inside, goes: [], left: null }),
      ),
    ].map(showOp),
  );
  if (spec.user !== null && makesUser(spec)) {
    add("ns", [...idMaps("PID", spec.user, identity, facts).map(showMap), OPEN_GATE]);
  }
  add("init", showChild(enter, ops.slice(0, gate)));
  add(
    "ns",
    cgroups
      .filter(({ version, into }) => version !== 1 && !into)
      .map(({ inside }) => write(`${inside}/cgroup.procs`, "PID")),
  );
  add("ns", confining(spec.limits));
  add("net", networkLines(spec, facts));
  if (spec.pre !== null) add("pre", prePlan(spec, facts, spec.pre, "PID", [], []).map(showOp));
  const second = ops.findIndex((op, i) => op.stopAtZero && i >= gate) + 1;
  for (const part of [ops.slice(gate, second), ops.slice(second)]) {
    add("ns", [OPEN_GATE]);
    add("init", showOps(part));
  }
  const { post, reaper } = spec.process;
  if (terminal !== null) {
    add("ns", [`${showClone(CLONE.CLONE_VM)} = RELAY`]);
    const relay = relayPlan(terminal, { parent: facts.pid, socket: SOCKET[0], init: reaper ? null : "PID" });
    add("tty", showChild(enterRelay(PLACE.life), relay));
  }
  if (post !== null) {
    const script = { path: post, env: preEnvironment(spec), pid: "PID" } as const;
    add("post", postPlan(script, "STATUS", facts, [], []).map(showOp));
  }
  return lines;
}
