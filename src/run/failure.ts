/** Turns a failed step into words: what ns was doing, why the kernel refused, and what a person can do about it. */
import { hasNamespace } from "../host/facts.ts";
import { explainExec } from "../host/program.ts";
import { namespacesOf } from "../plan/namespaces.ts";
import type { Op } from "../plan/op.ts";
import { EXIT, NsError } from "../spec/error.ts";
import { type Facts, makesUser, type Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { type ErrnoName, errnoName, errnoText } from "../sys/errno.ts";
import { isWholeRoot } from "./check-mounts.ts";
import { initError, userNamespaceProblem } from "./check.ts";
import { confinementNote } from "./why-exec.ts";

/** What to do about mounts, by (step, errno). */
const MOUNT_NOTES: readonly [RegExp, readonly ErrnoName[], string][] = [
  [
    /^make .* in the root$/,
    ["EROFS", "EACCES", "EPERM"],
    "it is not there and the root cannot be written: make it beforehand",
  ],
  [/^make the link/, ["EINVAL", "EEXIST"], "there is something of that name that is no link"],
  [/^(enter|open) .* in the root$/, ["ENOENT", "ELOOP"], "a link on the way leads to nothing in the root"],
  [
    /^(enter|open) .* in the root$/,
    ["ENOTDIR"],
    "what is there is not of the kind that is to be mounted on it",
  ],
  [/^(enter|open) .* in the root$/, ["EAGAIN"], "something was renamed or mounted meanwhile: try again"],
  [
    /^take the root without/,
    ["EINVAL"],
    "this user may not leave it out, and an overlay cannot have it: unmount it first",
  ],
  [
    /^take .* from the host$/,
    ["EINVAL"],
    "something is mounted below it that this user may not leave out: without norec it comes along",
  ],
  [
    /^take .* from the host$/,
    ["EACCES"],
    "with --user it is looked up with the rights of UID and GID, not with yours",
  ],
  [
    /^mount .* on \//,
    ["EINVAL", "ENOTDIR"],
    "a file can be mounted on a file only, a directory on a directory",
  ],
  [/overlay/, ["EPERM"], "ordinary users may mount overlays from Linux 5.11 on"],
  [/overlay/, ["EACCES"], "the directories for changes have to belong to the container's root"],
  [
    /overlay/,
    ["EINVAL"],
    "the kernel log says why (dmesg): directories for changes have to be on one mount, apart from each other",
  ],
  [/overlay/, ["ELOOP"], "the directories may not lie in one another"],
  [/overlay/, ["ENODEV"], "this kernel has no overlayfs: modprobe overlay"],
  [/overlay/, ["EBUSY"], "another overlay uses the directories for changes"],
  [
    /^mount (sysfs|mqueue|cgroup|devpts)/,
    ["EPERM"],
    "the host's own is covered in part, or belongs to another namespace than the container's",
  ],
];

/** (step of the plan, errno) -> what to do. The first that fits is taken. */
const NOTES: readonly [RegExp, readonly ErrnoName[], string][] = [
  [
    /^open the directory \/proc/,
    ["ENOTDIR", "ELOOP"],
    "/proc in the root is not a directory: ns mounts on nothing else",
  ],
  [
    /^mount proc/,
    ["EPERM"],
    "the /proc that ns itself runs in is covered in part (a container?): mount it whole there",
  ],
  [
    /^make the directory \/proc/,
    ["EROFS", "EACCES"],
    "the root has no directory /proc and cannot be written: make one in it",
  ],
  [
    /^make the directory \/(dev|sys)/,
    ["EROFS", "EACCES"],
    "the root has none and cannot be written: make one in it, or go without: --dev=keep, --sys=none",
  ],
  [
    /^(pivot into the root|make mounts private)/,
    ["EINVAL"],
    "ns runs in a chroot: its own root directory has to be a mount point",
  ],
  [
    /^(bind|mount) the root/,
    ["EINVAL"],
    "something is mounted below the root that this user may not carry along",
  ],
  [
    /^(bind|take) the root/,
    ["EACCES"],
    "the container's ids may not enter NEWROOT: give them the right to, or give UID and GID that have it",
  ],
  ...MOUNT_NOTES,
  [
    /^drop supplementary groups/,
    ["EPERM"],
    "this is a user namespace in which groups cannot be dropped: use -u PRE NEWROOT INIT 0 0",
  ],
  [
    /^make the time namespace/,
    ["EPERM", "ENOSPC"],
    "a limit in /proc/sys/user is reached, or ns is confined here",
  ],
  [
    /^enter the time namespace/,
    ["EUSERS"],
    "that needs a program in memory, which is forbidden here (vm.memfd_noexec)",
  ],
  [
    /^set the clocks' offsets/,
    ["ERANGE", "EINVAL"],
    "a clock would show less than 0, or more than the kernel can count",
  ],
  [
    /^make \/etc\/resolv\.conf/,
    ["EEXIST"],
    "/etc/resolv.conf in the root is a link to a file that is not there",
  ],
  [/^make \/etc\/resolv\.conf/, ["ENOENT", "ENOTDIR"], "the root has no directory /etc"],
  [
    /^mount on \/etc\/resolv\.conf/,
    ["ENOTDIR", "EINVAL", "EISDIR"],
    "/etc/resolv.conf in the root is not a file",
  ],
  [/^give init its groups/, ["EPERM"], "this is a user namespace in which groups cannot be set"],
  [
    /^join the cgroup/,
    ["EACCES", "EPERM"],
    "with cgroup v1 a user may limit only processes with his own uid: root inside has to be himself, as with --map=auto",
  ],
  [
    /^make a session keyring/,
    ["EDQUOT"],
    "the user has as many keys as he may: sysctl -w kernel.keys.maxkeys=2000",
  ],
  [/^become uid/, ["EAGAIN"], "the user has more processes than his limit allows (ulimit -u)"],
  [/^(make|write|copy) /, ["ENOSPC"], "the file system is full, or has no inodes left: see df and df -i"],
  [/./, ["EPERM"], "ns may be confined here (a container, seccomp, AppArmor or SELinux)"],
  [/./, ["ENOMEM"], "the limit of memory or of user namespaces' objects is reached"],
];

const noteFor = (step: string, errno: number): string | undefined => {
  const name = errnoName(errno);
  return name === undefined
    ? undefined
    : NOTES.find(([pattern, errors]) => pattern.test(step) && errors.includes(name))?.[2];
};

/** clone(2) itself failed. @param wanted what it was to make */
export function cloneError(
  spec: Spec,
  facts: Facts,
  errno: number,
  wanted = namespacesOf(spec, facts),
): NsError {
  const name = errnoName(errno);
  const missing = wanted.find((kind) => !hasNamespace(kind));
  if (missing !== undefined)
    return new NsError(`this kernel has no ${missing} namespaces`, {
      errno,
      note: `it was built without ${missing === "mnt" ? "CONFIG_NAMESPACES" : `CONFIG_${missing.toUpperCase()}_NS`}`,
    });
  if (makesUser(spec) && (name === "EPERM" || name === "EACCES" || name === "ENOSPC" || name === "EUSERS")) {
    const problem = userNamespaceProblem(facts);
    if (problem !== null) return problem;
  }
  const notes: Partial<Record<ErrnoName, string>> = {
    EPERM: "ns may be confined here (a chroot, a container, seccomp, AppArmor or SELinux)",
    ENOSPC: "a limit in /proc/sys/user is reached, or namespaces are nested too deep",
    EAGAIN: "the limit of processes is reached (ulimit -u, the cgroup's pids.max)",
  };
  return new NsError(`cannot make the namespaces ${wanted.join(", ")}: ${errnoText(errno)}`, {
    errno,
    note: name === undefined ? undefined : notes[name],
  });
}

function whoIs({ user, ids }: Spec): string {
  if (ids.as !== null) return `user ${show(ids.as.user)}`;
  if (user === null || !("uid" in user)) return "with the ids that are mapped the container";
  return `as uid ${user.uid} and gid ${user.gid} the container`;
}

/** An op of the child failed. */
export function childError(spec: Spec, op: Op, errno: number, root: number): NsError {
  if (op.call !== "execve")
    return new NsError(`cannot ${op.step}: ${errnoText(errno)}`, { errno, note: noteFor(op.step, errno) });
  const problem = isWholeRoot(spec) ? explainExec(root, spec.init, errno) : null;
  if (problem !== null) return initError(spec, problem);
  const missing = errnoName(errno) === "ENOENT";
  return new NsError(`cannot execute init ${show(spec.init)} in ${show(spec.root)}: ${errnoText(errno)}`, {
    errno,
    status: missing ? EXIT.notFound : EXIT.cannotExecute,
    note:
      errnoName(errno) === "EACCES" && (spec.user !== null || spec.ids.as !== null)
        ? `${whoIs(spec)} may not read or enter something on the way to it`
        : confinementNote(errno),
  });
}

/** An op of the pre or the post script's task failed. */
export function scriptError(name: "pre script" | "post script", path: Bytes, op: Op, errno: number): NsError {
  if (op.call !== "execve") return new NsError(`cannot ${op.step}: ${errnoText(errno)}`, { errno });
  const interpreter = errnoName(errno) === "ENOENT";
  return new NsError(
    `cannot execute the ${name} ${show(path)}: ${interpreter ? "its interpreter is missing" : errnoText(errno)}`,
    { errno, note: interpreter ? "see the #! line of the script" : undefined },
  );
}
