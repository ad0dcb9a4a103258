/** What a new network namespace needs before init runs. */
import { AF_INET, IFF_UP, SIOCSIFFLAGS, SOCK } from "../sys/constants.ts";
import { type Op, slot } from "./op.ts";

/** Brings the loopback up (netdevice(7)). */
export function loopbackUp(): Op[] {
  const request = new Uint8Array(40); // struct ifreq: 16 bytes of name, then the flags
  request.set(new TextEncoder().encode("lo"));
  request[16] = IFF_UP;
  const step = "bring the loopback up";
  return [
    { call: "socket", args: [AF_INET, SOCK.SOCK_DGRAM | SOCK.SOCK_CLOEXEC, 0], step, save: "socket" },
    {
      call: "ioctl",
      args: [slot("socket"), SIOCSIFFLAGS, { memory: request, means: '{"lo", IFF_UP}' }],
      step,
    },
    { call: "close", args: [slot("socket")], step },
  ];
}
