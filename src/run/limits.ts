/**
 * Puts the child under its limits from outside, before the pre script runs: its cgroup, its priorities, and hard resource
 * limits above the caller's, which only somebody with privileges outside of any user namespace may set. And what can be
 * known to be wrong with limits before.
 */
import { type Branch, type Cgroup, joinCgroup } from "../host/cgroup/cgroup.ts";
import { limitProcess, setPriorities } from "../plan/limits.ts";
import type { Op } from "../plan/op.ts";
import { NsError, usageError } from "../spec/error.ts";
import { hasCgroupLimits, type Limits, wantsCgroup } from "../spec/limits.ts";
import { isAbove, type Rlimit, shortName, UNLIMITED } from "../spec/rlimit.ts";
import { showSize } from "../spec/size.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import type { Call } from "../sys/abi.ts";
import { RLIMIT } from "../sys/constants.ts";
import { errnoName, errnoText } from "../sys/errno.ts";
import { writeFile } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";

/** Has the parent to wait until the child is confined? */
export const isConfined = ({ pre, limits }: Spec, cgroup: Cgroup | null): boolean =>
  wantsCgroup(limits) ||
  limits.priority !== null ||
  limits.rlimits !== null ||
  // the script finds it there
  (cgroup !== null && pre !== null);

/** @throws NsError (usage) for limits that contradict each other */
export function checkLimits(limits: Limits): void {
  if (limits.cgroup === "none" && hasCgroupLimits(limits))
    throw usageError("--cgroup none excludes limits that a cgroup has, like --memory, --cpus and --pids");
  if (limits.systemd === true && limits.hugePages !== null)
    throw usageError("--systemd and --hugetlb exclude each other: systemd hands no huge pages on");
  const { memory, memorySwap } = limits;
  if (memory !== null && typeof memorySwap === "bigint" && memorySwap < memory)
    throw usageError("--memory-swap is memory and swap together: it cannot be less than --memory");
}

/** This process's limit; the child begins with it. */
function ownLimit(name: Rlimit["name"]): Rlimit {
  return scratch((memory) => {
    const limit = memory.reserve(16);
    call("prlimit64", 0, RLIMIT[name], 0, limit);
    return { name, soft: BigInt(memory.getI64(limit)), hard: BigInt(memory.getI64(limit + 8)) };
  });
}

const perform = ({ call: name, args }: Op): number =>
  scratch((memory) => {
    const [a = 0, b = 0, c = 0, d = 0] = args.map((arg) =>
      typeof arg === "number"
        ? arg
        : typeof arg === "object" && "memory" in arg
          ? memory.placeBuffer(arg.memory)
          : 0,
    );
    return call(name as Call, a, b, c, d);
  });

const refuse = (what: string, result: number, note: string): NsError =>
  new NsError(`cannot ${what}: ${errnoText(-result)}`, {
    errno: -result,
    note: /^E(PERM|ACCES)$/.test(errnoName(-result) ?? "") ? note : undefined,
  });

const showLimit = (limit: bigint): string => (limit === UNLIMITED ? "unlimited" : `${limit}`);

function raiseLimits(rlimits: readonly Rlimit[], pid: number): void {
  for (const wanted of rlimits) {
    const own = ownLimit(wanted.name);
    if (!isAbove(wanted.hard, own.hard)) continue;
    const result = perform(limitProcess(pid, { ...own, hard: wanted.hard }));
    if (result === 0) continue;
    const name = shortName(wanted.name);
    throw refuse(
      `raise the limit ${name} from ${showLimit(own.hard)} to ${showLimit(wanted.hard)} (--rlimit)`,
      result,
      name === "nofile"
        ? "only root may raise a hard limit, that of open files up to /proc/sys/fs/nr_open"
        : "only root may raise a hard limit",
    );
  }
}

/** What a user without privileges may not do. */
const PRIORITY_NOTE =
  "only root may ask for more than others have (or a user with the limits nice and rtprio); ns may be confined here";

function setOomScore(score: number, pid: number): void {
  const result = writeFile(`/proc/${pid}/oom_score_adj`, `${score}`);
  if (result === 0) return;
  throw refuse(
    `set the OOM score to ${score} (--oom-score-adj)`,
    result,
    "only root may lower it, or set it at all for a container without a uid 0 of its own (--map=keep)",
  );
}

/**
 * Confines the child, which has memory of its own by now.
 * @throws NsError for the first limit that cannot be had
 */
export function confine(limits: Limits, cgroup: Cgroup | null, pid: number, facts: Facts): void {
  if (cgroup !== null) joinCgroup(cgroup, pid, facts.uid);
  if (limits.rlimits !== null) raiseLimits(limits.rlimits, pid);
  const { priority } = limits;
  if (priority === null) return;
  for (const op of setPriorities(priority, pid)) {
    const result = perform(op);
    if (result < 0) throw refuse(op.step, result, PRIORITY_NOTE);
  }
  if (priority.oomScoreAdj !== null) setOomScore(priority.oomScoreAdj, pid);
}

/** What -v says of the run's directory in one hierarchy. */
export function showBranch({ directory, inside, controllers }: Branch, limits: Limits): string {
  const memory = limits.memory !== null && controllers.includes("memory");
  const others = controllers.filter((name) => !memory || name !== "memory");
  const words = [...(memory ? [`memory ${showSize(limits.memory!)}`] : []), ...others];
  if (inside !== directory) words.push("devices");
  return `cgroup: ${[directory, ...words].join(", ")}`;
}
