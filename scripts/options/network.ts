/** Examples of the options in src/cli/flags/network.ts. */
import type { Examples } from "./example.ts";

export const networkExamples: Examples = {
  network: {
    text: "Nothing but a loopback.",
    command:
      "ns -n [-u] - ROOT /bin/sh [UID GID] -- -c 'ls /sys /proc/sys/net/ipv4/conf' | grep -c eth || true",
    prints: "0",
  },
};
