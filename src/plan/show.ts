/**
 * Prints ops as strace(1) prints system calls. `--dry-run` and `-v` show them; golden tests compare them.
 */
import { type Bytes, quote } from "../sys/bytes.ts";
import * as k from "../sys/constants.ts";
import type { Arg, Op, Place } from "./op.ts";

type Names = Readonly<Record<string, number>>;
type Shape = Names | "directory" | "signal" | "octal" | "device" | "hex" | "pointer";

const flags = (value: number, names: Names): string => {
  const parts: string[] = [];
  let rest = value >>> 0;
  for (const [name, bit] of Object.entries(names))
    if (bit !== 0 && (rest & bit) === bit) {
      parts.push(name);
      rest &= ~bit;
    }
  if (rest !== 0) parts.push(`0x${(rest >>> 0).toString(16)}`);
  return parts.length === 0 ? "0" : parts.join("|");
};

const CHOICE = Symbol("choice");

/** One of the names, for arguments that are a choice and not a set. */
const choice = (names: Names): Names => Object.assign(Object.create(null), names, { [CHOICE]: true });

const { SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, SIOCADDRT } = k;
const REQUESTS = { SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, SIOCADDRT, ...k.TERMINAL };

/** How to show the numbers among a call's arguments, by position. */
const SHAPES: Partial<Record<Op["call"], readonly (Shape | null)[]>> = {
  mount: ["pointer", null, "pointer", k.MS, "pointer"],
  umount2: [null, k.MNT],
  open_tree: ["directory", null, k.OPEN_TREE],
  move_mount: [null, null, "directory", null, k.MOVE_MOUNT],
  fsopen: [null, k.FSOPEN],
  fsconfig: [null, choice(k.FSCONFIG), "pointer", "pointer"],
  fsmount: [null, k.FSOPEN, k.MOUNT_ATTR],
  openat: ["directory", null, k.O],
  openat2: ["directory"],
  mount_setattr: [null, null, k.OPEN_TREE],
  mkdirat: ["directory", null, "octal"],
  mknodat: ["directory", null, "octal", "device"],
  symlinkat: [null, "directory"],
  unlinkat: ["directory", null, choice({ AT_REMOVEDIR: k.AT_REMOVEDIR })],
  ppoll: [null, null, "pointer", "pointer"],
  umask: ["octal"],
  prctl: [choice(k.PR)],
  seccomp: [choice({ SECCOMP_SET_MODE_FILTER: 1 })],
  keyctl: [choice({ KEYCTL_JOIN_SESSION_KEYRING: 1 }), "pointer"],
  fcntl: [null, choice(k.F)],
  unshare: [k.CLONE],
  close_range: [null, "hex", k.CLOSE_RANGE],
  rt_sigaction: ["signal", null, "pointer"],
  rt_sigprocmask: [choice({ SIG_SETMASK: k.SIG_SETMASK }), null, "pointer"],
  kill: [null, "signal"],
  pidfd_send_signal: [null, "signal", "pointer"],
  socket: [choice({ AF_INET: k.AF_INET }), k.SOCK],
  ioctl: [null, choice(REQUESTS)],
  prlimit64: [null, choice(k.RLIMIT), null, "pointer"],
  setpriority: [choice({ PRIO_PROCESS: k.PRIO_PROCESS })],
  sched_setscheduler: [null, choice(k.SCHED)],
  ioprio_set: [choice({ IOPRIO_WHO_PROCESS: k.IOPRIO_WHO_PROCESS })],
  setgroups: [null, "pointer"],
  setns: [null, k.CLONE],
};

function showNumber(value: number, shape: Shape | null | undefined): string {
  if (shape === null || shape === undefined) return `${value}`;
  if (shape === "pointer") return value === 0 ? "NULL" : `${value}`;
  if (shape === "directory") return value === k.AT_FDCWD ? "AT_FDCWD" : `${value}`;
  if (shape === "octal") return `0${value.toString(8)}`;
  if (shape === "device") return value === 0 ? "0" : `makedev(${value >> 8}, ${value & 255})`;
  if (shape === "hex") return `0x${value.toString(16)}`;
  if (shape === "signal") return k.signalName(value);
  if (CHOICE in shape) return Object.entries(shape).find(([, v]) => v === value)?.[0] ?? `${value}`;
  return flags(value, shape);
}

const showStrings = (strings: readonly (Bytes | Place)[]): string =>
  `[${strings.map((text) => (typeof text === "string" ? quote(text) : text.means)).join(", ")}]`;

function showArg(arg: Arg, shape: Shape | null | undefined): string {
  if (typeof arg === "number") return showNumber(arg, shape);
  if (typeof arg === "string") return quote(arg);
  if ("slot" in arg) return arg.slot;
  if ("filter" in arg) return `{${arg.filter.length / 8} instructions}`;
  if ("strings" in arg) return showStrings(arg.strings);
  if ("task" in arg) return "TASK";
  if ("at" in arg) return arg.means;
  return arg.means === "" ? "buffer" : arg.means;
}

/** The call alone: `mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`. */
export function showOp(op: Op): string {
  const shapes = SHAPES[op.call];
  const text = `${op.call}(${op.args.map((arg, i) => showArg(arg, shapes?.[i])).join(", ")})`;
  if (op.call === "jump" && op.onlyIf !== undefined) return `${text} if ${op.onlyIf}`;
  return op.save === undefined ? text : `${op.save} = ${text}`;
}

/** The calls, one a line; those of a task that one of them starts behind it, indented. */
export const showOps = (ops: readonly Op[]): string[] =>
  ops.flatMap((op) => [
    showOp(op),
    ...op.args.flatMap((arg) =>
      typeof arg === "object" && "task" in arg ? showOps(arg.task).map((text) => `  ${text}`) : [],
    ),
  ]);

/** clone(2) with its namespaces. */
export const showClone = (cloneFlags: number): string => `clone(${flags(cloneFlags, k.CLONE)}|SIGCHLD)`;

/** All that the child does: in ns's memory, then in its own program. */
export const showChild = (enter: readonly Op[], main: readonly Op[]): string[] => [
  ...showOps(enter),
  'execveat(PROGRAM, "", ["ns"], [], AT_EMPTY_PATH)',
  ...showOps(main),
];
