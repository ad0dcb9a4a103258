/** Attacks on the switches of the whole machine, and on what /proc and /sys tell of it. */
import { CLONE, FSCONFIG, MS, O } from "../../sys/constants.ts";
import type { Bytes } from "../../sys/bytes.ts";
import type { ErrnoName } from "../../sys/errno.ts";
import {
  ALWAYS,
  type Attack,
  type AttackOp,
  CONFINED,
  op,
  opens,
  PROFILED,
  type Setting,
  slot,
  tellsFile,
} from "./attack.ts";

const CORE_PATTERN = "/proc/sys/kernel/core_pattern";
const USER = "-u, with ids that own nothing on the host, or --profile=app";
const NESTED = CLONE.CLONE_NEWUSER | CLONE.CLONE_NEWNS | CLONE.CLONE_NEWPID;

/** A file that is written to; not there inside is as good as refused. */
const writes = (name: string, path: Bytes, does: string): Attack => ({
  ...{ name, does, closes: `leave out --unmask=${path}, and ${USER}`, promised: ALWAYS, needs: path },
  ops: () => [opens(path, O.O_WRONLY, "ENOENT", "ENOTDIR")],
});

/** A file that is read; one that is covered is empty. */
const reads = (name: string, path: Bytes, does: string, promised: readonly Setting[]): Attack => ({
  ...{ name, does, closes: `--mask=${path}, or --profile=app`, promised, needs: path },
  ops: (_, room) => tellsFile(room, path, "ENOENT", "ENOTDIR"),
  judge: (output) => output.length > 0,
});

/** Mounts a file system of its own and opens a file of it for writing. */
const fresh = (
  type: Bytes,
  file: Bytes,
  held: readonly ErrnoName[] = [],
  flags: readonly Bytes[] = [],
): AttackOp[] => [
  { ...op("fsopen", type, 0), save: "context" },
  ...flags.map((flag) => op("fsconfig", slot("context"), FSCONFIG.FSCONFIG_SET_FLAG, flag, 0, 0)),
  op("fsconfig", slot("context"), FSCONFIG.FSCONFIG_CMD_CREATE, 0, 0, 0),
  { ...op("fsmount", slot("context"), 0, 0), save: "tree" },
  { ...op("openat", slot("tree"), file, O.O_WRONLY | O.O_NONBLOCK), held },
];

const remount = (path: Bytes): AttackOp => ({
  ...op("mount", 0, path, 0, MS.MS_REMOUNT | MS.MS_BIND, 0),
  fine: ["EINVAL", "ENOENT"],
});

const releaseAgent = (name: string, does: string): Attack => ({
  ...{ name, does, closes: USER, promised: CONFINED },
  ops: ({ hierarchy }) =>
    hierarchy === null
      ? "the host has no cgroup v1 hierarchy"
      : fresh("cgroup", "release_agent", ["ENOENT"], hierarchy),
  judge: (_, { userNamespace, guardsReleaseAgent }) => !(userNamespace && guardsReleaseAgent),
});

export const switches = (): Attack[] => [
  writes("core-pattern", CORE_PATTERN, "have the host's kernel run a program when one crashes"),
  writes("modprobe", "/proc/sys/kernel/modprobe", "choose the program that loads the host's modules"),
  writes("sysrq", "/proc/sysrq-trigger", "reboot or stop the machine"),
  writes("uevent-helper", "/sys/kernel/uevent_helper", "have the host's kernel run a program for a device"),
  writes("binfmt", "/proc/sys/fs/binfmt_misc/register", "choose the host's interpreters of programs"),
  {
    name: "switches-remounted",
    does: "make /proc/sys writable again, and write core_pattern",
    closes: USER,
    promised: CONFINED,
    needs: CORE_PATTERN,
    ops: () => [
      { ...op("unshare", CLONE.CLONE_NEWNS), fine: ["EPERM"] },
      remount("/proc/sys"),
      remount("/proc"),
      opens(CORE_PATTERN, O.O_WRONLY, "ENOENT"),
    ],
  },
  {
    name: "switches-uncovered",
    does: "unmount what covers /proc/sys, and write core_pattern",
    last: 1,
    closes: USER,
    promised: CONFINED,
    needs: CORE_PATTERN,
    ops: () => [
      op("unshare", CLONE.CLONE_NEWNS),
      { ...op("mount", 0, "/proc", 0, MS.MS_REC | MS.MS_PRIVATE, 0), fine: ["EINVAL", "ENOENT"] },
      { ...op("umount2", "/proc/sys", 0), fine: ["EINVAL", "ENOENT"] },
      opens(CORE_PATTERN, O.O_WRONLY, "ENOENT"),
    ],
  },
  {
    name: "switches-fresh",
    does: "mount a /proc of its own, and write core_pattern",
    closes: USER,
    promised: CONFINED,
    needs: CORE_PATTERN,
    ops: () => fresh("proc", "sys/kernel/core_pattern", ["ENOENT"]),
  },
  {
    name: "switches-nested",
    does: "mount a /proc in a user namespace of its own, and write core_pattern",
    closes: USER,
    promised: CONFINED,
    needs: CORE_PATTERN,
    flags: NESTED,
    ops: () => fresh("proc", "sys/kernel/core_pattern", ["ENOENT"]),
  },
  {
    name: "sysfs-fresh",
    does: "mount a /sys of its own, and write the kernel's settings there",
    closes: USER,
    promised: CONFINED,
    needs: "/sys/kernel/rcu_expedited",
    ops: () => fresh("sysfs", "kernel/rcu_expedited", ["ENOENT"]),
  },
  {
    name: "binfmt-fresh",
    does: "mount the host's binfmt_misc, and register an interpreter",
    closes: USER,
    promised: CONFINED,
    ops: () => fresh("binfmt_misc", "register"),
    // since Linux 6.7 a user namespace has one of its own; before that it could not mount it
    judge: (_, { userNamespace }) => !userNamespace,
  },
  releaseAgent("release-agent", "choose a program that the host's kernel runs for a cgroup (CVE-2022-0492)"),
  {
    ...releaseAgent("release-agent-nested", "the same in user and cgroup namespaces of its own"),
    flags: CLONE.CLONE_NEWUSER | CLONE.CLONE_NEWNS | CLONE.CLONE_NEWCGROUP,
    judge: (_, { guardsReleaseAgent }) => !guardsReleaseAgent,
  },
  {
    name: "limits",
    does: "lift the limits of its own cgroup",
    closes: USER,
    promised: CONFINED,
    ops: ({ limit }) =>
      limit === null ? "this run has no limit" : fresh(limit.type, limit.file, ["ENOENT"], limit.controllers),
  },
  reads("kcore", "/proc/kcore", "read the machine's memory", ALWAYS),
  reads("keys", "/proc/keys", "see the keys in the kernel", PROFILED),
  reads("timer-list", "/proc/timer_list", "see the timers of all of the machine's processes", PROFILED),
  {
    name: "firmware",
    does: "look into the machine's firmware",
    closes: "--mask=/sys/firmware, or --profile=app",
    promised: PROFILED,
    needs: "/sys/firmware",
    ops: (_, { buffer }) => [
      opens("/sys/firmware", O.O_RDONLY | O.O_DIRECTORY, "ENOENT", "ENOTDIR"),
      { ...op("getdents64", slot("file"), buffer, 16384), save: "size" },
      op("write", 1, buffer, slot("size")),
    ],
    // . and .. take 48 bytes
    judge: (output) => output.length > 48,
  },
];
