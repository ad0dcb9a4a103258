/** The strings of a frozen file: packed, with room for a process id, and as the table of messages. Used by layout.ts. */
import { errorWords, type Row } from "../../plan/frozen/messages.ts";
import type { Path } from "../../plan/frozen/place.ts";
import { bufferOf, bytesOf } from "../../sys/bytes.ts";
import type { Memory } from "../../sys/memory.ts";

/** bytes that are reserved for strings at a time */
const POOL = 128;
const PID_MAX_DIGITS = 10;
/** the table begins with the places of four strings (struct table in csrc/alone.c), and so large is each row */
const TABLE = 32;
const ROW = 16;

/** Strings side by side, each of them once: nobody writes to them. */
export function packStrings(memory: Memory): Memory {
  const known = new Map<string, number>();
  const pools: { at: number; left: number }[] = [];
  return {
    ...memory,
    placeString(value) {
      const before = known.get(value);
      if (before !== undefined) return before;
      const size = value.length + 1;
      let pool = pools.find(({ left }) => left >= size);
      if (pool === undefined) {
        pool = { at: memory.reserve(Math.max(POOL, size)), left: Math.max(POOL, size) };
        pools.push(pool);
      }
      const { at } = pool;
      pool.at += size;
      pool.left -= size;
      for (let i = 0; i < value.length; i++) memory.putByte(at + i, value.charCodeAt(i));
      memory.putByte(at + value.length, 0);
      known.set(value, at);
      return at;
    },
  };
}

/** A path whose process id is to be written into it; slashes take the place of digits that it has not. */
export function pathWithPid(memory: Memory, before: string, after: string, means: string): Path {
  const digits = "/".repeat(PID_MAX_DIGITS);
  // not with other strings: it is written to
  const at = memory.placeBuffer(bufferOf(`${before}/${digits}${after}\0`));
  return { at, means, end: at + before.length + 1 + PID_MAX_DIGITS };
}

export function placeTable(memory: Memory, rows: readonly Row[]): number {
  const at = memory.reserve(TABLE + ROW * rows.length);
  [errorWords(), "exit status ", "stopped by signal ", "\n"].forEach((words, i) => {
    memory.putI64(at + 8 * i, memory.placeString(words));
  });
  rows.forEach(({ last, status, text: words }, i) => {
    const row = at + TABLE + ROW * i;
    memory.putU32(row, last);
    memory.putU32(row + 4, status);
    memory.putI64(row + 8, memory.placeString(bytesOf(words)));
  });
  return at;
}
