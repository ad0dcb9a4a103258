/**
 * Messages of D-Bus as bytes: values by their signatures, a method call, and what of an answer one has to know. After the
 * D-Bus specification ("Marshaling", "Message Protocol"), little-endian only; pure. Used by connection.ts.
 */
import type { Bytes } from "../../sys/bytes.ts";

/** A value of a type that only it knows (v). */
export interface Variant {
  readonly signature: string;
  readonly value: Value;
}

/** Numbers of 64 bits are bigints; arrays and structures are lists. */
export type Value = number | bigint | boolean | Bytes | Variant | readonly Value[];

export const variant = (signature: string, value: Value): Variant => ({ signature, value });

const ALIGNMENTS: Readonly<Record<string, number>> = {
  ...{ y: 1, g: 1, v: 1, b: 4, i: 4, u: 4, s: 4, o: 4, a: 4, t: 8, "(": 8 },
};

/** Where the complete type ends that begins there. */
function typeEnd(signature: string, at: number): number {
  const letter = signature[at] ?? "";
  if (letter === "a") return typeEnd(signature, at + 1);
  if (ALIGNMENTS[letter] === undefined) throw new RangeError(`no D-Bus type begins with '${letter}'`);
  if (letter !== "(") return at + 1;
  let end = at + 1;
  while (signature[end] !== ")") end = typeEnd(signature, end);
  return end + 1;
}

/** The complete types of a signature. */
export function typesOf(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = typeEnd(signature, at);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

const padding = (at: number, type: string): number => -at & (ALIGNMENTS[type[0]!]! - 1);

/** A number, lowest byte first. */
function littleEndian(value: number | bigint, size: number): Bytes {
  let out = "";
  for (let i = 0, rest = BigInt(value); i < size; i++, rest >>= 8n)
    out += String.fromCharCode(Number(rest & 255n));
  return out;
}

/** `before` with a value of one complete type behind it. */
function append(before: Bytes, type: string, value: Value): Bytes {
  const out = before + "\0".repeat(padding(before.length, type));
  switch (type[0]) {
    case "y":
      return out + littleEndian(value as number, 1);
    case "b":
    case "i":
    case "u":
      return out + littleEndian(BigInt(value as number | boolean), 4);
    case "t":
      return out + littleEndian(value as bigint, 8);
    case "s":
    case "o":
      return `${out}${littleEndian((value as Bytes).length, 4)}${value}\0`;
    case "g":
      return `${out}${littleEndian((value as string).length, 1)}${value}\0`;
    case "v": {
      const { signature, value: held } = value as Variant;
      return append(append(out, "g", signature), signature, held);
    }
    case "(":
      return appendAll(out, type.slice(1, -1), value as readonly Value[]);
    default: {
      // the padding before the first element does not count in an array's length
      const element = type.slice(1);
      const start = out + littleEndian(0, 4) + "\0".repeat(padding(out.length + 4, element));
      const end = (value as readonly Value[]).reduce<Bytes>((done, one) => append(done, element, one), start);
      return out + littleEndian(end.length - start.length, 4) + end.slice(out.length + 4);
    }
  }
}

function appendAll(before: Bytes, signature: string, values: readonly Value[]): Bytes {
  const types = typesOf(signature);
  if (types.length !== values.length)
    throw new RangeError(`'${signature}' is not for ${values.length} values`);
  return types.reduce((out, type, i) => append(out, type, values[i]!), before);
}

/** Values of these types, from a place that every alignment fits. */
export const encode = (signature: string, values: readonly Value[]): Bytes =>
  appendAll("", signature, values);

interface Cursor {
  readonly bytes: Bytes;
  at: number;
}

function takeNumber(from: Cursor, size: number): bigint {
  if (from.at + size > from.bytes.length) throw new RangeError("a D-Bus message ends too early");
  let out = 0n;
  for (let i = size; i-- > 0; ) out = (out << 8n) | BigInt(from.bytes.charCodeAt(from.at + i));
  from.at += size;
  return out;
}

function takeText(from: Cursor, length: number): Bytes {
  const end = from.at + length;
  if (end >= from.bytes.length) throw new RangeError("a D-Bus message ends too early");
  const text = from.bytes.slice(from.at, end);
  from.at = end + 1;
  return text;
}

function take(from: Cursor, type: string): Value {
  from.at += padding(from.at, type);
  switch (type[0]) {
    case "y":
      return Number(takeNumber(from, 1));
    case "b":
      return takeNumber(from, 4) !== 0n;
    case "i":
      return Number(BigInt.asIntN(32, takeNumber(from, 4)));
    case "u":
      return Number(takeNumber(from, 4));
    case "t":
      return takeNumber(from, 8);
    case "s":
    case "o":
      return takeText(from, Number(takeNumber(from, 4)));
    case "g":
      return takeText(from, Number(takeNumber(from, 1)));
    case "v": {
      const signature = take(from, "g") as string;
      return { signature, value: take(from, signature) };
    }
    case "(":
      return typesOf(type.slice(1, -1)).map((one) => take(from, one));
    default: {
      const element = type.slice(1);
      const size = Number(takeNumber(from, 4));
      from.at += padding(from.at, element);
      const end = from.at + size;
      const out: Value[] = [];
      while (from.at < end) out.push(take(from, element));
      return out;
    }
  }
}

/** The values of these types that the bytes begin with. @throws RangeError when they are not there */
export function decode(signature: string, bytes: Bytes): Value[] {
  const from = { bytes, at: 0 };
  return typesOf(signature).map((type) => take(from, type));
}
