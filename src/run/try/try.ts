/** `ns try`: a run whose changes of the root go to a directory of their own, and are told when it is over. */
import { createExport, type Export, type View } from "../../host/changes/export.ts";
import { createApply } from "../../host/changes/apply.ts";
import { type Change, type Layer, walkChanges } from "../../host/changes/walk.ts";
import {
  keepScratch,
  makeKept,
  makeScratch,
  removeScratch,
  rescueScratch,
  type Scratch,
  UPPER,
} from "../../host/changes/scratch.ts";
import { probe } from "../../host/facts.ts";
import { findIdentity } from "../../host/identity.ts";
import { ownerOf } from "../../host/work.ts";
import { NsError, usageError } from "../../spec/error.ts";
import type { IdRange } from "../../spec/ids.ts";
import type { Facts, Spec } from "../../spec/spec.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import { AT_EMPTY_PATH, O, OPEN_TREE } from "../../sys/constants.ts";
import { errnoText } from "../../sys/errno.ts";
import { close, open, workingDirectory } from "../../sys/file.ts";
import { type Inode, inodeOf } from "../../sys/inode.ts";
import { call, scratch as withMemory } from "../../sys/kernel.ts";
import type { Ended } from "../end.ts";
import { type RunOptions, run } from "../start.ts";

/** overflowuid and overflowgid, unless somebody has set others (proc_sys_kernel(5)) */
const OVERFLOW_ID = 65534;

export interface TryOptions extends Required<Pick<RunOptions, "progress" | "status">> {
  /** a directory to make and leave, whose `upper` holds the changes; null: they are gone afterwards */
  readonly keep: Bytes | null;
  /** a file to make, a layer of an OCI image; null: none */
  readonly export: Bytes | null;
  /** make the changes in ROOT, if init has ended with 0 */
  readonly apply: boolean;
  /** told of each change when init has ended, in the order of the names */
  readonly onChange: (change: Change) => void;
  /** told before them how init has ended */
  readonly onEnded: (ended: Ended) => void;
  /** told after them how many directories lie too deep to be looked at, and how many sockets are not in the file */
  readonly onListed: (tooDeep: number, sockets: number) => void;
}

/** An overlay is what this command makes itself. @throws NsError (usage) for what does not go with it */
function checkSpec({ rootfs, ids, user }: Spec, facts: Facts): void {
  if (rootfs.image !== null || rootfs.lower.length > 0 || ids.idmapRoot)
    throw usageError("ns try needs ROOT to be one directory, as it is: no --image, --idmap-root or A:B");
  if (user !== null && "join" in user)
    throw usageError("ns try cannot use another's user namespace (--userns)");
  if (user === null || facts.uid === 0) return;
  const own = "uid" in user || ("map" in user && user.map === "keep");
  if (!own)
    throw new NsError("ns try cannot look at what other ids have written as an ordinary user", {
      note: "give the container no ids but yours: -u or --map=keep",
    });
}

/** What `upper` has to be like to be the container's /. */
function likeRoot(spec: Spec, facts: Facts, root: number): Pick<Inode, "mode" | "uid" | "gid"> {
  const inode = inodeOf(root, "");
  if (typeof inode === "number")
    throw new NsError(`cannot use the root ${show(spec.root)}: ${errnoText(-inode)}`, { errno: -inode });
  if (spec.user === null) return inode;
  const [uid, gid] = ownerOf(spec, findIdentity(spec, facts, root));
  return { mode: inode.mode, uid, gid };
}

/** The root without what is mounted below it, as overlayfs sees it; who may not have that has nothing mounted there. */
function lowerOf(root: number): number {
  const { OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC } = OPEN_TREE;
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  const tree = withMemory((memory) => call("open_tree", root, memory.placeString(""), flags));
  return tree < 0 ? open(".", O.O_PATH | O.O_DIRECTORY, root) : tree;
}

function absolute(path: Bytes): Bytes {
  const here = path.startsWith("/") ? "" : workingDirectory();
  if (typeof here === "number")
    throw new NsError(`cannot find where ${show(path)} is to be: ${errnoText(-here)}`, { errno: -here });
  return here === "" ? path : `${here}/${path}`;
}

const prefixOf = ({ user }: Spec): Layer["prefix"] => (user === null ? "trusted.overlay." : "user.overlay.");

/** How the container sees owners (user_namespaces(7)): who has no id inside is the overflow id. */
function viewOf(spec: Spec, facts: Facts, root: number): View {
  const { user } = spec;
  const one = (outside: number): IdRange[] => [{ inside: 0, outside, count: 1 }];
  const maps =
    user !== null && "uid" in user
      ? { uids: one(user.uid), gids: one(user.gid) }
      : findIdentity(spec, facts, root)?.maps;
  const inside = (ranges: readonly IdRange[] | undefined) => (id: number) => {
    if (ranges === undefined) return id;
    const range = ranges.find(({ outside, count }) => id >= outside && id < outside + count);
    return range === undefined ? OVERFLOW_ID : id - range.outside + range.inside;
  };
  return { uid: inside(maps?.uids), gid: inside(maps?.gids), mapped: user !== null, prefix: prefixOf(spec) };
}

/** Tells the changes, and writes them to the file. */
function listChanges(
  spec: Spec,
  { upper, before }: Scratch,
  root: number,
  file: Export | null,
  { onChange, onListed, apply }: TryOptions,
): void {
  const lower = lowerOf(root);
  const layer: Layer = { upper, before, prefix: prefixOf(spec), root: lower };
  try {
    const tooDeep = walkChanges(layer, (change) => {
      onChange(change);
      file?.add(change);
    });
    if ((file !== null || apply) && tooDeep > 0)
      throw new NsError(
        `cannot ${apply ? "apply" : "export"} ${tooDeep} directories: they lie too deep to have a path`,
      );
    onListed(tooDeep, file?.finish() ?? 0);
  } finally {
    close(lower);
  }
}

/**
 * Makes the changes in the root. What cannot be made leaves the directory for changes, so that nothing is lost.
 * @throws NsError
 */
function applyChanges(spec: Spec, scratch: Scratch, root: number): void {
  const { upper, before } = scratch;
  const lower = lowerOf(root);
  const prefix = prefixOf(spec);
  const apply = createApply(root, prefix);
  try {
    walkChanges({ upper, before, prefix, root: lower }, apply.add);
    apply.finish();
  } catch (error) {
    if (!(error instanceof NsError)) throw error;
    throw new NsError(error.message, {
      ...(error.errno === undefined ? {} : { errno: error.errno }),
      note: `${show(spec.root)} has some of the changes now; all of them are in ${show(`${rescueScratch(scratch)}/${UPPER}`)}`,
    });
  } finally {
    close(lower);
  }
}

/**
 * Runs a container whose changes go to a directory of their own.
 * @throws NsError when init could not be started (nothing is left then), or the changes cannot be told
 */
export function tryRun(spec: Spec, options: TryOptions): Ended {
  const facts = probe();
  checkSpec(spec, facts);
  const root = open(spec.root, O.O_PATH | O.O_DIRECTORY);
  if (root < 0)
    throw new NsError(`cannot use the root ${show(spec.root)}: ${errnoText(-root)}`, { errno: -root });
  let scratch: Scratch | null = null;
  let kept = false;
  let file: Export | null = null;
  try {
    if (options.export !== null) file = createExport(absolute(options.export), viewOf(spec, facts, root));
    const like = likeRoot(spec, facts, root);
    const wanted = { like, searchable: facts.uid === 0 && spec.user !== null };
    scratch =
      options.keep === null ? makeScratch(facts.uid, wanted) : makeKept(absolute(options.keep), wanted);
    const { progress, status } = options;
    const changes = { to: "directory", upper: `${scratch.path}/${UPPER}`, work: null, alone: true } as const;
    const ended = run(
      { ...spec, rootfs: { ...spec.rootfs, readOnly: false, changes } },
      { progress, status },
    );
    // from here on there is something to keep, even if it cannot be told
    kept = options.keep !== null;
    options.onEnded(ended);
    listChanges(spec, scratch, root, file, options);
    if (options.apply && ended.status === 0) {
      kept = true;
      applyChanges(spec, scratch, root);
      kept = options.keep !== null;
    }
    return ended;
  } finally {
    close(root);
    file?.end();
    if (scratch !== null) {
      if (kept) keepScratch(scratch);
      else dispose(scratch);
    }
  }
}

/** @throws NsError when something of it is left */
function dispose(scratch: Scratch): void {
  const result = removeScratch(scratch);
  if (result < 0)
    throw new NsError(`cannot remove all of ${show(scratch.path)}: ${errnoText(-result)}`, {
      errno: -result,
    });
}
