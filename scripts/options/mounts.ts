/** Examples of the options in src/cli/flags/mounts.ts. */
import type { Examples } from "./example.ts";

export const mountExamples: Examples = {
  bind: {
    text: "A directory of the host's that can only be read, with all that is mounted below it. A place that is not there is made. OPTS are `ro`, `norec` (not what is mounted below it), and as with podman devices and set-user-id programs need `dev` and `suid`. A colon in a name is written `\\:`.",
    command:
      "ns --bind /etc:/mnt:ro [-u] - ROOT /bin/sh [UID GID] -- -c 'test -s /mnt/passwd && ! touch /mnt/x 2>/dev/null && echo read-only'",
    prints: "read-only",
  },
  "bind-try": {
    text: "What is not there is left out.",
    command: "ns --bind-try /no/such/place:/mnt [-u] - ROOT /bin/echo [UID GID] -- started",
    prints: "started",
  },
  tmpfs: {
    text: "A directory for a megabyte of temporary files. MODE is 1777 unless given; programs in it need `exec`.",
    command:
      "ns --tmpfs /tmp:size=1M [-u] - ROOT /bin/sh [UID GID] -- -c 'grep -o size=[0-9k]* /proc/self/mountinfo'",
    prints: "size=1024k",
  },
  mount: {
    text: "Terminals of the container's own. `bind` and `overlay` take `src=`, an overlay several directories `A:B`, and forgets what is written; the other words are as with --bind and --tmpfs. proc, sysfs and cgroup are read-only without `rw`.",
    command: "ns --mount type=devpts,dst=/mnt [-u] - ROOT /bin/ls [UID GID] -- /mnt",
    prints: "ptmx",
  },
  symlink: {
    text: "Options are done in the order given: the link lies in the tmpfs.",
    command:
      "ns --tmpfs /run --symlink /proc/mounts:/run/mtab [-u] - ROOT /bin/readlink [UID GID] -- /run/mtab",
    prints: "/proc/mounts",
  },
  dir: {
    text: "A directory, and the one that it is in.",
    command: "ns --tmpfs /run --dir /run/lock/box [-u] - ROOT /bin/ls [UID GID] -- /run/lock",
    prints: "box",
  },
  file: {
    text: "A file made of what the caller has at hand, in the place of one of that name.",
    command: "echo hello | ns --tmpfs /run --file 0:/run/motd [-u] - ROOT /bin/cat [UID GID] -- /run/motd",
    prints: "hello",
  },
};
