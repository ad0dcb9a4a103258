/**
 * A terminal of the container's own: the pty that the child makes inside its root, and the relay, a process of ns's that
 * stands between it and the caller's terminal. What the container is given is never the caller's terminal itself, so that it
 * can neither type into that (TIOCSTI) nor read from it. Used by child.ts, wait.ts and run/terminal.ts.
 */
import type { Identity } from "../spec/ids.ts";
import { NO_SOURCES, type Sources } from "../spec/mounts.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { AT_EMPTY_PATH, AT_FDCWD, MNT, MOVE_MOUNT, MS, O, S_IFREG, TERMINAL } from "../sys/constants.ts";
import type { ErrnoName } from "../sys/errno.ts";
import { openInside } from "./inside.ts";
import { hasOwnDev } from "./mounts/dev.ts";
import { kernelOptions, kernelTree } from "./mounts/kernel.ts";
import { type Op, slot } from "./op.ts";

export interface Terminal {
  /** which of init's 0, 1 and 2 it becomes */
  readonly standard: readonly number[];
  /** what the caller's descriptor 0 brings is typed there, and what comes from there is written to this one */
  readonly input: boolean;
  readonly output: number;
  /** descriptor 0, or the one for output, is a terminal */
  readonly fromTerminal: boolean;
  readonly toTerminal: boolean;
  /** the caller's terminal is raw meanwhile; otherwise its lines are taken as they are typed */
  readonly raw: boolean;
  /** its type (TERM) */
  readonly type: Bytes | null;
  /** what it begins with: struct termios and struct winsize; null: as the kernel makes it */
  readonly settings: Uint8Array | null;
  readonly size: Uint8Array | null;
  /** what the caller's terminal is to have again (struct termios), and the process group it is to belong to for that */
  readonly before: Uint8Array | null;
  readonly group: number;
}

const { TCSETS, TIOCSCTTY, TIOCSWINSZ, TIOCGPTPEER, TIOCSPTLCK } = TERMINAL;

const FLAGS = { readOnly: false, nosuid: true, nodev: false, noexec: true };
const MAKE = "make a terminal for the container";
/** A directory of the fresh /proc, for as long as nobody is there to see what is mounted on it. */
const OWN_PLACE = "/proc/1";
/** /dev/pts is not there, or no directory: then the terminal has no name */
const NO_PLACE: readonly ErrnoName[] = ["ENOENT", "ENOTDIR", "ELOOP", "EACCES", "EBADF"];

/** A devpts of the container's own as `devpts`, on /dev/pts if that is a directory. The working directory is the root. */
function ownDevpts(spec: Spec, facts: Facts): Op[] {
  const find = openInside(facts, "/dev/pts", O.O_DIRECTORY | O.O_NOFOLLOW, "target", "open /dev/pts");
  const target = find.map((op): Op => ({ ...op, fine: NO_PLACE }));
  const step = "mount a devpts on /dev/pts";
  const close: Op = { call: "close", args: [slot("target")], step, fine: ["EBADF"] };
  if (facts.kernel.mountDescriptors) {
    const flags = MOVE_MOUNT.MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT.MOVE_MOUNT_T_EMPTY_PATH;
    return [
      ...kernelTree({ type: "devpts", target: "/dev/pts", flags: FLAGS }, spec, "devpts", MAKE),
      ...target,
      // not there: the descriptor is none
      { call: "move_mount", args: [slot("devpts"), "", slot("target"), "", flags], step, fine: ["EBADF"] },
      close,
    ];
  }
  const options = kernelOptions("devpts", spec)
    .map(([name, value]) => (value === null ? name : `${name}=${value}`))
    .join(",");
  return [
    {
      call: "mount",
      args: ["devpts", OWN_PLACE, "devpts", MS.MS_NOSUID | MS.MS_NOEXEC, options],
      step: MAKE,
    },
    { call: "openat", args: [AT_FDCWD, OWN_PLACE, O.O_PATH | O.O_CLOEXEC, 0], step: MAKE, save: "devpts" },
    ...target,
    // not there: the bind is undone with the place
    { call: "chdir", args: [OWN_PLACE], step },
    { call: "fchdir", args: [slot("target")], step, fine: ["EBADF"] },
    { call: "mount", args: [OWN_PLACE, ".", 0, MS.MS_BIND, 0], step },
    { call: "chdir", args: ["/"], step },
    { call: "umount2", args: [OWN_PLACE, MNT.MNT_DETACH], step: MAKE },
    { call: "umount2", args: [OWN_PLACE, MNT.MNT_DETACH], step: MAKE, fine: ["EINVAL"] },
    close,
  ];
}

const ioctl = (fd: "ptmx" | "pty", request: number, memory: Uint8Array | null, means: string): Op[] =>
  memory === null
    ? []
    : [{ call: "ioctl", args: [slot(fd), request, { memory, means }], step: "set the terminal up" }];

/** What the parent has opened or found that matters here (child.ts). */
interface TerminalPlace {
  readonly sources?: Sources;
  readonly identity?: Identity | null;
  /** the child's end of a socket whose other end ns has; it is closed */
  readonly terminalSocket?: number;
}

/** In a /dev of ns's own it is the console: nobody else's names are there yet, and it is the instance's first. */
function bindConsole(): Op[] {
  const step = "bind the terminal on /dev/console";
  return [
    { call: "fchdir", args: [slot("devTree")], step },
    { call: "mknodat", args: [AT_FDCWD, "console", S_IFREG | 0o600, 0], step },
    { call: "mount", args: ["pts/0", "console", 0, MS.MS_BIND, 0], step },
    { call: "chdir", args: ["/"], step },
  ];
}

/**
 * Makes the pty, sends both its ends to ns, and puts the one in the place of the caller's terminal.
 */
export function makeTerminal(
  spec: Spec,
  facts: Facts,
  terminal: Terminal | null,
  { sources = NO_SOURCES, identity = null, terminalSocket: socket = -1 }: TerminalPlace,
): Op[] {
  if (terminal === null) return [];
  const made = hasOwnDev(sources);
  const open = O.O_RDWR | O.O_NOCTTY | O.O_CLOEXEC;
  const uid = identity?.init?.uid ?? 0;
  const owner: Op = {
    call: "fchownat",
    args: [slot("pty"), "", uid, -1, AT_EMPTY_PATH],
    step: "give init its terminal",
  };
  const step = "send the terminal to ns";
  return [
    ...(made ? [] : ownDevpts(spec, facts)),
    { call: "openat", args: [slot("devpts"), "ptmx", open | O.O_NONBLOCK, 0], step: MAKE, save: "ptmx" },
    ...ioctl("ptmx", TIOCSPTLCK, new Uint8Array(4), "[0]"),
    // by the master and not by a name (CVE-2025-52565); before Linux 4.13 by its name in a devpts that is nobody else's
    {
      ...{ call: "ioctl", args: [slot("ptmx"), TIOCGPTPEER, open], step: MAKE, save: "pty" },
      ...{ fine: ["ENOTTY", "EINVAL"], skipNext: true },
    },
    { call: "openat", args: [slot("devpts"), "0", open, 0], step: MAKE, save: "pty" },
    ...ioctl("pty", TCSETS, terminal.settings, "SETTINGS"),
    ...ioctl("pty", TIOCSWINSZ, terminal.size, "SIZE"),
    ...(uid === 0 ? [] : [owner]),
    { call: "send", args: [socket, slot("ptmx"), slot("pty")], step },
    { call: "close", args: [socket], step },
    ...(made ? bindConsole() : []),
    ...terminal.standard.map(
      (fd): Op => ({ call: "dup3", args: [slot("pty"), fd, 0], step: `make the terminal descriptor ${fd}` }),
    ),
    ...(["devpts", "ptmx", "pty"] as const).map(
      (fd): Op => ({ call: "close", args: [slot(fd)], step: MAKE }),
    ),
  ];
}

/** A session for init. On the caller's own terminal it has to stay in the foreground process group. */
export function initSession(facts: Facts, terminal: Terminal | null): Op[] {
  const session: Op = { call: "setsid", args: [], step: "give init a session" };
  if (terminal === null) return facts.terminal === null ? [session] : [];
  const control = "give init's session the terminal";
  return [session, { call: "ioctl", args: [terminal.standard[0]!, TIOCSCTTY, 0], step: control }];
}
