/**
 * What a linker calls relaxation, for TinyCC's arm64 code: it takes the address of a function from a table outside the
 * code (the GOT), with two instructions. compile.ts lets both be one that computes it from where the code is. Any other
 * address of something outside is refused.
 */
const ADRP = 0x90000000;
const ADRP_MASK = 0x9f000000;
const LDR = 0xf9400000;
const LDR_MASK = 0xffc00000;
const ADR = 0x10000000;
const NOP = 0xd503201f;

/** the value of the `size` lowest bits, the highest of which is the sign */
const signed = (value: number, size: number): number => (value << (32 - size)) >> (32 - size);

/**
 * Changes the code in place.
 * @param base the address that it was compiled for
 * @param read the 64-bit number at an address
 * @throws Error when the code needs something that is not in it
 */
export function relax(code: Uint8Array, base: number, read: (address: number) => number): void {
  const words = new Uint32Array(code.buffer, code.byteOffset, code.length / 4);
  for (let i = 0; i < words.length; i++) {
    const [first, second] = [words[i]!, words[i + 1] ?? 0];
    if ((first & ADRP_MASK) >>> 0 !== ADRP) continue;
    const register = first & 31;
    if ((second & LDR_MASK) >>> 0 !== LDR || (second & 0x3ff) !== ((register << 5) | register))
      throw new Error(`csrc/launcher.c: code at ${4 * i} takes an address in a way that is not known`);
    const here = base + 4 * i;
    const pages = signed((((first >> 5) & 0x7ffff) << 2) | ((first >> 29) & 3), 21);
    const page = here - (here % 4096) + pages * 4096;
    const distance = read(page + ((second >> 10) & 0xfff) * 8) - here;
    if (here + distance < base || here + distance >= base + code.length)
      throw new Error(`csrc/launcher.c: code at ${4 * i} needs something that is not in the launcher`);
    words[i] = ADR | ((distance & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5) | register;
    words[i + 1] = NOP;
  }
}
