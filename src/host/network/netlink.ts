/**
 * Messages of rtnetlink(7), as bytes, and the one exchange that ns has with the kernel about interfaces: a request and its
 * acknowledgement. The encoder is pure. Used for --net=veth.
 */
import { AF_INET, SOCK } from "../../sys/constants.ts";
import { close } from "../../sys/file.ts";
import { call, scratch } from "../../sys/kernel.ts";

const AF_NETLINK = 16;
const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_PID = 19;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFF_UP = 1;
const SIOCGIFINDEX = 0x8933;

const padded = (length: number): number => (length + 3) & ~3;

function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((size, part) => size + padded(part.length), 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += padded(part.length);
  }
  return out;
}

const u32 = (value: number): Uint8Array => {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value, true);
  return out;
};

const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);

/** struct rtattr and what it holds. */
function attribute(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = parts.length === 1 ? parts[0]! : join(parts);
  const out = new Uint8Array(4 + body.length);
  const view = new DataView(out.buffer);
  view.setUint16(0, out.length, true);
  view.setUint16(2, type, true);
  out.set(body, 4);
  return out;
}

/** struct nlmsghdr and what follows, a request to be acknowledged. */
function request(type: number, flags: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = join(parts);
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setUint32(0, 16 + body.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | flags, true);
  view.setUint32(8, 1, true);
  return join([header, body]);
}

/** struct ifinfomsg: what to change of an interface's flags. */
function interfaceFlags(flags: number): Uint8Array {
  const out = new Uint8Array(16);
  const view = new DataView(out.buffer);
  view.setUint32(8, flags, true);
  view.setUint32(12, flags, true);
  return out;
}

export interface VethPair {
  /** the end in the host's network */
  readonly outside: string;
  /** the end in the network namespace of the process */
  readonly inside: string;
  readonly pid: number;
  /** number of the bridge that the outer end is put into */
  readonly bridge: number | null;
}

/** Makes a pair of interfaces (veth(4)), the outer one up; the kernel refuses that of the inner one before they are a pair. */
export const newVeth = ({ outside, inside, pid, bridge }: VethPair): Uint8Array =>
  request(
    RTM_NEWLINK,
    NLM_F_CREATE | NLM_F_EXCL,
    interfaceFlags(IFF_UP),
    attribute(IFLA_IFNAME, text(outside)),
    ...(bridge === null ? [] : [attribute(IFLA_MASTER, u32(bridge))]),
    attribute(
      IFLA_LINKINFO,
      attribute(IFLA_INFO_KIND, text("veth")),
      attribute(
        IFLA_INFO_DATA,
        attribute(
          VETH_INFO_PEER,
          interfaceFlags(0),
          attribute(IFLA_IFNAME, text(inside)),
          attribute(IFLA_NET_NS_PID, u32(pid)),
        ),
      ),
    ),
  );

/** Gives an interface an IPv4 address. */
export function newAddress(index: number, address: readonly number[], prefix: number): Uint8Array {
  const header = new Uint8Array(8); // struct ifaddrmsg
  header[0] = AF_INET;
  header[1] = prefix;
  header.set(u32(index), 4);
  const bytes = Uint8Array.from(address);
  return request(
    RTM_NEWADDR,
    NLM_F_CREATE | NLM_F_EXCL,
    header,
    attribute(IFA_LOCAL, bytes),
    attribute(IFA_ADDRESS, bytes),
  );
}

/** Sends a request to the kernel. @returns 0, or -errno from the socket or from the acknowledgement */
export function ask(message: Uint8Array): number {
  const socket = call("socket", AF_NETLINK, SOCK.SOCK_RAW | SOCK.SOCK_CLOEXEC, 0);
  if (socket < 0) return socket;
  const result = scratch((memory) => {
    const sent = call("write", socket, memory.placeBuffer(message), message.length);
    if (sent < 0) return sent;
    const answer = memory.reserve(4096);
    const size = call("read", socket, answer, 4096);
    return size < 20 ? Math.min(size, -5) : memory.getI32(answer + 16); // struct nlmsgerr begins with the error
  });
  close(socket);
  return result;
}

/** The number of the host's interface with this name, or -errno. */
export function interfaceIndex(name: string): number {
  const socket = call("socket", AF_INET, SOCK.SOCK_DGRAM | SOCK.SOCK_CLOEXEC, 0);
  if (socket < 0) return socket;
  const result = scratch((memory) => {
    const structIfreq = memory.reserve(40);
    memory.clear(structIfreq, 40);
    memory.putBytes(structIfreq, new TextEncoder().encode(name));
    const failed = call("ioctl", socket, SIOCGIFINDEX, structIfreq);
    return failed < 0 ? failed : memory.getI32(structIfreq + 16);
  });
  close(socket);
  return result;
}
