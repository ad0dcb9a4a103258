/**
 * What the user wants, as validated data (Spec), and what the host is like (Facts). cli/ or a program makes the one,
 * host/facts.ts the other; plan/ makes system calls out of the two. Each concern has a file of its own beside this one.
 */
import type { Bytes } from "../sys/bytes.ts";
import { defaultIds, type Ids, type User } from "./ids.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import type { Mount } from "./mounts.ts";
import { defaultNamespaces, type Namespaces } from "./namespaces.ts";
import { defaultNetwork, type Network } from "./network.ts";
import { defaultProcess, type Process } from "./process.ts";
import { defaultSecurity, type Security } from "./security.ts";
import { defaultRootfs, type Rootfs } from "./rootfs.ts";

export interface Spec {
  /** script that the parent runs before init starts; absolute */
  readonly pre: Bytes | null;
  /** directory that holds the root file system; relative to the working directory or absolute */
  readonly root: Bytes;
  /** path of the init inside the root; absolute */
  readonly init: Bytes;
  /** what follows the path in init's argument list */
  readonly args: readonly Bytes[];
  /** a debug build tells pre.sh and init so by DEBUG=1 */
  readonly debug: boolean;
  /** what is made of the root file system */
  readonly rootfs: Rootfs;
  /** what is mounted in it, in this order */
  readonly mounts: readonly Mount[];
  /** the user namespace's ids; null: no user namespace */
  readonly user: User | null;
  readonly ids: Ids;
  readonly namespaces: Namespaces;
  readonly network: Network;
  readonly limits: Limits;
  readonly process: Process;
  readonly security: Security;
}

/** The user namespace that the container is to join; null: none, or one of its own. */
export const joinedUser = ({ user }: Pick<Spec, "user">): Bytes | null =>
  user !== null && "join" in user ? user.join : null;

/** Has the container a user namespace that is made for it? */
export const makesUser = ({ user }: Pick<Spec, "user">): boolean => user !== null && !("join" in user);

/** A container without any option; pre, root and init are to be filled in. */
export const defaultSpec = (): Spec => ({
  pre: null,
  root: "",
  init: "",
  args: [],
  debug: false,
  rootfs: defaultRootfs(),
  mounts: [],
  user: null,
  ids: defaultIds(),
  namespaces: defaultNamespaces(),
  network: defaultNetwork(),
  limits: defaultLimits(),
  process: defaultProcess(),
  security: defaultSecurity(),
});

export const NAMESPACES = ["mnt", "pid", "uts", "ipc", "cgroup", "net", "time", "user"] as const;
export type Namespace = (typeof NAMESPACES)[number];

/** A resource limit (getrlimit(2)); -1 stands for none. */
export interface Limit {
  readonly soft: number;
  readonly hard: number;
}

export interface Facts {
  /** this process, and its effective ids */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** effective capabilities that matter to ns */
  /** and all of them as a hexadecimal mask */
  readonly capabilities: {
    readonly mask: string;
    /** the bounding set; left out: it may hold anything */
    readonly bounding?: string;
    readonly sysAdmin: boolean;
    readonly setUid: boolean;
    readonly setGid: boolean;
  };
  /** numbers of the signals that this process ignores: a child would go on ignoring them */
  readonly ignoredSignals: readonly number[];
  /** this kernel has cgroup namespaces (Linux 4.6) */
  readonly cgroupNamespace: boolean;
  /** which newer system calls work here */
  readonly kernel: {
    /** open_tree, move_mount, fsopen and so on (Linux 5.2) */
    readonly mountDescriptors: boolean;
    /** close_range with CLOSE_RANGE_CLOEXEC (Linux 5.11) */
    readonly closeRange: boolean;
    /** openat2 (Linux 5.6) */
    readonly openat2: boolean;
    /** pidfd_open and pidfd_send_signal (Linux 5.3) */
    readonly pidfd: boolean;
    /** mount_setattr (Linux 5.12) */
    readonly mountSetattr: boolean;
  };
  /** the root is the kernel's first rootfs, an initramfs: pivot_root(2) does not work there */
  readonly onRootfs: boolean;
  /** the limit of open files that the caller had; null: this process's own is the caller's */
  readonly openFiles: Limit | null;
  /** what standard input is when it is a terminal: its type (TERM) and the process group in its foreground */
  readonly terminal: { readonly type: Bytes | null; readonly foreground: number } | null;
}
