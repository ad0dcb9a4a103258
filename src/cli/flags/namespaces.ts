/** Options about what the container shares with the host and what not. */
import { parseHostname, parseJoinNet, parseOffset, parseShare } from "../../spec/namespaces.ts";
import type { Flag } from "./flag.ts";

const OWN_CLOCKS = { boottime: 0, monotonic: 0 };

export const namespaceFlags: readonly Flag[] = [
  {
    name: "hostname",
    kind: "value",
    hint: "NAME",
    help: "the host name inside",
    apply: ({ spec }, value, option) => {
      spec.namespaces.hostname = parseHostname(value, option);
    },
  },
  {
    name: "domainname",
    kind: "value",
    hint: "NAME",
    help: "the NIS domain name inside",
    apply: ({ spec }, value, option) => {
      spec.namespaces.domainname = parseHostname(value, option, "domain");
    },
  },
  {
    name: "share",
    kind: "list",
    hint: "NAME[,NAME...]",
    help: "use the host's own: ipc, uts, cgroup, net or time",
    apply: ({ spec }, value, option) => {
      spec.namespaces.share.push(...parseShare(value, option));
    },
  },
  {
    name: "join-net",
    kind: "value",
    hint: "PATH|PID|NAME",
    help: "use this network namespace: a file, a process's, or one of ip netns",
    excludes: ["network", "net"],
    apply: ({ spec }, value, option) => {
      spec.namespaces.joinNet = parseJoinNet(value, option);
    },
  },
  {
    name: "time",
    kind: "switch",
    help: "a time namespace: clocks of its own that count from the boot",
    apply: ({ spec }) => {
      spec.namespaces.time ??= { ...OWN_CLOCKS };
    },
  },
  {
    name: "boottime-offset",
    kind: "value",
    hint: "SECONDS",
    help: "how far the uptime is ahead of the host's",
    needs: ["time"],
    apply: ({ spec }, value, option) => {
      spec.namespaces.time = { ...OWN_CLOCKS, ...spec.namespaces.time, boottime: parseOffset(value, option) };
    },
  },
  {
    name: "monotonic-offset",
    kind: "value",
    hint: "SECONDS",
    help: "how far the monotonic clock is ahead of the host's",
    needs: ["time"],
    apply: ({ spec }, value, option) => {
      spec.namespaces.time = {
        ...OWN_CLOCKS,
        ...spec.namespaces.time,
        monotonic: parseOffset(value, option),
      };
    },
  },
];
