/** Gives the kernel a program for a cgroup of version 2 (bpf(2)). Linux 4.15 and later have those for devices. */
import { errnoNumber } from "../../../sys/errno.ts";
import { close } from "../../../sys/file.ts";
import { call, scratch } from "../../../sys/kernel.ts";

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
/** others' programs, of cgroups above, go on to hold beside it */
const BPF_F_ALLOW_MULTI = 2;
const LOAD_SIZE = 64;
const ATTACH_SIZE = 16;
const RLIMIT_MEMLOCK = 8;
const NAME = "ns_devices";

/** @returns a descriptor of the program, or -errno */
const load = (instructions: Uint8Array): number =>
  scratch((memory) => {
    const attributes = memory.reserve(LOAD_SIZE);
    memory.clear(attributes, LOAD_SIZE);
    memory.putU32(attributes, BPF_PROG_TYPE_CGROUP_DEVICE);
    memory.putU32(attributes + 4, instructions.length / 8);
    memory.putI64(attributes + 8, memory.placeBuffer(instructions));
    memory.putI64(attributes + 16, memory.placeString("MIT"));
    for (let i = 0; i < NAME.length; i++) memory.putByte(attributes + 48 + i, NAME.charCodeAt(i));
    return call("bpf", BPF_PROG_LOAD, attributes, LOAD_SIZE);
  });

/** Before Linux 5.11 programs count as locked memory: for this one the limit of that is lifted. */
function loadUnlimited(instructions: Uint8Array): number {
  const loaded = load(instructions);
  if (loaded !== -errnoNumber("EPERM")) return loaded;
  return scratch((memory) => {
    const own = memory.reserve(16);
    const unlimited = memory.reserve(16);
    memory.putI64(unlimited, -1);
    memory.putI64(unlimited + 8, -1);
    if (call("prlimit64", 0, RLIMIT_MEMLOCK, unlimited, own) !== 0) return loaded;
    const again = load(instructions);
    call("prlimit64", 0, RLIMIT_MEMLOCK, own, 0);
    return again;
  });
}

/**
 * Attaches the program; the cgroup keeps it.
 * @param directory descriptor of the cgroup
 * @returns 0 or -errno
 */
export function attachProgram(directory: number, instructions: Uint8Array): number {
  const program = loadUnlimited(instructions);
  if (program < 0) return program;
  const result = scratch((memory) => {
    const attributes = memory.reserve(ATTACH_SIZE);
    memory.putU32(attributes, directory);
    memory.putU32(attributes + 4, program);
    memory.putU32(attributes + 8, BPF_CGROUP_DEVICE);
    memory.putU32(attributes + 12, BPF_F_ALLOW_MULTI);
    return call("bpf", BPF_PROG_ATTACH, attributes, ATTACH_SIZE);
  });
  close(program);
  return result;
}
