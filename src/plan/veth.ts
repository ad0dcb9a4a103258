/**
 * --net=veth without a bridge: the addresses of the two ends, a pair of 169.254/16 for each container, and the task that
 * sets the inner end's from within its network namespace.
 */
import {
  AF_INET,
  AT_FDCWD,
  CLONE,
  IFF_UP,
  O,
  SIOCADDRT,
  SIOCSIFADDR,
  SIOCSIFFLAGS,
  SIOCSIFNETMASK,
  SOCK,
} from "../sys/constants.ts";
import { type Op, slot } from "./op.ts";

const IFF_MULTICAST = 0x1000;
const RTF_UP = 1;
const RTF_GATEWAY = 2;
/** 169.254.192.0 to 169.254.253.255: clear of the clouds' 169.254.169.254 and of what pasta and podman use */
const PAIRS = 62 * 64;

export type Address = readonly [number, number, number, number];
export const PREFIX = 30;
/** the interface's name inside */
export const INSIDE = "eth0";

/** The addresses for the outer interface with this number, which is nobody else's while it is there. */
export function vethAddresses(index: number): { readonly outside: Address; readonly inside: Address } {
  const pair = index % PAIRS;
  const third = 192 + Math.floor(pair / 64);
  const fourth = 4 * (pair % 64);
  return { outside: [169, 254, third, fourth + 1], inside: [169, 254, third, fourth + 2] };
}

/** struct sockaddr_in: the family, a port of 0, the address. */
function putAddress(to: Uint8Array, at: number, address: Address): void {
  to[at] = AF_INET;
  to.set(address, at + 4);
}

/** struct ifreq (netdevice(7)): 16 bytes of name, then an address. */
function addressRequest(address: Address): { memory: Uint8Array; means: string } {
  const memory = new Uint8Array(40);
  memory.set(new TextEncoder().encode(INSIDE));
  putAddress(memory, 16, address);
  return { memory, means: `{"${INSIDE}", ${address.join(".")}}` };
}

/** struct rtentry: the default route by this gateway. */
function routeRequest(gateway: Address): { memory: Uint8Array; means: string } {
  const memory = new Uint8Array(120);
  const none: Address = [0, 0, 0, 0];
  putAddress(memory, 8, none);
  putAddress(memory, 24, gateway);
  putAddress(memory, 40, none);
  memory[56] = RTF_UP | RTF_GATEWAY;
  return { memory, means: `{0.0.0.0/0 via ${gateway.join(".")}}` };
}

/**
 * Ops of a fresh child of ns: brings the inner end up. Nothing of the container's is executed or looked up by it.
 * @param index number of the outer end, for the addresses of both; null: the inner end has none
 */
export function innerEndPlan(pid: number | "PID", index: number | null): Op[] {
  const enter = "enter the container's network namespace";
  const step = `bring ${INSIDE} up`;
  const path = `/proc/${pid}/ns/net`;
  const socket = slot("socket");
  const up = new Uint8Array(40); // struct ifreq: 16 bytes of name, then the flags
  up.set(new TextEncoder().encode(INSIDE));
  new DataView(up.buffer).setUint16(16, IFF_UP | IFF_MULTICAST, true);
  return [
    { call: "openat", args: [AT_FDCWD, path, O.O_RDONLY | O.O_CLOEXEC, 0], step: enter, save: "netns" },
    { call: "setns", args: [slot("netns"), CLONE.CLONE_NEWNET], step: enter },
    { call: "socket", args: [AF_INET, SOCK.SOCK_DGRAM | SOCK.SOCK_CLOEXEC, 0], step, save: "socket" },
    {
      call: "ioctl",
      args: [socket, SIOCSIFFLAGS, { memory: up, means: `{"${INSIDE}", IFF_UP|IFF_MULTICAST}` }],
      step,
    },
    ...(index === null ? [] : addressOps(index)),
  ];
}

function addressOps(index: number): Op[] {
  const { outside, inside } = vethAddresses(index);
  const step = `give ${INSIDE} its address`;
  const socket = slot("socket");
  return [
    { call: "ioctl", args: [socket, SIOCSIFADDR, addressRequest(inside)], step },
    { call: "ioctl", args: [socket, SIOCSIFNETMASK, addressRequest([255, 255, 255, 252])], step },
    { call: "ioctl", args: [socket, SIOCADDRT, routeRequest(outside)], step: "set the default route" },
  ];
}
