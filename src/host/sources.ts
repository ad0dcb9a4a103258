/**
 * Finds what the root and the mounts take from the host before anything is started: names become absolute, what is missing
 * is an error, contents of descriptors are read. Called by run/start.ts; plan/mounts/ makes ops of the result.
 */
import { NsError } from "../spec/error.ts";
import type { Identity } from "../spec/ids.ts";
import { type Found, type Mount, NO_SOURCES, type Sources, type Submount } from "../spec/mounts.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { MS, O, S_IFDIR, S_IFMT } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { close, open, poll, readFile, readLink, statusOf, workingDirectory } from "../sys/file.ts";
import { assumeDevices, findDev } from "./dev.ts";
import { contentOf, type Wait } from "./content.ts";
import { parseMountinfo } from "./status.ts";
import { findSys } from "./sysfs.ts";
import { takeWork } from "./work.ts";

/** What a remount has to keep, by its name in mountinfo. */
const FLAGS: Readonly<Record<string, number>> = {
  ro: MS.MS_RDONLY,
  nosuid: MS.MS_NOSUID,
  nodev: MS.MS_NODEV,
  noexec: MS.MS_NOEXEC,
  noatime: MS.MS_NOATIME,
  nodiratime: MS.MS_NODIRATIME,
  relatime: MS.MS_RELATIME,
};

const flagsOf = (names: readonly string[]): number => {
  let flags = 0;
  for (const name of names) flags |= FLAGS[name] ?? 0;
  return flags;
};

/** What is mounted at and below an open file, outer ones first. */
function mountsBelow(fd: number): Submount[] {
  const path = readLink(`/proc/self/fd/${fd}`);
  const info = readFile(`/proc/self/fdinfo/${fd}`);
  const text = readFile("/proc/self/mountinfo", 1 << 24);
  if (typeof path !== "string" || typeof info !== "string" || typeof text !== "string")
    throw new NsError("cannot read from /proc what is mounted");
  const id = Number(/^mnt_id:\s*(\d+)/m.exec(info)?.[1]);
  const prefix = path === "/" ? "/" : `${path}/`;
  const below: Submount[] = [];
  for (const mount of parseMountinfo(text)) {
    if (mount.id === id) below.unshift({ path: "", flags: flagsOf(mount.flags) });
    else if (mount.point.startsWith(prefix))
      below.push({ path: mount.point.slice(prefix.length), flags: flagsOf(mount.flags) });
  }
  return below;
}

function absolute(path: Bytes): Bytes {
  if (path.startsWith("/")) return path;
  const here = workingDirectory();
  if (typeof here === "number")
    throw new NsError(`cannot find the working directory: ${errnoText(-here)}`, { errno: -here });
  return `${here}/${path}`;
}

/** Looks at a file or directory of the host's; null when it is not there. @throws NsError */
function find(path: Bytes, facts: Facts, what: string): Found | null {
  const fd = open(path, O.O_PATH);
  if (fd === -errnoNumber("ENOENT")) return null;
  const status = fd < 0 ? fd : statusOf(fd);
  const below = fd < 0 || facts.kernel.mountSetattr ? [] : mountsBelow(fd);
  if (fd >= 0) close(fd);
  if (typeof status === "number")
    throw new NsError(`cannot use ${show(path)} ${what}: ${errnoText(-status)}`, { errno: -status });
  const isDirectory = (status.mode & S_IFMT) === S_IFDIR;
  return { path: absolute(path), isDirectory, descriptor: null, size: 0, below };
}

function mustFind(path: Bytes, facts: Facts, what: string): Found {
  const found = find(path, facts, what);
  if (found !== null) return found;
  throw new NsError(`cannot use ${show(path)} ${what}: no such file or directory`, {
    errno: errnoNumber("ENOENT"),
  });
}

function findDirectory(path: Bytes, facts: Facts, what: string): Found {
  const found = mustFind(path, facts, what);
  if (!found.isDirectory) throw new NsError(`cannot use ${show(path)} ${what}: not a directory`);
  return found;
}

function sourcesOf(mount: Mount, facts: Facts, wait: Wait): Found[] {
  const what = mount.type === "overlay" ? "in an overlay" : "as a bind's source";
  if (mount.type === "overlay") return mount.lower.map((path) => findDirectory(path, facts, what));
  if (mount.type === "file") return [contentOf(mount.descriptor, mount.target, wait)];
  if (mount.type !== "bind") return [];
  if (!mount.optional) return [mustFind(mount.source, facts, what)];
  const found = find(mount.source, facts, what);
  return found === null ? [] : [found];
}

/** Does a path lead into the directory? Not by what its name says, but by where it is. */
function liesIn(directory: number, path: Bytes): boolean {
  const fd = open(path, O.O_PATH);
  const [outer, inner] = [directory, fd].map((one) => readLink(`/proc/self/fd/${one}`));
  if (fd >= 0) close(fd);
  if (typeof outer !== "string" || typeof inner !== "string") return false;
  return inner === outer || inner.startsWith(outer === "/" ? "/" : `${outer}/`);
}

/** The directories for the root's changes. */
function changesOf(spec: Spec, facts: Facts, root: number, identity: Identity | null): Sources["changes"] {
  const { changes, image } = spec.rootfs;
  if (changes?.to !== "directory") return null;
  const what = "for an overlay";
  const upper = findDirectory(changes.upper, facts, what).path.replace(/(.)\/+$/, "$1");
  const given = changes.work === null ? null : findDirectory(changes.work, facts, what).path;
  const path = given ?? upper;
  if (/[,:\\]/.test(`${upper}${path}`))
    throw new NsError(`cannot use ${show(path)} ${what}: its path holds a comma, colon or backslash`);
  // nothing of the host's lies in an image, whose own place reads as /
  for (const inside of [upper, path])
    if (image === null && liesIn(root, inside))
      throw new NsError(`cannot use ${show(inside)} ${what}: it lies in NEWROOT`);
  return { upper, work: takeWork(spec, facts, identity, upper, given) };
}

const isPlain = ({ mounts, rootfs }: Spec, { kernel }: Facts): boolean =>
  mounts.length === 0 &&
  rootfs.lower.length === 0 &&
  rootfs.changes === null &&
  (!rootfs.readOnly || kernel.mountSetattr);

/**
 * Finds everything.
 * @param root a descriptor of NEWROOT
 * @param wait how to wait for what a --file is made of
 * @throws NsError when something is not there or cannot be used; nothing is left then
 */
export function findSources(
  spec: Spec,
  facts: Facts,
  root: number,
  identity: Identity | null,
  wait: Wait = (descriptor) => poll([descriptor], -1),
): Sources {
  const dev = findDev(spec, facts, root, identity);
  const sys = findSys(spec, root);
  if (isPlain(spec, facts)) return { ...NO_SOURCES, dev, sys };
  const mounts: Found[][] = [];
  try {
    for (const mount of spec.mounts) mounts.push(sourcesOf(mount, facts, wait));
    const below = facts.kernel.mountSetattr ? [] : mountsBelow(root);
    return {
      mounts,
      root: [
        { path: absolute(spec.root), isDirectory: true, descriptor: null, size: 0, below },
        ...spec.rootfs.lower.map((path) => findDirectory(path, facts, "below NEWROOT")),
      ],
      changes: changesOf(spec, facts, root, identity),
      dev,
      sys,
    };
  } catch (error) {
    closeSources({ ...NO_SOURCES, mounts });
    throw error;
  }
}

/** The descriptors that the child inherits. */
export const inheritedOf = (sources: Sources): number[] =>
  sources.mounts.flatMap((found) => found.flatMap(({ descriptor }) => descriptor ?? []));

/** Closes what the child has inherited by now. */
export function closeSources(sources: Sources): void {
  if (sources.mounts.length > 0) for (const fd of inheritedOf(sources)) close(fd);
}

/** What a plan that is only shown takes from the host: names as they are typed. */
export function assumeSources(spec: Spec, facts: Facts, identity: Identity | null = null): Sources {
  const found = (path: Bytes, isDirectory = true): Found => ({
    ...{ path, isDirectory, descriptor: null, size: 0, below: [] },
  });
  const { changes, lower } = spec.rootfs;
  return {
    mounts: spec.mounts.map((mount) => {
      if (mount.type === "overlay") return mount.lower.map((path) => found(path));
      if (mount.type === "file") return [{ ...found(mount.target, false), descriptor: mount.descriptor }];
      return mount.type === "bind" ? [found(mount.source)] : [];
    }),
    root: [found(spec.root), ...lower.map((path) => found(path))],
    changes:
      changes?.to === "directory"
        ? {
            upper: changes.upper,
            work: { path: changes.work ?? `${changes.upper}.ns-work`, isOwn: true, lock: -1 },
          }
        : null,
    ...assumeDevices(spec, facts, identity),
  };
}
