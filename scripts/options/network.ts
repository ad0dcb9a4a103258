/** Examples of the options in src/cli/flags/network.ts. */
import type { Examples } from "./example.ts";

export const networkExamples: Examples = {
  network: {
    text: "Nothing but a loopback.",
    command:
      "ns -n [-u] - ROOT /bin/sh [UID GID] -- -c 'ls /sys /proc/sys/net/ipv4/conf' | grep -c eth || true",
    prints: "0",
  },
  net: {
    text: "No way out, and no pre script that could make one. `--net=pasta` has the host's connections without root, by the program pasta (Debian: passt); `--net=veth` makes a pair of interfaces, `eth0` inside and `ns-PID` outside, in BRIDGE or with an address of 169.254/16 each.",
    command:
      "ns --net=none [-u] - ROOT /bin/sh [UID GID] -- -c 'ip route get 192.0.2.1 2>/dev/null || echo nowhere'",
    prints: "nowhere",
  },
  publish: {
    text: "The host's port 8080 leads to port 80 inside, its loopback's 5353 to 53, without root. pasta needs /dev/net/tun and a default route.",
    command:
      'ns --dry-run -u --net=pasta --publish 8080:80 --publish 127.0.0.1:5353:53/udp - ROOT /bin/httpd UID GID -- -f | grep -c \'"8080:80".*"127.0.0.1/5353:53"\'',
    prints: "1",
  },
  "resolv-conf": {
    text: "The host's name servers, in a root that has others.",
    command:
      "ns --resolv-conf=copy [-u] - ROOT /bin/cat [UID GID] -- /etc/resolv.conf | cmp - /etc/resolv.conf && echo the same",
    prints: "the same",
  },
};
