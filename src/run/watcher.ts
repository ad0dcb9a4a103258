/** The watcher process (plan/watch.ts): started beside the container, told what to take down, dismissed at the end. */
import { encodeTask } from "../plan/encode.ts";
import type { Op } from "../plan/op.ts";
import { type CgroupEnd, endCgroup, endHelper, endInit, endPre, endWork, watchPlan } from "../plan/watch.ts";
import { giveBack } from "../plan/relay.ts";
import type { Terminal } from "../plan/terminal.ts";
import type { Work } from "../spec/mounts.ts";
import { CLONE, SIGNALS } from "../sys/constants.ts";
import { close } from "../sys/file.ts";
import { call, startTask } from "../sys/kernel.ts";
import { cannotStart, reapNow } from "./task.ts";

const nothing: Op = { call: "getpid", args: [], step: "nothing to kill yet" };
const noHelper: Op = { ...nothing };
const noPost: Op = { call: "getpid", args: [], step: "nothing to run yet" };

export interface Watcher {
  readonly pid: number;
  /** CLONE_ flags that it was, and its successor will be, started with */
  readonly flags: number;
  /** the pipe that ns's death closes: read end for the watcher, write end that ns alone keeps */
  readonly life: readonly [number, number];
  /** the pre script to kill, or null when there is none (any more) */
  watchPre(pid: number | null): void;
  /** a program beside the container to kill */
  watchHelper(pid: number): void;
  /** the post script to start at the end */
  watchPost(post: readonly Op[]): void;
  /** ends it; again does nothing */
  dismiss(): void;
}

/** What it is to take down. */
export interface Watched {
  /** the pipe that ns's death closes */
  readonly life: readonly [number, number];
  /** of the container's init, or -1 where the kernel has none */
  readonly pidfd: number;
  readonly cgroup: readonly CgroupEnd[] | null;
  /** the directory to remove of an overlay */
  readonly work: Work | null;
  /** descriptors of ns that it must not keep open */
  readonly closing: readonly number[];
  /** process of a program beside the container, if there is one already */
  readonly helper?: number | null;
  /** the caller's terminal, if it is to be given back as it was */
  readonly terminal?: Terminal | null;
  /** starts the post script */
  readonly post?: Op;
}

/** All it does. */
export function watcherPlan({
  life,
  pidfd,
  cgroup,
  work,
  closing,
  helper = null,
  terminal = null,
  post = noPost,
}: Watched): Op[] {
  return [
    ...watchPlan(life, closing),
    // first: who waits for ns's end goes on with it
    ...giveBack(terminal),
    nothing,
    helper === null ? noHelper : endHelper(helper),
    ...(pidfd < 0 ? [] : endInit(pidfd)),
    ...(work === null ? [] : endWork(work)),
    ...(cgroup === null ? [] : cgroup.flatMap(endCgroup)),
    post,
  ];
}

/** Starts the post script, and leaves it alone. */
export const startPost = (post: readonly Op[]): Op => ({
  call: "start",
  args: [{ task: post, base: 0 }],
  step: "start the post script",
});

export function startWatcher(watched: Watched): Watcher {
  const { life } = watched;
  const ops = watcherPlan(watched);
  const flags = CLONE.CLONE_VM;
  const task = encodeTask(ops, { flags, report: -1 });
  const pid = startTask(task.address);
  if (pid < 0) throw cannotStart("the watcher", -pid);
  let dismissed = false;
  return {
    pid,
    flags,
    life,
    watchPre: (pre) => task.replace(ops.indexOf(nothing), pre === null ? nothing : endPre(pre)),
    watchHelper: (helper) => task.replace(ops.indexOf(noHelper), endHelper(helper)),
    watchPost: (post) => task.replace(ops.indexOf(noPost), startPost(post)),
    dismiss() {
      if (dismissed) return;
      dismissed = true;
      call("kill", pid, SIGNALS.SIGKILL);
      reapNow(pid);
      close(life[0]);
      close(life[1]);
    },
  };
}
