/** What this host, this process and this kernel are like. Read once, before anything is decided. */
import { NsError } from "../spec/error.ts";
import type { Facts, Limit, Namespace } from "../spec/spec.ts";
import { type Bytes, bytesOf } from "../sys/bytes.ts";
import { CLOSE_RANGE, RLIMIT_NOFILE } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { access, fileSystemOf, readFile } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";
import { bitsOf, hasBit, openFilesLimit, parseMountinfo, statusField } from "./status.ts";

const CAP_SETGID = 6;
const CAP_SETUID = 7;
const CAP_SYS_ADMIN = 21;
const TIOCGPGRP = 0x540f;
const RAMFS_MAGIC = 0x858458f6;
const TMPFS_MAGIC = 0x01021994;

const text = (path: string): string => {
  const content = readFile(path);
  return typeof content === "string" ? content : "";
};

/** A call that cannot succeed tells by its error whether the kernel knows it; containers' filters say EPERM. */
const known = (result: number): boolean =>
  result !== -errnoNumber("ENOSYS") && result !== -errnoNumber("EPERM");

function kernelFacts(): Facts["kernel"] {
  return scratch((memory) => {
    const empty = memory.placeString("");
    const nobody = 0xffffffff;
    return {
      mountDescriptors: known(call("open_tree", -1, empty, 0)),
      closeRange: call("close_range", nobody, nobody, CLOSE_RANGE.CLOSE_RANGE_CLOEXEC) === 0,
      openat2: known(call("openat2", -1, empty, empty, 0)),
      pidfd: known(call("pidfd_open", 0, 0)) && known(call("pidfd_send_signal", -1, 0, 0)),
      mountSetattr: known(call("mount_setattr", -1, empty, 0, 0, 0)),
    };
  });
}

/** Is the root the kernel's first rootfs? Only its own kind can be, so that mountinfo is read only there. */
function onRootfs(): boolean {
  const fileSystem = fileSystemOf("/");
  if (typeof fileSystem === "number") return false;
  if (fileSystem.type !== RAMFS_MAGIC && fileSystem.type !== TMPFS_MAGIC) return false;
  return parseMountinfo(text("/proc/self/mountinfo")).some((m) => m.point === "/" && m.type === "rootfs");
}

/** The limits of open files of a process (0: this one); null when this user may not ask. */
function openFilesOf(pid: number): Limit | null {
  return scratch((memory) => {
    const limit = memory.reserve(16);
    if (call("prlimit64", pid, RLIMIT_NOFILE, 0, limit) !== 0) return null;
    return { soft: memory.getI64(limit), hard: memory.getI64(limit + 8) };
  });
}

/**
 * Bun raises its soft limit of open files to the hard one when it starts. The parent's soft limit is the best guess at
 * what the caller had.
 */
function callersOpenFiles(): Limit | null {
  const own = openFilesOf(0);
  const ppid = call("getppid");
  const parent = openFilesOf(ppid) ?? openFilesLimit(text(`/proc/${ppid}/limits`));
  if (own === null || parent === null || own.soft !== own.hard || parent.soft < 0) return null;
  return own.soft < 0 || parent.soft < own.soft ? { soft: parent.soft, hard: own.hard } : null;
}

function terminal(): Facts["terminal"] {
  const foreground = scratch((memory) => {
    const group = memory.reserve(8);
    return call("ioctl", 0, TIOCGPGRP, group) === 0 ? memory.getI32(group) : -1;
  });
  if (foreground < 0) return null;
  return { type: terminalType(), foreground };
}

/** The caller's TERM, if that can be the name of a terminal's type. */
export function terminalType(): Bytes | null {
  const term = process.env.TERM ?? "";
  return /^[\w.+-]+$/.test(term) ? bytesOf(term) : null;
}

/** Does this kernel have this kind of namespace? */
export const hasNamespace = (name: Namespace): boolean => access(`/proc/self/ns/${name}`, 0) === 0;

/** Newer calls have something else in their place; statx(2) is the newest that has not. */
function checkKernel(): void {
  if (call("statx", -1, 0, 0, 0, 0) === -errnoNumber("ENOSYS"))
    throw new NsError("this kernel is too old: ns needs Linux 4.11 or later");
}

/** Reads everything that plans and checks depend on. @throws NsError when /proc cannot be read or the kernel is too old */
export function probe(): Facts {
  checkKernel();
  const status = readFile("/proc/self/status");
  if (typeof status === "number")
    throw new NsError(`cannot read /proc/self/status: ${errnoText(-status)}`, { errno: -status });
  const mask = statusField(status, "CapEff");
  const [, uid] = statusField(status, "Uid").split("\t");
  const [, gid] = statusField(status, "Gid").split("\t");
  return {
    pid: call("getpid"),
    uid: Number(uid),
    gid: Number(gid),
    capabilities: {
      mask,
      bounding: statusField(status, "CapBnd"),
      sysAdmin: hasBit(mask, CAP_SYS_ADMIN),
      setUid: hasBit(mask, CAP_SETUID),
      setGid: hasBit(mask, CAP_SETGID),
    },
    ignoredSignals: bitsOf(statusField(status, "SigIgn"), 1),
    cgroupNamespace: hasNamespace("cgroup"),
    kernel: kernelFacts(),
    onRootfs: onRootfs(),
    openFiles: callersOpenFiles(),
    terminal: terminal(),
  };
}
