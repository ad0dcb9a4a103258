/** Attacks on what runs outside: processes, System V and POSIX IPC, the network, the host's name. */
import { AF_UNIX, CLONE, O, SOCK } from "../../sys/constants.ts";
import { type Bytes, bufferOf } from "../../sys/bytes.ts";
import {
  ALWAYS,
  type Attack,
  type AttackOp,
  type Bait,
  op,
  opens,
  slot,
  tells,
  tellsFile,
  tellsLink,
} from "./attack.ts";

const PTRACE_SEIZE = 0x4206;
const AF_PACKET = 17;
const ETH_P_ALL = 0x0300; // in the network's order
const WHOLE_NAMES = 1000;
const noOption = "no option is needed: ns gives it a pid namespace";
const NETWORK = "--net=none, or another network of its own";

/** Is the process of this number in the container that of the caller outside? */
const isOurs = (output: Bytes, { commandLine }: Bait): boolean => output === commandLine;

const onProcess = (name: string, does: string, ops: (pid: number) => AttackOp[]): Attack => ({
  ...{ name, does, closes: noOption, promised: ALWAYS, judge: isOurs },
  ops: ({ pid }, room) => [...ops(pid), ...tellsFile(room, `/proc/${pid}/cmdline`, "ENOENT")],
});

/** A socket's address: AF_UNIX, and a name that begins with a 0 byte (unix(7)). */
const abstract = (name: Bytes): Uint8Array => bufferOf(`${String.fromCharCode(AF_UNIX)}\0\0${name}`);

export const outside = (): Attack[] => [
  onProcess("processes", "see the processes outside", () => []),
  onProcess("signals", "signal a process outside", (pid) => [{ ...op("kill", pid, 0), held: ["ESRCH"] }]),
  onProcess("trace", "trace a process outside", (pid) => [
    { ...op("ptrace", PTRACE_SEIZE, pid, 0, 0), held: ["ESRCH"] },
  ]),
  onProcess("memory", "read the memory of a process outside", (pid) => [
    opens(`/proc/${pid}/mem`, O.O_RDONLY, "ENOENT"),
  ]),
  {
    name: "namespaces",
    does: "enter the namespaces of a process outside",
    closes: noOption,
    promised: ALWAYS,
    ops: ({ pid }, room) => [
      opens(`/proc/${pid}/cmdline`, O.O_RDONLY, "ENOENT"),
      ...tells(room),
      opens(`/proc/${pid}/ns/mnt`, O.O_RDONLY, "ENOENT"),
      { ...op("setns", slot("file"), CLONE.CLONE_NEWNS), held: ["EINVAL"] },
    ],
    judge: isOurs,
  },
  {
    name: "shared-memory",
    does: "use the host's System V shared memory",
    closes: "leave out --share=ipc",
    promised: ALWAYS,
    ops: ({ segment }) =>
      segment === null
        ? "this kernel has no System V IPC"
        : [{ ...op("shmget", segment, 4096, 0), held: ["ENOENT"] }],
  },
  {
    name: "message-queues",
    does: "use the host's POSIX message queues",
    closes: "leave out --share=ipc",
    promised: ALWAYS,
    ops: ({ queue }) =>
      queue === null
        ? "this kernel has no message queues"
        : [{ ...op("mq_open", queue, O.O_RDONLY, 0, 0), held: ["ENOENT"] }],
  },
  {
    name: "hostname",
    does: "change the host's name",
    closes: "leave out --share=uts",
    promised: ALWAYS,
    ops: (_, room) => [
      { ...op("sethostname", "", WHOLE_NAMES), fine: ["EINVAL"] },
      ...tellsLink(room, "/proc/self/ns/uts"),
    ],
    judge: (output, { uts }) => output === uts,
  },
  {
    name: "network",
    does: "use the host's network",
    closes: NETWORK,
    promised: ["strict"],
    ops: (_, room) => tellsLink(room, "/proc/self/ns/net"),
    judge: (output, { network }) => output === network,
  },
  {
    name: "abstract-sockets",
    does: "talk to the host's services by abstract sockets",
    closes: NETWORK,
    promised: ["strict"],
    ops: ({ socket }, room) => {
      if (socket === null) return "no abstract socket could be made";
      const address = abstract(socket);
      return [
        { ...op("socket", AF_UNIX, SOCK.SOCK_STREAM, 0), save: "socket" },
        {
          ...op("connect", slot("socket"), room.bytes(address), address.length),
          held: ["ECONNREFUSED"],
        },
      ];
    },
  },
  {
    name: "packets",
    does: "read the host's network traffic",
    closes: "leave out --cap-add=NET_RAW",
    promised: ALWAYS,
    ops: (_, room) => [
      op("socket", AF_PACKET, SOCK.SOCK_RAW, ETH_P_ALL),
      ...tellsLink(room, "/proc/self/ns/net"),
    ],
    judge: (output, { network }) => output === network,
  },
];
