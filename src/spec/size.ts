/** Sizes in bytes as the user types them (64M, 1GiB) and as ns says them. Used by the flag table. */
import { usageError } from "./error.ts";

const UNITS = "kmgt";
const MAX = 2n ** 63n - 1n;

/**
 * A size in bytes: decimal digits, then k, M, G or T in either case, then B or iB if one likes; powers of 1024.
 * @throws NsError (usage) for 0, signs, fractions, leading zeros, unknown units and what does not fit 63 bits
 */
export function parseSize(text: string, option: string): bigint {
  const bad = (why: string) =>
    usageError(`${option}: ${why}; a size is a whole number like 67108864, 64M or 1GiB`);
  const match = /^(\d+)(?:([kmgt])(?:i?b)?|b)?$/i.exec(text);
  if (match === null) {
    if (/^-\d/.test(text)) throw bad(`'${text}' is negative`);
    if (/^\d*[.,]\d+/.test(text)) throw bad(`'${text}' is not a whole number`);
    throw bad(`'${text}' is not a size`);
  }
  const digits = match[1]!;
  if (/^0\d/.test(digits)) throw bad(`'${text}' begins with 0`);
  const exponent = match[2] === undefined ? 0 : UNITS.indexOf(match[2].toLowerCase()) + 1;
  const size = BigInt(digits) * 1024n ** BigInt(exponent);
  if (size === 0n) throw bad("the size must be more than 0");
  if (size > MAX) throw bad(`'${text}' is too large`);
  return size;
}

/** The size in the largest unit that says it exactly: 64M, 1536k, 1000B. */
export function showSize(size: bigint): string {
  let exponent = 0;
  let value = size;
  while (exponent < UNITS.length && value % 1024n === 0n && value > 0n) {
    value /= 1024n;
    exponent++;
  }
  return `${value}${["B", "k", "M", "G", "T"][exponent]}`;
}
