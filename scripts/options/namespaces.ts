/** Examples of the options in src/cli/flags/namespaces.ts. */
import type { Examples } from "./example.ts";

export const namespaceExamples: Examples = {
  hostname: {
    text: "The container has a name of its own.",
    command: "ns --hostname box [-u] - ROOT /bin/hostname [UID GID]",
    prints: "box",
  },
  domainname: {
    text: "And a domain.",
    command: "ns --domainname nis.example [-u] - ROOT /bin/cat [UID GID] -- /proc/sys/kernel/domainname",
    prints: "nis.example",
  },
  share: {
    text: "The host's name, also when it changes; the same for System V's shared memory and message queues.",
    command:
      'ns --share=uts,ipc [-u] - ROOT /bin/readlink [UID GID] -- /proc/self/ns/uts | grep -cF "$(readlink /proc/self/ns/uts)"',
    prints: "1",
  },
  "join-net": {
    text: "The network of a process, here one that has nothing but a loopback.",
    command:
      "unshare -n sh -c 'nsenter --net=/proc/$PPID/ns/net ns --join-net $$ - ROOT /bin/cat -- /proc/net/dev' | grep -c :",
    prints: "1",
    root: true,
  },
  time: {
    text: "Clocks of its own, which agree with the host's as long as no offset is given.",
    command:
      'ns --time [-u] - ROOT /bin/readlink [UID GID] -- /proc/self/ns/time | grep -cvF "$(readlink /proc/self/ns/time)"',
    prints: "1",
  },
  "boottime-offset": {
    text: "Up for a thousand days.",
    command:
      "ns --time --boottime-offset 86400000 [-u] - ROOT /bin/sh [UID GID] -- -c 'test $(cut -d. -f1 /proc/uptime) -ge 86400000 && echo old'",
    prints: "old",
  },
  "monotonic-offset": {
    text: "The monotonic clock is an hour ahead.",
    command:
      "ns --time --monotonic-offset 3600 [-u] - ROOT /bin/cat [UID GID] -- /proc/self/timens_offsets | head -n 1",
    prints: /^monotonic +3600 +0$/,
  },
};
