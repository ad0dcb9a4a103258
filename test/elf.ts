/** The smallest of programs: a static ELF file of a few instructions for x86-64, for an init that ends in just one way. */
import { chmodSync, writeFileSync } from "node:fs";

const BASE = 0x400000;
const HEADERS = 64 + 56;

/** Writes the program, executable by everybody. */
export function writeProgram(path: string, code: readonly number[], machine = 62): void {
  const file = Buffer.alloc(HEADERS + code.length);
  file.write("\x7fELF\x02\x01\x01", "latin1");
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(BASE + HEADERS), 24);
  file.writeBigUInt64LE(64n, 32); // program headers
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // PT_LOAD
  file.writeUInt32LE(5, 68); // read, execute
  file.writeBigUInt64LE(BigInt(BASE), 80);
  file.writeBigUInt64LE(BigInt(BASE), 88);
  file.writeBigUInt64LE(BigInt(file.length), 96);
  file.writeBigUInt64LE(BigInt(file.length), 104);
  file.writeBigUInt64LE(4096n, 112);
  file.set(code, HEADERS);
  writeFileSync(path, file);
  chmodSync(path, 0o755);
}

const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >> shift) & 255);

/** mov $number, %eax; syscall */
export const syscall = (number: number): number[] => [0xb8, ...word(number), 0x0f, 0x05];
/** The same by the entry of 32-bit programs: int $0x80 */
export const syscall32 = (number: number): number[] => [0xb8, ...word(number), 0xcd, 0x80];
/** exit(0) */
export const exit = [0x31, 0xff, ...syscall(60)];

/** What kills a program, by the signal. */
export const FAULTS: Readonly<Record<string, readonly number[]>> = {
  SIGSEGV: [0x31, 0xc0, 0x89, 0x00], // mov %eax, (0)
  SIGILL: [0x0f, 0x0b], // ud2
  SIGFPE: [0x31, 0xc9, 0xf7, 0xf1], // div by 0
  SIGTRAP: [0xcc], // int3
};
