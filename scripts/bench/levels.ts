/** How much a container is asked to be: the levels at which ns and its peers are compared. */

export interface Level {
  readonly name: string;
  /** a user namespace in which root is uid and gid 65534 outside */
  readonly user: boolean;
  /** a network namespace of its own */
  readonly network: boolean;
  /** a cgroup with a memory limit */
  readonly memory: boolean;
}

const BARE = { user: false, network: false, memory: false };

/** All but the first add to what the first has: mount, pid, uts, ipc and cgroup namespaces, pivot_root, a fresh /proc. */
export const LEVELS: readonly Level[] = [
  { ...BARE, name: "bare" },
  { ...BARE, name: "user namespace", user: true },
  { ...BARE, name: "network", network: true },
  { ...BARE, name: "memory cgroup", memory: true },
  { name: "everything", user: true, network: true, memory: true },
];

export const OUTSIDE_ID = "65534";
export const MEMORY_LIMIT = 64 * 1024 * 1024;
