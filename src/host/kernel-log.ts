/**
 * What the kernel's log tells about a process that the kernel has ended: the system call that a seccomp filter refused, and
 * the want of memory that it was killed for. Read once, when an init has died of SIGSYS or SIGKILL; never followed.
 */
import { type Bytes, show } from "../sys/bytes.ts";
import { O } from "../sys/constants.ts";
import { close, open, poll, readAll, readLink } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";

const READ_ALL = 3;
const SEEK_END = 2;
/** Both logs end with what is looked for. */
const TAIL = 65536;
/** The audit record is printed by a thread of the kernel's own, which may be late. */
const TRIES = 20;
const PAUSE = 10;
/** The kernel's stamps are coarser than ours. */
const SLACK = 1000;
const FIRST_PID_NAMESPACE = "pid:[4026531836]";
const AUDIT_LOG = "/var/log/audit/audit.log";

/** The last of the kernel's log (syslog(2)); null where this process may not read it. */
function kernelLog(): Bytes | null {
  return scratch((memory) => {
    const buffer = memory.reserve(TAIL);
    const size = call("syslog", READ_ALL, buffer, TAIL);
    return size < 0 ? null : memory.takeBytes(buffer, size);
  });
}

/** The last of auditd's: where that runs, the kernel prints no audit records. */
function auditLog(): Bytes | null {
  const fd = open(AUDIT_LOG, O.O_RDONLY);
  if (fd < 0) return null;
  call("lseek", fd, -TAIL, SEEK_END); // a shorter one is read from its beginning
  const content = readAll(fd, TAIL);
  close(fd);
  return typeof content === "string" ? content : null;
}

/** The process ids of this process's namespace are those of the log only in the first of all. */
const hasLogsPids = (): boolean => readLink("/proc/self/ns/pid") === FIRST_PID_NAMESPACE;

/** A process, and since when it has had its id: CLOCK_MONOTONIC, in milliseconds, and the same moment since 1970. */
export interface Logged {
  readonly pid: number;
  readonly since: number;
  readonly date: number;
}

/** A system call as audit records have it: AUDIT_ARCH_… and its number. */
export interface Refused {
  readonly arch: number;
  readonly call: number;
}

/** Pure. The text of a program's name in a record holds no blank (audit_log_untrustedstring()). */
export function findRefused(log: Bytes, { pid, date }: Logged): Refused | null {
  const lines = log.split("\n").reverse();
  for (const line of lines) {
    if (!line.includes(` pid=${pid} `) || !line.includes(" sig=31 ")) continue;
    const record = /type=(?:1326|SECCOMP) .*?audit\((\d+\.\d+):/.exec(line);
    const what = / arch=([0-9a-f]+) syscall=(\d+) /.exec(line);
    if (record === null || what === null || Number(record[1]) * 1000 < date - SLACK) continue;
    return { arch: Number.parseInt(what[1]!, 16), call: Number(what[2]) };
  }
  return null;
}

/** Pure. Who had no memory left. */
export function findMemoryKill(log: Bytes, { pid, since }: Logged): string | null {
  const lines = log.split("\n").reverse();
  for (const line of lines) {
    // the task's name may hold anything: only what stands at the end is the kernel's own
    const match = /^(?:<\d+>)?(?:\[ *(\d+\.\d+)\] )?oom-kill:.*,pid=(\d+),uid=\d+$/.exec(line);
    if (match === null || Number(match[2]) !== pid) continue;
    if (match[1] !== undefined && Number(match[1]) * 1000 < since - SLACK) continue;
    const cgroup = /,oom_memcg=([^,]*),/.exec(line)?.[1];
    return cgroup === undefined ? "the host" : `the cgroup ${show(cgroup)}`;
  }
  return null;
}

/** The system call for which the kernel has killed the process; null when that cannot be known. */
export function refusedCall(who: Logged): Refused | null {
  if (!hasLogsPids()) return null;
  for (let i = 0; i < TRIES; i++) {
    const [kernel, audit] = [kernelLog(), auditLog()];
    if (kernel === null && audit === null) return null;
    const found = findRefused(kernel ?? "", who) ?? findRefused(audit ?? "", who);
    if (found !== null) return found;
    poll([], PAUSE);
  }
  return null;
}

/** Who had no memory left, so that the kernel has killed the process; null when that is not why, or cannot be known. */
export const memoryKill = (who: Logged): string | null =>
  hasLogsPids() ? findMemoryKill(kernelLog() ?? "", who) : null;
