/**
 * Reads what the build and the tests of targets ask of ELF files (elf(5)), of 32 or 64 bits, little-endian: sections,
 * symbols, segments, the loader, needed libraries, and the versions of symbols that they must have.
 */
export interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
}
export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
  readonly align: number;
}
export interface Elf {
  /** ET_EXEC 2, ET_DYN 3 */
  readonly type: number;
  readonly machine: number;
  readonly sections: readonly Section[];
  readonly segments: readonly Segment[];
  bytesOf(part: { readonly offset: number; readonly size: number }): Uint8Array;
  /** the address of a symbol of the symbol table */
  symbol(name: string): number | undefined;
}

export const SHF_ALLOC = 2;
const SHT_SYMTAB = 2;
const SHT_DYNAMIC = 6;
const SHT_GNU_VERNEED = 0x6ffffffe;
const PT_INTERP = 3;
const DT_NEEDED = 1;

/** @throws RangeError when it is no ELF file */
export function readElf(file: Uint8Array): Elf {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(0) !== 0x7f454c46) throw new RangeError("this is no ELF file");
  const wide = file[4] === 2;
  const u16 = (at: number): number => view.getUint16(at, true);
  const u32 = (at: number): number => view.getUint32(at, true);
  const word = (at: number): number => (wide ? Number(view.getBigUint64(at, true)) : u32(at));
  const text = (at: number): string => {
    let end = at;
    while (file[end] !== 0) end++;
    return new TextDecoder("latin1").decode(file.subarray(at, end));
  };
  const raw = Array.from({ length: u16(wide ? 60 : 48) }, (_, i) => {
    const at = word(wide ? 40 : 32) + i * u16(wide ? 58 : 46);
    const [flags, address, offset, size] = (wide ? [8, 16, 24, 32] : [8, 12, 16, 20]).map((d) =>
      word(at + d),
    );
    const after = at + (wide ? 40 : 24);
    const rest = { flags: flags!, address: address!, offset: offset!, size: size! };
    return { nameAt: u32(at), type: u32(at + 4), link: u32(after), info: u32(after + 4), ...rest };
  });
  const names = raw[u16(wide ? 62 : 50)]?.offset ?? 0;
  const sections = raw.map(({ nameAt, ...rest }) => ({ name: text(names + nameAt), ...rest }));
  const segments = Array.from({ length: u16(wide ? 56 : 44) }, (_, i) => {
    const at = word(wide ? 32 : 28) + i * u16(wide ? 54 : 42);
    const [offset, address, size, align] = (wide ? [8, 16, 40, 48] : [4, 8, 20, 28]).map((d) => word(at + d));
    const rest = { offset: offset!, address: address!, size: size!, align: align! };
    return { type: u32(at), flags: u32(at + (wide ? 4 : 24)), ...rest };
  });
  return {
    type: u16(16),
    machine: u16(18),
    sections,
    segments,
    bytesOf: ({ offset, size }) => file.subarray(offset, offset + size),
    symbol(name) {
      for (const table of sections.filter(({ type }) => type === SHT_SYMTAB)) {
        const size = wide ? 24 : 16;
        for (let at = table.offset; at < table.offset + table.size; at += size)
          if (text(sections[table.link]!.offset + u32(at)) === name) return word(at + (wide ? 8 : 4));
      }
      return undefined;
    },
  };
}

/** What a dynamic executable asks of the system it starts on. */
export interface Needs {
  readonly interpreter: string | null;
  readonly libraries: readonly string[];
  /** versions of symbols by library: GLIBC_2.17 and so on */
  readonly versions: Readonly<Record<string, readonly string[]>>;
}

export function readNeeds(file: Uint8Array): Needs {
  const elf = readElf(file);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const textAt = (at: number): string => {
    let end = at;
    while (file[end] !== 0) end++;
    return new TextDecoder("latin1").decode(file.subarray(at, end));
  };
  const interpreter = elf.segments.find(({ type }) => type === PT_INTERP);
  const libraries: string[] = [];
  const versions: Record<string, string[]> = {};
  for (const section of elf.sections) {
    const names = elf.sections[section.link]?.offset ?? 0;
    if (section.type === SHT_DYNAMIC)
      for (let at = section.offset; at < section.offset + section.size; at += 16)
        if (Number(view.getBigInt64(at, true)) === DT_NEEDED)
          libraries.push(textAt(names + Number(view.getBigUint64(at + 8, true))));
    if (section.type !== SHT_GNU_VERNEED) continue;
    let entry = section.offset;
    for (let i = 0; i < section.info; i++) {
      const list: string[] = [];
      let version = entry + view.getUint32(entry + 8, true);
      for (let j = 0; j < view.getUint16(entry + 2, true); j++) {
        list.push(textAt(names + view.getUint32(version + 8, true)));
        version += view.getUint32(version + 12, true);
      }
      versions[textAt(names + view.getUint32(entry + 4, true))] = list.sort();
      entry += view.getUint32(entry + 12, true);
    }
  }
  return { interpreter: interpreter === undefined ? null : textAt(interpreter.offset), libraries, versions };
}
