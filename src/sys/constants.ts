/**
 * Flag and command values of the kernel's interface, by their own names (include/uapi/linux). They are the same on
 * every architecture that ns knows, but for the few that abi/ has. Plans are written with them and --dry-run reads them
 * back.
 */
import { openFlags } from "./abi.ts";

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_EMPTY_PATH = 0x1000;
export const AT_REMOVEDIR = 0x200;

export const CLONE = {
  CLONE_NEWTIME: 0x80,
  CLONE_VM: 0x100,
  CLONE_FILES: 0x400,
  CLONE_PIDFD: 0x1000,
  CLONE_PARENT: 0x8000,
  CLONE_NEWNS: 0x20000,
  CLONE_NEWCGROUP: 0x2000000,
  CLONE_NEWUTS: 0x4000000,
  CLONE_NEWIPC: 0x8000000,
  CLONE_NEWUSER: 0x10000000,
  CLONE_NEWPID: 0x20000000,
  CLONE_NEWNET: 0x40000000,
} as const;

export const MS = {
  MS_RDONLY: 1,
  MS_NOSUID: 2,
  MS_NODEV: 4,
  MS_NOEXEC: 8,
  MS_REMOUNT: 0x20,
  MS_NOATIME: 0x400,
  MS_NODIRATIME: 0x800,
  MS_BIND: 0x1000,
  MS_MOVE: 0x2000,
  MS_REC: 0x4000,
  MS_PRIVATE: 0x40000,
  MS_RELATIME: 0x200000,
} as const;

export const MNT = { MNT_DETACH: 2 } as const;
export const MOUNT_ATTR = {
  MOUNT_ATTR_RDONLY: 1,
  MOUNT_ATTR_NOSUID: 2,
  MOUNT_ATTR_NODEV: 4,
  MOUNT_ATTR_NOEXEC: 8,
  MOUNT_ATTR_IDMAP: 0x100000,
} as const;
export const OPEN_TREE = {
  OPEN_TREE_CLONE: 1,
  AT_RECURSIVE: 0x8000,
  OPEN_TREE_CLOEXEC: 0x80000,
} as const;
export const MOVE_MOUNT = { MOVE_MOUNT_F_EMPTY_PATH: 4, MOVE_MOUNT_T_EMPTY_PATH: 0x40 } as const;
export const FSOPEN = { FSOPEN_CLOEXEC: 1 } as const;
export const FSCONFIG = { FSCONFIG_SET_FLAG: 0, FSCONFIG_SET_STRING: 1, FSCONFIG_CMD_CREATE: 6 } as const;

export const O = {
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_CREAT: 0x40,
  O_EXCL: 0x80,
  O_NOCTTY: 0x100,
  O_TRUNC: 0x200,
  O_NONBLOCK: 0x800,
  O_DIRECTORY: openFlags.O_DIRECTORY,
  O_NOFOLLOW: openFlags.O_NOFOLLOW,
  O_CLOEXEC: 0x80000,
  O_PATH: 0x200000,
} as const;

export const F = { F_GETFD: 1, F_SETFD: 2, F_GETFL: 3, F_SETFL: 4, F_DUPFD_CLOEXEC: 1030 } as const;
export const FD_CLOEXEC = 1;
export const RESOLVE_IN_ROOT = 0x10;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const CLOSE_RANGE = { CLOSE_RANGE_CLOEXEC: 4 } as const;
export const PR = {
  PR_SET_PDEATHSIG: 1,
  PR_SET_DUMPABLE: 4,
  PR_SET_NAME: 15,
  PR_CAPBSET_DROP: 24,
  PR_SET_SECUREBITS: 28,
  PR_SET_NO_NEW_PRIVS: 38,
  PR_GET_NO_NEW_PRIVS: 39,
  PR_CAP_AMBIENT: 47,
} as const;
export const PR_CAP_AMBIENT_RAISE = 2;
/** CAP_CHECKPOINT_RESTORE (capabilities(7)) */
export const LAST_CAPABILITY = 40;
export const NS_GET_NSTYPE = 0xb703;
export const NS_GET_OWNER_UID = 0xb704;
export const MFD = { MFD_CLOEXEC: 1, MFD_ALLOW_SEALING: 2, MFD_EXEC: 0x10 } as const;
export const RLIMIT = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
} as const;
export const { RLIMIT_NOFILE } = RLIMIT;
export const PRIO_PROCESS = 0;
export const SCHED = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_IDLE: 5,
} as const;
export const IOPRIO_WHO_PROCESS = 1;
export const IOPRIO_CLASS_SHIFT = 13;
export const IOPRIO_CLASS = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 } as const;
export const AF_INET = 2;
export const AF_UNIX = 1;
export const SOCK = {
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_NONBLOCK: 0x800,
  SOCK_CLOEXEC: 0x80000,
} as const;
export const TERMINAL = {
  TCGETS: 0x5401,
  TCSETS: 0x5402,
  TIOCSCTTY: 0x540e,
  TIOCGWINSZ: 0x5413,
  TIOCSWINSZ: 0x5414,
  TIOCGPTPEER: 0x5441,
  TIOCSPTLCK: 0x40045431,
} as const;
export const SIOCSIFFLAGS = 0x8914;
export const SIOCSIFADDR = 0x8916;
export const SIOCSIFNETMASK = 0x891c;
export const SIOCADDRT = 0x890b;
export const IFF_UP = 1;
export const LOOP = {
  LOOP_SET_FD: 0x4c00,
  LOOP_CLR_FD: 0x4c01,
  LOOP_SET_STATUS64: 0x4c04,
  LOOP_CONFIGURE: 0x4c0a,
  LOOP_CTL_GET_FREE: 0x4c82,
} as const;
export const LO_FLAGS = { LO_FLAGS_READ_ONLY: 1, LO_FLAGS_AUTOCLEAR: 4 } as const;
export const WNOHANG = 1;
export const SIG_BLOCK = 0;
export const SIG_UNBLOCK = 1;
export const SIG_SETMASK = 2;
export const LOCK = { LOCK_EX: 2, LOCK_NB: 4 } as const;
export const S_IFMT = 0o170000;
export const S_IFREG = 0o100000;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;

export const SIGNALS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGTSTP: 20,
  SIGWINCH: 28,
} as const;
export type SignalName = keyof typeof SIGNALS;

const signalNames = [
  ...[
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
  ],
  ...["SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP"],
  ...["SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH"],
  ...["SIGIO", "SIGPWR", "SIGSYS"],
];

/** SIGTERM for 15, SIGRT40 for a real-time signal (signal(7)). */
export const signalName = (signal: number): string => signalNames[signal - 1] ?? `SIGRT${signal}`;
