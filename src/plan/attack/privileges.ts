/** What he who is inside has of the host's privileges, as the kernel tells it. */
import { ALWAYS, type Attack, op, PROFILED, resultOf, tellsFile, tellsId, tellsResult } from "./attack.ts";

const PR_GET_NO_NEW_PRIVS = 39;

/** A line of /proc/PID/status. */
const line = (status: string, name: string): string =>
  new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "";

const STATX = 256;
const OWNER_AT = 20;
/** What the kernel calls an owner who is not in the user namespace. */
const NOBODY = 65534;

/**
 * Is whoever this is uid 0 outside of all user namespaces? He owns /proc/version then. Where he is called nobody that cannot
 * be told apart, but his map says whom he is to the next one.
 */
function isRealRoot(output: string): boolean {
  const status = output.slice(STATX);
  const uid = Number(line(status, "Uid"));
  const owner = output.charCodeAt(OWNER_AT) + output.charCodeAt(OWNER_AT + 1) * 256;
  if (uid !== NOBODY) return uid === owner;
  for (const [, inside, outside, count] of status.matchAll(/^ *(\d+) +(\d+) +(\d+)$/gm))
    if (uid >= Number(inside) && uid < Number(inside) + Number(count))
      return uid - Number(inside) + Number(outside) === 0;
  return false;
}

export const privileges = (): Attack[] => [
  {
    name: "real-root",
    does: "be root outside for every file and switch that only asks for uid 0",
    closes: "-u, with ids that own nothing on the host",
    promised: ["user"],
    ops: (_, room) => [
      ...tellsId(room, "/proc/version"),
      ...tellsFile(room, "/proc/self/status"),
      ...tellsFile(room, "/proc/self/uid_map"),
    ],
    judge: isRealRoot,
  },
  {
    name: "capabilities",
    does: "use capabilities that the profile and the options do not give",
    closes: "no option is needed: ns takes them",
    promised: ALWAYS,
    ops: (_, room) => tellsFile(room, "/proc/self/status"),
    judge: (output, { capabilities }) =>
      ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].some(
        (set) => (BigInt(`0x${line(output, set) || "0"}`) & ~capabilities) !== 0n,
      ),
  },
  {
    name: "new-privileges",
    does: "gain privileges by a set-user-ID program of the root",
    closes: "--no-new-privs",
    promised: PROFILED,
    ops: (_, room) => [
      { ...op("prctl", PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), save: "set" },
      ...tellsResult("set", room),
    ],
    judge: (output) => resultOf(output) === 0,
  },
  {
    name: "system-calls",
    does: "use all of the kernel's system calls",
    closes: "--profile=app, or --seccomp",
    promised: PROFILED,
    ops: (_, room) => tellsFile(room, "/proc/self/status"),
    judge: (output) => line(output, "Seccomp") === "0",
  },
];
