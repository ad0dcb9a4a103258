/**
 * Whole messages of D-Bus, a method call and what comes back: a header, whose last part is a list of fields, and a body
 * (D-Bus specification, "Message Format"). Pure. Used by connection.ts.
 */
import type { Bytes } from "../../sys/bytes.ts";
import { decode, encode, type Value, type Variant, variant } from "./dbus.ts";

const HEADER = "yyyyuua(yv)";
const PATH = 1;
const INTERFACE = 2;
const MEMBER = 3;
const ERROR_NAME = 4;
const REPLY_SERIAL = 5;
const SIGNATURE = 8;
const LITTLE_ENDIAN = 0x6c;
/** the fixed part, up to the length of the list of fields and with it */
const FIXED = 16;

export const METHOD_CALL = 1;
export const METHOD_RETURN = 2;
export const ERROR = 3;
export const SIGNAL = 4;

export interface MethodCall {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
  readonly values: readonly Value[];
}

export interface Message {
  readonly type: number;
  readonly member: string;
  readonly errorName: string;
  /** the serial of the call that it answers, or 0 */
  readonly replyTo: number;
  /** what it holds; to be asked only of messages that are known, others may have types that dbus.ts has not got */
  readonly values: () => readonly Value[];
}

const padded = (length: number): number => (length + 7) & ~7;

export function encodeCall(call: MethodCall, serial: number): Bytes {
  const body = encode(call.signature, call.values);
  const fields: [number, Variant][] = [
    [PATH, variant("o", call.path)],
    [INTERFACE, variant("s", call.interface)],
    [MEMBER, variant("s", call.member)],
    ...(call.signature === "" ? [] : ([[SIGNATURE, variant("g", call.signature)]] as [number, Variant][])),
  ];
  const header = encode(HEADER, [LITTLE_ENDIAN, METHOD_CALL, 0, 1, body.length, serial, fields]);
  return header.padEnd(padded(header.length), "\0") + body;
}

/** How long the message is that the bytes begin with; null when that cannot be told yet. */
export function messageSize(bytes: Bytes): number | null {
  if (bytes.length < FIXED) return null;
  if (bytes.charCodeAt(0) !== LITTLE_ENDIAN) throw new RangeError("not a D-Bus message of this machine");
  const [, , , , body, , fields] = decode("yyyyuuu", bytes) as number[];
  return padded(FIXED + fields!) + body!;
}

/** @throws RangeError for what is no message */
export function decodeMessage(bytes: Bytes): Message {
  const [, type, , , size, , list] = decode(HEADER, bytes);
  const fields = new Map((list as [number, Variant][]).map(([code, { value }]) => [code, value]));
  const body = bytes.slice(bytes.length - (size as number));
  return {
    type: type as number,
    member: (fields.get(MEMBER) as string | undefined) ?? "",
    errorName: (fields.get(ERROR_NAME) as string | undefined) ?? "",
    replyTo: (fields.get(REPLY_SERIAL) as number | undefined) ?? 0,
    values: () => decode((fields.get(SIGNATURE) as string | undefined) ?? "", body),
  };
}
