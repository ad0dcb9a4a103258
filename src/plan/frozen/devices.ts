/**
 * Which devices may be opened in a frozen start: the list of version 1 that is written to the run's cgroup, or the program
 * of version 2 that is attached to it. Used by cgroup.ts; run/frozen/branches.ts decides.
 */
import type { Bytes } from "../../sys/bytes.ts";
import { AT_FDCWD, O } from "../../sys/constants.ts";
import { type Op, type Place, slot } from "../op.ts";
import { type BranchPlace, type FrozenBranch, isLeftOut, isRestricted, type ProgramPlace } from "./branch.ts";
import { whenever } from "./jump.ts";
import { handOn } from "./search.ts";

/** Where the processes are whose devices are restricted: root inside could lift that in the one that it sees as its own. */
export const INSIDE = "inside";

const STEP = "restrict devices (--cgroup none freezes without that)";

/** bpf(2) */
const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
export const LOAD_SIZE = 64;
const INSTRUCTION = 8;
const PROGRAM_NAME = "ns_devices";

/** Writes a file that is named below a directory. @param directory descriptor, or AT_FDCWD */
export function writeTo(directory: number, path: Bytes | Place, content: string, step: string): Op[] {
  return [
    {
      call: "openat",
      args: [directory, path, O.O_WRONLY | O.O_CLOEXEC, 0],
      step,
      save: "file",
    },
    { call: "write", args: [slot("file"), content, content.length], step },
    { call: "close", args: [slot("file")], step },
  ];
}

/** The same with a file that may be missing or refuse it: then what is opened is /dev/null. */
export function writeOptional(directory: number, path: Bytes, content: string, step: string): Op[] {
  const [open, ...rest] = writeTo(directory, path, content, step);
  return [
    { ...open!, fine: ["ENOENT"], skipNext: true },
    { ...open!, args: [AT_FDCWD, "/dev/null", O.O_WRONLY | O.O_CLOEXEC, 0] },
    ...rest,
  ];
}

/**
 * Opens a directory or file under a number that is known; if that is not the starter's to do, something in its place.
 * @param instead what is opened then
 */
export function openAs(branch: FrozenBranch, open: Op, instead: Bytes): Op[] {
  if (!isLeftOut(branch)) return [open];
  const [, , flags] = open.args;
  return [
    { ...open, onlyIf: "privileged", skipNext: true },
    { ...open, args: [AT_FDCWD, instead, flags!, 0] },
  ];
}

/** Is the starter one who may mount? A context of a file system is given to nobody else. */
export const askPrivilege = (): Op[] => {
  const step = "find what this process may do";
  const CLOEXEC = 1;
  return [
    { call: "fsopen", args: ["tmpfs", CLOEXEC], step, save: "privileged", fine: ["EPERM"] },
    { call: "close", args: [slot("privileged")], step, onlyIf: "privileged" },
  ];
};

/** What bpf(2) is given to load a program (union bpf_attr; its addresses have 64 bits everywhere). */
export function loadAttributes(program: Uint8Array, instructions: number, license: number): Uint8Array {
  const bytes = new Uint8Array(LOAD_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, BPF_PROG_TYPE_CGROUP_DEVICE, true);
  view.setUint32(4, program.length / INSTRUCTION, true);
  view.setUint32(8, instructions, true);
  view.setUint32(16, license, true);
  for (let i = 0; i < PROGRAM_NAME.length; i++) bytes[48 + i] = PROGRAM_NAME.charCodeAt(i);
  return bytes;
}

function attach({ lock, program }: BranchPlace, load: Place): Op[] {
  const attributes = new Uint32Array([lock, program, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI]);
  const means = `{${lock}, ${program}, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI}`;
  return [
    { call: "bpf", args: [BPF_PROG_LOAD, load, LOAD_SIZE], step: STEP },
    {
      call: "bpf",
      args: [BPF_PROG_ATTACH, { memory: new Uint8Array(attributes.buffer), means }, attributes.byteLength],
      step: STEP,
    },
    { call: "close", args: [program], step: STEP },
  ];
}

/** The list of version 1: all is denied first. */
function writeList(devices: NonNullable<FrozenBranch["devices"]>, lock: number): Op[] {
  const allow: Op[] = devices.map(({ words, isUsual }) => ({
    call: "write",
    args: [slot("file"), words, words.length],
    step: STEP,
    ...(isUsual ? { fine: ["EPERM"] } : {}),
  }));
  const [open, , close] = writeTo(lock, "devices.allow", "", STEP);
  return [...writeTo(lock, "devices.deny", "a", STEP), open!, ...allow, close!];
}

/** @param program where it is told what to load, if it is one */
export function restrict(branch: FrozenBranch, place: BranchPlace, program: ProgramPlace): Op[] {
  if (!isRestricted(branch)) return [];
  const { devices, controllers, version, isRoots } = branch;
  const { lock } = place;
  const ops = devices !== null ? writeList(devices, lock) : attach(place, program!);
  return [
    ...(isRoots && !isLeftOut(branch) ? whenever("privileged", ops) : ops),
    { call: "mkdirat", args: [lock, INSIDE, 0o755], step: STEP },
    // for those who make cgroups of their own inside
    ...(version === 2 && controllers.length > 0
      ? writeOptional(lock, "cgroup.subtree_control", handOn(controllers), STEP)
      : []),
  ];
}
