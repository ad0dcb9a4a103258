/**
 * Everything that can be known to fail before a process is started. Each problem is one NsError with what to do about it.
 */
import { hasNamespace } from "../host/facts.ts";
import { openNetwork } from "../host/netns.ts";
import { openImage } from "../host/image.ts";
import { inspectProgram, type Problem } from "../host/program.ts";
import { openUser } from "../host/userns.ts";
import { EXIT, NsError, usageError } from "../spec/error.ts";
import { type Facts, joinedUser, type Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { O, S_IFDIR, S_IFMT, S_IFREG } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { checkMounts, isWholeRoot } from "./check-mounts.ts";
import { checkDevices } from "./check-security.ts";
import { access, close, open, readFile, readLink, statusOf } from "../sys/file.ts";
import { checkLimits } from "./limits.ts";
import { checkNetwork } from "./network.ts";

const EXECUTE = 1;

/** A kernel switch's value, or "" where the kernel does not have it. */
export type ReadSwitch = (path: string) => string;

export const readSwitch: ReadSwitch = (path) => {
  const content = readFile(path);
  return typeof content === "string" ? content.trim() : "";
};

/** Why this caller cannot make a user namespace, as far as the kernel's switches tell. */
export function userNamespaceProblem(facts: Facts, read: ReadSwitch = readSwitch): NsError | null {
  const refuse = (why: string, note: string) => new NsError(`cannot make a user namespace: ${why}`, { note });
  if (read("/proc/sys/user/max_user_namespaces") === "0")
    return refuse("user.max_user_namespaces is 0", "allow them: sysctl -w user.max_user_namespaces=10000");
  if (facts.capabilities.sysAdmin) return null;
  if (read("/proc/sys/kernel/unprivileged_userns_clone") === "0")
    return refuse(
      "kernel.unprivileged_userns_clone is 0",
      "allow them for everybody: sysctl -w kernel.unprivileged_userns_clone=1",
    );
  if (
    read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === "1" &&
    read("/proc/self/attr/current").startsWith("unconfined")
  )
    return refuse(
      "kernel.apparmor_restrict_unprivileged_userns is 1",
      "give ns a profile: ns check --apparmor | sudo tee /etc/apparmor.d/ns && sudo apparmor_parser -r /etc/apparmor.d/ns",
    );
  return null;
}

function checkPrivileges(spec: Spec, facts: Facts): void {
  if (spec.user === null) {
    if (facts.capabilities.sysAdmin) return;
    throw new NsError("only root may start a container without --user", {
      note: "as an ordinary user: ns -u PRE NEWROOT INIT $(id -u) $(id -g)",
    });
  }
  const joined = joinedUser(spec);
  if (joined !== null) return void close(openUser(joined));
  const problem = userNamespaceProblem(facts);
  if (problem !== null) throw problem;
  if (!("uid" in spec.user)) return; // host/identity.ts finds those, and checks them
  const foreign = (name: string, id: number, own: number, allowed: boolean): void => {
    if (allowed || id === own) return;
    throw new NsError(`${name} ${id} is not yours: an ordinary user can only give the container ${own}`, {
      note: "use $(id -u) $(id -g) for UID and GID",
    });
  };
  foreign("UID", spec.user.uid, facts.uid, facts.capabilities.setUid);
  foreign("GID", spec.user.gid, facts.gid, facts.capabilities.setGid);
}

export function checkIdmapRoot({ rootfs }: Spec, { kernel, capabilities }: Facts): void {
  // the others' files would go on belonging to nobody inside
  if (rootfs.lower.length > 0) throw usageError("--idmap-root: NEWROOT has to be one directory, and not A:B");
  if (rootfs.changes?.to === "directory") throw usageError("--idmap-root and --overlay exclude each other");
  if (!kernel.mountSetattr) throw new NsError("--idmap-root needs Linux 5.12 or newer");
  if (!capabilities.sysAdmin)
    throw new NsError("only root may shift a root's ids (--idmap-root)", {
      note: "as an ordinary user give the files to the ids outside, within a user namespace: unshare --map-auto",
    });
}

function checkJoinNet(network: Bytes, { capabilities }: Facts): void {
  close(openNetwork(network));
  if (!capabilities.sysAdmin) throw new NsError("only root may join a network namespace (--join-net)");
}

/** What was asked for and this kernel or this caller cannot do. */
function checkKernel(spec: Spec, facts: Facts): void {
  const { joinNet, time } = spec.namespaces;
  if (spec.ids.idmapRoot) checkIdmapRoot(spec, facts);
  if (joinNet !== null) checkJoinNet(joinNet, facts);
  if (time !== null && !hasNamespace("time"))
    throw new NsError("this kernel has no time namespaces (--time), which Linux has from 5.6 on");
}

function checkScript(name: "pre script" | "post script", path: Bytes): void {
  const refuse = (why: string, note?: string) => new NsError(`the ${name} ${show(path)} ${why}`, { note });
  const fd = open(path, O.O_PATH);
  if (fd < 0) throw refuse(`cannot be used: ${errnoText(-fd)}`);
  const status = statusOf(fd);
  close(fd);
  if (typeof status === "number") throw refuse(`cannot be used: ${errnoText(-status)}`);
  if ((status.mode & S_IFMT) === S_IFDIR) throw refuse("is a directory");
  if ((status.mode & S_IFMT) !== S_IFREG) throw refuse("is not a regular file");
  if (access(path, EXECUTE) === 0) return;
  if ((status.mode & 0o111) === 0) throw refuse("is not executable", `chmod +x ${show(path)}`);
  throw refuse("may not be executed by you, or is on a file system mounted noexec");
}

/** Bun's own two descriptors are of kinds that nobody passes, and may have a number that the caller did not open. */
function checkPassed(fd: number): void {
  const refer = readLink(`/proc/self/fd/${fd}`);
  if (typeof refer === "string" && refer !== "anon_inode:[eventpoll]" && refer !== "anon_inode:[eventfd]")
    return;
  throw new NsError(`--pass-fd: descriptor ${fd} is not open`, {
    note: `open it for ns: ns … ${fd}<FILE; descriptors of epoll and eventfd cannot be passed`,
  });
}

function openRoot(root: Bytes): number {
  const fd = open(root, O.O_PATH | O.O_DIRECTORY);
  if (fd < 0) throw new NsError(`cannot use the root ${show(root)}: ${errnoText(-fd)}`, { errno: -fd });
  const searched = access(root, EXECUTE);
  if (searched === 0) return fd;
  close(fd);
  throw new NsError(`cannot enter the root ${show(root)}: ${errnoText(-searched)}`, { errno: -searched });
}

/** An error about init: 127 when it is not there, 126 when it cannot be executed. */
export function initError(spec: Spec, problem: Problem): NsError {
  const { image } = spec.rootfs;
  const where = image === null ? show(spec.root) : `${show(spec.root)} of ${show(image)}`;
  return new NsError(`init ${show(spec.init)} in ${where} ${problem.text}`, {
    note: problem.note,
    status: problem.missing ? EXIT.notFound : EXIT.cannotExecute,
  });
}

/** Checks what does not depend on NEWROOT, INIT and scripts. @throws NsError for the first thing that cannot work */
export function checkHost(spec: Spec, facts: Facts): void {
  checkLimits(spec.limits);
  checkPrivileges(spec, facts);
  checkKernel(spec, facts);
  checkMounts(spec, facts);
  checkDevices(spec, facts);
  checkNetwork(spec, facts);
}

/**
 * Checks the run against this host.
 * @returns a descriptor of NEWROOT, the very directory that was checked; in an image it is a tree that is nowhere yet
 * @throws NsError for the first thing that cannot work
 */
export function check(spec: Spec, facts: Facts): number {
  checkHost(spec, facts);
  if (spec.pre !== null) checkScript("pre script", spec.pre);
  if (spec.process.post !== null) checkScript("post script", spec.process.post);
  for (const fd of spec.process.passFds) checkPassed(fd);
  const { image } = spec.rootfs;
  const root = image === null ? openRoot(spec.root) : openImage(image, spec.root);
  const problem = isWholeRoot(spec) ? inspectProgram(root, spec.init) : null;
  if (problem === null) return root;
  close(root);
  throw initError(spec, problem);
}
