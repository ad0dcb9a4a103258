/** The columns of docs/containment.md: what starts the attacker, all by a caller with something to leak. */
import { ATTACKER } from "./attacker.ts";

export interface Column {
  readonly name: string;
  readonly says: string;
  /** of ns prove, for a root; and the setting whose promises they have */
  readonly options: (root: string) => string[];
  readonly setting?: "root" | "user" | "app" | "strict";
  /** of another program; without them it is ns */
  readonly words?: (root: string) => string[];
}

/** A group that the caller has. */
export const GROUP = "4242";
/** All peer groups that mounts outside may have. */
export const everyPeerGroup = Array.from({ length: 20_000 }, (_, i) => `${i}`);

/** Starts a command with a descriptor, a group and shared mounts that it should not hand on. */
export const withBait = (words: readonly string[]): string[] => [
  ...["unshare", "-m", "sh", "-c", 'mount --make-rshared /; exec 7</etc; exec setpriv "$@"'],
  ...["sh", `--groups=${GROUP}`, ...words],
];

const of = (
  name: string,
  setting: NonNullable<Column["setting"]>,
  says: string,
  words: string[],
  ids: string[] = [],
): Column => ({
  ...{ name, setting, says },
  options: (root) => ["-m", "64M", ...words, "-", root, "/bin/sh", ...ids],
});

/** Ids that own nothing. */
const IDS = ["100000", "100000"];

const other = (name: string, says: string, words: (root: string) => string[]): Column => ({
  ...{ name, says, words },
  options: () => [],
});

export const columns: readonly Column[] = [
  of("ns", "root", "profile init, as real root", []),
  of(
    "ns -u",
    "user",
    "profile init in a user namespace, started by root for ids that own nothing",
    ["-u"],
    IDS,
  ),
  of("ns app", "app", "`--profile=app`, as real root", ["--profile=app"]),
  of("ns strict", "strict", "`--profile=strict`, as real root", ["--profile=strict"]),
  of("ns -u app", "app", "`--profile=app` in a user namespace", ["-u", "--profile=app"], IDS),
  other("bwrap", "bubblewrap with `--unshare-all --dev /dev --proc /proc`, as an ordinary user", (root) => [
    ...["--reuid=1000", "--regid=1000", "--", "bwrap", "--unshare-all", "--bind", root, "/"],
    ...["--proc", "/proc", "--dev", "/dev", ATTACKER],
  ]),
  other("unshare", "util-linux's unshare with all namespaces but the user's, and --root, as root", (root) => [
    ...["unshare", "-mpiunCf", "--mount-proc", `--root=${root}`, ATTACKER],
  ]),
  other("nspawn", "systemd-nspawn as it is by default, as root", (root) => [
    ...["systemd-nspawn", "-q", "--register=no", "--keep-unit", "--console=pipe", "-D", root, ATTACKER],
  ]),
];
