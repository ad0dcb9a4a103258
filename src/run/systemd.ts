/**
 * Makes the run's cgroup where systemd rules: its tree has one writer, and what it has not handed on is not ours to change.
 * ns moves itself into a transient scope first (host/systemd/), and all else is as everywhere: the run's cgroup is made below
 * ns's own. The scope lives as long as a process is in it, so that ns can still ask it what has happened.
 */
import { createRestricted, type Restricted } from "../host/cgroup/devices/restrict.ts";
import { systemdPath } from "../host/cgroup/locate.ts";
import { openSocket } from "../host/systemd/connection.ts";
import { startScope } from "../host/systemd/scope.ts";
import { NsError } from "../spec/error.ts";
import { hasCgroupLimits, type Limits } from "../spec/limits.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { show } from "../sys/bytes.ts";
import { errnoText } from "../sys/errno.ts";
import { access, poll, readFile } from "../sys/file.ts";
import type { Listener } from "./listen.ts";

const BOOTED = "/run/systemd/system";
/** As long as D-Bus calls usually wait, in milliseconds. */
const PATIENCE = 25_000;
const OTHERWISE = "--systemd=no makes the cgroup without it";

/** The socket of the manager that is this user's; the environment is not asked. */
export const socketOf = (uid: number): string =>
  uid === 0 ? "/run/systemd/private" : `/run/user/${uid}/systemd/private`;

/** The slice that a cgroup is in, as the system's manager names it: the limits of the slice go on to hold. */
export function sliceOf(path: string): string | null {
  let slice: string | null = null;
  for (const name of path.split("/").slice(1)) {
    if (!name.endsWith(".slice")) break;
    slice = name;
  }
  return slice;
}

/**
 * Is a scope right without having been asked for? Only in a login session: nothing in its own scope is handed on. Whoever
 * runs ns in a service wants the container to be stopped with it, and to stay below its limits.
 */
export const isSession = (path: string): boolean => /\/session-[^/]+\.scope$/.test(path);

const ownPath = (): string => {
  const content = readFile("/proc/self/cgroup");
  return typeof content === "string" ? (systemdPath(content) ?? "") : "";
};

/** Is systemd to make a scope for this run? @param becomes this process does nothing else than this run */
export function wantsScope({ systemd, cgroup, hugePages, ...limits }: Limits, becomes: boolean): boolean {
  if (systemd !== null) return systemd;
  if (!becomes || cgroup !== null || hugePages !== null) return false;
  return (
    hasCgroupLimits({ systemd, cgroup, hugePages, ...limits }) &&
    access(BOOTED, 0) === 0 &&
    isSession(ownPath())
  );
}

export interface Entering {
  readonly spec: Spec;
  readonly facts: Facts;
  readonly listener: Listener;
  /** this process does nothing else than this run */
  readonly becomes: boolean;
  readonly say: (line: () => string) => void;
}

const plain = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?");

/** Why there is no way to systemd. */
function unreachable(path: string, errno: number, uid: number): NsError {
  const why = access(BOOTED, 0) !== 0 ? "this host has not been started by it" : errnoText(errno);
  return new NsError(`cannot ask systemd for a scope at ${path}: ${why}`, {
    errno,
    note:
      uid !== 0 && access(BOOTED, 0) === 0
        ? `an ordinary user needs a user manager: loginctl enable-linger, or log in; ${OTHERWISE}`
        : OTHERWISE,
  });
}

/** Waits for the socket, at most `PATIENCE` and not longer than the user does. */
function waiter({ listener }: Entering): (socket: number) => void {
  const until = performance.now() + PATIENCE;
  return (socket) => {
    while (poll([socket], 0) !== 1) {
      const left = Math.ceil(until - performance.now());
      if (left <= 0) throw new RangeError(`no answer in ${PATIENCE / 1000} seconds`);
      poll([socket, listener.caught], left);
      listener.stopIfAsked();
    }
  };
}

function enterScope(entering: Entering): void {
  const { spec, facts, say } = entering;
  const path = socketOf(facts.uid);
  const socket = openSocket(path);
  if (socket < 0) {
    if (spec.limits.systemd === null) return;
    throw unreachable(path, -socket, facts.uid);
  }
  const unit = `ns-${facts.pid}-${Math.random().toString(36).slice(2, 8)}.scope`;
  const slice = facts.uid === 0 ? sliceOf(ownPath()) : null;
  const description = plain(`ns: ${show(spec.init)} in ${show(spec.root)}`);
  let refusal: string | null;
  try {
    refusal = startScope({ unit, description, slice }, socket, facts.uid, waiter(entering));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    refusal = error.message;
  }
  if (refusal === null && !ownPath().endsWith(`/${unit}`)) refusal = "it has not moved this process";
  if (refusal !== null)
    throw new NsError(`systemd makes no scope ${unit}: ${plain(refusal)}`, { note: OTHERWISE });
  say(() => `cgroup: in the scope ${unit} of systemd's`);
}

/** Makes the run's cgroup, if it has one. @throws NsError when it, or the scope that was asked for, cannot be had */
export function makeCgroup(entering: Entering): Restricted {
  const { spec, facts, becomes } = entering;
  const scoped = wantsScope(spec.limits, becomes);
  if (scoped) enterScope(entering);
  const made = createRestricted(spec, facts);
  if (!scoped || !becomes || made.cgroup === null) return made;
  // there is no need to leave the scope again: it ends with this process
  return {
    ...made,
    cgroup: made.cgroup.map((branch) => ({ ...branch, parent: { ...branch.parent, left: null } })),
  };
}

/** What --dry-run says of it; null: no scope. */
export function scopeLines({ limits }: Spec, { uid }: Facts): string[] | null {
  if (!wantsScope(limits, true)) return null;
  return [
    `connect(socket, ${JSON.stringify(socketOf(uid))})`,
    'StartTransientUnit("ns-PID-RANDOM.scope", PIDs=[self], Delegate=yes)',
  ];
}
