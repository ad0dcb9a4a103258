/**
 * A connection to systemd's own socket (not the bus: no broker has to run, and nothing else can answer), by blocking system
 * calls: telling who we are (D-Bus specification, "Authentication Protocol"), sending a call, receiving. Used by scope.ts.
 */
import type { Bytes } from "../../sys/bytes.ts";
import { AF_UNIX, SOCK } from "../../sys/constants.ts";
import { errnoNumber } from "../../sys/errno.ts";
import { close, write } from "../../sys/file.ts";
import { call, scratch } from "../../sys/kernel.ts";
import { decodeMessage, encodeCall, type Message, type MethodCall, messageSize } from "./message.ts";

/** A message of systemd's is some hundred bytes. */
const MOST = 1 << 20;
const CHUNK = 4096;

export interface Connection {
  readonly socket: number;
  /** what has been received and not used */
  received: Bytes;
  /** returns when there is something to read; throws to give up */
  readonly wait: (socket: number) => void;
}

/** A socket that is connected to this path, or -errno. */
export function openSocket(path: string): number {
  const socket = call("socket", AF_UNIX, SOCK.SOCK_STREAM | SOCK.SOCK_CLOEXEC, 0);
  if (socket < 0) return socket;
  const address = `${String.fromCharCode(AF_UNIX)}\0${path}`;
  const result = scratch((memory) =>
    call("connect", socket, memory.placeString(address), address.length + 1),
  );
  if (result === 0) return socket;
  close(socket);
  return result;
}

function send({ socket }: Connection, bytes: Bytes): void {
  // a message is smaller than a socket's buffer: it goes in one piece
  const sent = write(socket, bytes);
  if (sent !== bytes.length)
    throw new RangeError(sent < 0 ? "the connection is closed" : "the socket is full");
}

function receive(connection: Connection): void {
  connection.wait(connection.socket);
  scratch((memory) => {
    const buffer = memory.reserve(CHUNK);
    const n = call("read", connection.socket, buffer, CHUNK);
    if (n === -errnoNumber("EINTR")) return;
    if (n <= 0) throw new RangeError("the connection is closed");
    connection.received += memory.takeBytes(buffer, n);
  });
  if (connection.received.length > MOST) throw new RangeError("the answer does not end");
}

/** Tells who we are: the kernel has told already, and it has to be the same. @throws RangeError when it is refused */
export function authenticate(connection: Connection, uid: number): void {
  const hex = [...`${uid}`].map((digit) => `3${digit}`).join("");
  send(connection, `\0AUTH EXTERNAL ${hex}\r\n`);
  while (!connection.received.includes("\r\n")) receive(connection);
  const answer = connection.received;
  if (!answer.startsWith("OK ")) throw new RangeError("it does not let this user in");
  connection.received = answer.slice(answer.indexOf("\r\n") + 2);
  send(connection, "BEGIN\r\n");
}

export const sendCall = (connection: Connection, method: MethodCall, serial: number): void =>
  send(connection, encodeCall(method, serial));

/** The next message, whatever it is. @throws RangeError when the connection ends or what comes is none */
export function nextMessage(connection: Connection): Message {
  for (;;) {
    const { received } = connection;
    const size = messageSize(received);
    if (size !== null && received.length >= size) {
      connection.received = received.slice(size);
      return decodeMessage(received.slice(0, size));
    }
    receive(connection);
  }
}
