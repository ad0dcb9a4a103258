/**
 * The whole life of the child before it is init: wait for the parent, become root, move into the new root, exec. The
 * order is the security: read it from top to bottom.
 */
import { NO_SOURCES, type Sources } from "../spec/mounts.ts";
import { type Facts, makesUser, type Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { CLONE, F, FD_CLOEXEC, PR, SIGNALS } from "../sys/constants.ts";
import type { Identity } from "../spec/ids.ts";
import { becomeInit, becomeRoot, isRootInside, withHome } from "./ids.ts";
import { maskPaths, readOnlyPaths } from "./mounts/masks.ts";
import { devMount, sealDev } from "./mounts/dev.ts";
import { giveUpPrivileges, holdPrivileges, newKeyring } from "./security.ts";
import { enterInside } from "./inside.ts";
import { limitResources } from "./limits.ts";
import { procMount } from "./mounts/proc.ts";
import { bindRoot, isolateMounts, leaveOldRoot, pivotRoot } from "./mounts/root.ts";
import { openHostResolvConf, resolvConf } from "./mounts/resolv-conf.ts";
import { sysMount } from "./mounts/sys.ts";
import { openSources, userMounts } from "./mounts/user.ts";
import { enterClocks, hasOwnNetwork, namesInside, namespacesOf, ownClocks } from "./namespaces.ts";
import { loopbackUp } from "./network.ts";
import type { Op } from "./op.ts";
import { initEnvironment } from "./process.ts";
import { lastSteps, type Payload } from "./reaper.ts";
import { makeTerminal, type Terminal } from "./terminal.ts";

export interface Join {
  /** the cgroups' files `tasks`, open for writing */
  readonly tasks: readonly number[];
  /** the pipe's end by which the parent learns that it is done; null: it does not ask */
  readonly told: number | null;
}

/** What the parent has opened or found for this run. */
export interface ChildPlace {
  /** both ends of the pipe that the parent opens the gate with; null: nothing is waited for (`waitsFor()`) */
  readonly gate: readonly [number, number] | null;
  /** the pipe's end by which the watcher learns of the parent's death; null: the parent is a keeper (keeper.ts) */
  readonly life: number | null;
  /** descriptors above 2 for standard input, output and error; null: the parent's */
  readonly standard?: readonly (number | null)[];
  /** writes by which the child, once its memory is its own, puts itself under its limits */
  readonly limits?: readonly OwnLimit[];
  /** the pipe's end on which the launcher reports a failure */
  readonly report: number;
  /** NEWROOT's absolute path as it is now */
  readonly rootPath: Bytes;
  /** what the root and the mounts are made of; without it they take nothing from the host */
  readonly sources?: Sources;
  /** the compiled seccomp filter; without it there is none */
  readonly filter?: Uint8Array | null;
  /** descriptors to close one by one where the kernel lacks close_range */
  readonly inherited: readonly number[];
  /** with which the child puts itself into its cgroup; without it the parent does */
  readonly join?: Join;
  /** init's ids and the maps; without it they are as always: 0, and one of each */
  readonly identity?: Identity | null;
  /** NEWROOT as a tree of mounts that the parent has made ready; without it the child binds the directory */
  readonly rootTree?: number;
  /** the terminal that the container gets, and the child's end of the socket on which it is sent to ns */
  readonly terminal?: Terminal | null;
  readonly terminalSocket?: number;
  /** what is executed in init's place (`ns prove`) */
  readonly payload?: Payload | null;
  /** what the container's /etc/resolv.conf is to hold, if it is a copy */
  readonly resolvConf?: Bytes;
}

export interface OwnLimit {
  readonly fd: number;
  readonly content: string;
  /** as Op has it */
  readonly step: string;
}

/** The child dies with its parent. Changing ids takes that back, so it is done again after it (prctl(2)). */
const dieWithParent: Op = {
  call: "prctl",
  args: [PR.PR_SET_PDEATHSIG, SIGNALS.SIGKILL],
  step: "die with the parent",
};

/**
 * The gate opens when the id maps are there (with a user namespace), when cgroup and pre script are done, and when the
 * watcher is there.
 */
const waitAtGate = (gate: ChildPlace["gate"], step: string): Op[] =>
  gate === null
    ? []
    : [
        {
          call: "read",
          args: [gate[0], { memory: new Uint8Array(1), means: "gate" }, 1],
          step,
          stopAtZero: true,
        },
      ];

/** Below a keeper: does the child wait at the gate at all? Then for the id maps, the pre script or both. */
export const waitsFor = (spec: Spec): boolean => spec.user !== null || spec.pre !== null;

const closeAll = (fds: readonly number[], step: string): Op[] =>
  fds.map((fd): Op => ({ call: "close", args: [fd], step }));

const replaceStandard = (standard: ChildPlace["standard"]): Op[] =>
  (standard ?? []).flatMap((fd, i): Op[] =>
    fd === null ? [] : [{ call: "dup3", args: [fd, i, 0], step: `take descriptor ${fd} for ${i}` }],
  );

const limitItself = (limits: ChildPlace["limits"]): Op[] =>
  (limits ?? []).flatMap(({ fd, content, step }): Op[] => [
    { call: "write", args: [fd, content, content.length], step },
    { call: "close", args: [fd], step },
  ]);

/**
 * The first part, still in ns's memory: become root. The program that follows would otherwise have lost the capabilities
 * that the new user namespace gives (capabilities(7), "Transformation of capabilities during execve()").
 */
export function enterPlan(spec: Spec, place: ChildPlace): Op[] {
  const step = "wait for the parent";
  const { identity = null } = place;
  const drop: Op = { call: "setgroups", args: [0, 0], step: "drop supplementary groups" };
  return [
    // its own copies of the parent's ends would keep the pipes open after the parent's death
    ...closeAll(place.gate === null ? [] : [place.gate[1]], step),
    ...closeAll(place.life === null ? [] : [place.life], step),
    dieWithParent,
    ...replaceStandard(place.standard),
    ...(makesUser(spec) ? waitAtGate(place.gate, "wait for the id maps") : []),
    // where setgroups(2) is denied the parent has dropped its groups if it could
    ...(spec.user === null || identity?.maps?.setgroups === "allow" ? [drop] : []),
    // the file with the offsets is no longer this process's own once its ids have changed
    ...ownClocks(spec),
    ...becomeRoot(identity),
    dieWithParent,
  ];
}

/** Into the cgroup, before the gate: pre.sh finds the child there. */
function joinCgroup({ join }: ChildPlace): Op[] {
  if (join === undefined) return [];
  const step = "join the cgroup";
  const { tasks, told } = join;
  const tell: Op[] = told === null ? [] : [{ call: "write", args: [told, "j", 1], step }];
  return [
    ...tasks.map((fd): Op => ({ call: "write", args: [fd, "0", 1], step })),
    ...tell,
    ...closeAll(told === null ? tasks : [...tasks, told], step),
  ];
}

function ownCgroupView(spec: Spec, facts: Facts): Op[] {
  if (!namespacesOf(spec, facts).includes("cgroup")) return [];
  return [{ call: "unshare", args: [CLONE.CLONE_NEWCGROUP], step: "make the cgroup namespace" }];
}

/** The second part, in a program of its own: from the gate to the exec of init (or, with a reaper, of its child's). */
export function childPlan(spec: Spec, facts: Facts, place: ChildPlace): Op[] {
  const terminal = place.terminal ?? null;
  const own = initEnvironment(spec, facts, terminal);
  const environment = spec.process.env.clear ? own : withHome(own, place.identity?.init);
  const { rlimits } = spec.limits;
  const filter = place.filter ?? null;
  const become = [
    ...holdPrivileges(spec, facts, filter),
    // with uid 0 go the capabilities: nothing behind this can need one
    ...(place.identity == null ? [] : [...becomeInit(place.identity), dieWithParent]),
    // late: they would hold for ns's own steps too, and a change of ids fails where the user has more processes already
    ...limitResources(rlimits),
    ...giveUpPrivileges(spec, facts, filter, isRootInside(place.identity)),
  ];
  const limitsOpenFiles = rlimits?.some(({ name }) => name === "RLIMIT_NOFILE") === true;
  const callers = limitsOpenFiles ? { ...facts, openFiles: null } : facts;
  const sources = place.sources ?? NO_SOURCES;
  const { gate, life } = place;
  return [
    dieWithParent,
    // until the exec this is still ns: nobody of the container's ids may look into it
    { call: "prctl", args: [PR.PR_SET_DUMPABLE, 0], step: "refuse to be traced" },
    ...joinCgroup(place),
    ...limitItself(place.limits),
    ...waitAtGate(life === null && spec.pre === null ? null : gate, "wait for the parent"),
    newKeyring(),
    ...enterClocks(spec),
    ...ownCgroupView(spec, facts),
    isolateMounts(),
    ...openHostResolvConf(spec),
    ...openSources(spec, facts, sources),
    ...bindRoot(spec, facts, place.rootPath, sources, place.rootTree),
    ...devMount(spec, sources.dev, place.identity ?? null),
    ...sysMount(sources.sys),
    ...pivotRoot(spec, facts),
    ...procMount(spec, facts),
    ...leaveOldRoot(facts),
    // not before: from / a `..` leads into the old root as long as that is stacked on the new one
    ...userMounts(spec, facts, sources),
    ...resolvConf(spec, facts, place.resolvConf),
    ...makeTerminal(spec, facts, terminal, place),
    ...namesInside(spec),
    ...(hasOwnNetwork(spec) ? loopbackUp() : []),
    ...sealDev(spec, sources),
    ...readOnlyPaths(spec, facts),
    ...maskPaths(spec, sources.sys !== "none"),
    ...enterInside(facts, spec.process.workdir, `enter the working directory ${show(spec.process.workdir)}`),
    ...waitAtGate(life === null ? null : gate, "wait for the watcher"),
    ...closeAll(gate === null ? [] : [gate[0]], "close the gate"),
    { call: "fcntl", args: [place.report, F.F_SETFD, FD_CLOEXEC], step: "let the exec close the report" },
    ...lastSteps(spec, callers, { ...place, terminal, environment, become }),
  ];
}
