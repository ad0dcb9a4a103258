/**
 * Where in an image its file system lies, and of which type it is: of the whole file, or of partition 1 when it is a disk
 * with a partition table. The image is hostile: every number in it is held against the file's size. Called by image.ts.
 */
import { NsError } from "../spec/error.ts";
import type { Bytes } from "../sys/bytes.ts";

/** Reads so many bytes at an offset; fewer at the end of the file. */
export type ReadAt = (offset: number, size: number) => Bytes;

export interface FileSystem {
  /** as mount(2) calls it */
  readonly type: "squashfs" | "erofs" | "ext4";
  /** bytes from the beginning of the file, a multiple of 512 */
  readonly offset: number;
  /** bytes; 0: up to the end of the file */
  readonly size: number;
}

interface Extent {
  readonly offset: number;
  readonly size: number;
}

const SECTOR = 512;
/** holds the magic numbers of all file systems, and both kinds of partition table's beginnings */
const HEAD = 2048;
const GPT_ENTRY = 128;

const MAGIC: readonly [FileSystem["type"], number, Bytes][] = [
  ["squashfs", 0, "hsqs"],
  ["erofs", 1024, "\xe2\xe1\xf5\xe0"],
  ["ext4", 1080, "\x53\xef"], // ext2 and ext3 too, which the same driver reads
];

/** A little-endian number; exact up to 2^53, and never rounded below that. NaN behind the end. */
function numberAt(bytes: Bytes, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes.charCodeAt(at + i);
  return value;
}

const typeOf = (head: Bytes): FileSystem["type"] | null =>
  MAGIC.find(([, at, magic]) => head.startsWith(magic, at))?.[0] ?? null;

const damaged = (table: "GPT" | "MBR"): NsError => new NsError(`its partition table (${table}) is damaged`);

const noPartition = (): NsError => new NsError("it has no partition 1");

/** Sectors as bytes, if they are within the file and behind the table. NaN is not. @throws NsError */
function extentOf(table: "GPT" | "MBR", first: number, count: number, size: number): Extent {
  if (first >= 1 && count >= 1 && (first + count) * SECTOR <= size)
    return { offset: first * SECTOR, size: count * SECTOR };
  throw damaged(table);
}

/** UEFI specification, 5.3: GUID Partition Table (GPT) Disk Layout. */
function gptPartition(head: Bytes, read: ReadAt, size: number): Extent {
  const [entries, count, entrySize] = [
    numberAt(head, SECTOR + 72, 8),
    numberAt(head, SECTOR + 80, 4),
    numberAt(head, SECTOR + 84, 4),
  ];
  if (!(entries * SECTOR + GPT_ENTRY <= size && entrySize >= GPT_ENTRY)) throw damaged("GPT");
  const entry = count === 0 ? "" : read(entries * SECTOR, GPT_ENTRY);
  if (/^\0*$/.test(entry.slice(0, 16))) throw noPartition();
  const first = numberAt(entry, 32, 8);
  return extentOf("GPT", first, numberAt(entry, 40, 8) - first + 1, size);
}

/** The first of the four entries of a master boot record. */
function mbrPartition(head: Bytes, size: number): Extent {
  const type = numberAt(head, 446 + 4, 1);
  if (type === 0) throw noPartition();
  if (type === 0xee) throw damaged("GPT"); // this table only says that there is one
  return extentOf("MBR", numberAt(head, 446 + 8, 4), numberAt(head, 446 + 12, 4), size);
}

function partitionOf(head: Bytes, read: ReadAt, size: number): Extent | null {
  if (head.startsWith("EFI PART", SECTOR)) return gptPartition(head, read, size);
  // a file system leaves its first sector to programs that start a machine, which looks like a table
  if (typeOf(head) !== null || !head.startsWith("\x55\xaa", 510)) return null;
  return mbrPartition(head, size);
}

/**
 * Finds the file system in an image.
 * @param size of the file, in bytes
 * @throws NsError whose text says of the image what is wrong with it
 */
export function findFileSystem(read: ReadAt, size: number): FileSystem {
  const head = read(0, HEAD);
  const partition = partitionOf(head, read, size);
  const at = partition ?? { offset: 0, size: 0 };
  const start = partition === null ? head : read(at.offset, Math.min(HEAD, at.size));
  const type = typeOf(start);
  if (type !== null) return { type, ...at };
  const where = partition === null ? "it" : "its partition 1";
  throw new NsError(`${where} holds no file system that ns knows`, {
    note: "squashfs, erofs and ext4 (ext2, ext3), in the file itself or in partition 1 of a disk",
  });
}
