/**
 * Status for machines (--status-fd, --status-file): a line of JSON when init has been executed, and one when it has ended or
 * when it never ran. docs/status.md says what is in them. Each line is one write; a reader that is gone changes nothing.
 */
import type { Cgroup } from "../host/cgroup/cgroup.ts";
import { childrenCpu } from "../host/usage.ts";
import { namespacesOf } from "../plan/namespaces.ts";
import { EXIT, NsError, usageError } from "../spec/error.ts";
import { type Facts, NAMESPACES, type Namespace, type Spec } from "../spec/spec.ts";
import { type Bytes, bytesOf, show } from "../sys/bytes.ts";
import { F, FD_CLOEXEC, O } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { openNew, readLink, write } from "../sys/file.ts";
import { call } from "../sys/kernel.ts";
import type { Begun, Ended } from "./outcome.ts";
import { now } from "./supervise.ts";

/** Where the lines go: a descriptor of the caller's, or a file. */
export type StatusTo = { readonly fd: number } | { readonly file: Bytes };

const ACCESS_MODE = 3;

/**
 * Opens what the lines go to: before anything else, so that nothing is started whose end could not be told.
 * @param passFds descriptors that init gets: it must not have this one
 */
export function openStatus(to: StatusTo, passFds: readonly number[]): number {
  if ("file" in to) {
    const fd = openNew(to.file);
    if (fd >= 0) return fd;
    throw new NsError(`--status-file: cannot write ${show(to.file)}: ${errnoText(-fd)}`, {
      errno: -fd,
      note: errnoText(-fd) === errnoText(40) ? "it is a link, which ns does not follow here" : undefined,
    });
  }
  const { fd } = to;
  if (passFds.includes(fd))
    throw usageError(`--status-fd and --pass-fd: init must not have descriptor ${fd}, which tells about it`);
  const mode = call("fcntl", fd, F.F_GETFL);
  const refers = readLink(`/proc/self/fd/${fd}`);
  // Bun's own are of such kinds, and may have a number that the caller did not open
  const isOpen = mode >= 0 && typeof refers === "string" && !refers.startsWith("anon_inode:");
  if (!isOpen || (mode & ACCESS_MODE) === O.O_RDONLY)
    throw new NsError(`--status-fd: descriptor ${fd} is not open${isOpen ? " for writing" : ""}`, {
      note: `open it for ns: ns … ${fd}>FILE`,
    });
  call("fcntl", fd, F.F_SETFD, FD_CLOEXEC);
  return fd;
}

const tell = (fd: number, event: object): void => {
  write(fd, bytesOf(`${JSON.stringify(event)}\n`));
};

export type Inodes = Partial<Record<Namespace, number>>;

/** The namespaces that a process is in; those of one that has ended are gone. */
function namespacesNow(pid: number): Inodes {
  const found: Inodes = {};
  for (const name of NAMESPACES) {
    const link = readLink(`/proc/${pid}/ns/${name}`);
    const match = typeof link === "string" ? /\[(\d+)\]$/.exec(link) : null;
    if (match !== null) found[name] = Number(match[1]);
  }
  return found;
}

/** Namespaces that the child makes only later, when it may be too late to look. */
const LATE: readonly Namespace[] = ["cgroup", "time"];

/** The namespaces of the child while it waits: a short init may be gone before its are looked at. */
export function lookAt(pid: number, spec: Spec, facts: Facts): Inodes {
  const found = namespacesNow(pid);
  const own = namespacesOf(spec, facts);
  for (const name of LATE) if (own.includes(name)) delete found[name];
  return found;
}

/** Init has been executed. @param placed from `lookAt()` @returns what its end has to know of its beginning */
export function begin(fd: number | null, pid: number, placed: Inodes | null, cgroup: Cgroup | null): Begun {
  const since = now();
  if (fd === null) return { pid, since, status: null, before: null };
  const namespaces = { ...placed, ...namespacesNow(pid) };
  const directories = (cgroup ?? []).map(({ directory }) => show(directory));
  tell(fd, { event: "started", pid, namespaces, cgroup: directories });
  return { pid, since, status: fd, before: childrenCpu() };
}

/** The run is over, and nothing of it is left. */
export function tellExited(fd: number | null, { status, report }: Ended): void {
  if (fd === null || report === null) return;
  const { signal, cause, cpu, memory, duration } = report;
  const round = (seconds: number): number => Math.max(0, Math.round(seconds * 1e6) / 1e6);
  tell(fd, {
    event: "exited",
    ...{ status, signal },
    cause: cause && { kind: cause.kind, text: cause.text },
    cpu: { user: round(cpu.user), system: round(cpu.system) },
    ...{ memory, duration: round(duration) },
  });
}

/** Init never ran. */
function tellFailed(fd: number, error: unknown): void {
  const text = error instanceof Error ? error.message : `${error}`;
  const { status, note } = error instanceof NsError ? error : { status: EXIT.failed, note: undefined };
  tell(fd, { event: "failed", status, error: text, note: note ?? null });
}

/** Runs a container and tells how that comes out. */
export function telling(fd: number | null, run: () => Ended): Ended {
  if (fd === null) return run();
  let ended: Ended;
  try {
    ended = run();
  } catch (error) {
    tellFailed(fd, error);
    throw error;
  }
  tellExited(fd, ended);
  return ended;
}
