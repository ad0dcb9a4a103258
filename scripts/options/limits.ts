/** Examples of the options in src/cli/flags/limits.ts and priority.ts. */
import type { Examples } from "./example.ts";

export const limitExamples: Examples = {
  memory: {
    text: "A limit of 64 MiB; the cgroup that has it is the root of what init sees.",
    command: "ns -m 64M - ROOT /bin/sh -- -c 'echo limited'",
    prints: "limited",
    root: true,
  },
  "memory-swap": {
    text: "64 MiB of memory, and 64 MiB of swap on top.",
    command: "ns -m 64M --memory-swap 128M - ROOT /bin/sh -- -c 'echo limited'",
    prints: "limited",
    root: true,
  },
  "memory-high": {
    text: "Above 48 MiB the container is slowed down, at 64 MiB something in it is killed.",
    command: "ns --memory-high 48M -m 64M - ROOT /bin/sh -- -c 'echo limited'",
    prints: "limited",
    root: true,
    elsewhere: "needs memory on cgroup v2",
  },
  cpus: {
    text: "As much as one and a half CPUs can do, on whichever they are.",
    command: "ns --cpus 1.5 - ROOT /bin/sh -- -c 'echo limited'",
    prints: "limited",
    root: true,
  },
  "cpu-weight": {
    text: "Half of what others get, when all want to compute.",
    command: "ns --cpu-weight 50 - ROOT /bin/sh -- -c 'echo limited'",
    prints: "limited",
    root: true,
  },
  "cpuset-cpus": {
    text: "Only the first CPU.",
    command: "ns --cpuset-cpus 0 - ROOT /usr/bin/nproc",
    prints: "1",
    root: true,
  },
  "cpuset-mems": {
    text: "Only memory of the first node.",
    command: "ns --cpuset-mems 0 - ROOT /bin/grep -- Mems_allowed_list /proc/self/status",
    prints: "Mems_allowed_list:\t0",
    root: true,
  },
  pids: {
    text: "Four processes, init included; a fifth cannot be made.",
    command:
      "ns --pids 4 - ROOT /bin/sh -- -c 'for i in 1 2 3 4 5; do sleep 0 & done; wait' 2>&1 | grep -o \"can't fork\"",
    prints: "can't fork",
    root: true,
  },
  "io-max": {
    text: "At most a mebibyte a second from a disk (the last that lsblk names).",
    command:
      "ns --io-max $(lsblk -dnro MAJ:MIN | tail -n 1):rbps=1M,wiops=100 - ROOT /bin/sh -- -c 'echo limited'",
    prints: "limited",
    root: true,
  },
  hugetlb: {
    text: "At most 64 MiB in huge pages of 2 MiB.",
    command: "ns --hugetlb 2M:64M - ROOT /bin/sh -- -c 'echo limited'",
    prints: "limited",
    root: true,
  },
  cgroup: {
    text: "The run's cgroup is made in /batch, which is made if it is not there.",
    command:
      "ns -v --cgroup /batch -m 64M - ROOT /bin/true 2>&1 | grep -c '^ns: cgroup: .*/batch/ns-.*, memory'",
    prints: "1",
    root: true,
  },
  systemd: {
    text: "systemd makes the scope that the run's cgroup is in; `systemctl status` shows it while the container runs.",
    command:
      "ns -v --systemd -m 64M - ROOT /bin/true 2>&1 | grep -c '^ns: cgroup: in the scope ns-.*[.]scope '",
    prints: "1",
    root: true,
    elsewhere: "needs systemd as process 1",
  },
  rlimit: {
    text: "At most 64 open files; the init may raise that to 128 itself.",
    command: "ns --rlimit nofile=64:128 [-u] - ROOT /bin/sh [UID GID] -- -c 'ulimit -n; ulimit -Hn'",
    prints: "64\n128",
  },
  "oom-score-adj": {
    text: "When the host's memory runs out, this goes first.",
    command: "ns --oom-score-adj 1000 [-u] - ROOT /bin/cat [UID GID] -- /proc/self/oom_score_adj",
    prints: "1000",
  },
  nice: {
    text: "Others come first.",
    command: "ns --nice 10 [-u] - ROOT /usr/bin/cut [UID GID] -- -d ' ' -f 19 /proc/self/stat",
    prints: "10",
  },
  sched: {
    text: "It computes when nobody else wants to; SCHED_IDLE is number 5.",
    command: "ns --sched idle [-u] - ROOT /usr/bin/cut [UID GID] -- -d ' ' -f 41 /proc/self/stat",
    prints: "5",
  },
  ionice: {
    text: "It reads and writes disks when nobody else wants to.",
    command: "ns --ionice idle [-u] - ROOT /bin/ionice [UID GID] -- -p 1",
    prints: "idle",
  },
};
