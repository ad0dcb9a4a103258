/**
 * A piece of memory that C or the kernel will read: space is handed out from its beginning, addresses are what a pointer
 * to it will be. The arena that raw system calls use is one (kernel.ts), the data of a program in the making another.
 */
import type { Bytes } from "./bytes.ts";

export interface Memory {
  /** the address of its first byte */
  readonly base: number;
  /** what it is a piece of */
  readonly buffer: ArrayBuffer;
  /** where in the buffer an address is */
  offsetOf(address: number): number;
  /** room for so many bytes; their address, a multiple of 16 */
  reserve(size: number): number;
  /** writes the bytes and a closing 0; their address */
  placeString(value: Bytes): number;
  /** writes a buffer; its address */
  placeBuffer(value: Uint8Array): number;
  putBytes(address: number, value: Uint8Array): void;
  /** fills with 0 */
  clear(address: number, size: number): void;
  putByte(address: number, value: number): void;
  putU32(address: number, value: number): void;
  /** writes a 64-bit number, negative or not, that is a safe integer */
  putI64(address: number, value: number): void;
  getU16(address: number): number;
  getU32(address: number): number;
  getI32(address: number): number;
  /** reads a 64-bit number; one that is not a safe integer loses its low bits */
  getI64(address: number): number;
  /** a copy as bytes */
  takeBytes(address: number, size: number): Bytes;
  /** runs `use` and takes back what was reserved in it */
  scratch<T>(use: () => T): T;
  /** takes back all that was reserved */
  rewind(): void;
  /** how many bytes are in use, from the beginning */
  used(): number;
}

/**
 * @param address that its first byte has, or will have
 * @param at where in the buffer it begins, a multiple of 16
 */
export function createMemory(
  buffer: ArrayBuffer,
  address: number,
  at = 0,
  size = buffer.byteLength - at,
): Memory {
  const bytes = new Uint8Array(buffer);
  // plain indexing is what an interpreter does fastest; addresses of words are multiples of 4
  const words = new Int32Array(buffer);
  const base = address - at;
  let top = at;
  const reserve = (length: number): number => {
    const place = (top + 15) & ~15;
    if (place + length > at + size) throw new RangeError("arguments too long");
    top = place + length;
    return base + place;
  };
  return {
    base: address,
    buffer,
    offsetOf: (place) => place - base,
    reserve,
    placeString(value) {
      const address = reserve(value.length + 1);
      const at = address - base;
      for (let i = 0; i < value.length; i++) bytes[at + i] = value.charCodeAt(i);
      bytes[at + value.length] = 0;
      return address;
    },
    placeBuffer(value) {
      const address = reserve(value.length);
      bytes.set(value, address - base);
      return address;
    },
    putBytes: (address, value) => bytes.set(value, address - base),
    clear: (address, size) => {
      bytes.fill(0, address - base, address - base + size);
    },
    putByte: (address, value) => {
      bytes[address - base] = value;
    },
    putU32: (address, value) => {
      words[(address - base) >> 2] = value;
    },
    putI64(address, value) {
      const at = (address - base) >> 2;
      words[at] = value;
      words[at + 1] = Math.floor(value / 2 ** 32);
    },
    getU16: (address) => bytes[address - base]! | (bytes[address - base + 1]! << 8),
    getU32: (address) => words[(address - base) >> 2]! >>> 0,
    getI32: (address) => words[(address - base) >> 2]!,
    getI64(address) {
      const at = (address - base) >> 2;
      return (words[at]! >>> 0) + words[at + 1]! * 2 ** 32;
    },
    takeBytes(address, size) {
      let out = "";
      const end = address - base + size;
      // in pieces: every byte becomes an argument
      for (let at = address - base; at < end; at += 8192)
        out += String.fromCharCode.apply(
          null,
          bytes.subarray(at, Math.min(end, at + 8192)) as unknown as number[],
        );
      return out;
    },
    scratch(use) {
      const before = top;
      try {
        return use();
      } finally {
        top = before;
      }
    },
    rewind() {
      top = at;
    },
    used: () => top - at,
  };
}
