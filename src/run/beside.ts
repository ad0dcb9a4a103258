/**
 * Programs that a container of the library needs on the host before its init runs, while the caller goes on: the pre
 * script (pre.ts is the command's), and newuidmap(1) where an ordinary user's maps need it (idmap.ts is the command's).
 */
import { idMaps, writeIdMap } from "../host/idmap.ts";
import { encodeTask, sizeOf } from "../plan/encode.ts";
import { mapperPlan } from "../plan/idmap.ts";
import type { Op } from "../plan/op.ts";
import { prePlan } from "../plan/pre.ts";
import { NsError } from "../spec/error.ts";
import type { Identity, User } from "../spec/ids.ts";
import type { Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { CLONE, SIGNALS } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { close, readAll } from "../sys/file.ts";
import { inheritedDescriptors } from "./child.ts";
import { scriptError } from "./failure.ts";
import { mapperError } from "./idmap.ts";
import type { Job } from "./job.ts";
import type { Keeper } from "./keeper.ts";
import { preEnded } from "./pre.ts";
import { cannotStart, type Ending, makePipe, statusOf } from "./task.ts";

/**
 * Has a program started by the keeper.
 * @param what it is, for a message
 * @param explain makes an error of the op that failed
 */
function runBeside(
  keeper: Keeper,
  what: string,
  ops: readonly Op[],
  leadsGroup: boolean,
  explain: (op: Op, errno: number) => NsError,
): { job: Job; ending: Promise<Ending> } {
  const block = keeper.tasks.take(sizeOf(ops));
  const report = makePipe(`from ${what}`);
  const task = encodeTask(ops, { flags: CLONE.CLONE_VM, report: report[1] }, block.memory);
  const job = keeper.launch({
    ...{ task: task.address, directory: null, network: null, group: null },
    ...{ closing: [report[1]], report: report[0], leadsGroup, end: [] },
  });
  const run = async (): Promise<Ending> => {
    const failure = await job.reported;
    block.free();
    const ending = await job.ended;
    if (ending === null) {
      close(report[1]);
      throw cannotStart(what, failure!.errno);
    }
    if (failure !== null) throw explain(ops[failure.op]!, failure.errno);
    return ending;
  };
  return { job, ending: run() };
}

export interface Script {
  /** resolves when it has exited with status 0, rejects with an NsError otherwise */
  readonly succeeded: Promise<void>;
  /** resolves when its process is gone */
  readonly over: Promise<unknown>;
  /** kills it and what it has started */
  kill(): void;
}

/** Starts the pre script with init's process id. */
export function runPreBeside(keeper: Keeper, spec: Spec, pre: Bytes, child: number): Script {
  const { facts } = keeper;
  const ops = prePlan(spec, facts, pre, child, inheritedDescriptors(facts), []);
  const { job, ending } = runBeside(keeper, `the pre script ${show(pre)}`, ops, true, (op, errno) =>
    scriptError("pre script", pre, op, errno),
  );
  const kill = (): void => keeper.signal(job, SIGNALS.SIGKILL);
  let wanted = true;
  // a kill that came before the script had its process group
  job.reported.then(() => {
    if (!wanted) kill();
  });
  const succeeded = ending.then((how) => {
    if (!("exited" in how) || how.exited !== 0) throw preEnded(pre, how);
  });
  succeeded.catch(() => {});
  return {
    succeeded,
    over: job.ended,
    kill() {
      wanted = false;
      kill();
    },
  };
}

/** Gives a process's new user namespace its maps. @throws NsError when that is refused */
export async function giveMapsBeside(
  keeper: Keeper,
  user: User,
  identity: Identity | null,
  pid: number,
): Promise<void> {
  const { facts } = keeper;
  for (const step of idMaps(pid, user, identity, facts)) {
    if ("path" in step) {
      writeIdMap(step.path, step.content);
      continue;
    }
    const { program, args } = step;
    const output = makePipe(`from ${program}`);
    try {
      const ops = mapperPlan(facts, program, args, output[1], inheritedDescriptors(facts), []);
      const { ending } = runBeside(keeper, program, ops, false, (op, errno) => {
        return new NsError(`cannot ${op.step}: ${errnoText(errno)}`, { errno });
      });
      const status = statusOf(await ending);
      close(output.pop()!);
      if (status === 0) continue;
      const said = readAll(output[0], 4096);
      throw mapperError(program, typeof said === "string" ? said : "", status);
    } finally {
      for (const fd of output) close(fd);
    }
  }
}
