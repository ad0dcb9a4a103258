/** What he who is inside has of the host's privileges, as the kernel tells it. */
import { ALWAYS, type Attack, op, PROFILED, resultOf, tellsFile, tellsResult } from "./attack.ts";

const PR_GET_NO_NEW_PRIVS = 39;

/** A line of /proc/PID/status. */
const line = (status: string, name: string): string =>
  new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "";

/** Whom uid 0 or whoever it is is outside, by the lines of a uid_map behind the status. */
function uidOutside(output: string): number | null {
  const uid = Number(line(output, "Uid"));
  const map = output.slice(output.lastIndexOf("\n", output.search(/^ *\d+ +\d+ +\d+$/m)) + 1);
  for (const [, inside, outside, count] of map.matchAll(/^ *(\d+) +(\d+) +(\d+)$/gm))
    if (uid >= Number(inside) && uid < Number(inside) + Number(count))
      return uid - Number(inside) + Number(outside);
  return null;
}

export const privileges = (): Attack[] => [
  {
    name: "real-root",
    does: "be root outside for every file and switch that only asks for uid 0",
    closes: "-u, with ids that own nothing on the host",
    promised: ["user"],
    ops: (_, room) => [...tellsFile(room, "/proc/self/status"), ...tellsFile(room, "/proc/self/uid_map")],
    judge: (output) => uidOutside(output) === 0,
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
