/** Attacks on what must not cross over from the caller: descriptors, the working directory, environment, groups, keys. */
import { O } from "../../sys/constants.ts";
import {
  ALWAYS,
  type Attack,
  type Bait,
  fileId,
  op,
  opens,
  resultOf,
  slot,
  tellsFile,
  tellsId,
  tellsIdOf,
  tellsResult,
} from "./attack.ts";

const KEYCTL_GET_KEYRING_ID = 0;
const KEY_SPEC_SESSION_KEYRING = -3;
const TIOCSTI = 0x5412;

/** Names in a buffer of getdents64(2). */
function namesIn(entries: string): string[] {
  const names: string[] = [];
  for (let at = 0; at + 19 < entries.length; ) {
    const size = entries.charCodeAt(at + 16) + entries.charCodeAt(at + 17) * 256;
    if (size === 0) break;
    names.push(entries.slice(at + 19, entries.indexOf("\0", at + 19)));
    at += size;
  }
  return names;
}

/** Descriptors above 2 that nobody has asked for; one more is that of the listing itself. */
const extraDescriptors = (output: string, { passed }: Bait): number =>
  namesIn(output).filter((name) => Number(name) > 2 && !passed.includes(Number(name))).length - 1;

const closing = "no option is needed: ns does not let it in";

export const crossing = (): Attack[] => [
  {
    name: "descriptors",
    does: "use a file or directory that the caller had open (CVE-2016-9962, CVE-2024-21626)",
    closes: closing,
    promised: ALWAYS,
    ops: (_, { buffer }) => [
      opens("/proc/self/fd", O.O_RDONLY | O.O_DIRECTORY),
      { ...op("getdents64", slot("file"), buffer, 16384), save: "size" },
      op("write", 1, buffer, slot("size")),
    ],
    judge: (output, bait) => extraDescriptors(output, bait) > 0,
  },
  {
    name: "working-directory",
    does: "start from a working directory outside of the root (CVE-2024-21626)",
    closes: closing,
    promised: ALWAYS,
    ops: (_, { buffer }) => [
      { ...op("getcwd", buffer, 4096), save: "size" },
      op("write", 1, buffer, slot("size")),
    ],
    judge: (output) => output.startsWith("(unreachable)"),
  },
  {
    name: "environment",
    does: "read the caller's environment",
    closes: "leave out --keep-env",
    promised: ALWAYS,
    ops: ({ environment }, room) =>
      environment.length === 0 ? "the caller has no environment" : tellsFile(room, "/proc/self/environ"),
    judge: (output, { environment }) => output.split("\0").some((pair) => environment.includes(pair)),
  },
  {
    name: "groups",
    does: "use the caller's supplementary groups",
    closes: "start it as root",
    promised: ALWAYS,
    excused: ({ dropsGroups }) => !dropsGroups,
    ops: ({ groups }, room) =>
      groups.length === 0 ? "the caller has no supplementary groups" : tellsFile(room, "/proc/self/status"),
    judge(output, { groups, userNamespace }) {
      const inside = (/^Groups:\s*(.*)$/m.exec(output)?.[1] ?? "").trim().split(" ");
      // those that are not mapped are there, but cannot be told apart
      return inside.some((group) => groups.includes(group) || (userNamespace && group === "65534"));
    },
  },
  {
    name: "session-keyring",
    does: "read the keys of the caller's session",
    closes: closing,
    promised: ALWAYS,
    ops: ({ keyring }, room) =>
      keyring === null
        ? "the caller has no session keyring"
        : [
            { ...op("keyctl", KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0), save: "key" },
            ...tellsResult("key", room),
          ],
    judge: (output, { keyring }) => resultOf(output) === keyring,
  },
  {
    name: "executable",
    does: "reach the executable of ns through /proc/1/exe (CVE-2019-5736)",
    closes: closing,
    promised: ALWAYS,
    ops: (_, room) => tellsId(room, "/proc/1/exe"),
    judge: (output, { executable }) => fileId(output) === executable,
  },
  {
    name: "terminal",
    does: "push characters into the caller's terminal (TIOCSTI, CVE-2017-5226)",
    closes: "leave out --tty=no, or redirect standard input",
    promised: ALWAYS,
    ops: ({ terminal }, room) =>
      terminal === null
        ? "standard input is not a terminal"
        : [
            // with a bad address nothing is pushed: that error comes after those that refuse
            { ...op("ioctl", 0, TIOCSTI, 0), fine: ["EFAULT"], held: ["EIO", "ENOTTY"] },
            ...tellsIdOf(room, 0),
          ],
    judge: (output, { terminal }) => fileId(output) === terminal,
  },
  {
    name: "process-group",
    does: "signal the caller's process group by kill(0)",
    closes: "leave out --tty=no, or redirect standard input",
    promised: ALWAYS,
    ops: (_, room) => [{ ...op("getpgid", 0), save: "group" }, ...tellsResult("group", room)],
    // 0 is what a group whose leader is outside of the pid namespace has for a number
    judge: (output) => resultOf(output) === 0,
  },
];
