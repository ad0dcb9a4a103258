/**
 * The parent's side of a frozen start as ops: what run/start.ts does, in its order. After a failure the task goes on behind
 * `rescue`, where all is taken down that has been set up.
 */
import { makesUser, type Spec } from "../../spec/spec.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import { AT_FDCWD, O } from "../../sys/constants.ts";
import { type Op, slot } from "../op.ts";
import { makeCgroup, removeCgroup } from "./cgroup.ts";
import { whenever } from "./jump.ts";
import { insideNetwork, openNetworks } from "./network.ts";
import type { ParentPlace } from "./place.ts";
import { lookAtSources } from "./sources.ts";
import {
  answer,
  close,
  closeInherited,
  confine,
  exit,
  giveMaps,
  kill,
  makePipe,
  openGate,
  openStandard,
  pollFor,
  reap,
  runPre,
  store,
  USAGE_STEP,
} from "./steps.ts";

const SIGPIPE = 13;
/** of a task's cgroup, behind its flags and stack (encode.ts) */
const INTO_AT = 16;

/** Has the child begin in its cgroup, where only some starters have one. */
function beginInside({ child, childInto }: ParentPlace): Op[] {
  if (childInto === null) return [];
  const into = { ...child, at: child.at + INTO_AT, means: `${child.means}.cgroup` };
  return whenever("privileged", [store(child, childInto.flags), store(into, childInto.cgroup)]);
}

/** All of the parent's ops, and where they go on after a failure. */
export function parentPlan(spec: Spec, place: ParentPlace): { ops: Op[]; rescue: number } {
  const { descriptors, branches, runs, rules, rule, status } = place;
  const { root, gate, life, report, told } = descriptors;
  const root_ = show(spec.root);
  const watch: Op = { call: "start", args: [place.watcher], step: "start the watcher", save: "watcher" };
  // what is to be taken down, or to be waited for, before init may go on
  const early = branches.some(({ isLimited }) => isLimited) || spec.pre !== null;
  const waits = makesUser(spec);
  const confined = spec.limits.priority !== null;
  const atOnce = !early && !waits && !confined;
  const remove = branches.flatMap((branch, i) =>
    removeCgroup(branch, runs[i]!, descriptors.branches[i]!, place.pid),
  );
  const path = (name: Bytes): Op => ({
    call: "openat",
    args: [AT_FDCWD, name, O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0],
    step: `use the root ${root_}`,
  });
  const setUp: Op[] = [
    ...answer("--ns-show", place.show),
    ...answer("--ns-version", place.version),
    { call: "arguments", args: [slot("stack"), place.list, place.room, place.fixed], step: USAGE_STEP },
    ...openStandard(),
    ...closeInherited(spec.process.passFds),
    // a child that has failed no longer reads what the gate is opened with
    { call: "listen", args: [rules, 2 ** (SIGPIPE - 1)], step: "listen to signals" },
    { call: "getpgid", args: [0], step: "find the process group", save: "here" },
    path(spec.root),
    ...lookAtSources(spec, place.start, place.scratch.size),
    ...(spec.user === null
      ? []
      : [
          {
            call: "setgroups",
            args: [0, 0],
            step: "drop supplementary groups",
            fine: ["EPERM"],
          } satisfies Op,
        ]),
    ...(branches.length === 0
      ? []
      : [{ call: "getpid", args: [], step: "find the process id", save: "self" } satisfies Op]),
    ...branches.flatMap((branch, i) => [
      { call: "digits", args: [slot("self"), runs[i]!.end], step: "name the cgroup" } satisfies Op,
      ...makeCgroup(branch, {
        ...{ path: runs[i]!, place: descriptors.branches[i]!, scratch: place.scratch },
        program: place.programs[i]!,
      }),
    ]),
    ...openNetworks(spec),
    // the clone carries the working directory, and only that, into the new mount namespace
    { call: "fchdir", args: [root], step: `enter the root ${root_}` },
    ...[makePipe(0), makePipe(0), makePipe(O.O_NONBLOCK), ...(told === null ? [] : [makePipe(0)])],
    ...(atOnce ? [openGate(gate[1], 1)] : []),
    ...beginInside(place),
    ...insideNetwork(spec, descriptors, {
      ...{ call: "start", args: [place.child], step: "make the namespaces", save: "child" },
    }),
    { call: "chdir", args: ["/"], step: "enter /" },
    close(gate[0]),
    ...(spec.pre === null ? [close(report[1])] : []),
    ...(told === null ? [] : [close(told[1])]),
    ...descriptors.branches.flatMap(({ tasks }) => (tasks === null ? [] : [close(tasks)])),
    ...spec.process.passFds.map((fd) => close(fd)),
    ...(early ? [watch] : []),
    ...(waits ? [...giveMaps(place), openGate(gate[1], early || confined ? 1 : 2)] : []),
    ...(told === null
      ? []
      : [
          {
            call: "read",
            args: [told[0], { memory: new Uint8Array(1), means: "" }, 1],
            step: "wait for the child to join its cgroup",
          } satisfies Op,
          { call: "heed", args: [report[0]], step: "hear of the child" } satisfies Op,
          close(told[0]),
        ]),
    ...confine(spec, place),
    ...runPre(spec, place),
    ...(early ? [] : [watch]),
    openGate(gate[1], early || confined ? 2 : 1),
    close(gate[1]),
    { call: "ppoll", args: [pollFor(report[0]), 1, 0, 0, 8], step: "wait for init to run" },
    { call: "heed", args: [report[0]], step: "hear of the child" },
    close(report[0]),
    ...(spec.process.stop.timeout === null
      ? []
      : [{ call: "due", args: [rules], step: "set the time" } satisfies Op]),
    store(rule("who"), slot("child")),
    { call: "digits", args: [slot("child"), status.end], step: "name init's status" },
    { call: "supervise", args: [slot("child"), rules, status], step: "wait for init", save: "ending" },
  ];
  const { timeout } = spec.process.stop;
  const stopped = `ns: stopped after its timeout of ${timeout} ms\n`;
  const end: Op[] = [
    { call: "foreground", args: [slot("here")], step: "give the terminal back" },
    ...remove,
    kill(slot("watcher"), "dismiss the watcher"),
    reap(slot("watcher"), "dismiss the watcher"),
    ...(timeout === null
      ? []
      : ([
          { call: "late", args: [slot("ending")], step: "look at the time", save: "asked" },
          { call: "write", args: [2, stopped, stopped.length], step: "say so", onlyIf: "asked" },
        ] satisfies Op[])),
    exit(slot("ending")),
  ];
  const rescue: Op[] = [
    // to the watcher, if it is there, this is the death of its parent
    { ...close(life[1]), fine: ["EBADF"] },
    { ...reap(slot("watcher"), "take the container down"), onlyIf: "watcher" },
    { ...kill(slot("child"), "take the container down"), onlyIf: "child" },
    { ...reap(slot("child"), "take the container down"), onlyIf: "child" },
    ...remove,
    { call: "tell", args: [place.table], step: "say what failed", save: "ending" },
    exit(slot("ending")),
  ];
  return { ops: [...setUp, ...end, ...rescue], rescue: setUp.length + end.length };
}
