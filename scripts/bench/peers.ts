/** ns and its peers: the command with which each starts a program at a level, as far as it can do that. */
import { basename, join } from "node:path";
import { type Level, MEMORY_LIMIT, OUTSIDE_ID } from "./levels.ts";
import { makeBundle } from "./oci.ts";
import type { Place } from "./place.ts";

export interface Peer {
  readonly name: string;
  /** starts in tens or hundreds of milliseconds: left out of the short form */
  readonly slow?: boolean;
  /** runs only behind these words, and is measured behind them beside ns */
  readonly within?: readonly string[];
  /**
   * The command that runs these words inside; null where it offers less than the level.
   * @param program where the peer's executable is
   */
  command(program: string, level: Level, place: Place, words: string[]): string[] | null;
}

const isBare = ({ user, network, memory }: Level): boolean => !user && !network && !memory;
const slug = ({ name }: Level): string => name.replaceAll(" ", "-");

/** What stands behind `ns`, for the level. */
function nsWords(level: Level, { root }: Place, init: string): string[] {
  const options = [
    level.user ? "-u" : [],
    level.network ? "-n" : [],
    level.memory ? `-m${MEMORY_LIMIT}` : [],
  ];
  const ids = level.user ? [OUTSIDE_ID, OUTSIDE_ID] : [];
  return [...options.flat(), "-", root, init, ...ids];
}

const ns: Peer = {
  name: "ns",
  command: (_, level, place, [init, ...args]) => [place.ns, ...nsWords(level, place, init!), "--", ...args],
};

/**
 * The same start as a file of its own, which freezeFor() has made: as it is by default, and without the list of devices,
 * which bwrap, unshare and the C reference do not make either.
 */
const FROZEN = [
  { name: "ns, frozen", options: [] },
  { name: "ns, frozen, any device", options: ["--allow-device=all"] },
];

const frozenFile = (name: string, level: Level, init: string, { folder }: Place): string =>
  join(folder, [name.replaceAll(", ", "-").replaceAll(" ", "-"), slug(level), basename(init)].join("-"));

const frozen = FROZEN.map(
  ({ name }): Peer => ({
    name,
    command: (_, level, place, [init, ...args]) => [
      frozenFile(name, level, init!, place),
      ...["--", ...args],
    ],
  }),
);

/** Freezes the starts of this init for each of the levels. @throws Error when ns refuses */
export function freezeFor(init: string, levels: readonly Level[], place: Place): void {
  for (const level of levels)
    for (const { name, options } of FROZEN) {
      const file = frozenFile(name, level, init, place);
      const words = ["freeze", ...options, "-o", file, ...nsWords(level, place, init)];
      const made = Bun.spawnSync([place.ns, ...words]);
      if (made.exitCode !== 0) throw new Error(`ns freeze: ${made.stderr}`);
    }
}

/** Where the static C reference makes its cgroup, and what it writes; null: no version 1 memory controller. */
export type MemoryPlace = { readonly directory: string; readonly settings: string } | null;

const reference = (memory: MemoryPlace): Peer => ({
  name: "C reference",
  command(_, level, place, words) {
    if (level.memory && memory === null) return null;
    return [
      place.reference,
      ...(level.user ? ["-u", OUTSIDE_ID, OUTSIDE_ID] : []),
      ...(level.network ? ["-n"] : []),
      ...(level.memory && memory !== null ? ["-m", memory.directory, memory.settings] : []),
      place.root,
      ...words,
    ];
  },
});

const bwrap: Peer = {
  name: "bwrap",
  command(program, level, { root }, words) {
    if (level.memory) return null;
    const kinds = ["pid", "uts", "ipc", "cgroup"];
    if (level.user) kinds.push("user");
    if (level.network) kinds.push("net");
    return [
      program,
      ...kinds.map((kind) => `--unshare-${kind}`),
      "--bind",
      root,
      "/",
      "--proc",
      "/proc",
      ...words,
    ];
  },
};

const unshare: Peer = {
  name: "unshare",
  command(program, level, { root }, words) {
    if (level.memory) return null;
    const flags = `-mpuiC${level.network ? "n" : ""}${level.user ? "Ur" : ""}f`;
    return [program, flags, "--mount-proc", `--root=${root}`, ...words];
  },
};

const chroot: Peer = {
  name: "chroot",
  command: (program, level, { root }, words) => (isBare(level) ? [program, root, ...words] : null),
};

/** A mount namespace with cgroups of version 2 alone. */
const CGROUP2_ONLY = [
  ...["unshare", "-m", "sh", "-c"],
  'umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"',
  "sh",
];

const runtime = (name: string, can: (level: Level) => boolean, within?: readonly string[]): Peer => ({
  name,
  ...(within === undefined ? {} : { within }),
  command(program, level, { folder, root }, words) {
    if (!can(level)) return null;
    const id = `ns-bench-${process.pid}-${slug(level)}`;
    const bundle = makeBundle(folder, `${name}-${slug(level)}-${words.length}`, root, level, words);
    return [program, "--root", join(folder, `${name}-state`), "run", "-b", bundle, id];
  },
});

const nspawn: Peer = {
  name: "systemd-nspawn",
  slow: true,
  command(program, level, { root }, words) {
    if (level.memory || level.user) return null;
    const network = level.network ? ["--private-network"] : [];
    return [program, "-q", "--register=no", "--keep-unit", "--pipe", ...network, "-D", root, ...words];
  },
};

const podman: Peer = {
  name: "podman",
  slow: true,
  command(program, level, { root }, words) {
    if (!isBare(level)) return null;
    const limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"];
    const runs = [
      "--cgroup-manager=cgroupfs",
      "--runtime=runc",
      "run",
      "--rm",
      "--network=host",
      "--log-driver=none",
    ];
    return [program, ...runs, ...limits, "--rootfs", root, ...words];
  },
};

/** In the order of the tables. crun refuses to run where both versions of cgroups are mounted. */
export const peers = (memory: MemoryPlace): readonly Peer[] => [
  ns,
  ...frozen,
  reference(memory),
  bwrap,
  unshare,
  chroot,
  runtime("crun", (level) => !level.memory, CGROUP2_ONLY),
  runtime("runc", () => true),
  nspawn,
  podman,
];
