/**
 * Attacks on the machine by calls that act on all of it, and on the parts of the kernel by which many have got out. Where
 * a call would do something its arguments are such that the kernel, once it has allowed it, finds them wrong.
 */
import { CLONE } from "../../sys/constants.ts";
import { ALWAYS, type Attack, type AttackOp, CONFINED, op, PROFILED, type Setting } from "./attack.ts";

const PROFILE = "-u, or --profile=app";
const FILTER = "--profile=app";
const KEY_SPEC_PROCESS_KEYRING = -2;
const SYSLOG_ACTION_READ_ALL = 3;
const BPF_MAP_CREATE = 0;
const AF_VSOCK = 40;

const words = (...values: number[]): Uint8Array => new Uint8Array(new Uint32Array(values).buffer);

/** @param ops the calls, when there is no memory to be made for them */
const calls = (
  name: string,
  does: string,
  [closes, promised]: readonly [string, readonly Setting[]],
  ops: Attack["ops"],
): Attack => ({ name, does, closes, promised, ops });

const MACHINE = [PROFILE, CONFINED] as const;
const TAKEN = ["leave out the --cap-add that gives it", ALWAYS] as const;
const KERNEL = [FILTER, PROFILED] as const;

/** Allowed, but the arguments are wrong. */
const allowed = (one: AttackOp, ...fine: NonNullable<AttackOp["fine"]>): AttackOp => ({ ...one, fine });

export const machine = (): Attack[] => [
  calls("modules", "load a module into the host's kernel", TAKEN, (_, room) => [
    allowed(op("init_module", room.bytes(words(0, 0)), 8, ""), "ENOEXEC"),
  ]),
  calls("kexec", "start another kernel", MACHINE, () => [allowed(op("kexec_load", 0, 17, 0, 0), "EINVAL")]),
  calls("clock", "set the machine's clock", TAKEN, (_, room) => [
    allowed(op("settimeofday", 0, room.bytes(words(100_000, 0))), "EINVAL"),
  ]),
  calls("accounting", "have the machine's processes accounted to a file", TAKEN, () => [
    allowed(op("acct", "/.ns-prove/none"), "ENOENT"),
  ]),
  calls("swap", "add a swap file", MACHINE, () => [allowed(op("swapon", "/.ns-prove/none", 0), "ENOENT")]),
  calls("ports", "use the machine's I/O ports", TAKEN, () => [op("ioperm", 0x80, 1, 1)]),
  calls("kernel-log", "read the kernel's log", KERNEL, (_, { buffer }) => [
    op("syslog", SYSLOG_ACTION_READ_ALL, buffer, 64),
  ]),
  calls("perf", "watch all processes of a processor (perf_event_open)", MACHINE, (_, room) => {
    const attributes = new Uint8Array(64);
    attributes.set(words(1, 64)); // PERF_TYPE_SOFTWARE, PERF_ATTR_SIZE_VER0; PERF_COUNT_SW_CPU_CLOCK
    return [op("perf_event_open", room.bytes(attributes), -1, 0, -1, 0)];
  }),
  calls("bpf", "use BPF", KERNEL, (_, room) => {
    const attributes = new Uint8Array(72);
    attributes.set(words(2, 4, 8, 1)); // BPF_MAP_TYPE_ARRAY: key, value, entries
    return [op("bpf", BPF_MAP_CREATE, room.bytes(attributes), 72)];
  }),
  calls("io-uring", "use io_uring", KERNEL, (_, room) => [
    op("io_uring_setup", 1, room.bytes(new Uint8Array(120))),
  ]),
  calls("userfaultfd", "stop the kernel at a page fault (userfaultfd)", KERNEL, () => [op("userfaultfd", 0)]),
  calls("keyrings", "add keys to the kernel's keyrings", KERNEL, () => [
    op("add_key", "user", "ns-prove", "x", 1, KEY_SPEC_PROCESS_KEYRING),
  ]),
  calls("vsock", "reach the hypervisor (AF_VSOCK)", KERNEL, () => [
    { ...op("socket", AF_VSOCK, 1, 0), held: ["EAFNOSUPPORT"] },
  ]),
  {
    ...calls("user-namespace", "be root in a user namespace of its own", KERNEL, () => [op("getpid")]),
    flags: CLONE.CLONE_NEWUSER,
  },
];
