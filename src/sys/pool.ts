/**
 * Blocks of memory for what other processes read or run while this one goes on: tasks, and the state of what was started.
 * The arena (kernel.ts) is for one call at a time; a block stays until it is given back, and is then used again.
 */
import { type Pointer, toArrayBuffer } from "bun:ffi";
import { call } from "./kernel.ts";
import { createMemory, type Memory } from "./memory.ts";

const PAGE = 4096;
const BLOCKS_A_MAPPING = 32;
const READ_WRITE = 3;
const PRIVATE_ANONYMOUS_NORESERVE = 0x4022;

export interface Block {
  readonly memory: Memory;
  /** gives it back; nobody may use it any more */
  free(): void;
}

export interface Pool {
  /** a block with room for so many bytes, of unknown content */
  take(size: number): Block;
  /** gives all memory back to the kernel; no block may be in use */
  close(): void;
}

interface Mapping {
  readonly address: number;
  readonly buffer: ArrayBuffer;
}

function map(size: number): Mapping {
  const address = call("mmap", 0, size, READ_WRITE, PRIVATE_ANONYMOUS_NORESERVE, -1, 0);
  if (address < 0) throw new RangeError("no memory for another container");
  return { address, buffer: toArrayBuffer(address as Pointer, 0, size) };
}

/** @param blockSize of the blocks that are kept for the next; a larger one is mapped by itself */
export function createPool(blockSize: number): Pool {
  const idle: Block[] = [];
  const mappings: Mapping[] = [];
  const grow = (): void => {
    const mapping = map(blockSize * BLOCKS_A_MAPPING);
    mappings.push(mapping);
    for (let at = 0; at < BLOCKS_A_MAPPING * blockSize; at += blockSize) {
      const memory = createMemory(mapping.buffer, mapping.address + at, at, blockSize);
      const block: Block = { memory, free: () => idle.push(block) };
      idle.push(block);
    }
  };
  return {
    take(size) {
      if (size > blockSize) {
        const whole = Math.ceil(size / PAGE) * PAGE;
        const { address, buffer } = map(whole);
        return { memory: createMemory(buffer, address), free: () => call("munmap", address, whole) };
      }
      if (idle.length === 0) grow();
      const block = idle.pop()!;
      block.memory.rewind();
      return block;
    },
    close() {
      idle.length = 0;
      for (const { address, buffer } of mappings.splice(0)) call("munmap", address, buffer.byteLength);
    },
  };
}
