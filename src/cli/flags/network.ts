/** Options about the container's network. */
import { usageError } from "../../spec/error.ts";
import { parseNet, parsePublish, parseResolvConf, samePort } from "../../spec/network.ts";
import { show } from "../../sys/bytes.ts";
import type { Flag } from "./flag.ts";

export const networkFlags: readonly Flag[] = [
  {
    name: "network",
    short: "n",
    kind: "switch",
    help: "a network namespace of its own; its loopback is up, the rest is PRE's",
    apply: ({ spec }) => {
      spec.network.mode = "new";
    },
  },
  {
    name: "net",
    kind: "value",
    hint: "none|host|new|pasta|veth[:BRIDGE]",
    help: "the host's network, or one of its own: empty, for PRE to set up, by the program pasta, or a pair of interfaces",
    excludes: ["network", "join-net"],
    apply: ({ spec }, value, option) => {
      Object.assign(spec.network, parseNet(value, option));
    },
  },
  {
    name: "publish",
    kind: "list",
    hint: "[ADDRESS:]HOST:CONTAINER[/udp]",
    help: "a port of the host leads to one inside; with --net=pasta",
    needs: ["net"],
    apply: ({ spec: { network } }, value, option) => {
      const one = parsePublish(value, option);
      network.publish ??= [];
      const same = network.publish.find((other) => samePort(one, other));
      if (same !== undefined)
        throw usageError(`${option} ${show(value)}: the host's ${one.protocol} port ${one.host} is taken`);
      network.publish.push(one);
    },
  },
  {
    name: "resolv-conf",
    kind: "value",
    hint: "copy|host|none",
    help: "/etc/resolv.conf inside: a copy of the host's, the host's own file read-only, or what the root has",
    apply: ({ spec }, value, option) => {
      const wanted = parseResolvConf(value, option);
      if (wanted !== undefined) spec.network.resolvConf = wanted;
    },
  },
];
