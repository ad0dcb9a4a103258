/**
 * What a frozen start takes from the host for its mounts (host/sources.ts finds that for others). The parent sees to it first
 * that it is there; the child takes it by its name, because a descriptor of the parent's is of other mounts.
 */
import type { Found, Sources } from "../../spec/mounts.ts";
import type { Spec } from "../../spec/spec.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import { AT_FDCWD, O } from "../../sys/constants.ts";
import { type Op, type Place, slot } from "../op.ts";

const unseen = (path: Bytes): Found => ({
  ...{ path, isDirectory: null, descriptor: null, size: 0, below: [] },
});

/** All that will be looked at when it starts. */
export const frozenSources = ({ mounts, root, rootfs }: Spec): Pick<Sources, "mounts" | "root"> => ({
  mounts: mounts.map((mount) => {
    if (mount.type === "overlay") return mount.lower.map(unseen);
    return mount.type === "bind" ? [unseen(mount.source)] : [];
  }),
  root: [root, ...rootfs.lower].map(unseen),
});

const isRelative = (path: Bytes): boolean => !path.startsWith("/");

/** What leads from where it is started. */
const relativeOf = ({ mounts, rootfs }: Spec): Bytes[] =>
  [
    ...rootfs.lower,
    ...mounts.flatMap((mount) => {
      if (mount.type === "overlay") return mount.lower;
      return mount.type === "bind" ? [mount.source] : [];
    }),
  ].filter(isRelative);

/** A slash at its end makes the kernel find a directory or nothing. */
const mustBeThere = (path: Bytes, what: string, directory: boolean): Op => ({
  call: "faccessat",
  args: [AT_FDCWD, directory ? `${path}/` : path, 0],
  step: `use ${show(path)} ${what}`,
});

const START = "find the working directory";

/**
 * Before anything is made; the working directory is the starter's.
 * @param start empty memory of that size for its name
 */
export function lookAtSources(spec: Spec, start: Place, size: number): Op[] {
  return [
    ...spec.mounts.flatMap((mount) => {
      if (mount.type === "overlay")
        return mount.lower.map((path) => mustBeThere(path, "in an overlay", true));
      if (mount.type !== "bind" || mount.optional) return [];
      return [mustBeThere(mount.source, "as a bind's source", false)];
    }),
    ...spec.rootfs.lower.map((path) => mustBeThere(path, "below NEWROOT", true)),
    ...(relativeOf(spec).length === 0
      ? []
      : [{ call: "getcwd", args: [start, size], step: START } satisfies Op]),
  ];
}

/** The child's way to where it was started, in its own mounts; its working directory stays. */
export function openStart(spec: Spec, start: Place): Op[] {
  if (relativeOf(spec).length === 0) return [];
  const step = START;
  const here = (save: "here" | "start"): Op => ({
    call: "openat",
    args: [AT_FDCWD, ".", O.O_PATH | O.O_DIRECTORY | O.O_CLOEXEC, 0],
    step,
    save,
  });
  return [
    here("here"),
    { call: "chdir", args: [start], step },
    here("start"),
    { call: "fchdir", args: [slot("here")], step },
    { call: "close", args: [slot("here")], step },
  ];
}

/** Before anything is done in the new root. */
export const closeStart = (spec: Spec): Op[] =>
  relativeOf(spec).length === 0 ? [] : [{ call: "close", args: [slot("start")], step: START }];
