/** The watcher process (plan/watch.ts): started beside the container, told what to take down, dismissed at the end. */
import { encodeTask } from "../plan/encode.ts";
import type { Op } from "../plan/op.ts";
import { endCgroup, endInit, endPre, watchPlan } from "../plan/watch.ts";
import { NsError } from "../spec/error.ts";
import { CLONE, SIGNALS } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { close } from "../sys/file.ts";
import { call, startTask } from "../sys/kernel.ts";
import { makePipe, reapNow } from "./task.ts";

const nothing: Op = { call: "getpid", args: [], step: "nothing to kill yet" };

export interface Watcher {
  /** the pre script to kill, or null when there is none (any more) */
  watchPre(pid: number | null): void;
  /** ends it; again does nothing */
  dismiss(): void;
}

/** The pipe that ns's death closes: read end for the watcher, write end that ns alone keeps. */
export const makeLife = (): [number, number] => makePipe("to the watcher");

/**
 * Starts it.
 * @param pidfd of the container's init, or -1 where the kernel has none
 * @param closing descriptors of ns that it must not keep open
 */
export function startWatcher(
  life: readonly [number, number],
  pidfd: number,
  cgroup: readonly string[],
  closing: readonly number[],
): Watcher {
  const waiting = watchPlan(life, closing);
  const ops = [...waiting, nothing, ...(pidfd < 0 ? [] : endInit(pidfd)), ...endCgroup(cgroup)];
  const task = encodeTask(ops, { flags: CLONE.CLONE_VM, report: -1 });
  const pid = startTask(task.address);
  if (pid < 0) throw new NsError(`cannot start the watcher: ${errnoText(-pid)}`, { errno: -pid });
  close(life[0]);
  let dismissed = false;
  return {
    watchPre: (pre) => task.replace(waiting.length, pre === null ? nothing : endPre(pre)),
    dismiss() {
      if (dismissed) return;
      dismissed = true;
      call("kill", pid, SIGNALS.SIGKILL);
      reapNow(pid);
      close(life[1]);
    },
  };
}
