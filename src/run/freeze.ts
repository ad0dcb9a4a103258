/**
 * Freezes a start: the plan of a container, the parent's side included, as one small static executable that needs neither ns
 * nor a C library. The command `ns freeze` calls it; docs/frozen.md says what such a file does.
 */
import { assumeDevices } from "../host/dev.ts";
import { findIdentity } from "../host/identity.ts";
import { idMaps } from "../host/idmap.ts";
import { networkFile } from "../host/netns.ts";
import { FROZEN_FACTS } from "../plan/frozen/facts.ts";
import { frozenSources } from "../plan/frozen/sources.ts";
import { showOps } from "../plan/show.ts";
import type { Op } from "../plan/op.ts";
import { NsError, usageError } from "../spec/error.ts";
import { NO_SOURCES, type Sources } from "../spec/mounts.ts";
import { makesUser, type Spec } from "../spec/spec.ts";
import { type Bytes, bytesOf, show } from "../sys/bytes.ts";
import { aloneFile, alonePlaces } from "../sys/elf-alone.ts";
import { access } from "../sys/file.ts";
import { type MachineName, machineNamed } from "../sys/machines.ts";
import { checkCapabilities, checkDevices } from "./check-security.ts";
import { checkMounts } from "./check-mounts.ts";
import { compileFilter } from "./filter.ts";
import { branchesOf } from "./frozen/branches.ts";
import { layOut, MAGIC, TEXTS_AT } from "./frozen/layout.ts";
import { refuseUnfreezable } from "./frozen/refuse.ts";
import { checkLimits } from "./limits.ts";

/** Machine code of the launcher. */
export interface Code {
  readonly code: Uint8Array;
  readonly entry: number;
}

export interface FreezeOptions {
  /** the machine that the file is for, and the launcher's code for it (machineFor() in frozen/targets.ts) */
  readonly machine: { readonly name: MachineName; readonly isOther: boolean; readonly code: Code };
  /** what the file says it was made by */
  readonly version: string;
}

const nativeMachine = process.arch === "arm64" ? "arm64" : "x64";

const mapsOf = (spec: Spec, identity: ReturnType<typeof findIdentity>) =>
  spec.user === null || !makesUser(spec)
    ? []
    : idMaps("PID", spec.user, identity, FROZEN_FACTS).map((step) => {
        if ("program" in step) throw usageError("this map cannot be frozen: another program makes it");
        return { file: step.path.slice("/proc/PID/".length), content: step.content };
      });

/** What `--ns-show` prints: who makes which call. */
function showParts(version: string, parts: { parent: Op[]; child: Op[]; pre: Op[]; watcher: Op[] }): Bytes {
  const part = (who: string, ops: readonly Op[]) => showOps(ops).map((text) => `${who.padEnd(5)} ${text}`);
  const lines = [
    version,
    ...part("ns", parts.parent),
    ...part("init", parts.child),
    ...part("pre", parts.pre),
    ...part("watch", parts.watcher),
  ];
  return bytesOf(`${lines.join("\n")}\n`);
}

/** Does the filter fit the machine? It holds the numbers of one machine's calls. */
function filterFor(spec: Spec, name: MachineName): Uint8Array | null {
  const filter = compileFilter(spec, FROZEN_FACTS);
  if (filter === null || name === nativeMachine) return filter;
  throw usageError(
    `a seccomp filter (--profile, --seccomp) cannot be frozen for ${name} here: freeze it there`,
  );
}

/** What it takes from the host; what becomes of /dev and /sys is by what NEWROOT has now, and one that is not there gets a fresh /dev. */
function sourcesOf(spec: Spec, identity: ReturnType<typeof findIdentity>): Sources {
  const isThere = access(spec.root, 0) === 0;
  if (spec.security.dev === "keep" && spec.user === null && !isThere)
    throw usageError(`--dev=keep cannot be frozen: ${show(spec.root)} is not there to be looked at`);
  return { ...NO_SOURCES, ...frozenSources(spec), ...assumeDevices(spec, FROZEN_FACTS, identity) };
}

/** A name or a process's id as the file that it stands for. */
function withNetworkFile(spec: Spec): Spec {
  const { joinNet } = spec.namespaces;
  if (joinNet === null) return spec;
  return { ...spec, namespaces: { ...spec.namespaces, joinNet: networkFile(joinNet) } };
}

/**
 * The file's content. Looked up on this host are what NEWROOT has as /dev and /sys, and where its cgroups are, for limits.
 * @throws NsError for what cannot be frozen
 */
export function freeze(given: Spec, { machine, version }: FreezeOptions): Uint8Array {
  const spec = withNetworkFile(given);
  refuseUnfreezable(spec);
  checkDevices(spec, FROZEN_FACTS);
  checkLimits(spec.limits);
  checkMounts(spec, FROZEN_FACTS);
  const { name, isOther } = machine;
  const identity = findIdentity(spec, FROZEN_FACTS, -1);
  checkCapabilities(spec, FROZEN_FACTS, identity);
  const { code, entry } = machine.code;
  const abi = machineNamed(name);
  const sources = sourcesOf(spec, identity);
  const line = bytesOf(`frozen by ${version} for ${name}\n`);
  const frozen = {
    ...{
      spec,
      identity,
      filter: filterFor(spec, name),
      sources,
      branches: branchesOf(spec, !isOther),
    },
    ...{ maps: mapsOf(spec, identity), version: line },
  };
  try {
    const data = layOut(frozen, abi, alonePlaces(code.length), (parts) => showParts(line.trimEnd(), parts));
    return aloneFile(code, entry, abi, data);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new NsError(`all that is to be frozen is too much for one file: ${error.message}`, {
      note: "give fewer mounts or arguments",
    });
  }
}

const WORD = 8;
const ELF_HEADER = 64;
const SECOND_SEGMENT = { 1: 32 + 52, 2: 56 + 64 } as const;

/** What a frozen file would print for `--ns-show`, without running it; null: it is no frozen file. */
export function showFrozen(file: Uint8Array): Bytes | null {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const kind = file[4];
  if (file.length < 4 * ELF_HEADER || view.getUint32(0, true) !== 0x464c457f || (kind !== 1 && kind !== 2))
    return null;
  const at = SECOND_SEGMENT[kind];
  const [offset, address] =
    kind === 2
      ? [view.getUint32(at + 8, true), view.getUint32(at + 16, true)]
      : [view.getUint32(at + 4, true), view.getUint32(at + 8, true)];
  const bytes = (from: number, size: number): Bytes =>
    from + size > file.length ? "" : String.fromCharCode(...file.subarray(from, from + size));
  if (bytes(offset + WORD, MAGIC.length) !== MAGIC) return null;
  const place = view.getUint32(offset + TEXTS_AT, true) - address + offset;
  let out = "";
  for (let done = 0, size = view.getUint32(offset + TEXTS_AT + 4, true); done < size; done += 4096)
    out += bytes(place + done, Math.min(4096, size - done));
  return out;
}

/** What is said of a file that is no frozen one. */
export const notFrozen = (path: Bytes): NsError => new NsError(`${show(path)} is no file that ns has frozen`);
